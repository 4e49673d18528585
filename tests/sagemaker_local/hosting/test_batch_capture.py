"""What a transform job captures: manifests of its input and output, and ids of its records."""

from __future__ import annotations

import json
import re
from datetime import UTC
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hosting_place import BUCKET, Place
from wire_clients import wait_for

SCRIPT = """
import json
def model_fn(folder):
    return folder
def transform_fn(model, body, content_type, accept):
    lines = body.splitlines()
    if accept == "application/json":
        return json.dumps({"predictions": lines}), accept
    if accept == "application/jsonlines":
        made = [json.dumps("bare" if line == "bare" else {"output": line}) for line in lines]
        return "".join(one + "\\n" for one in made), accept
    if body == "open":
        return '"open', accept
    return "".join(f'{line},"1\\n{line}"\\n' for line in lines), "text/csv"
"""
ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture(scope="module")
def batch(place: Place) -> Place:
    place.model("batch", place.echo("batch", SCRIPT))
    return place


def run(
    batch: Place, name: str, capture: dict[str, Any], *, accept: str = "text/csv", **source: str
) -> dict[str, Any]:
    """A job over `NAME/in`, at its end."""
    batch.sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName="batch",
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{name}/in"}},
            "ContentType": "text/csv",
            **source,
        },
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/{name}/out/", "Accept": accept},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        DataCaptureConfig={"DestinationS3Uri": f"s3://{BUCKET}/{name}/captured/", **capture},
    )

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = batch.sagemaker.describe_transform_job(TransformJobName=name)
        return found if found["TransformJobStatus"] in ("Completed", "Failed", "Stopped") else None

    found: dict[str, Any] = wait_for(look)
    return found


def content(batch: Place, key: str) -> str:
    return str(batch.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode())


def test_two_manifests_name_what_went_in_and_what_came_out_in_the_hour_of_the_start(batch: Place) -> None:
    batch.put("named/in/a.csv", b"a\n")
    batch.put("named/in/deep/b.csv", b"b\n")
    ended = run(batch, "named", {})
    assert ended["TransformJobStatus"] == "Completed", ended
    assert ended["DataCaptureConfig"] == {"DestinationS3Uri": f"s3://{BUCKET}/named/captured/"}
    hour = f"{ended['TransformStartTime'].astimezone(UTC):%Y/%m/%d/%H}"
    assert json.loads(content(batch, f"named/captured/input/{hour}/named.json")) == [
        {"prefix": f"s3://{BUCKET}/named/in/"},
        "a.csv",
        "deep/b.csv",
    ]
    assert json.loads(content(batch, f"named/captured/output/{hour}/named.json")) == [
        {"prefix": f"s3://{BUCKET}/named/out/"},
        "a.csv.out",
        "deep/b.csv.out",
    ]
    assert content(batch, "named/out/a.csv.out") == 'a,"1\na"\n'


def test_each_record_of_csv_ends_with_an_id_of_its_own_and_the_jobs_start(batch: Place) -> None:
    batch.put("csv/in/a.csv", b"a\nb\n")
    ended = run(batch, "csv", {"GenerateInferenceId": True})
    assert ended["TransformJobStatus"] == "Completed", ended
    written = content(batch, "csv/out/a.csv.out")
    found = re.fullmatch(rf'a,"1\na",({ID}),({TIME})\nb,"1\nb",({ID}),({TIME})\n', written)
    assert found is not None, written
    assert found[1] != found[3]
    start = f"{ended['TransformStartTime'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert found[2] == found[4] == start


def test_json_and_json_lines_get_members(batch: Place) -> None:
    batch.put("json/in/a.csv", b"a\nb\n")
    run(batch, "json", {"GenerateInferenceId": True}, accept="application/json")
    found = json.loads(content(batch, "json/out/a.csv.out"))
    assert found["predictions"] == ["a", "b"]
    assert re.fullmatch(ID, found["SageMakerInferenceId"])
    batch.put("lines/in/a.csv", b"a\nbare\n")
    run(batch, "lines", {"GenerateInferenceId": True}, accept="application/jsonlines")
    first, second = map(json.loads, content(batch, "lines/out/a.csv.out").splitlines())
    assert set(first) == {"output", "SageMakerInferenceId", "SageMakerInferenceTime"}
    assert second["SageMakerOutput"] == "bare"
    assert first["SageMakerInferenceId"] != second["SageMakerInferenceId"]


def test_ids_need_a_form_that_they_can_be_added_to(batch: Place) -> None:
    with pytest.raises(ClientError, match=r"GenerateInferenceId needs .* is application/x-parquet"):
        run(batch, "parquet", {"GenerateInferenceId": True}, accept="application/x-parquet")


def test_an_answer_of_another_form_than_the_accepted_one_fails_the_job(batch: Place) -> None:
    batch.put("wrong/in/a.csv", b"open")
    assert run(batch, "wrong", {"GenerateInferenceId": True})["FailureReason"].startswith(
        "ClientError: the answer is no text/csv"
    )


def test_manifests_that_cannot_be_written_fail_no_job_and_the_log_says_it(batch: Place) -> None:
    batch.put("unkept/in/a.csv", b"a\n")
    ended = run(batch, "unkept", {"DestinationS3Uri": "s3://no-such-bucket-here/x"})
    assert ended["TransformJobStatus"] == "Completed", ended
    events = batch.logs.filter_log_events(
        logGroupName="/aws/sagemaker/TransformJobs", logStreamNamePrefix="unkept/data-capture-"
    )["events"]
    assert "no-such-bucket-here" in events[0]["message"]


def test_a_job_that_fails_leaves_no_manifest(batch: Place) -> None:
    batch.put("failing/in/a.csv.gz", b"no gzip")
    assert run(batch, "failing", {}, CompressionType="Gzip")["TransformJobStatus"] == "Failed"
    found = batch.s3.list_objects_v2(Bucket=BUCKET, Prefix="failing/captured/")
    assert found["KeyCount"] == 0
