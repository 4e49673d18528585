"""A real local SageMaker, tiny versions that really serve, and the handlers, called as Lambda does.

SNS is AWS's own matter here: a stand-in of it (moto's server) takes the messages, over a real socket.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from automated_project import SCRIPT, STATISTICS, AutomatedProject
from moto.server import ThreadedMotoServer
from registered_models import BUCKET, NUMBERS, REGION, SETTINGS, Model, Registry, client_of, packed

from pipelines.infra.stacks import automation_settings
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import resolve_target
from sagemaker_local import endpoint


@pytest.fixture(scope="session")
def tiny() -> Model:
    """A model that is its inference script."""
    return Model(
        artifact=packed("code/inference.py", SCRIPT),
        statistics=STATISTICS,
        sample=packed("payload.csv", b"41,gold,3\n52,free,7\n"),
        rows=(),
    )


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    home = tmp_path_factory.mktemp("home")
    started = endpoint.start(home, advertise=True)
    client_of(started.url, "s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    yield started.url, home
    started.close()


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """The URL of a stand-in for those services of AWS that are none of the local SageMaker's."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def automated(
    running: tuple[str, Path], aws: str, tiny: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AutomatedProject:
    """A project of its own, and the environment variables that its functions have."""
    url, home = running
    name = f"churn-{next(NUMBERS)}u"
    (tmp_path / "projects.toml").write_text(SETTINGS.format(name=name))
    monkeypatch.chdir(tmp_path)
    for variable in list(os.environ):
        if variable.startswith(("AWS_", "GATEHOUSE_", "SAGEMAKER_")):
            monkeypatch.delenv(variable)
    project = load_settings(tmp_path / "projects.toml").project()
    at = {"region_name": REGION, "aws_access_key_id": "local", "aws_secret_access_key": "local"}
    sns, sqs = (boto3.client(service, endpoint_url=aws, **at) for service in ("sns", "sqs"))
    topic = sns.create_topic(Name=project.name)["TopicArn"]
    queue = sqs.create_queue(QueueName=project.name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    variables = {
        "GATEHOUSE_HOME": str(home),
        "GATEHOUSE_AUTOMATION": automation_settings(project, resolve_target(project, "local")),
        "GATEHOUSE_TOPIC": topic,
        "GATEHOUSE_TARGET": "local",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_SNS": aws,
    }
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    return AutomatedProject(Registry(url, tmp_path, project.name, tiny), topic, sqs, queue)
