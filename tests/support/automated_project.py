"""A project and its automation: tiny versions that really serve, and the events that the handlers get."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from registered_models import Registry

from automation.handlers import (
    approval_requested,
    deployment_announced,
    environment_changed,
    execution_failed,
    version_decided,
)
from registry.deployments import UNDER_WAY

SCRIPT = b"""
import json
def model_fn(folder):
    return "yes"
def input_fn(body, content_type):
    return [row for row in body.splitlines() if row]
def predict_fn(rows, model):
    return [{"class": model, "probabilities": {"yes": 0.9, "no": 0.1}} for row in rows]
def output_fn(predictions, accept):
    return json.dumps(predictions), "application/json"
"""
SILENT = SCRIPT.replace(b"json.dumps(predictions)", b"'[]'")
"""Comes up and answers nothing of use."""

BROKEN = b"raise RuntimeError('no such luck')\n"
STATISTICS = {"binary_classification_metrics": {"accuracy": {"value": 0.9, "standard_deviation": 0.01}}}


@dataclass
class AutomatedProject:
    """A project with its registry, its handlers and the messages that people got."""

    registry: Registry
    topic: str
    queue: Any
    queue_url: str

    def event(self, version: int) -> dict[str, Any]:
        """A model package's event; what it claims of the approval is nobody's business."""
        return {
            "source": "aws.sagemaker",
            "detail-type": "SageMaker Model Package State Change",
            "detail": {"ModelPackageArn": self.registry.arn(version), "ModelApprovalStatus": "Approved"},
        }

    def failed(self, execution: str) -> str:
        detail = {"pipelineExecutionArn": execution, "currentPipelineExecutionStatus": "Failed"}
        return execution_failed.handle({"detail": detail}, None)

    def registered(self, version: int) -> str:
        return approval_requested.handle(self.event(version), None)

    def decided(self, version: int) -> str:
        return version_decided.handle(self.event(version), None)

    def changed(self, environment: str) -> str:
        name = f"/gatehouse/{self.registry.project}/{environment}/model-package"
        detail = {"name": name, "operation": "Update", "type": "String"}
        return environment_changed.handle({"source": "aws.ssm", "detail": detail}, None)

    def timer(self) -> str:
        return environment_changed.handle({"source": "aws.events", "detail": {}}, None)

    def arrived(self, environment: str) -> str:
        """The event of an endpoint whose status has come to rest."""
        name = f"{self.registry.project}-{environment}"
        self.status(environment)
        return deployment_announced.handle({"detail": {"EndpointName": name}}, None)

    def status(self, environment: str) -> str | None:
        """The endpoint's status once it stays; None without one."""
        sagemaker, deadline = self.registry.client("sagemaker"), time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                found = sagemaker.describe_endpoint(EndpointName=f"{self.registry.project}-{environment}")
            except sagemaker.exceptions.ClientError:
                return None
            if found["EndpointStatus"] not in UNDER_WAY:
                return str(found["EndpointStatus"])
            time.sleep(0.02)
        raise AssertionError("the endpoint does not come to rest")

    def deployed(self, environment: str) -> str:
        """The two events of a deployment, each once."""
        self.changed(environment)
        return self.arrived(environment)

    def messages(self) -> list[tuple[str, str]]:
        """(subject, text) of the messages since the last look."""
        found = []
        while received := self.queue.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in received:
                told = json.loads(message["Body"])
                found.append((told["Subject"].partition(": ")[2], told["Message"]))
                self.queue.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def subjects(self) -> list[str]:
        return [subject for subject, _ in self.messages()]

    def config(self, environment: str) -> str:
        """The name of the configuration that the endpoint has."""
        name = f"{self.registry.project}-{environment}"
        found = self.registry.client("sagemaker").describe_endpoint(EndpointName=name)
        return str(found["EndpointConfigName"])

    def move(self, environment: str, config: str) -> None:
        """Give the endpoint another configuration, and wait for it; nothing else is told or written."""
        name = f"{self.registry.project}-{environment}"
        self.registry.client("sagemaker").update_endpoint(EndpointName=name, EndpointConfigName=config)
        assert self.status(environment) == "InService"

    def serving(self, environment: str) -> str | None:
        """The ARN of the version that the endpoint has."""
        sagemaker = self.registry.client("sagemaker")
        config = sagemaker.describe_endpoint_config(EndpointConfigName=self.config(environment))
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
        return str(model["Containers"][0]["ModelPackageName"])
