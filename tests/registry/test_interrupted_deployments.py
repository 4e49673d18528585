"""Deployments that break off, meet others, or find what somebody else left."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError
from registered_models import Registry

from registry import rollout

YES_NO, UP_DOWN, HIGH_LOW = ("no", "yes"), ("down", "up"), ("low", "high")
LYING = (
    b"def model_fn(folder):\n    return None\n"
    b"def input_fn(body, content_type):\n    return body\n"
    b"def predict_fn(data, model):\n    return data\n"
    b"def output_fn(prediction, accept):\n    return '[]', 'application/json'\n"
)
KILLED_AFTER = """
import os, signal, sys
import botocore.client
from pipelines.commands import main

real, last = botocore.client.BaseClient._make_api_call, sys.argv.pop(1)

def call(client, operation, parameters):
    answer = real(client, operation, parameters)
    if operation == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

botocore.client.BaseClient._make_api_call = call
sys.exit(main(sys.argv[1:]))
"""
"""A command line that kills itself with SIGKILL as soon as one call of AWS has been answered."""


def killed_after(operation: str, registry: Registry, *words: object) -> str:
    """What the command had said on standard error by then."""
    command = [sys.executable, "-c", KILLED_AFTER, operation, *map(str, words)]
    ended = subprocess.run(command, cwd=registry.folder, capture_output=True, text=True, timeout=60)
    assert ended.returncode == -9, ended.stderr
    return ended.stderr


def classes(registry: Registry) -> set[str]:
    answers = registry.done("invoke", "--env", "dev", "--data", "rows.csv", "--json").document
    return {name for answer in answers for name in answer["probabilities"]}


def history(registry: Registry) -> list[int | None]:
    return [entry["version"] for entry in registry.done("environments", "--env", "dev", "--json").document]


@contextmanager
def calling(name: str, then, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Do something else right after a function of the rollout, once."""
    real = getattr(rollout, name)
    done = threading.Event()

    def both(*words, **options):
        answer = real(*words, **options)
        if not done.is_set():
            done.set()
            then()
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(rollout, name, both)
        yield


def test_a_deployment_that_is_killed_between_any_two_calls_goes_on_when_it_is_started_again(
    registry: Registry,
) -> None:
    registry.register(approved=True)
    registry.register(artifact=registry.model.speaking(*UP_DOWN), approved=True)
    for operation in ("CreateModel", "CreateEndpointConfig", "CreateEndpoint"):
        killed_after(operation, registry, "deploy", "--env", "dev", "--version", 1)
        assert registry.parameter("dev") is None
    ended = registry.done("deploy", "--env", "dev", "--version", 1)
    assert "create endpoint" not in ended.err, "the one that was begun is waited for"
    assert history(registry) == [1]
    assert classes(registry) == set(YES_NO)

    for operation in ("CreateModel", "CreateEndpointConfig", "UpdateEndpoint", "InvokeEndpoint"):
        killed_after(operation, registry, "deploy", "--env", "dev", "--version", 2)
        assert registry.parameter("dev") == registry.arn(1)
        assert classes(registry) in (set(YES_NO), set(UP_DOWN)), "something serves all the time"
    registry.done("deploy", "--env", "dev", "--version", 2)
    assert history(registry) == [2, 1]
    assert classes(registry) == set(UP_DOWN)
    # After the last call nothing is left to do.
    killed_after("PutParameter", registry, "rollback", "--env", "dev")
    assert "already" in registry.done("deploy", "--env", "dev", "--version", 1).out
    assert history(registry) == [1, 2, 1]


def test_what_a_killed_deployment_has_begun_keeps_others_waiting_and_is_undone_if_it_is_no_good(
    registry: Registry,
) -> None:
    registry.register(approved=True)
    registry.register(artifact=registry.model.changed(inference=b"import time\ntime.sleep(4)\n" + LYING))
    registry.done("approve", 2)
    registry.register(approved=True)
    registry.done("deploy", "--env", "dev", "--version", 1)
    killed_after("UpdateEndpoint", registry, "deploy", "--env", "dev", "--version", 2)
    busy = registry.gatehouse("deploy", "--env", "dev", "--version", 3)
    assert busy.code == 1
    assert "the endpoint is Updating. Wait until it is InService" in busy.err
    planned = registry.done("deploy", "--env", "dev", "--version", 2, "--plan", "--json").document
    assert "which is on its way to version 2" in planned["changes"][0]
    ended = registry.gatehouse("deploy", "--env", "dev", "--version", 2)
    assert ended.code == 1
    assert "0 answered. Version 1 serves as before; the parameter is unchanged." in ended.err
    assert registry.parameter("dev") == registry.arn(1)
    assert classes(registry) == set(YES_NO)


