"""A bench for jobs: a home, its store and objects, a runner, and the operations as a client calls them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sagemaker_local.home import Home, Owner
from sagemaker_local.jobs.job import JobContext
from sagemaker_local.jobs.runner import JobRunner
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.services.call import Components
from sagemaker_local.services.operations import Operations
from sagemaker_local.store import Store

REGION = "eu-west-1"
ROLE = "arn:aws:iam::000000000000:role/local"
SKLEARN = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.8-0-cpu-py3"
XGBOOST = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"
FOREIGN = "example.com/team/image:1"
DEADLINE = 120.0
ENDPOINT_URL = "http://127.0.0.1:1"


@dataclass
class Bench:
    """One home with everything that jobs need; `made` counts the jobs, which gives each its name."""

    folder: Path
    interpreters: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = Home(self.folder / "home").create()
        self.owner = Owner(self.home)
        self.store = Store(self.home.database)
        self.objects = ObjectStore(self.home, self.store)
        self.objects.create_bucket("bucket")
        context = JobContext(self.objects, self.interpreters, ENDPOINT_URL)
        self.runner = JobRunner(self.home, self.owner, self.store, context)
        # Jobs need no engine; everything else is the real thing.
        components = SimpleNamespace(
            home=self.home, owner=self.owner, store=self.store, objects=self.objects, jobs=self.runner
        )
        self._operations = Operations(cast(Components, components))
        self._made = 0

    def call(self, operation: str, service: str = "sagemaker", **wire: Any) -> dict[str, Any]:
        return self._operations(REGION, service, operation, wire)

    def put(self, key: str, content: str | bytes = "") -> str:
        data = content.encode() if isinstance(content, str) else content
        self.objects.put_bytes("bucket", key, data)
        return f"s3://bucket/{key}"

    def get(self, key: str) -> str:
        return self.objects.read_bytes("bucket", key).decode()

    def keys(self, prefix: str = "") -> list[str]:
        return [info.key for info in self.objects.list("bucket", prefix)]

    def name(self) -> str:
        self._made += 1
        return f"job-{self._made}"

    def processing(
        self,
        command: str | list[str],
        *,
        inputs: dict[str, tuple[str, str]] | None = None,
        outputs: dict[str, tuple[str, str]] | None = None,
        image: str = SKLEARN,
        instances: int = 1,
        data_type: str = "S3Prefix",
        **members: Any,
    ) -> str:
        """Create a processing job: a shell command or an argv; inputs and outputs as (S3 URI, local path)."""
        name = self.name()
        self.call(
            "CreateProcessingJob",
            ProcessingJobName=name,
            RoleArn=ROLE,
            ProcessingResources={
                "ClusterConfig": {
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": instances,
                    "VolumeSizeInGB": 1,
                }
            },
            AppSpecification={
                "ImageUri": image,
                "ContainerEntrypoint": self._entrypoint(command),
            },
            ProcessingInputs=[
                {"InputName": key, "S3Input": {"S3Uri": uri, "LocalPath": path, "S3DataType": data_type}}
                for key, (uri, path) in (inputs or {}).items()
            ],
            ProcessingOutputConfig={
                "Outputs": [
                    {
                        "OutputName": key,
                        "S3Output": {"S3Uri": uri, "LocalPath": path, "S3UploadMode": "EndOfJob"},
                    }
                    for key, (uri, path) in (outputs or {}).items()
                ]
            },
            **members,
        )
        return name

    def training(
        self,
        command: str | list[str] | None,
        *,
        channels: dict[str, str] | None = None,
        hyperparameters: dict[str, str] | None = None,
        image: str = XGBOOST,
        instances: int = 1,
        algorithm: dict[str, Any] | None = None,
        **members: Any,
    ) -> str:
        """Create a training job: a shell command, an argv, or None for the image's own script mode."""
        name = self.name()
        given = [
            {
                "ChannelName": key,
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
            }
            for key, uri in (channels or {}).items()
        ]
        specification: dict[str, Any] = {"TrainingImage": image, "TrainingInputMode": "File"}
        if command is not None:
            specification["ContainerEntrypoint"] = self._entrypoint(command)
        self.call(
            "CreateTrainingJob",
            **{
                "TrainingJobName": name,
                "RoleArn": ROLE,
                "AlgorithmSpecification": specification | (algorithm or {}),
                "HyperParameters": hyperparameters or {},
                **({"InputDataConfig": given} if given else {}),
                "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
                "ResourceConfig": {
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": instances,
                    "VolumeSizeInGB": 1,
                },
                "StoppingCondition": {"MaxRuntimeInSeconds": 60},
                **members,
            },
        )
        return name

    def _entrypoint(self, command: str | list[str]) -> list[str]:
        if isinstance(command, list):
            return command
        if len(command) <= 256:  # the API's own limit for one argument
            return ["sh", "-c", command]
        script = self.folder / f"script-{self._made}.sh"
        script.write_text(command)
        return ["sh", str(script)]

    def ended(self, name: str, kind: str = "processing-job") -> dict[str, Any]:
        return self.runner.wait(kind, REGION, name)

    def trained(self, name: str) -> dict[str, Any]:
        return self.ended(name, "training-job")

    def log(self, name: str, kind: str = "processing-job", host: str = "algo-1") -> str:
        return (self.home.jobs / kind / name / host / "log").read_text()

    def ml(self, name: str, kind: str = "processing-job", host: str = "algo-1") -> Path:
        return self.home.jobs / kind / name / host / "ml"


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Poll until the condition holds; its value."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {DEADLINE} s: {what}")


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A test may give its parameter as the name of the folder."""
    made = Bench(tmp_path / getattr(request, "param", ""))
    yield made
    made.runner.close(grace=0)
    made.owner.release()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], Any], str], Any]:
    return eventually
