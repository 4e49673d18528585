"""Versions in environments: deployed, asked, promoted, rolled back, and what happens when that goes wrong."""

from __future__ import annotations

import json

import pytest
from registered_models import IMAGE, SERVING, Registry, packed
from wire_clients import wait_for

from pipelines.settings.environments import resolve_environment
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import resolve_target
from registry.deployments import plan_deployment
from registry.endpoint_changes import start_deployment
from registry.environment_state import read_endpoint

YES_NO, UP_DOWN = ("no", "yes"), ("down", "up")


def classes(registry: Registry, environment: str = "dev") -> set[str]:
    """The class names in the answers, which show whose they are."""
    answers = registry.done("invoke", "--env", environment, "--data", "rows.csv", "--json").document
    assert len(answers) == 5
    return {name for answer in answers for name in answer["probabilities"]}


def test_a_version_goes_from_deployment_to_promotion_and_back(registry: Registry) -> None:
    """One test through everything, because endpoints take their time to start."""
    registry.register(approved=True)
    registry.register(artifact=registry.model.speaking(*UP_DOWN), approved=True)

    planned = registry.done("deploy", "--env", "dev", "--version", 1, "--plan", "--json").document
    assert planned["done"] is False
    assert planned["changes"][0].startswith(f"create endpoint {registry.project}-dev with version 1")
    assert registry.parameter("dev") is None

    first = registry.done("deploy", registry.project, "--env", "dev", "--version", 1, "--note", "first")
    assert "InService" in first.err
    assert "the sample payload's" in first.err
    assert registry.parameter("dev") == registry.arn(1)
    assert classes(registry) == set(YES_NO)

    again = registry.done("deploy", "--env", "dev", "--version", 1)
    assert "serves in dev already" in again.out
    assert "will" not in again.err

    # Without --version it is the newest approved one.
    second = registry.done("deploy", "--env", "dev", "--json").document
    assert (second["before"], second["version"]) == (1, 2)
    assert classes(registry) == set(UP_DOWN)

    listed = registry.done("models", "--json").document
    assert [entry["environments"] for entry in listed] == [["dev"], []]

    promoted = registry.done("promote", "--from", "dev", "--to", "test", "--json").document
    assert promoted["arn"] == registry.arn(2)
    assert registry.parameter("test") == registry.arn(2)

    # Back also works when the newer version, and the one gone back to, were rejected meanwhile.
    registry.done("reject", 1, "--force")
    registry.done("reject", 2, "--force")
    back = registry.done("rollback", "--env", "dev", "--note", "too many alarms", "--json").document
    assert (back["before"], back["version"]) == (2, 1)
    assert classes(registry) == set(YES_NO)
    assert registry.parameter("dev") == registry.arn(1)

    history = registry.done("environments", "--env", "dev", "--json").document
    assert [(entry["version"], entry["action"], entry["note"]) for entry in history] == [
        (1, "rollback", "too many alarms"),
        (2, "deploy", ""),
        (1, "deploy", "first"),
    ]
    assert {entry["by"] for entry in history} == {"arn:aws:sts::000000000000:assumed-role/local/user"}

    states = registry.done("environments", "--json").document
    assert [(entry["environment"], entry["version"], entry["serves"]) for entry in states] == [
        ("dev", 1, True),
        ("test", 2, True),
        ("prod", None, False),
    ]
    assert "too many alarms" in registry.done("environments").out

    # 1 is the bottom: the rollback did not leave 2 above it to come back to.
    bottom = registry.gatehouse("rollback", "--env", "dev")
    assert bottom.code == 1
    assert "version 1 is the first in dev" in bottom.err
    assert "never deployed" in registry.gatehouse("rollback", "--env", "dev", "--to", 9).err
    refused = registry.gatehouse("promote", "--from", "dev", "--to", "prod")
    assert refused.code == 1
    assert "only an approved version is deployed" in refused.err


