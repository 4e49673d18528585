"""Batch transform jobs: files through a model, in order, to files."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_place import BUCKET, ECHO, Place
from wire_clients import server_process, wait_for

from sagemaker_local import endpoint

LINES = """
class Refused:
    def __call__(self, environ, start_response):
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [b"row 7: it is refused"]
def model_fn(folder):
    return folder
def transform_fn(model, body, content_type, accept):
    import time
    if "refuse" in body:
        return Refused()
    if "break" in body:
        raise ValueError("it broke")
    if "wait" in body:
        time.sleep(600)
    return "|".join(line.upper() for line in body.splitlines()), accept
"""


@pytest.fixture(scope="module")
def upper(place: Place) -> Place:
    place.model("upper", place.echo("upper", LINES))
    return place


def start(place: Place, name: str, model: str = "upper", **members: Any) -> None:
    source = {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{name}/in"}},
        "ContentType": "text/csv",
        **members.pop("TransformInput", {}),
    }
    target = {"S3OutputPath": f"s3://{BUCKET}/{name}/out", **members.pop("TransformOutput", {})}
    place.sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        TransformInput=source,
        TransformOutput=target,
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **members,
    )


def ended(place: Place, name: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = place.sagemaker.describe_transform_job(TransformJobName=name)
        return found if found["TransformJobStatus"] in ("Completed", "Failed", "Stopped") else None

    found: dict[str, Any] = wait_for(look)
    return found


def output(place: Place, name: str, file: str) -> bytes:
    content: bytes = place.s3.get_object(Bucket=BUCKET, Key=f"{name}/out/{file}.out")["Body"].read()
    return content


def test_every_object_becomes_an_object_of_its_name_with_its_answers_in_order(upper: Place) -> None:
    upper.put("batch/in/a.csv", b"a\nb\n\nc\n")
    upper.put("batch/in/deep/b.csv", b"d")
    start(
        upper,
        "batch",
        BatchStrategy="SingleRecord",
        MaxConcurrentTransforms=3,
        TransformInput={"SplitType": "Line"},
        TransformOutput={"AssembleWith": "Line", "Accept": "text/csv"},
    )
    found = ended(upper, "batch")
    assert found["TransformJobStatus"] == "Completed", found
    assert found["TransformStartTime"] <= found["TransformEndTime"]
    assert output(upper, "batch", "a.csv") == b"A\nB\nC\n"
    assert output(upper, "batch", "deep/b.csv") == b"D\n"


def test_a_line_ends_after_each_answer_also_after_one_that_has_an_end_of_its_own(upper: Place) -> None:
    """AWS adds it in any case, which leaves an empty line; so do not count on the answers' own."""
    ending = LINES.replace('"|".join(line.upper() for line in body.splitlines())', "body")
    upper.model("ending", upper.echo("ending", ending))
    upper.put("ended/in/a.csv", b"a\nb\n")
    start(
        upper,
        "ended",
        "ending",
        BatchStrategy="SingleRecord",
        TransformInput={"SplitType": "Line"},
        TransformOutput={"AssembleWith": "Line", "Accept": "text/csv"},
    )
    assert ended(upper, "ended")["TransformJobStatus"] == "Completed"
    assert output(upper, "ended", "a.csv") == b"a\n\nb\n\n"


def test_a_line_of_delimiters_is_a_record_and_an_empty_one_is_none(upper: Place) -> None:
    upper.put("blanks/in/a.csv", b"a\tb\n\t\n\n\r\nc\td\n")
    start(upper, "blanks", TransformInput={"SplitType": "Line"}, TransformOutput={"Accept": "text/csv"})
    assert ended(upper, "blanks")["TransformJobStatus"] == "Completed"
    assert output(upper, "blanks", "a.csv") == b"A\tB|\t|C\tD"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"no gzip", "Not a gzipped file"),
        (gzip.compress(b"a\nb\n" * 1000, mtime=0)[:-12], "end-of-stream marker"),
        (gzip.compress(os.urandom(5000))[:10] + b"\xff" * 500, "invalid block type"),
    ],
    ids=["no gzip", "cut off", "broken block"],
)
def test_a_damaged_gzip_file_is_the_clients_mistake(upper: Place, broken: bytes, reason: str) -> None:
    name = f"damaged-{len(broken)}"
    upper.put(f"{name}/in/a.csv.gz", broken)
    start(upper, name, TransformInput={"CompressionType": "Gzip", "SplitType": "Line"})
    said = ended(upper, name)["FailureReason"]
    assert said.startswith(f"ClientError: {name}/in/a.csv.gz is no gzip file: ")
    assert reason in said


def test_lines_are_sent_in_batches_that_fit_the_payload(upper: Place) -> None:
    line = b"x" * ((400 << 10) - 1) + b"\n"
    upper.put("batches/in/a.csv", line * 5)
    start(upper, "batches", MaxPayloadInMB=1, TransformInput={"SplitType": "Line"})
    assert ended(upper, "batches")["TransformJobStatus"] == "Completed"
    shown = [len(record) for record in output(upper, "batches", "a.csv").split(b"|")]
    assert shown == [(400 << 10) - 1, 2 * ((400 << 10) - 1), 2 * ((400 << 10) - 1)]


