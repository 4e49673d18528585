"""What an environment captures: from the settings to the lines in S3, through deployments and rollbacks."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from registered_models import SETTINGS, Registry
from wire_clients import wait_for

from aws_formats.errors import GatehouseError
from pipelines.settings.environments import resolve_environment
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import LOCAL_BUCKET, resolve_target
from registry.endpoint_requests import config_request

AWS = {
    "SAGEMAKER_PIPELINE_ROLE_ARN": "arn:aws:iam::111122223333:role/pipelines",
    "ARTIFACT_BUCKET": "artifacts",
}
DEV = "\n[projects.rc.{name}.environments.dev]\n"


def captures(registry: Registry, bucket: str, prefix: str) -> list[dict[str, Any]]:
    s3 = registry.client("s3")
    lines: list[dict[str, Any]] = []
    for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ()):
        content = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        lines += map(json.loads, content.splitlines())
    return lines


def test_the_settings_say_what_is_captured_and_a_plan_shows_what_changes_of_it(registry: Registry) -> None:
    """One test through everything, because endpoints take their time to start."""
    name = registry.project.removeprefix("rc-")
    file = registry.folder / "projects.toml"
    plain = file.read_text() + DEV.format(name=name)
    file.write_text(plain + "capture = {}\n")
    registry.register(approved=True)
    registry.register(artifact=registry.model.speaking("down", "up"), approved=True)
    default = f"s3://{LOCAL_BUCKET}/{registry.project}/capture"

    planned = registry.done("deploy", "--env", "dev", "--version", 1, "--plan", "--json").document
    assert planned["changes"][1] == f"capture 100 % of its requests in {default}"
    s3 = registry.client("s3")
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):  # another test's
        s3.create_bucket(Bucket=LOCAL_BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    registry.done("deploy", "--env", "dev", "--version", 1)
    registry.done("deploy", "--env", "dev", "--version", 2)
    back = registry.done("rollback", "--env", "dev", "--json").document
    assert not [change for change in back["changes"] if "capture" in change], "it goes on capturing"

    registry.done("invoke", "--env", "dev", "--data", "rows.csv", "--inference-id", "order 7")
    place = f"{registry.project}/capture/{registry.project}-dev/AllTraffic/"

    def asked() -> dict[str, Any] | None:
        found = [
            line
            for line in captures(registry, LOCAL_BUCKET, place)
            if line["eventMetadata"].get("inferenceId") == "order 7"
        ]
        return found[0] if found else None

    line = wait_for(asked)
    sent, answered = line["captureData"]["endpointInput"], line["captureData"]["endpointOutput"]
    assert (sent["encoding"], sent["observedContentType"]) == ("CSV", "text/csv")
    assert sent["data"].splitlines()[0] == registry.model.rows[0]
    assert answered["encoding"] == "JSON"
    assert len(json.loads(answered["data"])["predictions"]) == 5

    file.write_text(plain + f'capture = {{ percent = 20, destination = "s3://{LOCAL_BUCKET}/kept/" }}\n')
    changed = registry.done("deploy", "--env", "dev", "--version", 1, "--json").document
    assert changed["changes"] == [
        f"update endpoint {registry.project}-dev from version 1 to the new settings on 1 x ml.m5.large",
        f"capture 20 % of its requests in s3://{LOCAL_BUCKET}/kept, not 100 % of its requests in {default}",
    ]
    described = registry.client("sagemaker").describe_endpoint(EndpointName=f"{registry.project}-dev")
    assert described["DataCaptureConfig"]["CurrentSamplingPercentage"] == 20
    assert registry.done("deploy", "--env", "dev", "--version", 1, "--json").document["changes"] == []
    file.write_text(plain)
    off = registry.done("deploy", "--env", "dev", "--version", 1, "--plan", "--json").document
    assert off["changes"][1] == "capture its requests no longer"


def test_an_inference_id_is_the_name_of_one_request(serving: Registry) -> None:
    head, *rows = serving.model.rows
    many = serving.folder / "many.csv"
    many.write_text("\n".join([head, *rows * 20]) + "\n")
    refused = serving.gatehouse("invoke", "--env", "dev", "--data", many, "--inference-id", "a")
    assert refused.code == 1
    assert "more than one request" in refused.err
    for wrong in ("", " a", "x" * 65, "é", "a\nb"):
        ended = serving.gatehouse("invoke", "--env", "dev", "--data", many, "--inference-id", wrong)
        assert ended.code == 2, wrong
        assert "1 to 64" in ended.err


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("capture.percent = 0", "capture.*percent.*0 is wrong"),
        ("capture.percent = 101", "101 is wrong"),
        ("capture.percent = 5.5", "5.5 is wrong"),
        ("capture.percentage = 5", "unknown key. Did you mean 'percent'"),
        ('capture.destination = "captures"', "Write an S3 prefix"),
        ('capture.destination = "s3://bucket/*/x"', "Write an S3 prefix"),
        ("capture = 50", "table"),
    ],
)
def test_a_wrong_key_of_a_capture_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    (tmp_path / "projects.toml").write_text(SETTINGS.format(name="churn") + DEV.format(name="churn") + line)
    with pytest.raises(GatehouseError, match=complaint):
        load_settings(tmp_path / "projects.toml")


def config(tmp_path: Path, dev: str, target: str = "aws") -> dict[str, Any]:
    """CreateEndpointConfig's request for an environment of those settings."""
    text = SETTINGS.format(name="churn") + DEV.format(name="churn") + dev
    (tmp_path / "projects.toml").write_text(text)
    project = load_settings(tmp_path / "projects.toml").project()
    environment = resolve_environment(project, resolve_target(project, target, AWS), "dev")
    return config_request(environment, "model")


