"""SageMaker's ModelLifeCycle of a version: what happened to it last."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from registered_models import Registry, client_of

from registry.life_cycle import DEPLOYED, life_cycle, note_stage


def stage(registry: Registry, version: int) -> tuple[str, str]:
    found = registry.describe(version)["ModelLifeCycle"]
    return found["Stage"], found["StageStatus"]


def test_a_version_goes_through_review_and_environments(registry: Registry) -> None:
    first, second = registry.register(), registry.register()
    registry.done("approve", first, "--note", "good  enough")
    assert registry.describe(first)["ModelLifeCycle"] == {
        "Stage": "Review",
        "StageStatus": "Approved",
        "StageDescription": "good enough",
    }
    registry.done("reject", second)
    assert stage(registry, second) == ("Review", "Rejected")
    registry.done("approve", second, "--force")
    registry.done("deploy", "--env", "dev", "--version", first)
    assert stage(registry, first) == ("dev", "Deployed")
    registry.done("deploy", "--env", "dev", "--version", second)
    registry.done("promote", "--from", "dev", "--to", "test")
    assert stage(registry, second) == ("test", "Deployed")
    registry.done("rollback", "--env", "dev")
    assert stage(registry, first) == ("dev", "Deployed")
    assert registry.describe(second)["ModelLifeCycle"] == {
        "Stage": "dev",
        "StageStatus": "RolledBack",
        "StageDescription": f"version {first} serves again",
    }


def test_a_note_that_is_no_utf_8_is_an_error_in_one_line(registry: Registry) -> None:
    registry.register()
    ended = registry.gatehouse("approve", 1, "--note", "gr\udcfcn")
    assert ended.code == 1
    assert ended.err.splitlines()[-1] == "Error: 'gr\\udcfcn' is no text in UTF-8. Write it in UTF-8."


def test_a_version_that_is_gone_is_no_error(registry: Registry) -> None:
    registry.register()
    arn = registry.arn(4711)
    with pytest.raises(ClientError):
        registry.client("sagemaker").update_model_package(
            ModelPackageArn=arn, ModelLifeCycle=life_cycle("dev", DEPLOYED)
        )

    class Clients:
        def client(self, service: str) -> object:
            return client_of(registry.url, service)

    note_stage(Clients(), arn, "dev", DEPLOYED)
