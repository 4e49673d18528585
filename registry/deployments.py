"""What it takes to bring a version to an environment: reads only, and a frozen plan comes out.

Models and endpoint configurations are named after their content (``endpoint_requests``), so deploying what
serves already is a plan without changes. ``rollout`` carries a plan out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_formats.arns import group_and_version, parse_arn, parse_package_version
from aws_formats.errors import GatehouseError
from registry import deployment_history, sample_payload
from registry.artifacts import check_artifacts
from registry.clients import Clients
from registry.endpoint_requests import config_request, model_request
from registry.environment_state import Endpoint, State, read_state
from registry.environments import Environment
from registry.model_packages import APPROVED, describe_arn, statistics_uri
from registry.model_quality import classes_in, read_statistics

UNDER_WAY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


@dataclass(frozen=True)
class DeploymentPlan:
    """What brings a version to an environment.

    Attributes:
        state: the environment before.
        arn: the version's.
        action: how it comes about: deploy, rollback or promote.
        endpoint_action: create, replace (a failed one), update, await (a change to this version that is under
            way already), or none where it serves the version already.
        model, config: the requests that make them, used where they are not there yet.
        config_before: the configuration that served before; None where it is the one that serves, or where
            there was none.
        sample: the S3 URI of the sample payload; None if the version has none.
        accept: the content type in which the sample's answer is asked for.
        classes: those that the answer may name; none where they are not known.
        replaces_namesake: the endpoint serves a version that was deleted, whose ARN this one was given since.
        changes: the plan in words; empty if there is nothing to do.
        notes: what is not known of the version's artifact, a sentence each.
    """

    state: State
    arn: str
    action: str
    endpoint_action: str
    model: Mapping[str, Any]
    config: Mapping[str, Any]
    config_before: str | None
    sample: str | None
    accept: str
    classes: tuple[str, ...]
    replaces_namesake: bool
    changes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        return group_and_version(self.arn)[1]


class CannotServe(GatehouseError):
    """A version that an environment can never serve: neither waiting nor trying again helps."""


def plan_deployment(
    registry: Clients,
    environment: Environment,
    arn: str,
    *,
    action: str = deployment_history.DEPLOY,
) -> DeploymentPlan:
    """What brings a version to an environment; reads only.

    Args:
        registry: where the version is registered.
        action: a rollback may go to a version that is no longer approved.

    Raises:
        CannotServe: it says nothing about how it is served, it is in another region, or its endpoint is
            another model's.
        ArtifactChanged: its artifact is not the one that was decided on or evaluated.
        GatehouseError: there is no such version, it is not approved, or the environment is busy with
            something else.
    """
    described = describe_arn(registry, arn)
    group, version = group_and_version(arn)
    approval = described["ModelApprovalStatus"]
    if action != deployment_history.ROLLBACK and approval != APPROVED:
        raise GatehouseError(
            f"version {version} of model {group} is {approval}; only an approved version is deployed",
            remedy=f"Review it: `gatehouse model {group} {version}`, `gatehouse approve {group} {version}`",
        )
    check_servable(described)
    _check_region(environment, arn)
    checked = check_artifacts(registry.client("s3"), described)
    state = read_state(environment)
    _check_endpoint(environment, state.endpoint)
    model = model_of(environment, described)
    config = config_request(environment, model["ModelName"])
    namesake = serves_namesake(environment, state.endpoint, described)
    endpoint_action = _endpoint_action(state.endpoint, config["EndpointConfigName"])
    if endpoint_action == "busy":
        assert state.endpoint is not None
        raise GatehouseError(
            f"the endpoint is {state.endpoint.status}",
            where=environment.endpoint,
            remedy=f"Wait until it is {'gone' if state.endpoint.status == 'Deleting' else 'InService'}:"
            f" `gatehouse environments {environment.project}`",
        )
    return DeploymentPlan(
        state=state,
        arn=arn,
        action=action,
        endpoint_action=endpoint_action,
        model=model,
        config=config,
        config_before=_config_before(registry, state, arn, endpoint_action, config["EndpointConfigName"]),
        sample=described.get("SamplePayloadUrl"),
        accept=sample_payload.acceptable(
            described.get("InferenceSpecification", {}).get("SupportedResponseMIMETypes", ())
        ),
        classes=classes_in(read_statistics(registry.client("s3"), statistics_uri(described))),
        replaces_namesake=namesake,
        changes=tuple(_changes(environment, state, arn, endpoint_action, namesake=namesake)),
        notes=checked.notes,
    )


def model_of(environment: Environment, described: Mapping[str, Any]) -> dict[str, Any]:
    """CreateModel's request of a described version for an environment."""
    return model_request(described, environment.role_arn, environment.network, environment.tags)


