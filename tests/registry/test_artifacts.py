"""What was approved is what serves: an artifact that is replaced in S3 is noticed wherever it is used."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from registered_models import BUCKET, Registry

REPLACED = "is not the one that was"


def uri_of(registry: Registry, version: int) -> str:
    [container] = registry.describe(version)["InferenceSpecification"]["Containers"]
    return str(container["ModelDataUrl"])


def replace(registry: Registry, version: int, content: bytes | None = None) -> None:
    """Put other bytes where a version's artifact lies, as anybody can who may write there."""
    key = uri_of(registry, version).removeprefix(f"s3://{BUCKET}/")
    other = registry.model.speaking("stays", "leaves") if content is None else content
    registry.client("s3").put_object(Bucket=BUCKET, Key=key, Body=other)


def register_evaluated(registry: Registry, *, sha256: str | None = None, **more: Any) -> int:
    """A version as the pipeline registers it: with the verdict of its evaluation."""
    digest = sha256 or hashlib.sha256(registry.model.artifact).hexdigest()
    verdict = {
        "verdict": "passed",
        "artifact_sha256": digest,
        "artifact_bytes": len(registry.model.artifact),
    }
    uri = registry.put(f"{digest[:8]}/verdict.json", json.dumps(verdict).encode())
    return registry.register(CustomerMetadataProperties={"verdict_uri": uri}, **more)


def refused(registry: Registry, *arguments: object) -> str:
    ended = registry.gatehouse(*arguments)
    assert ended.code == 1, ended.err
    return ended.err.splitlines()[-1]


def test_a_decision_records_which_bytes_it_was_about(registry: Registry) -> None:
    registry.register()
    registry.done("approve", 1)
    record = registry.describe(1)["CustomerMetadataProperties"]["artifact.1"]
    digest = hashlib.sha256(registry.model.artifact).hexdigest()
    assert record.startswith(f"sha256={digest} bytes={len(registry.model.artifact)} etag=")


def test_an_artifact_that_is_replaced_after_the_approval_is_not_deployed(registry: Registry) -> None:
    registry.register()
    registry.done("approve", 1)
    replace(registry, 1)
    line = refused(registry, "deploy", "--env", "dev", "--version", 1)
    assert line.startswith(f"Error: {uri_of(registry, 1)}: the artifact of version 1")
    assert f"{REPLACED} decided on: its SHA-256 is" in line
    assert f"register the model anew: `gatehouse run {registry.project}`" in line
    assert registry.client("sagemaker").list_endpoints(NameContains=registry.project)["Endpoints"] == []
    assert registry.parameter("dev") is None
    assert REPLACED in refused(registry, "approve", 1, "--force"), "a second approval does not heal it"
    scored = ("transform", "--version", 1, "--input", "rows.csv", "--output", "scored.csv")
    assert REPLACED in refused(registry, *scored)


def test_the_same_bytes_written_again_are_the_same_artifact(registry: Registry) -> None:
    registry.register()
    registry.done("approve", 1)
    replace(registry, 1, registry.model.artifact)
    registry.done("deploy", "--env", "dev", "--version", 1, "--plan")


def test_an_artifact_that_is_replaced_before_the_approval_is_not_approved(registry: Registry) -> None:
    register_evaluated(registry)
    replace(registry, 1)
    assert f"{REPLACED} evaluated" in refused(registry, "approve", 1)
    assert registry.describe(1)["ModelApprovalStatus"] == "PendingManualApproval"
    registry.done("reject", 1)
    assert "artifact.1" not in registry.describe(1)["CustomerMetadataProperties"]


def test_from_the_decision_on_the_verdict_in_s3_counts_no_more(registry: Registry) -> None:
    register_evaluated(registry)
    registry.done("approve", 1)
    replace(registry, 1)
    other = registry.model.speaking("stays", "leaves")
    place = registry.describe(1)["CustomerMetadataProperties"]["verdict_uri"].removeprefix(f"s3://{BUCKET}/")
    forged = {"artifact_sha256": hashlib.sha256(other).hexdigest(), "artifact_bytes": len(other)}
    registry.client("s3").put_object(Bucket=BUCKET, Key=place, Body=json.dumps(forged).encode())
    assert f"{REPLACED} decided on" in refused(registry, "deploy", "--env", "dev", "--version", 1)


