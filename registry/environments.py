"""Environments: where a version serves, what it should serve, and what it served before.

What an environment should serve is a Parameter Store parameter whose value is a model package's ARN. The
commands write it last, after the new version has answered, so it names none that does not serve; automation
writes it first, and takes it back if the version does not come to answer. Its own
version history is the deployment history: Parameter Store records when and by whom each value was
written, and the description says how it came about (``deploy: ...``, ``rollback: ...``, ``promote: ...``).
Parameter Store keeps the last hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from aws_formats.arns import group_and_version, parse_package_version
from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent, is_denied
from registry.clients import Clients

DEPLOY, ROLLBACK, PROMOTE = "deploy", "rollback", "promote"


@dataclass(frozen=True)
class Environment:
    """One environment of one project, and how to reach it.

    Attributes:
        region: where its endpoint is.
        role_arn: the role that the model runs under.
        instance_type, instance_count: of the endpoint.
        clients: for the environment's own account and region.
        assume_role: the role under which another account is reached; None in the caller's own account.
        volume_size_gb, startup_timeout_seconds, download_timeout_seconds: of its variant; SageMaker's
            own defaults where None.
        alarms: CloudWatch alarms; one of them ringing during an update brings the old version back.
        canary_percent: share of the capacity that a new version is tried on first; None: all at once.
        bake_seconds: how long the alarms are watched before traffic moves on and the old version goes.
        kms_key: encrypts the instances' volumes; AWS's own key where None.
        network_isolation: whether the containers are cut off from every network.
        subnets, security_groups: of the VPC that the containers reach; none: SageMaker's own.
    """

    project: str
    name: str
    region: str
    role_arn: str
    instance_type: str
    instance_count: int
    clients: Clients = field(repr=False, compare=False)
    assume_role: str | None = None
    volume_size_gb: int | None = None
    startup_timeout_seconds: int | None = None
    download_timeout_seconds: int | None = None
    alarms: tuple[str, ...] = ()
    canary_percent: int | None = None
    bake_seconds: int = 0
    kms_key: str | None = None
    network_isolation: bool = False
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"{self.project}-{self.name}"

    @property
    def parameter(self) -> str:
        return f"/gatehouse/{self.project}/{self.name}/model-package"


def to_json(environment: Environment) -> dict[str, Any]:
    """The environment as a JSON object: every field but the clients, defaults left out."""
    return {
        one.name: value
        for one in _told_fields()
        if (value := getattr(environment, one.name)) != _default(one)
    }


def from_json(document: Mapping[str, Any], clients_for: Callable[[str, str | None], Clients]) -> Environment:
    """The inverse of :func:`to_json`.

    Args:
        clients_for: gives the clients for a region and for the role that is assumed there, if any.

    Raises:
        TypeError: the object lacks a field without a default, or has a key that is no field.
    """
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in document.items()
    }
    return Environment(**values, clients=clients_for(values["region"], values.get("assume_role")))


def _told_fields() -> list[Field[Any]]:
    return [one for one in fields(Environment) if one.name != "clients"]


def _default(one: Field[Any]) -> Any:
    """The default of a field; MISSING, which no value equals, without one."""
    return one.default if one.default_factory is MISSING else one.default_factory()


@dataclass(frozen=True)
class Deployment:
    """An entry of an environment's deployment history.

    Attributes:
        number: the parameter's version.
        arn: the value: a version's ARN, or whatever somebody else wrote there.
        action: deploy, rollback or promote; empty where somebody else wrote the parameter.
        note: what the description says besides.
        by: the ARN of who wrote it.
    """

    number: int
    arn: str
    action: str
    note: str
    when: datetime
    by: str

    @property
    def version(self) -> int:
        """The number of the version that it names; only where it names one."""
        return group_and_version(self.arn)[1]

    @property
    def known_version(self) -> int | None:
        """The same, and None where the value is no version's ARN."""
        return _version_in(self.arn)

    @property
    def names(self) -> str:
        """What it names, in words."""
        known = self.known_version
        return f"{self.arn!r}, which is no version" if known is None else f"version {known}"


@dataclass(frozen=True)
class Endpoint:
    """What is really there.

    Attributes:
        status: SageMaker's endpoint status.
        config: the endpoint configuration that it serves, or is being made from.
        pending: the one that an update under way brings; None without an update.
        packages: the ARNs of the model packages behind it; several if its containers come from several.
    """

    name: str
    status: str
    config: str | None
    packages: tuple[str, ...]
    failure: str | None
    pending: str | None = None

    @property
    def version(self) -> int | None:
        """The version that it serves; None where that cannot be said."""
        return _version_in(self.packages[0]) if len(self.packages) == 1 else None


@dataclass(frozen=True)
class State:
    """An environment: what it should serve, and what is there."""

    environment: Environment
    deployed: Deployment | None
    endpoint: Endpoint | None

    @property
    def serves(self) -> bool:
        """Whether what should serve does."""
        return (
            self.deployed is not None
            and self.endpoint is not None
            and self.endpoint.status in ("InService", "Updating", "SystemUpdating")
            and self.endpoint.packages == (self.deployed.arn,)
        )