def test_a_deployment_that_fails_leaves_the_old_version_and_the_parameter(registry: Registry) -> None:
    broken = registry.model.changed(inference=b"raise RuntimeError('no such luck')\n")
    lying = registry.model.changed(
        inference=(
            b"def model_fn(folder):\n    return None\n"
            b"def input_fn(body, content_type):\n    return body\n"
            b"def predict_fn(data, model):\n    return data\n"
            b"def output_fn(prediction, accept):\n    return '[]', 'application/json'\n"
        )
    )
    registry.register(approved=True)
    registry.register(artifact=broken, approved=True)
    registry.register(artifact=lying, approved=True)
    registry.register(artifact=registry.model.changed(inference=None), approved=True)
    registry.register(sample=b"no tarball", approved=True)
    sagemaker = registry.client("sagemaker")
    assert "no tarball" in registry.gatehouse("deploy", "--env", "dev").err
    assert sagemaker.list_endpoints(NameContains=registry.project)["Endpoints"] == [], "nothing was touched"

    nothing_yet = registry.gatehouse("deploy", "--env", "dev", "--version", 4)
    assert nothing_yet.code == 1
    error = nothing_yet.err.rpartition("\nError: ")[2]
    assert "version 4 did not come up" in error
    assert "inference" in error
    assert error.count("\n") == 1
    assert registry.parameter("dev") is None

    # The failed endpoint is replaced.
    registry.done("deploy", "--env", "dev", "--version", 1)
    for version, reason in ((2, "RuntimeError: no such luck\nError: "), (3, "0 answered")):
        ended = registry.gatehouse("deploy", "--env", "dev", "--version", version)
        assert ended.code == 1, version
        assert reason in ended.err
        assert "Version 1 serves as before; the parameter is unchanged." in ended.err
        assert registry.parameter("dev") == registry.arn(1)
        assert classes(registry) == set(YES_NO)
    state = registry.done("environments", "--json").document[0]
    assert (state["version"], state["serves"], state["endpoint_status"]) == (1, True, "InService")

    # A deployment that was killed after it had moved the endpoint, before it had the answer.
    project = load_settings().project()
    dev = resolve_environment(project, resolve_target(project, "local").at(registry.url), "dev")
    start_deployment(plan_deployment(registry, dev, registry.arn(3)))
    wait_for(lambda: read_endpoint(dev).status == "InService" or None)
    assert "version 1 should serve, and the endpoint has another" in registry.done("environments").err
    ended = registry.gatehouse("deploy", "--env", "dev", "--version", 3)
    assert ended.code == 1
    assert "going back to" in ended.err
    assert "Version 1 serves again; the parameter is unchanged." in ended.err
    assert classes(registry) == set(YES_NO)


def test_an_inference_pipeline_is_deployed_with_its_containers_in_order(registry: Registry) -> None:
    """The first container drops what the model must not see; the second predicts."""
    first = registry.model.changed(
        inference=(
            b"def model_fn(folder):\n    return None\n"
            b"def input_fn(body, content_type):\n    return body\n"
            b"def predict_fn(data, model):\n"
            b"    return ''.join(row.partition('|')[2] for row in data.splitlines(True))\n"
            b"def output_fn(prediction, accept):\n    return prediction, 'text/csv'\n"
        )
    )
    containers = [
        {"Image": IMAGE, "ModelDataUrl": registry.put(name, artifact), "Environment": SERVING}
        for name, artifact in (("first.tar.gz", first), ("second.tar.gz", registry.model.artifact))
    ]
    rows = b"".join(b"id|" + row.rpartition(",")[0].encode() + b"\n" for row in registry.model.rows[1:4])
    registry.register(approved=True, containers=containers, sample=packed("payload.csv", rows))
    registry.done("deploy", "--env", "dev")
    (registry.folder / "ids.csv").write_bytes(rows)
    answers = registry.done("invoke", "--env", "dev", "--data", "ids.csv", "--no-header", "--json").document
    assert len(answers) == 3
    assert set(answers[0]["probabilities"]) == set(YES_NO)


def test_a_version_from_elsewhere_may_have_another_sample(registry: Registry) -> None:
    head, row = registry.model.rows[0].split(",")[:-1], registry.model.rows[1].split(",")[:-1]
    instances = [dict(zip(head, row, strict=True))] * 3
    sample = packed("samples/three.json", json.dumps({"instances": instances}).encode())
    registry.register(approved=True, sample=sample)
    assert "the sample payload's 3 rows are answered" in registry.done("deploy", "--env", "dev").err
    for name, content in (
        ("three.json", b"{}}"),
        ("three.json", b"3"),
        ("notes.txt", b"age"),
        ("a.csv", b""),
    ):
        version = registry.register(approved=True, sample=packed(name, content))
        ended = registry.gatehouse("deploy", "--env", "dev", "--version", version)
        assert ended.code == 1
        assert "the version's sample payload" in ended.err.rpartition("\nError: ")[2]


@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_only_an_approved_version_is_deployed(registry: Registry, status) -> None:
    registry.register()
    if status == "Rejected":
        registry.done("reject", 1)
    ended = registry.gatehouse("deploy", "--env", "dev", "--version", 1)
    assert ended.code == 1
    assert f"version 1 of model {registry.project} is {status}" in ended.err
    ended = registry.gatehouse("deploy", "--env", "dev")
    assert ended.code == 1
    assert "has no approved version" in ended.err