def test_a_whole_object_and_a_compressed_one_are_payloads(upper: Place) -> None:
    upper.put("whole/in/a.csv.gz", gzip.compress(b"a\nb\n"))
    start(upper, "whole", TransformInput={"CompressionType": "Gzip"})
    assert ended(upper, "whole")["TransformJobStatus"] == "Completed"
    assert output(upper, "whole", "a.csv.gz") == b"A|B"


def test_a_trained_model_scores_a_file(place: Place, artifact: bytes) -> None:
    place.model("scorer", place.container(place.put("scorer/model.tar.gz", artifact)))
    place.put("scores/in/rows.csv", b"".join(b"%f,red\n" % (number / 1000) for number in range(1000)))
    start(
        place,
        "scores",
        "scorer",
        TransformInput={"SplitType": "Line"},
        TransformOutput={"Accept": "text/csv", "AssembleWith": "Line"},
    )
    assert ended(place, "scores")["TransformJobStatus"] == "Completed"
    rows = output(place, "scores", "rows.csv").decode().splitlines()
    assert rows.pop() == ""
    assert len(rows) == 1000
    assert rows[0].startswith("no,")
    assert rows[-1].startswith("yes,")


def test_a_job_that_cannot_go_on_fails_and_says_why(upper: Place) -> None:
    upper.put("refusal/in/a.csv", b"fine\nrefuse\n")
    start(upper, "refusal", TransformInput={"SplitType": "Line"})
    reason = ended(upper, "refusal")["FailureReason"]
    assert reason.startswith("ClientError: refusal/in/a.csv: the model answered 400: row 7: it is refused")
    upper.put("breakage/in/a.csv", b"break")
    start(upper, "breakage")
    reason = ended(upper, "breakage")["FailureReason"]
    assert reason == "AlgorithmError: breakage/in/a.csv: the model answered 500: see its log."
    start(upper, "nothing")
    assert "No S3 objects found" in ended(upper, "nothing")["FailureReason"]
    upper.put("large/in/a.csv", b"x" * (2 << 20))
    start(upper, "large", MaxPayloadInMB=1)
    assert "more than MaxPayloadInMB, 1 MB" in ended(upper, "large")["FailureReason"]
    script = ECHO.replace("return open", "raise RuntimeError('no such model'); return open", 1)
    upper.model("unloadable", upper.echo("unloadable", script))
    upper.put("unloadable-job/in/a.csv", b"x")
    start(upper, "unloadable-job", "unloadable")
    assert "RuntimeError: no such model" in ended(upper, "unloadable-job")["FailureReason"]


def test_a_job_is_stopped_while_its_model_computes(upper: Place) -> None:
    upper.put("long/in/a.csv", b"wait")
    start(upper, "long")
    wait_for(
        lambda: upper.sagemaker.describe_transform_job(TransformJobName="long").get("TransformStartTime")
    )
    upper.sagemaker.stop_transform_job(TransformJobName="long")
    assert ended(upper, "long")["TransformJobStatus"] == "Stopped"
    streams = upper.logs.describe_log_streams(
        logGroupName="/aws/sagemaker/TransformJobs", logStreamNamePrefix="long/"
    )
    assert len(streams["logStreams"]) == 1
    with pytest.raises(ClientError, match="is in status Stopped"):
        upper.sagemaker.stop_transform_job(TransformJobName="long")


def test_what_is_not_implemented_is_refused_before_anything_is_created(upper: Place) -> None:
    with pytest.raises(ClientError, match="SplitType RecordIO is not implemented"):
        start(upper, "refused", TransformInput={"SplitType": "RecordIO"})
    with pytest.raises(ClientError, match="ContentType and Accept of one form"):
        start(
            upper,
            "refused",
            TransformOutput={"Accept": "application/json"},
            DataProcessing={"JoinSource": "Input"},
        )
    with pytest.raises(ClientError, match=r"from '\[\?\(@.a\)\]' on"):
        start(upper, "refused", DataProcessing={"OutputFilter": "$.a[?(@.a)]"})
    with pytest.raises(ClientError, match="at most 100"):
        start(upper, "refused", MaxPayloadInMB=60, MaxConcurrentTransforms=2)
    with pytest.raises(ClientError, match=r"\(ValidationException\).*Could not find requested job"):
        upper.sagemaker.describe_transform_job(TransformJobName="refused")


def test_jobs_are_listed_by_status(upper: Place) -> None:
    upper.put("listed/in/a.csv", b"x")
    start(upper, "listed")
    ended(upper, "listed")
    found = upper.sagemaker.list_transform_jobs(StatusEquals="Completed", NameContains="listed")
    assert [one["TransformJobName"] for one in found["TransformJobSummaries"]] == ["listed"]
    with pytest.raises(ClientError, match="must be unique"):
        start(upper, "listed")


def test_a_job_whose_process_was_killed_is_failed(tmp_path: Path) -> None:
    with server_process(tmp_path / "home") as (process, url):
        place = Place(url)
        place.model("upper", place.echo("upper", LINES))
        place.put("killed/in/a.csv", b"wait")
        start(place, "killed")
        process.kill()
        process.wait()
    with endpoint.start(tmp_path / "home") as running:
        found = Place(running.url).sagemaker.describe_transform_job(TransformJobName="killed")
    assert found["TransformJobStatus"] == "Failed"
    assert "ended before the job did" in found["FailureReason"]