def serves_namesake(
    environment: Environment, endpoint: Endpoint | None, described: Mapping[str, Any]
) -> bool:
    """Whether an endpoint serves another version than the described one under the same ARN.

    A group that is deleted and made again numbers its versions from 1 again; what served goes on.
    """
    return (
        endpoint is not None
        and endpoint.packages == (described["ModelPackageArn"],)
        and endpoint.made is not None
        and endpoint.made < described["CreationTime"]
        # A clock that was put back: it is the model that would be made.
        and model_of(environment, described)["ModelName"] not in endpoint.models
    )


def check_servable(described: Mapping[str, Any]) -> None:
    """Raises CannotServe if a described version says nothing about how it is served."""
    if not described.get("InferenceSpecification", {}).get("Containers"):
        raise CannotServe(
            f"version {described['ModelPackageVersion']} of model {described['ModelPackageGroupName']} has no"
            " inference specification: it cannot be served",
            remedy="Register the artifact anew, with an image and the place of its artifact",
        )


def _check_region(environment: Environment, arn: str) -> None:
    region, here = parse_arn(arn).region, environment.region
    if region != here:
        raise CannotServe(
            f"the version is registered in {region}, and SageMaker serves a model package in its own"
            f" region only; environment {environment.name} is in {here}",
            remedy=f"Register the model in {here} too: run the pipeline there",
        )


def _check_endpoint(environment: Environment, endpoint: Endpoint | None) -> None:
    """`rc-fraud` in `x-dev` and `rc-fraud-x` in `dev` have an endpoint of the same name."""
    for package in endpoint.packages if endpoint else ():
        version = parse_package_version(package)
        group = version[0] if version else package.rpartition("/")[2]
        if group != environment.project:
            raise CannotServe(
                f"the endpoint serves model {group}, and {environment.project} in {environment.name} would"
                " have one of the same name",
                where=environment.endpoint,
                remedy="Give one of the two environments another name",
            )


def _endpoint_action(endpoint: Endpoint | None, config: str) -> str:
    if endpoint is None:
        return "create"
    if endpoint.status == "Failed":
        return "replace"
    if endpoint.status in UNDER_WAY:
        # An earlier deployment of the same version broke off, or is at it now: wait for what it began.
        coming = endpoint.config if endpoint.status == "Creating" else endpoint.pending
        return "await" if coming == config else "busy"
    return "none" if endpoint.config == config and endpoint.status == "InService" else "update"


def _config_before(
    registry: Clients, state: State, arn: str, endpoint_action: str, config: str
) -> str | None:
    endpoint, deployed, environment = state.endpoint, state.deployed, state.environment
    if endpoint is None or endpoint_action in ("create", "replace"):
        return None
    if endpoint_action in ("update", "await") and endpoint.config != config:
        return endpoint.config
    if deployed is None or deployed.arn == arn or deployed.version is None:
        return None
    # An earlier deployment moved the endpoint and broke off before it had the answer.
    try:
        model = model_of(environment, describe_arn(registry, deployed.arn))
    except GatehouseError:  # it was deleted since
        return None
    return str(config_request(environment, model["ModelName"])["EndpointConfigName"])


def _changes(
    environment: Environment, state: State, arn: str, endpoint_action: str, *, namesake: bool
) -> list[str]:
    version = group_and_version(arn)[1]
    serving = state.endpoint.version if state.endpoint else None
    size = f"{environment.instance_count} x {environment.instance_type}"
    if endpoint_action == "create":
        found = [f"create endpoint {environment.endpoint} with version {version} on {size}"]
    elif endpoint_action == "replace":
        found = [f"replace the failed endpoint {environment.endpoint}: version {version} on {size}"]
    elif endpoint_action == "await":
        found = [f"wait for endpoint {environment.endpoint}, which is on its way to version {version}"]
    elif endpoint_action == "update":
        now = f"version {serving}" if serving is not None else "what it serves now"
        kind = "the new settings" if serving == version else f"version {version}"
        if namesake:
            now, kind = f"a version {serving} that was deleted", f"version {version} as it is now"
        found = [f"update endpoint {environment.endpoint} from {now} to {kind} on {size}"]
    else:
        found = []
    if endpoint_action in ("create", "replace", "update"):
        found += _capture_changes(environment, state.endpoint if endpoint_action == "update" else None)
    if state.deployed is None or state.deployed.arn != arn:
        before = state.deployed.in_words if state.deployed else "nothing"
        found.append(f"set {environment.parameter} from {before} to version {version}")
    return found


def _capture_changes(environment: Environment, before: Endpoint | None) -> list[str]:
    """What changes of the requests that are captured, in words."""
    wanted, now = environment.capture, before.capture if before else None
    if wanted == now:
        return []
    if wanted is None:
        return ["capture its requests no longer"]
    return [f"capture {wanted.in_words}" + (f", not {now.in_words}" if now else "")]
