"""A local SageMaker that shows the pages, and a pipeline of shell scripts that has run in every way."""

from __future__ import annotations

import http.client
import json
import os
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bank_churn import PROJECT, SETTINGS
from wire_clients import REGION, client_of, wait_for

from pipelines.settings.target import LOCAL_ROLE
from sagemaker_local import endpoint
from sagemaker_local.page import Page
from studio.access import COOKIE
from studio.links import token_of

IMAGE = "000000000000.dkr.ecr.eu-west-1.amazonaws.com/shell:1"
SHELL = ["/bin/sh", "-c", 'for line; do eval "$line"; done', "sh"]
OUTPUT = "/opt/ml/processing/output/evaluation"
HOSTILE = "<script>alert(1)</script>\x1b[31m & 'quoted'"


@dataclass
class Studio:
    """The pages of one project, and the executions that have ended, by how."""

    url: str
    token: str
    settings: Path
    project: str = PROJECT
    executions: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> str:
        """The page at a path below ``/studio``, which is there."""
        status, text = self.request("GET", path)
        assert status == 200, text
        return text

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        """Send a form as a page of this address does; the answer's status and text."""
        return self.request("POST", path, urllib.parse.urlencode(fields))

    def request(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        host = urllib.parse.urlsplit(self.url).netloc
        connection = http.client.HTTPConnection(host, timeout=60)
        headers = {"Cookie": f"{COOKIE}={self.token}", "Origin": self.url}
        connection.request(method, f"/studio{path}", body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def client(self, service: str) -> Any:
        return client_of(self.url, service)

    def start(self, name: str | None = None, **parameters: str) -> str:
        """Start an execution and return its id at once."""
        answer = self.client("sagemaker").start_pipeline_execution(
            PipelineName=self.project,
            PipelineParameters=[{"Name": key, "Value": value} for key, value in parameters.items()],
            **({"PipelineExecutionDisplayName": name} if name else {}),
        )
        return str(answer["PipelineExecutionArn"]).rpartition("/")[2]

    def ended(self, execution: str) -> str:
        """The status of an execution once it has ended."""
        arn = f"arn:aws:sagemaker:{REGION}:000000000000:pipeline/{self.project}/execution/{execution}"

        def status() -> str | None:
            found = self.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
            word = str(found["PipelineExecutionStatus"])
            return None if word in ("Executing", "Stopping") else word

        return wait_for(status)


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One that has seen executions: ``succeeded``, ``cached``, ``shut`` (the gate) and ``failed``."""
    folder = tmp_path_factory.mktemp("studio")
    (folder / "projects.toml").write_text(SETTINGS)
    place = Page.parse("/studio=studio.local_page:page")
    with endpoint.start(folder / "home", page=place) as started:
        made = Studio(started.url, token_of(folder / "home"), folder / "projects.toml")
        with pytest.MonkeyPatch.context() as patch:  # the pages find their settings at the first request
            for name in list(os.environ):
                if name.startswith(("AWS_", "GATEHOUSE_", "SAGEMAKER_")):
                    patch.delenv(name)
            patch.setenv("GATEHOUSE_SETTINGS", str(made.settings))
            made.get("/")
        _create_pipeline(made)
        for how, name, parameters in (
            ("succeeded", "nightly", {"Note": HOSTILE}),
            ("cached", None, {}),
            ("shut", None, {"AccuracyThreshold": "0.99"}),
            ("failed", None, {"Work": "echo 'no such column' >&2; exit 3"}),
        ):
            made.executions[how] = made.start(name, **parameters)
            made.ended(made.executions[how])
        yield made


def _create_pipeline(studio: Studio) -> None:
    sagemaker, s3 = studio.client("sagemaker"), studio.client("s3")
    s3.create_bucket(Bucket="tests", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="tests", Key="data/rows.csv", Body=b"1,2,3\n" * 100)
    s3.put_object(Bucket="tests", Key="data-of-others/rows.csv", Body=b"1,2,3\n" * 100)
    sagemaker.create_model_package_group(ModelPackageGroupName=studio.project)
    sagemaker.create_pipeline(
        PipelineName=studio.project,
        PipelineDefinition=json.dumps(definition()),
        RoleArn=LOCAL_ROLE,
        ClientRequestToken="create-the-pipeline-of-the-tests",
    )


def definition() -> dict[str, Any]:
    """TrainModel, EvaluateModel and the gate, whose program is one line of shell, the parameter ``Work``."""
    train = {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": SHELL,
            "ContainerArguments": [
                'for n in 1 2 3; do echo "[$n] train-loss:0.$((9 - n)) validation-loss:0.9"; done',
                "echo '<b>markup</b> in a log'",
                {"Get": "Parameters.Work"},
                'echo "[4] train-loss:0.25 validation-loss:0.5"',
                "echo model > /opt/ml/model/model.bin",
            ],
            "MetricDefinitions": [
                {"Name": "train:loss", "Regex": "train-loss:([0-9.]+)"},
                {"Name": "validation:loss", "Regex": "validation-loss:([0-9.]+)"},
            ],
        },
        "HyperParameters": {"max_depth": "7"},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://tests/data"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://tests/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "RoleArn": LOCAL_ROLE,
    }
    statistics = json.dumps({"binary_classification_metrics": {"accuracy": {"value": 0.95}}})
    model = {"Get": "Steps.TrainModel.ModelArtifacts.S3ModelArtifacts"}
    evaluate = {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": SHELL,
            "ContainerArguments": [f"echo '{statistics}' > {OUTPUT}/statistics.json"],
        },
        "RoleArn": LOCAL_ROLE,
        "ProcessingInputs": [_input("model", model)],
        "ProcessingOutputConfig": {"Outputs": [_output("evaluation")]},
    }
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [
            {"Name": "AccuracyThreshold", "Type": "Float", "DefaultValue": 0.6},
            {"Name": "Work", "Type": "String", "DefaultValue": "true"},
            {"Name": "Note", "Type": "String", "DefaultValue": "none"},
        ],
        "Steps": [
            {
                "Name": "TrainModel",
                "DisplayName": "Train it",
                "Type": "Training",
                "Arguments": train,
                **_CACHED,
            },
            {
                "Name": "EvaluateModel",
                "Type": "Processing",
                "Arguments": evaluate,
                "PropertyFiles": [
                    {
                        "PropertyFileName": "Statistics",
                        "OutputName": "evaluation",
                        "FilePath": "statistics.json",
                    }
                ],
                **_CACHED,
            },
            _gate(model),
        ],
    }


_CACHED: Mapping[str, Any] = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}


def _gate(model: dict[str, Any]) -> dict[str, Any]:
    register = {
        "ModelPackageGroupName": PROJECT,
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": model}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    }
    value = {
        "PropertyFile": {"Get": "Steps.EvaluateModel.PropertyFiles.Statistics"},
        "Path": "binary_classification_metrics.accuracy.value",
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
                {"Name": "ModelRefused", "Type": "Fail", "Arguments": {"ErrorMessage": "accuracy is too low"}}
            ],
        },
    }


def _input(name: str, uri: Any) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"/opt/ml/processing/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }


def _output(name: str) -> dict[str, Any]:
    uri = {"On": "/", "Values": ["s3://tests", {"Get": "Execution.PipelineExecutionId"}, name]}
    return {
        "OutputName": name,
        "S3Output": {"S3Uri": {"Std:Join": uri}, "LocalPath": OUTPUT, "S3UploadMode": "EndOfJob"},
    }
