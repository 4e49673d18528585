"""A workshop for executions: a real endpoint, a real client, jobs that are small scripts in S3."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sagemaker_local import endpoint

ROLE = "arn:aws:iam::000000000000:role/local"
BUCKET = "workshop"
DEADLINE = 120.0
ENDED = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")


def client(service: str, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


@dataclass
class Workshop:
    """What the tests do with one endpoint.

    Attributes:
        folder: where jobs and tests leave each other files.
        home: the endpoint's state.
    """

    url: str
    folder: Path
    home: Path
    bucket: str = BUCKET

    def __post_init__(self) -> None:
        self.sagemaker = client("sagemaker", self.url)
        self.s3 = client("s3", self.url)

    def processing(
        self,
        name: str,
        code: str,
        *,
        inputs: dict[str, Any] | None = None,
        environment: dict[str, Any] | None = None,
        outputs: tuple[str, ...] = ("out",),
        **members: Any,
    ) -> dict[str, Any]:
        """A processing step that runs `code`; SHARED is the folder, OUT where the first output goes."""
        return {
            "Name": name,
            "Type": "Processing",
            "Arguments": {
                "ProcessingResources": {
                    "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
                },
                "AppSpecification": {
                    "ImageUri": "000000000000.dkr.ecr.eu-west-1.amazonaws.com/any:1",
                    "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/main.py"],
                },
                "RoleArn": ROLE,
                "Environment": {"SHARED": str(self.folder), **(environment or {})},
                "ProcessingInputs": [
                    {
                        "InputName": given,
                        "S3Input": {
                            "S3Uri": uri,
                            "LocalPath": f"/opt/ml/processing/input/{given}",
                            "S3DataType": "S3Prefix",
                            "S3InputMode": "File",
                        },
                    }
                    for given, uri in {"code": self.script(code), **(inputs or {})}.items()
                ],
                "ProcessingOutputConfig": {
                    "Outputs": [
                        {
                            "OutputName": output,
                            "S3Output": {
                                "S3Uri": {
                                    "Std:Join": {
                                        "On": "/",
                                        "Values": [
                                            f"s3://{BUCKET}/runs",
                                            {"Get": "Execution.PipelineExecutionId"},
                                            name,
                                            output,
                                        ],
                                    }
                                },
                                "LocalPath": f"/opt/ml/processing/output/{output}",
                                "S3UploadMode": "EndOfJob",
                            },
                        }
                        for output in outputs
                    ]
                },
            },
            **members,
        }

    def training(
        self, name: str, code: str, hyperparameters: dict[str, Any], **members: Any
    ) -> dict[str, Any]:
        """A training step that runs `code` with its own entry point; MODEL is where the model goes."""
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": self.script(code)}}
        return {
            "Name": name,
            "Type": "Training",
            "Arguments": {
                "AlgorithmSpecification": {
                    "TrainingImage": "000000000000.dkr.ecr.eu-west-1.amazonaws.com/any:1",
                    "TrainingInputMode": "File",
                    "ContainerEntrypoint": ["python3", "/opt/ml/input/data/code/main.py"],
                },
                "Environment": {"SHARED": str(self.folder)},
                "HyperParameters": hyperparameters,
                "InputDataConfig": [{"ChannelName": "code", "DataSource": source}],
                "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
                "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
                "StoppingCondition": {"MaxRuntimeInSeconds": 600},
                "RoleArn": ROLE,
            },
            **members,
        }

    def script(self, code: str) -> str:
        """The S3 prefix that holds `code` as main.py, named by its content."""
        head = "import os, pathlib, time\nSHARED = pathlib.Path(os.environ['SHARED'])\n"
        head += "OUT = pathlib.Path('/opt/ml/processing/output/out')\nMODEL = pathlib.Path('/opt/ml/model')\n"
        body = (head + code).encode()
        prefix = f"code/{hashlib.sha256(body).hexdigest()[:16]}"
        self.s3.put_object(Bucket=BUCKET, Key=f"{prefix}/main.py", Body=body)
        return f"s3://{BUCKET}/{prefix}/"

    def create(self, name: str, *steps: Any, parameters: Any = (), **members: Any) -> str:
        definition = {"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps)}
        self.sagemaker.create_pipeline(
            PipelineName=name, PipelineDefinition=json.dumps(definition), RoleArn=ROLE, **members
        )
        return name

    def update(self, name: str, *steps: Any, parameters: Any = ()) -> None:
        definition = {"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps)}
        self.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=json.dumps(definition))

    def start(self, name: str, parameters: dict[str, str] | None = None, **members: Any) -> str:
        given = [{"Name": key, "Value": value} for key, value in (parameters or {}).items()]
        response = self.sagemaker.start_pipeline_execution(
            PipelineName=name, PipelineParameters=given, **members
        )
        return str(response["PipelineExecutionArn"])

    def describe(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        return found

    def end(self, arn: str) -> dict[str, Any]:
        """The execution's description once it has ended."""

        def ended() -> dict[str, Any] | None:
            found = self.describe(arn)
            return found if found["PipelineExecutionStatus"] in ENDED else None

        found: dict[str, Any] = self.until(ended, f"the end of {arn}")
        return found

    def run(self, name: str, parameters: dict[str, str] | None = None, **members: Any) -> tuple[str, str]:
        """Start, wait; the ARN and the final status."""
        arn = self.start(name, parameters, **members)
        return arn, self.end(arn)["PipelineExecutionStatus"]

    def steps(self, arn: str) -> dict[str, dict[str, Any]]:
        listed = self.sagemaker.list_pipeline_execution_steps(
            PipelineExecutionArn=arn, SortOrder="Ascending", MaxResults=100
        )
        return {step["StepName"]: step for step in listed["PipelineExecutionSteps"]}

    def statuses(self, arn: str) -> dict[str, str]:
        return {name: step["StepStatus"] for name, step in self.steps(arn).items()}

    @staticmethod
    def until(condition: Callable[[], Any], what: str) -> Any:
        """Poll until `condition` gives something true, and return that."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{what}: not within {DEADLINE} s")

    def stored(self, content: bytes) -> Path:
        """The plain file of the object that holds `content`."""
        files = (path for path in (self.home / "s3").rglob("*") if path.is_file())
        return next(path for path in files if content in path.read_bytes())

    def left(self, name: str) -> Path:
        """A file that a job leaves, once it is there."""
        path = self.folder / name
        self.until(path.exists, f"the file {name}")
        return path


@pytest.fixture
def open_workshop(tmp_path: Path) -> Callable[[str, Path], Workshop]:
    """Make a workshop at an endpoint that runs already; all of a test share their folder."""

    def opened(url: str, home: Path) -> Workshop:
        shop = Workshop(url, tmp_path / "shared", home)
        shop.folder.mkdir(exist_ok=True)
        if not shop.s3.list_buckets()["Buckets"]:
            where = {"LocationConstraint": "eu-west-1"}
            shop.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        return shop

    return opened


@pytest.fixture(scope="session")
def common_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL and the home of an endpoint for all tests whose pipelines have names of their own."""
    home = tmp_path_factory.mktemp("endpoint") / "home"
    with endpoint.start(home) as running:
        yield running.url, home


@pytest.fixture
def workshop(common_endpoint: tuple[str, Path], open_workshop: Callable[[str, Path], Workshop]) -> Workshop:
    """A workshop with a folder of its own."""
    return open_workshop(*common_endpoint)
