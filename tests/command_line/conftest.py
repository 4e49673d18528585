"""A folder with settings and data of its own for each test, the command as users start it, and an
endpoint with a pipeline of shell scripts for tests that need executions and not the real programs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from installed_command import Finished, type_here

from aws_formats.arns import LOCAL_ACCOUNT
from pipelines.settings.target import LOCAL_BUCKET, LOCAL_ROLE, Target
from sagemaker_local import endpoint

SETTINGS = """
default_project = "bank-churn"

[defaults]
owner = "tests"
task = "binary"
accuracy_threshold = 0.6
region = "eu-west-1"

[projects.bank.churn]
description = "Who leaves"
[projects.bank.churn.data]
source = "churn.csv"
target = "left"
positive_class = "yes"

[projects.bank.fraud-detection]
description = "What is false"
[projects.bank.fraud-detection.data]
source = "churn.csv"
target = "left"
positive_class = "yes"
"""


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: `projects.toml` and `churn.csv`; the local state goes below it as well."""
    (tmp_path / "projects.toml").write_text(SETTINGS)
    rows = [f"{i % 17},{i % 5},{'yes' if i % 17 > 8 else 'no'}" for i in range(400)]
    (tmp_path / "churn.csv").write_text("\n".join(["age,calls,left", *rows]) + "\n")
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("AWS_", "GATEHOUSE_", "SAGEMAKER_")):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def gatehouse(workplace: Path) -> Callable[..., Finished]:
    """Run a command line in the workplace and in this process, which has imported what commands import."""
    assert workplace == Path.cwd()

    def call(*arguments: str, **environment: str) -> Finished:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return type_here(*arguments)

    return call


@pytest.fixture
def gatehouse_alone(workplace: Path) -> Callable[..., Finished]:
    """Run a command line in the workplace and in a process of its own."""

    def call(*arguments: str, **environment: str) -> Finished:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines", *arguments],
            cwd=workplace,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return call


REGION = "eu-west-1"
NAME = "bank-churn"
OUTPUT = "/opt/ml/processing/output/evaluation"
IMAGE = "000000000000.dkr.ecr.eu-west-1.amazonaws.com/shell:1"


def statistics(value: object, metric: str) -> str:
    return json.dumps({"binary_classification_metrics": {metric: {"value": value}}})


def scores(value: object, metric: str = "accuracy") -> str:
    """A shell script that evaluates a model to that accuracy, or to that value of another metric."""
    return (
        f"echo evaluating\necho '{statistics(value, metric)}' > {OUTPUT}/statistics.json\n"
        "echo scored 60 rows > /opt/ml/output/message"
    )


def processing_step(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "Processing",
        "DisplayName": f"{name} it",
        "Arguments": {
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
            },
            "AppSpecification": {
                "ImageUri": IMAGE,
                # An argument holds 256 characters at most, so each line is one.
                "ContainerEntrypoint": ["/bin/sh", "-c", 'for line; do eval "$line"; done', "sh"],
                "ContainerArguments": script.splitlines(),
            },
            "RoleArn": LOCAL_ROLE,
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "evaluation",
                        "S3Output": {
                            "S3Uri": {
                                "Std:Join": {
                                    "On": "/",
                                    "Values": ["s3://tests", {"Get": "Execution.PipelineExecutionId"}, name],
                                }
                            },
                            "LocalPath": OUTPUT,
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        },
        **more,
    }


def gate_step(metric: str) -> dict[str, Any]:
    value = {
        "PropertyFile": {"Get": "Steps.EvaluateModel.PropertyFiles.Statistics"},
        "Path": f"binary_classification_metrics.{metric}.value",
    }
    register = {
        "ModelPackageGroupName": NAME,
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {
                    "ContentType": "application/json",
                    "S3Uri": {
                        "Std:Join": {
                            "On": "/",
                            "Values": [
                                {
                                    "Get": "Steps.EvaluateModel.ProcessingOutputConfig"
                                    ".Outputs['evaluation'].S3Output.S3Uri"
                                },
                                "statistics.json",
                            ],
                        }
                    },
                }
            }
        },
        "InferenceSpecification": {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://tests/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    }
    return {
        "Name": "CheckAccuracy",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [
                {
                    "Type": "GreaterThan",
                    "LeftValue": {"Std:JsonGet": value},
                    "RightValue": {"Get": "Parameters.AccuracyThreshold"},
                }
            ],
            "IfSteps": [{"Name": "RegisterModel", "Type": "RegisterModel", "Arguments": register}],
            "ElseSteps": [
                {
                    "Name": "AccuracyTooLow",
                    "Type": "Fail",
                    "Arguments": {"ErrorMessage": "accuracy is too low"},
                }
            ],
        },
    }


def gated(script: str, *, cached: bool = False, metric: str = "accuracy") -> list[dict[str, Any]]:
    """EvaluateModel (runs `script`), CheckAccuracy, RegisterModel or AccuracyTooLow."""
    evaluate = processing_step(
        "EvaluateModel",
        script,
        PropertyFiles=[
            {"PropertyFileName": "Statistics", "OutputName": "evaluation", "FilePath": "statistics.json"}
        ],
        **({"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}} if cached else {}),
    )
    return [evaluate, gate_step(metric)]


@dataclass(frozen=True)
class Local:
    """An endpoint that is kept up for the commands of one test, with builders for its pipeline."""

    url: str
    target: Target
    close: Callable[[], None]

    scores = staticmethod(scores)
    gated = staticmethod(gated)
    processing_step = staticmethod(processing_step)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def upsert(self, steps: list[dict[str, Any]], name: str = NAME, **members: Any) -> None:
        """Create the pipeline or replace its definition; the bucket and the group as well."""
        sagemaker = self.client("sagemaker")
        definition = json.dumps(
            {
                "Version": "2020-12-01",
                "Metadata": {},
                "Parameters": [
                    {"Name": "InputDataUri", "Type": "String", "DefaultValue": "s3://tests/data"},
                    {"Name": "DatasetVersion", "Type": "String", "DefaultValue": "1"},
                    {"Name": "AccuracyThreshold", "Type": "Float", "DefaultValue": 0.6},
                ],
                "Steps": steps,
                **members,
            }
        )
        if sagemaker.list_pipelines()["PipelineSummaries"]:
            sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=definition)
            return
        self.client("s3").create_bucket(
            Bucket="tests", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
        sagemaker.create_pipeline(
            PipelineName=name,
            PipelineDefinition=definition,
            RoleArn=LOCAL_ROLE,
            ClientRequestToken=f"create-{name}".ljust(32, "-"),
        )


@pytest.fixture
def local(workplace: Path) -> Iterator[Local]:
    """The local SageMaker over the workplace's home folder, advertised to the commands."""
    started = endpoint.start(workplace / ".gatehouse", advertise=True)
    target = Target(
        name="local",
        region=REGION,
        account=LOCAL_ACCOUNT,
        role_arn=LOCAL_ROLE,
        bucket=LOCAL_BUCKET,
        endpoint_url=started.url,
    )
    yield Local(started.url, target, started.close)
    started.close()
