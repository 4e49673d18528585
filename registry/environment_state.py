"""An environment as it is: what should serve there, beside the endpoint and the versions behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from aws_formats.arns import parse_package_version
from aws_formats.service_errors import is_absent
from registry.deployment_history import DeploymentRecord, read_history
from registry.environments import Capture, Environment


@dataclass(frozen=True)
class Endpoint:
    """An environment's endpoint, with the versions behind it.

    Attributes:
        status: SageMaker's endpoint status.
        config: the endpoint configuration that it serves, or is being made from.
        pending: the one that an update under way brings; None without an update.
        packages: the ARNs of the model packages behind it; several if its containers come from several.
        models: the names of the models that were made of these.
        made: when the first of these models was made; None where that cannot be said.
        coming: the same of the pending configuration.
        capture: what it captures of its requests; None if nothing.
    """

    name: str
    status: str
    config: str | None
    packages: tuple[str, ...]
    failure: str | None
    pending: str | None = None
    coming: tuple[str, ...] = ()
    capture: Capture | None = None
    models: tuple[str, ...] = ()
    made: datetime | None = None

    @property
    def version(self) -> int | None:
        """The version that it serves; None where that cannot be said."""
        return _only_version(self.packages)

    @property
    def coming_version(self) -> int | None:
        """The version that an update under way brings; None without one, or where that cannot be said."""
        return _only_version(self.coming)


@dataclass(frozen=True)
class State:
    """What an environment should serve, beside its endpoint; None where there is none."""

    environment: Environment
    deployed: DeploymentRecord | None
    endpoint: Endpoint | None

    @property
    def serves(self) -> bool:
        """Whether the endpoint serves the version that it should serve, and that alone."""
        return (
            self.deployed is not None
            and self.endpoint is not None
            and self.endpoint.status in ("InService", "Updating", "SystemUpdating")
            and self.endpoint.packages == (self.deployed.arn,)
        )

    @property
    def not_serving(self) -> str:
        """Of an environment that does not serve what it should: what is the matter, in words."""
        if self.deployed is None:
            return f"no version serves in {self.environment.name}"
        found = f"is {self.endpoint.status}" if self.endpoint else "is not there"
        if self.endpoint and self.endpoint.status == "InService":
            found = "serves another version"
        return f"{self.deployed.in_words} should serve in {self.environment.name}, and its endpoint {found}"


def read_state(environment: Environment) -> State:
    """Read what an environment should serve, and its endpoint."""
    records = read_history(environment)
    return State(environment, records[0] if records else None, read_endpoint(environment))


def read_endpoint(environment: Environment) -> Endpoint | None:
    """The environment's endpoint with the versions behind it; None if there is none."""
    sagemaker = environment.clients.client("sagemaker")
    try:
        described = sagemaker.describe_endpoint(EndpointName=environment.endpoint)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    config = described.get("EndpointConfigName")
    pending = described.get("PendingDeploymentSummary", {}).get("EndpointConfigName")
    models = _models(sagemaker, config) if config else ()
    return Endpoint(
        name=environment.endpoint,
        status=described["EndpointStatus"],
        config=config,
        packages=_packages(models),
        failure=described.get("FailureReason"),
        pending=pending,
        coming=_packages(_models(sagemaker, pending)) if pending else (),
        capture=_capture(described.get("DataCaptureConfig", {})),
        models=tuple(model["ModelName"] for model in models),
        made=min((model["CreationTime"] for model in models), default=None),
    )


def _capture(described: Mapping[str, Any]) -> Capture | None:
    if not described.get("EnableCapture"):
        return None
    return Capture(described["CurrentSamplingPercentage"], described["DestinationS3Uri"])


def _only_version(packages: tuple[str, ...]) -> int | None:
    found = parse_package_version(packages[0]) if len(packages) == 1 else None
    return found[1] if found else None


def _models(sagemaker: Any, config: str) -> tuple[dict[str, Any], ...]:
    """The models behind an endpoint configuration, described; none where one is gone."""
    try:
        variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        return tuple(sagemaker.describe_model(ModelName=variant["ModelName"]) for variant in variants)
    except ClientError as error:
        # An endpoint outlives the configuration and the model that it was made from.
        if not is_absent(error):
            raise
        return ()


def _packages(models: tuple[dict[str, Any], ...]) -> tuple[str, ...]:
    """The model packages that models were made of, each once."""
    containers = [
        item for model in models for item in model.get("Containers") or [model.get("PrimaryContainer", {})]
    ]
    return tuple(dict.fromkeys(item["ModelPackageName"] for item in containers if "ModelPackageName" in item))
