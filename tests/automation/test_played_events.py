"""The same templates as on AWS, played by the local SageMaker: from registration on, nothing but events."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from registered_models import BUCKET, NUMBERS, REGION, SETTINGS, Model, Registry, client_of
from wire_clients import definition

from pipelines.infra.handler_code import ROOT
from pipelines.infra.stacks import automation_parameters, template_path
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import LOCAL_ROLE, resolve_target
from sagemaker_local import endpoint
from sagemaker_local.stacks.templates import Template


@pytest.fixture
def played(tmp_path: Path, tiny: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A project whose automation is up."""
    for variable in list(os.environ):
        if variable.startswith(("AWS_", "GATEHOUSE_", "SAGEMAKER_")):
            monkeypatch.delenv(variable)
    name = f"churn-{next(NUMBERS)}e"
    (tmp_path / "projects.toml").write_text(SETTINGS.format(name=name))
    project = load_settings(tmp_path / "projects.toml").project()
    parameters = automation_parameters(project, resolve_target(project, "local"))
    template = Template(template_path("automation"), parameters, REGION, ROOT, project.name)
    home = tmp_path / "home"
    with endpoint.start(home, advertise=True, templates=[template]) as started:
        client_of(started.url, "s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GATEHOUSE_HOME", str(home))
        yield Registry(started.url, tmp_path, project.name, tiny)


def fails(registry: Registry) -> None:
    """An execution of a pipeline that is nothing but its gate, shut."""
    sagemaker = registry.client("sagemaker")
    sagemaker.create_pipeline(
        PipelineName=registry.project,
        PipelineDefinition=definition("not good enough"),
        RoleArn=LOCAL_ROLE,
        ClientRequestToken="t" * 32,
    )
    sagemaker.start_pipeline_execution(PipelineName=registry.project)


class Inbox:
    """What people were told, in order; read from the queue that stands for their mail."""

    def __init__(self, registry: Registry) -> None:
        self.sqs = registry.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName="local-inbox")["QueueUrl"]
        self.subjects: list[str] = []

    def read(self) -> list[str]:
        while received := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in received:
                self.subjects.append(json.loads(message["Body"])["Subject"].partition(": ")[2])
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.subjects


def until(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """What the condition gives, once it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.1)
    return found


def test_one_version_is_deployed_up_to_test_and_another_rolled_back_by_events_alone(
    played: Registry,
) -> None:
    inbox = Inbox(played)
    fails(played)
    until(lambda: "the model is not good enough, no version is registered" in inbox.read())
    first = played.register()
    until(lambda: f"please review version {first}" in inbox.read())
    assert played.parameter("dev") is None

    approved = played.done("approve", first)
    assert "The automation deploys it to dev and then test" in approved.err
    assert "gatehouse deploy" not in approved.err
    until(lambda: f"version {first} serves in test" in inbox.read())
    assert [played.parameter(name) for name in ("dev", "test", "prod")] == [
        played.arn(first),
        played.arn(first),
        None,
    ]

    # Another is rejected when people see it at work.
    second = played.register(approved=True)
    until(lambda: f"version {second} serves in test" in inbox.read())
    played.done("reject", second, "--force")
    until(lambda: inbox.read().count(f"version {first} serves in test again") == 1)
    until(lambda: inbox.read().count(f"version {first} serves in dev again") == 1)
    assert {played.parameter(name) for name in ("dev", "test")} == {played.arn(first)}

    # One that is older than what is there stays where it is.
    older = played.register()
    newest = played.register(approved=True)
    until(lambda: f"version {newest} serves in test" in inbox.read())
    told = played.done("approve", older).err
    assert f"dev has version {newest}, which is newer, so the automation leaves it there" in told
    assert f"gatehouse deploy {played.project} --env dev --version {older}\n" in told

    states = played.done("environments", "--json").document
    assert [(state["environment"], state["serves"]) for state in states] == [
        ("dev", True),
        ("test", True),
        ("prod", False),
    ]
    assert len(inbox.read()) == len(set(inbox.subjects)), "each happening is told once"