def test_a_record_that_came_with_the_registration_is_not_believed_but_compared(registry: Registry) -> None:
    """It claims bytes that are to be put there later, and else tells the truth of those that are there."""
    registry.register()
    registry.done("approve", 1)
    record = registry.describe(1)["CustomerMetadataProperties"]["artifact.1"]
    digest = hashlib.sha256(registry.model.artifact).hexdigest()
    forged = record.replace(digest, "0" * 64)
    containers = registry.describe(1)["InferenceSpecification"]["Containers"]
    registry.register(containers=containers, CustomerMetadataProperties={"artifact.1": forged})
    assert REPLACED in refused(registry, "approve", 2)


def test_what_was_never_recorded_is_deployed_with_a_note(registry: Registry) -> None:
    registry.register(approved=True)
    planned = registry.done("deploy", "--env", "dev", "--version", 1, "--plan")
    assert "No digest is recorded for the artifact of version 1" in planned.err


def test_an_evaluated_version_that_was_approved_elsewhere_is_compared_with_its_verdict(
    registry: Registry,
) -> None:
    register_evaluated(registry, approved=True)
    planned = registry.done("deploy", "--env", "dev", "--version", 1, "--plan")
    assert "No digest" not in planned.err
    replace(registry, 1)
    assert f"{REPLACED} evaluated" in refused(registry, "deploy", "--env", "dev", "--version", 1)


def test_an_etag_in_the_registry_itself_is_compared_too(registry: Registry) -> None:
    uri = registry.put("one/model.tar.gz", registry.model.artifact)
    md5 = hashlib.md5(registry.model.artifact).hexdigest()
    containers = [{"Image": "image:1", "ModelDataUrl": uri, "ModelDataETag": md5}]
    registry.register(containers=containers, approved=True)
    registry.done("deploy", "--env", "dev", "--version", 1, "--plan")
    replace(registry, 1)
    assert f"{REPLACED} registered: its ETag is" in refused(
        registry, "deploy", "--env", "dev", "--version", 1
    )


def test_promotion_and_rollback_compare_too(registry: Registry) -> None:
    for number in (1, 2):
        registry.register()
        registry.done("approve", number)
        registry.done("deploy", "--env", "dev", "--version", number)
    replace(registry, 1)
    assert REPLACED in refused(registry, "rollback", "--env", "dev")
    replace(registry, 2)
    assert REPLACED in refused(registry, "promote", "--from", "dev", "--to", "test")
    assert registry.parameter("test") is None
    assert registry.parameter("dev") == registry.arn(2)


def test_an_artifact_that_is_replaced_while_the_endpoint_comes_up_does_not_stay(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from registry import rollout

    registry.register()
    registry.done("approve", 1)
    start = rollout.start_deployment

    def start_and_replace(*arguments: Any, **more: Any) -> None:
        start(*arguments, **more)
        replace(registry, 1)

    monkeypatch.setattr(rollout, "start_deployment", start_and_replace)
    assert REPLACED in refused(registry, "deploy", "--env", "dev", "--version", 1)
    assert registry.parameter("dev") is None
    assert registry.client("sagemaker").list_endpoints(NameContains=registry.project)["Endpoints"] == []


def test_nobody_writes_a_record_as_a_note(registry: Registry) -> None:
    registry.register()
    assert "says which artifact was decided on" in refused(registry, "model", 1, "--set", "artifact.1=x")


@pytest.mark.parametrize("verdict", [b"", b"[]", b"{}", b'{"artifact_sha256": 1}', b"no JSON"])
def test_a_verdict_that_names_no_digest_counts_as_none(registry: Registry, verdict: bytes) -> None:
    uri = registry.put("other/verdict.json", verdict)
    registry.register(CustomerMetadataProperties={"verdict_uri": uri}, approved=True)
    planned = registry.done("deploy", "--env", "dev", "--version", 1, "--plan")
    assert "No digest is recorded" in planned.err


def test_a_verdict_needs_the_digest_alone(registry: Registry) -> None:
    uri = registry.put("other/verdict.json", json.dumps({"artifact_sha256": "0" * 64}).encode())
    registry.register(CustomerMetadataProperties={"verdict_uri": uri}, approved=True)
    assert f"{REPLACED} evaluated" in refused(registry, "deploy", "--env", "dev", "--version", 1)