def test_deployments_that_begin_at_the_same_moment_end_with_one_that_serves(registry: Registry) -> None:
    registry.register(approved=True)
    registry.register(artifact=registry.model.speaking(*UP_DOWN), approved=True)
    command = [sys.executable, "-m", "pipelines", "deploy", "--env", "dev", "--version"]
    for versions in ((1, 1, 1), (1, 2, 2)):
        begun = [
            subprocess.Popen(
                [*command, str(version)],
                cwd=registry.folder,
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            for version in versions
        ]
        ended = [(one.communicate(timeout=60)[1].decode(), one.returncode) for one in begun]
        assert 0 in [code for _, code in ended]
        for said, code in ended:
            assert code in (0, 1)
            assert "ValidationException" not in said, said
        state = registry.done("environments", "--json").document[0]
        assert state["serves"] is True
        assert registry.parameter("dev") == state["arn"]


@pytest.mark.parametrize("good", [True, False])
def test_a_deployment_that_is_overtaken_leaves_the_endpoint_to_the_other(
    registry: Registry, monkeypatch, good: bool
) -> None:
    registry.register(approved=True)
    registry.register(artifact=registry.model.speaking(*UP_DOWN), approved=True)
    inference = {} if good else {"inference": LYING}
    registry.register(artifact=registry.model.changed(**inference), approved=True)
    registry.done("deploy", "--env", "dev", "--version", 1)

    def another() -> None:
        registry.done("deploy", "--env", "dev", "--version", 2)

    with calling("prove_deployment" if good else "_change_endpoint", another, monkeypatch):
        ended = registry.gatehouse("deploy", "--env", "dev", "--version", 3)
    assert ended.code == 1
    assert "somebody else has moved" in ended.err
    assert registry.parameter("dev") == registry.arn(2)
    assert classes(registry) == set(UP_DOWN)


def test_whoever_set_the_parameter_meanwhile_is_named_and_it_names_what_serves(
    registry: Registry, monkeypatch
) -> None:
    registry.register(approved=True)
    registry.register(approved=True)
    name = f"/gatehouse/{registry.project}/dev/model-package"

    def another() -> None:
        registry.client("ssm").put_parameter(Name=name, Value=registry.arn(2), Type="String")

    with calling("prove_deployment", another, monkeypatch):
        ended = registry.done("deploy", "--env", "dev", "--version", 1)
    assert f"local/user set {name} to version 2 meanwhile" in ended.err
    assert history(registry) == [1, 2]
    assert registry.done("environments", "--json").document[0]["serves"] is True


def test_a_parameter_that_cannot_be_written_brings_the_old_version_back(
    registry: Registry, monkeypatch
) -> None:
    registry.register(approved=True)
    registry.register(artifact=registry.model.speaking(*UP_DOWN), approved=True)
    registry.done("deploy", "--env", "dev", "--version", 1)

    def refused(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutParameter")

    monkeypatch.setattr(rollout.deployment_history, "record_deployment", refused)
    ended = registry.gatehouse("deploy", "--env", "dev", "--version", 2)
    assert ended.code == 1
    assert "PutParameter" in ended.err
    assert registry.parameter("dev") == registry.arn(1)
    assert classes(registry) == set(YES_NO)


def test_a_parameter_that_names_no_version_is_shown_and_mended(registry: Registry) -> None:
    registry.register(approved=True)
    registry.done("deploy", "--env", "dev")
    name = f"/gatehouse/{registry.project}/dev/model-package"
    registry.client("ssm").put_parameter(Name=name, Value="newest", Type="String", Overwrite=True)
    shown = registry.done("environments")
    assert "dev: 'newest', which is no version should serve, and the endpoint has another" in shown.err
    states = registry.done("environments", "--json").document
    assert (states[0]["version"], states[0]["arn"], states[0]["serves"]) == (None, "newest", False)
    assert history(registry) == [None, 1]
    assert registry.done("models", "--json").document[0]["environments"] == []
    ended = registry.gatehouse("promote", "--from", "dev", "--to", "test")
    assert ended.code == 1
    assert "'newest', which is no version should serve in dev" in ended.err
    planned = registry.done("deploy", "--env", "dev", "--plan", "--json").document
    assert planned["before"] is None
    assert planned["changes"] == [f"set {name} from 'newest', which is no version to version 1"]
    back = registry.done("rollback", "--env", "dev", "--json").document
    assert (back["version"], back["done"]) == (1, True)
    assert history(registry) == [1, None, 1]


def test_a_version_that_says_nothing_of_its_serving_is_refused_before_anything_is_touched(
    registry: Registry,
) -> None:
    registry.register(approved=True)
    made = registry.client("sagemaker").create_model_package(
        ModelPackageGroupName=registry.project, ModelApprovalStatus="Approved"
    )
    assert made["ModelPackageArn"] == registry.arn(2)
    for words in (("deploy", "--env", "dev"), ("transform", "--input", "rows.csv", "--output", "o.csv")):
        ended = registry.gatehouse(*words, "--version", 2)
        assert ended.code == 1
        assert "has no inference specification: it cannot be served" in ended.err
        assert ended.err.count("\n") == 1


def test_the_log_that_is_shown_is_of_the_version_that_did_not_come_up(registry: Registry) -> None:
    """What serves meanwhile goes on answering, and so on writing its own log."""
    failing = b"import time\ntime.sleep(2)\nraise RuntimeError('no such luck')\n"
    registry.register(approved=True)
    registry.register(artifact=registry.model.changed(inference=failing), approved=True)
    registry.done("deploy", "--env", "dev", "--version", 1)
    asked = threading.Event()

    def ask() -> None:
        runtime = registry.client("sagemaker-runtime")
        while not asked.wait(0.1):
            # Refused rows are written into the log of the one that refuses them.
            with pytest.raises(runtime.exceptions.ModelError):
                runtime.invoke_endpoint(
                    EndpointName=f"{registry.project}-dev", ContentType="text/csv", Body=b"1\n"
                )

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        time.sleep(0.3)
        ended = registry.gatehouse("deploy", "--env", "dev", "--version", 2)
    finally:
        asked.set()
        asking.join()
    assert ended.code == 1
    assert "RuntimeError: no such luck\nError: " in ended.err


def test_a_version_that_was_given_the_arn_of_a_deleted_one_is_not_taken_for_it(registry: Registry) -> None:
    """A group that is deleted and made again numbers its versions from 1 again; endpoints go on serving."""
    for _ in range(2):
        registry.register(approved=True)
    for version in (1, 2):
        registry.done("deploy", "--env", "dev", "--version", version)
    registry.done("groups", "cleanup", "--yes")
    for _ in range(2):
        registry.register(artifact=registry.model.speaking(*UP_DOWN))

    refused = registry.gatehouse("rollback", "--env", "dev")
    assert refused.code == 1
    assert (
        "the version 1 that served in dev was deleted, and the one of that number now is Pending"
        in refused.err
    )
    assert registry.parameter("dev") == registry.arn(2)

    for version in (1, 2):
        registry.done("approve", version)
    refused = registry.gatehouse("promote", "--from", "dev", "--to", "prod")
    assert refused.code == 1
    assert "dev serves a version 2 that was deleted, and another has its number now" in refused.err
    planned = registry.done("deploy", "--env", "dev", "--version", 2, "--plan", "--json").document
    assert "from a version 2 that was deleted to version 2 as it is now" in planned["changes"][0]
    assert classes(registry) == set(YES_NO)
    registry.done("deploy", "--env", "dev", "--version", 2)
    assert classes(registry) == set(UP_DOWN)
    assert "already" in registry.done("deploy", "--env", "dev", "--version", 2).out
    registry.done("promote", "--from", "dev", "--to", "prod")
    registry.done("rollback", "--env", "dev")
    assert registry.parameter("dev") == registry.arn(1)


def test_a_replay_says_what_should_serve_and_does_not(registry: Registry) -> None:
    for _ in range(2):
        registry.register(approved=True)
    registry.done("deploy", "--env", "dev", "--version", 1)
    registry.client("ssm").put_parameter(
        Name=f"/gatehouse/{registry.project}/dev/model-package", Value=registry.arn(2), Overwrite=True
    )
    refused = registry.gatehouse("replay", 2, "--env", "dev")
    assert refused.code == 1
    assert "version 2 should serve in dev, and its endpoint serves another version" in refused.err
