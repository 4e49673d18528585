"""What a transform job keeps of its records before and after the model: filters, and inputs beside answers.

``DataProcessing`` of CreateTransformJob, by "Associate Prediction Results with Input Records" in the
SageMaker developer guide. A record is a line of CSV, seen as a list of its texts, a line of JSON Lines, or a
JSON document. Filters are JSONPath with the operators that the guide lists: ``$``, ``.name``, ``['a','b']``,
``[0,-1]``, ``[1:4]`` and ``*``.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_formats import json_text
from sagemaker_local.errors import validation_error
from sagemaker_local.jobs.failure import client_error
from sagemaker_local.store import Document

WHOLE = "$"
CSV, _JSON, _JSON_LINES = "text/csv", "application/json", "application/jsonlines"
_OPERATOR = re.compile(
    r"""\.(?P<name>[^.\[\]*'"]+) | \.\* | \[\*\]
      | \[(?P<names>\s*'[^']*'\s*(?:,\s*'[^']*'\s*)*)\]
      | \[(?P<numbers>\s*-?\d+\s*(?:,\s*-?\d+\s*)*)\]
      | \[(?P<start>-?\d*)\s*:\s*(?P<end>-?\d*)\]""",
    re.VERBOSE,
)
_Select = Callable[[Any], Any]


@dataclass(frozen=True)
class DataProcessing:
    """The filters and the join of a job.

    Attributes:
        form: of the records, ``text/csv``, ``application/json`` or ``application/jsonlines``.
        by_line: whether each line is a record; otherwise a payload is one JSON document.
        joined: whether each answer stands beside its input.
    """

    form: str
    by_line: bool
    input_filter: str
    output_filter: str
    joined: bool

    def before(self, payload: bytes) -> bytes:
        """What the model is sent of a payload.

        Raises:
            JobFailure: the payload is not of the form, or holds nothing of what the filter names.
        """
        if self.input_filter == WHOLE:
            return payload
        select = _selection(self.input_filter)
        return self._text([select(record) for record in self._records(payload, "the input")])

    def after(self, payload: bytes, answer: bytes) -> bytes:
        """What is kept of an answer; without a line's end after the last record.

        Raises:
            JobFailure: it is not of the form, or has not as many records as the payload.
        """
        if not self.joined and self.output_filter == WHOLE:
            return answer
        kept = self._records(answer, "the answer")
        if self.joined:
            given = self._records(payload, "the input")
            if len(given) != len(kept):
                raise client_error(
                    f"{len(given)} records were sent and {len(kept)} answered: JoinSource Input needs as"
                    " many."
                )
            kept = [self._beside(one, two) for one, two in zip(given, kept, strict=True)]
        select = _selection(self.output_filter)
        return self._text([select(record) for record in kept]).removesuffix(b"\n")

    def _records(self, payload: bytes, what: str) -> list[Any]:
        try:
            text = payload.decode()
            if self.form == CSV:
                return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
            if self.by_line:
                return [json_text.parse(line) for line in text.splitlines() if line.strip()]
            return [json_text.parse(text)]
        except (ValueError, csv.Error) as error:
            raise client_error(f"{what} is no {self.form}: {error}.") from error

    def _text(self, records: Sequence[Any]) -> bytes:
        if self.form != CSV:
            return "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records).encode()
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerows(record if isinstance(record, list) else [record] for record in records)
        return written.getvalue().encode()

    def _beside(self, given: Any, answered: Any) -> Any:
        """A record of CSV goes on with its answer; one of JSON gets it as ``SageMakerOutput``."""
        if self.form == CSV:
            return [*given, *answered]
        if isinstance(given, dict):
            return {**given, "SageMakerOutput": answered}
        return {"SageMakerInput": given, "SageMakerOutput": answered}


def read_processing(request: Document) -> DataProcessing | None:
    """What a request, or a job's document, asks for; None if nothing.

    Raises:
        AwsError: a filter is no JSONPath of those operators, or the records are neither CSV nor JSON.
    """
    asked: Mapping[str, str] = request.get("DataProcessing") or {}
    before, after = (asked.get(member) or WHOLE for member in ("InputFilter", "OutputFilter"))
    joined = asked.get("JoinSource", "None") == "Input"
    if before == after == WHOLE and not joined:
        return None
    for path in (before, after):
        _selection(path)
    source, accept = request["TransformInput"], request["TransformOutput"].get("Accept")
    form = form_of(source.get("ContentType"))
    if form is None or (accept is not None and form_of(accept) != form):
        raise validation_error(
            f"DataProcessing needs ContentType and Accept of one form, {CSV}, {_JSON} or {_JSON_LINES}; they"
            f" are {source.get('ContentType')} and {accept}."
        )
    by_line = form != _JSON or source.get("SplitType", "None") == "Line"
    return DataProcessing(form, by_line, before, after, joined)


def form_of(content_type: str | None) -> str | None:
    """The form of records that a content type names: CSV, JSON or JSON Lines; None for any other."""
    name = (content_type or "").partition(";")[0].strip().lower()
    return name if name in (CSV, _JSON, _JSON_LINES) else None


def _selection(path: str) -> _Select:
    """The function that a filter means, from a record to what is kept of it."""
    place, selects = 1, []
    if not path.startswith(WHOLE):
        raise validation_error(f"The filter {path!r} is no JSONPath: it has to begin with $.")
    while place < len(path):
        found = _OPERATOR.match(path, place)
        if found is None:
            raise validation_error(
                f"The filter {path!r} is no JSONPath that a transform job takes, from {path[place:]!r} on."
                " There are $, .name, ['a','b'], [0,-1], [1:4] and *."
            )
        selects.append(_one(found, path))
        place = found.end()

    def select(record: Any) -> Any:
        for one in selects:
            record = one(record)
        return record

    return select


def _one(found: re.Match[str], path: str) -> _Select:
    def select(record: Any) -> Any:
        try:
            if name := found["name"]:
                return record[name]
            if found["names"]:
                names = re.findall(r"'([^']*)'", found["names"])
                return record[names[0]] if len(names) == 1 else {one: record[one] for one in names}
            if found["numbers"]:
                numbers = [int(one) for one in found["numbers"].split(",")]
                return record[numbers[0]] if len(numbers) == 1 else [record[one] for one in numbers]
            if found["start"] is not None:
                return record[
                    slice(*(int(text) if text else None for text in (found["start"], found["end"])))
                ]
            return list(record.values()) if isinstance(record, dict) else list(record)
        except (KeyError, IndexError, TypeError) as error:
            raise client_error(
                f"a record holds nothing at {path}: {json.dumps(record, ensure_ascii=False)[:200]}."
            ) from error

    return select
