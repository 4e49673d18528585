"""Environments of the settings, made ready for the registry: a place, a role, an endpoint's size.

This is the only reading of an environment's settings. The commands use its result as it is, and the
automation's handlers get it as JSON (``registry.environments.to_json``). If the two differed in a subnet, a
key or a role, the models would have different names, and each would replace what the other had deployed.

An environment is in the project's own account and region unless the settings say otherwise. In another
account the command works under a role there, which it assumes with STS. On this machine there is one
account, so only the region counts.
"""

from __future__ import annotations

from dataclasses import replace

from aws_formats.errors import GatehouseError
from aws_formats.service_models import service_model
from pipelines.settings.project import Capture, Network, Project
from pipelines.settings.projects_file import NAME_LIMIT
from pipelines.settings.tables import nearest, which_one
from pipelines.settings.tags import resource_tags
from pipelines.settings.target import Target, sagemakers_bucket
from registry.clients import AssumedRole, Clients
from registry.environments import Environment


def resolve_environment(project: Project, target: Target, name: str) -> Environment:
    """The project's environment of that name.

    Args:
        target: where the project itself runs.

    Raises:
        GatehouseError: there is no such environment, or one in another account lacks a role there.
    """
    if name not in project.environments:
        raise GatehouseError(
            f"there is no environment {name!r}",
            where=f"{project.file}: project {project.name}",
            remedy=which_one(name, project.environments, "environments"),
        )
    endpoint = f"{project.name}-{name}"
    if len(endpoint) > NAME_LIMIT:
        raise GatehouseError(
            f"the endpoint's name {endpoint} has {len(endpoint)} characters, SageMaker allows {NAME_LIMIT}",
            where=f"{project.file}: project {project.name}",
            remedy="Shorten the project's or the environment's name",
        )
    settings = project.environments[name]
    role_arn, assume_role = target.role_arn, None
    if target.name == "aws":
        role_arn, assume_role = settings.role or target.role_arn, settings.assume_role
        if settings.account not in (None, target.account) and None in (settings.role, assume_role):
            raise GatehouseError(
                f"environment {name!r} is in account {settings.account}, and no role there is known",
                where=f"{project.file}: project {project.name}",
                remedy="Set its keys role (the model runs under it) and assume_role (the command does)",
            )
    region = settings.region or target.region
    # Ids of another account or region mean nothing there: such an environment has the network of its own.
    elsewhere = settings.account not in (None, target.account) or region != target.region
    network = Network(isolation=project.network.isolation) if elsewhere else project.network
    capture = settings.capture
    if capture is not None and capture.destination is None and target.name == "aws":
        _check_own_bucket(project, target, name, elsewhere)
    return Environment(
        project=project.name,
        name=name,
        region=region,
        role_arn=role_arn,
        instance_type=settings.instance_type,
        instance_count=settings.instance_count,
        clients=_clients(replace(target, region=region), assume_role),
        assume_role=assume_role,
        volume_size_gb=settings.volume_size_gb,
        startup_timeout_seconds=settings.startup_timeout_seconds,
        download_timeout_seconds=settings.download_timeout_seconds,
        alarms=settings.alarms,
        canary_percent=settings.canary_percent,
        bake_seconds=settings.bake_seconds,
        kms_key=network.kms_key,
        network_isolation=network.isolation,
        subnets=network.subnets,
        security_groups=network.security_groups,
        capture_percent=capture.percent if capture else None,
        capture_destination=_destination(project, target, capture) if capture else None,
        tags=resource_tags(project, target),
    )


def deployable(environment: Environment) -> Environment:
    """The environment, if endpoints can be made as the settings say.

    Raises:
        GatehouseError: AWS knows no such instance type, which it would say of a deployment that is under way.
    """
    known = service_model("sagemaker").shape_for("ProductionVariantInstanceType").enum
    if environment.instance_type not in known:
        close = nearest(environment.instance_type, known)
        raise GatehouseError(
            f"instance_type: {environment.instance_type!r} is not a value that AWS knows for an endpoint",
            where=f"environment {environment.name} of {environment.project}",
            remedy=f"Did you mean {close[0]}?" if close else "Write one such as ml.m5.large",
        )
    return environment


def _check_own_bucket(project: Project, target: Target, name: str, elsewhere: bool) -> None:
    """Raises GatehouseError where it is not sure that the project's bucket takes what is captured.

    The functions of the automation know the bucket that the foundation has made. A command that took
    SageMaker's own instead would change the endpoint's configuration, and the functions would change it back.
    """
    if elsewhere:
        raise GatehouseError(
            f"environment {name!r} is in another account or region than the project's bucket, where its"
            " requests would be captured",
            where=f"{project.file}: project {project.name}",
            remedy="Name a prefix for them: the key destination of its table capture",
        )
    if project.bucket is None and target.bucket == sagemakers_bucket(target.region, target.account):
        raise GatehouseError(
            f"environment {name!r} captures its requests in the project's bucket, and none is named",
            where=f"{project.file}: project {project.name}",
            remedy="Set the key bucket, which `gatehouse infra deploy` prints, or ARTIFACT_BUCKET, or the key"
            " destination of the table capture",
        )


def _destination(project: Project, target: Target, capture: Capture) -> str:
    return (capture.destination or f"s3://{target.bucket}/{project.name}/capture").rstrip("/")


def _clients(there: Target, assume_role: str | None) -> Clients:
    return there if assume_role is None else AssumedRole(there, assume_role, there.region)


def all_environments(project: Project, target: Target) -> tuple[Environment, ...]:
    """The project's environments, in the order of the settings."""
    return tuple(resolve_environment(project, target, name) for name in project.environments)