def test_an_endpoint_configuration_asks_for_both_sides_as_text_and_is_named_after_it(tmp_path: Path) -> None:
    with_capture, without = config(tmp_path, "capture.percent = 10"), config(tmp_path, "")
    assert with_capture["DataCaptureConfig"] == {
        "EnableCapture": True,
        "InitialSamplingPercentage": 10,
        "DestinationS3Uri": "s3://artifacts/rc-churn/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json"],
        },
    }
    assert "DataCaptureConfig" not in without
    assert with_capture["EndpointConfigName"] != without["EndpointConfigName"]


def test_captures_are_encrypted_by_the_projects_key(tmp_path: Path) -> None:
    key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    network = f'capture = {{}}\n[projects.rc.churn.network]\nkms_key = "{key}"\n'
    assert config(tmp_path, network)["DataCaptureConfig"]["KmsKeyId"] == key


def test_a_bucket_that_only_sagemaker_knows_of_is_none_for_captures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The automation's functions would take the foundation's, and undo each deployment of a command."""
    monkeypatch.delitem(AWS, "ARTIFACT_BUCKET")
    with pytest.raises(GatehouseError, match="none is named"):
        config(tmp_path, "capture = {}")
    named = config(tmp_path, 'capture.destination = "s3://captures"')
    assert named["DataCaptureConfig"]["DestinationS3Uri"] == "s3://captures"


def test_an_environment_elsewhere_names_where_its_requests_are_captured(tmp_path: Path) -> None:
    there = 'region = "eu-central-1"\n'
    with pytest.raises(GatehouseError, match="the key destination of its table capture"):
        config(tmp_path, f"{there}capture = {{}}")
    named = config(tmp_path, f'{there}capture.destination = "s3://captures-there/x/"')
    assert named["DataCaptureConfig"]["DestinationS3Uri"] == "s3://captures-there/x"
    # On this machine there is one account, and its bucket is everywhere.
    local = config(tmp_path, f"{there}capture = {{}}", "local")
    assert local["DataCaptureConfig"]["DestinationS3Uri"] == f"s3://{LOCAL_BUCKET}/rc-churn/capture"
