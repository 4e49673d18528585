"""Data capture of a transform job: two manifests that name what went in and what came out.

``DataCaptureConfig`` of CreateTransformJob, by "Capture data from batch transform job" in the SageMaker
developer guide (model-monitor-data-capture-batch). A job copies nothing: once it has completed there are
``DESTINATION/input/yyyy/mm/dd/hh/JOB.json`` and ``DESTINATION/output/yyyy/mm/dd/hh/JOB.json``, in the hour
(UTC) of its start, each a JSON list of a prefix and the names below it. The guide does not say what the files
are called.

With ``GenerateInferenceId`` each record of the output ends with an id of its own and the time of the job's
start: two more columns of CSV, or the members ``SageMakerInferenceId`` and ``SageMakerInferenceTime`` of a
JSON object.
"""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_formats import json_text
from sagemaker_local.errors import validation_error
from sagemaker_local.hosting.capture import destination, utc
from sagemaker_local.hosting.data_processing import CSV, form_of
from sagemaker_local.jobs.failure import client_error

if TYPE_CHECKING:
    from sagemaker_local.jobs.transfer import Source
    from sagemaker_local.s3.objects import ObjectStore
    from sagemaker_local.store import Document


@dataclass(frozen=True)
class BatchCapture:
    """What a transform job captures.

    Attributes:
        bucket, prefix: the destination; the prefix has no slash at its end.
        form: of the records that get ids, ``text/csv``, ``application/json`` or ``application/jsonlines``;
            None where they get none.
    """

    bucket: str
    prefix: str
    form: str | None

    def with_ids(self, answer: bytes, started: float) -> bytes:
        """An answer whose records have ids; as it is without ``GenerateInferenceId``.

        Args:
            started: the job's start, POSIX seconds.

        Raises:
            JobFailure: the answer is not of the form.
        """
        if self.form is None:
            return answer
        try:
            text = answer.decode()
            lines = _csv(text, started) if self.form == CSV else _json(text, started)
            whole = "\n".join(lines)
        except ValueError as problem:
            raise client_error(
                f"the answer is no {self.form}, so that it gets no ids: {problem}."
            ) from problem
        return f"{whole}\n".encode() if text.endswith("\n") else whole.encode()

    def write_manifests(
        self,
        objects: ObjectStore,
        job: str,
        started: float,
        inputs: Sequence[Source],
        target: tuple[str, str],
    ) -> None:
        """Say what went in and what came out, in S3.

        Args:
            started: the job's start, POSIX seconds.
            target: bucket and prefix of the output.

        Raises:
            OSError, sqlite3.Error, AwsError: it cannot be written.
        """
        first = inputs[0]
        base = first.info.key[: -len(first.name)]
        hour = time.strftime("%Y/%m/%d/%H", time.gmtime(started))
        sides = {
            "input": (f"s3://{first.info.bucket}/{base}", [one.name for one in inputs]),
            "output": (
                "s3://" + "/".join(part for part in target if part) + "/",
                [f"{one.name}.out" for one in inputs],
            ),
        }
        for side, (prefix, names) in sides.items():
            content = json.dumps([{"prefix": prefix}, *names])
            key = f"{self.prefix}/{side}/{hour}/{job}.json".lstrip("/")
            objects.put_bytes(self.bucket, key, content.encode(), content_type="application/json")


def read_batch_capture(request: Document) -> BatchCapture | None:
    """What a request, or a job's document, asks for; None if nothing.

    Raises:
        AwsError: the destination is no S3 URI, or the output is of no form that ids can be added to.
    """
    given: Mapping[str, Any] | None = request.get("DataCaptureConfig")
    if given is None:
        return None
    bucket, prefix = destination(given["DestinationS3Uri"])
    if not given.get("GenerateInferenceId"):
        return BatchCapture(bucket, prefix, None)
    source, target = request["TransformInput"], request["TransformOutput"]
    wanted = target.get("Accept") or source.get("ContentType")
    form = form_of(wanted)
    if form is None:
        raise validation_error(
            "GenerateInferenceId needs an output of CSV, JSON or JSON Lines; Accept, or ContentType without"
            f" it, is {wanted}."
        )
    return BatchCapture(bucket, prefix, form)


def _csv(text: str, started: float) -> Iterator[str]:
    """Its records with two columns more; a line's end inside of quotes ends none."""
    record, quoted = "", False
    for line in io.StringIO(text, newline=""):
        record += line
        quoted ^= line.count('"') % 2 == 1
        if not quoted:
            if record.strip("\r\n"):
                yield f"{record.rstrip(chr(13) + chr(10))},{uuid.uuid4()},{utc(started)}"
            record = ""
    if record:
        raise ValueError("a quotation mark is not closed")


def _json(text: str, started: float) -> Iterator[str]:
    """The document, or each line where there are several, with two members more."""
    try:
        records = [json_text.parse(text)]
    except ValueError:
        records = [json_text.parse(line) for line in text.split("\n") if line.strip()]
    for record in records:
        whole = record if isinstance(record, dict) else {"SageMakerOutput": record}
        ids = {"SageMakerInferenceId": str(uuid.uuid4()), "SageMakerInferenceTime": utc(started)}
        yield json.dumps({**whole, **ids}, ensure_ascii=False)