def read_state(environment: Environment) -> State:
    """What an environment should serve and what is there."""
    deployed = history(environment)
    return State(environment, deployed[0] if deployed else None, read_endpoint(environment))


def history(environment: Environment) -> tuple[Deployment, ...]:
    """Every deployment that Parameter Store remembers, newest first."""
    pages = (
        environment.clients.client("ssm")
        .get_paginator("get_parameter_history")
        .paginate(Name=environment.parameter)
    )
    try:
        found = [_deployment(entry) for page in pages for entry in page["Parameters"]]
    except ClientError as error:
        if is_absent(error):
            return ()
        raise
    return tuple(sorted(found, key=lambda deployment: deployment.number, reverse=True))


def before(deployments: Iterable[Deployment]) -> Deployment | None:
    """The deployment that a rollback goes back to: the newest of :func:`earlier`; None if there is none."""
    return next(iter(earlier(deployments)), None)


def earlier(deployments: Iterable[Deployment]) -> tuple[Deployment, ...]:
    """The deployments under the current one, newest first, with earlier rollbacks undone.

    A rollback takes back what came after the version it went to. So after 1, 2, 3 and a rollback to 2,
    the next goes to 1, never forth to 3 again.
    """
    stack: list[Deployment] = []
    entries = sorted(deployments, key=lambda found: found.number)
    for deployment in entries:
        if deployment.known_version is None:
            continue
        # One to a version that is not there is none: its description is an older entry's.
        if deployment.action == ROLLBACK and any(entry.arn == deployment.arn for entry in stack):
            while stack[-1].arn != deployment.arn:
                stack.pop()
        if not stack or stack[-1].arn != deployment.arn:
            stack.append(deployment)
    # Where the parameter's value is no version, the current one is none of those in the stack.
    current_is_there = bool(entries) and entries[-1].known_version is not None
    return tuple(reversed(stack[:-1] if current_is_there else stack))


def record(environment: Environment, arn: str, action: str, note: str) -> None:
    """Make a version the one that the environment should serve."""
    environment.clients.client("ssm").put_parameter(
        Name=environment.parameter,
        Value=arn,
        Type="String",
        Overwrite=True,
        Description=f"{action}: {note}"[:1024] if note else action,
    )


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
    summary = described.get("PendingDeploymentSummary", {})
    return Endpoint(
        name=environment.endpoint,
        status=described["EndpointStatus"],
        config=config,
        packages=_packages(sagemaker, config) if config else (),
        failure=described.get("FailureReason"),
        pending=summary.get("EndpointConfigName"),
    )


def deployed_versions(
    environments: Iterable[Environment], *, denied: Callable[[Environment], None] | None = None
) -> dict[str, tuple[str, ...]]:
    """Model package ARN -> the environments that should serve it.

    Args:
        denied: told of an environment that we may not look into, which is then left out: a reader of the
            registry need not be let into every environment's account. Without it, that is an error.
    """
    found: dict[str, tuple[str, ...]] = {}
    for environment in environments:
        try:
            arn = deployed_arn(environment)
        except ClientError as error:
            if denied is None or not is_denied(error):
                raise
            denied(environment)
            continue
        if arn is not None:
            found[arn] = (*found.get(arn, ()), environment.name)
    return found


def deployed_arn(environment: Environment) -> str | None:
    """What an environment should serve; None if nothing was ever deployed there."""
    try:
        answer = environment.clients.client("ssm").get_parameter(Name=environment.parameter)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return str(answer["Parameter"]["Value"])


def nothing_deployed(environment: Environment) -> GatehouseError:
    return GatehouseError(
        f"nothing of {environment.project} is deployed in {environment.name}",
        remedy=f"Deploy a version with `gatehouse deploy {environment.project} --env {environment.name}`",
    )


def _deployment(entry: Mapping[str, Any]) -> Deployment:
    action, _, note = entry.get("Description", "").partition(":")
    ours = action in (DEPLOY, ROLLBACK, PROMOTE)
    return Deployment(
        number=entry["Version"],
        arn=entry["Value"],
        action=action if ours else "",
        note=note.strip() if ours else entry.get("Description", ""),
        when=entry["LastModifiedDate"],
        by=entry.get("LastModifiedUser", ""),
    )


def _version_in(arn: str) -> int | None:
    """None for what is no version's ARN: anybody's text, or a model package without a group."""
    found = parse_package_version(arn)
    return found[1] if found else None


def _packages(sagemaker: Any, config: str) -> tuple[str, ...]:
    """The model packages behind an endpoint configuration, each once."""
    found: dict[str, None] = {}
    try:
        variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        for variant in variants:
            model = sagemaker.describe_model(ModelName=variant["ModelName"])
            containers = model.get("Containers") or [model.get("PrimaryContainer", {})]
            found.update(
                (item["ModelPackageName"], None) for item in containers if "ModelPackageName" in item
            )
    except ClientError as error:
        # An endpoint outlives the configuration and the model that it was made from.
        if not is_absent(error):
            raise
    return tuple(found)
