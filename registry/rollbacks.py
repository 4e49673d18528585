"""Where an environment goes back to, and what goes on to the next: by ARN, from the deployment history."""

from __future__ import annotations

from aws_formats.errors import GatehouseError
from registry.clients import Clients
from registry.deployment_history import (
    PROMOTE,
    ROLLBACK,
    nothing_deployed,
    read_history,
    rollback_target,
)
from registry.deployments import DeploymentPlan, plan_deployment, serves_namesake
from registry.environment_state import read_state
from registry.environments import Environment
from registry.model_packages import APPROVED, describe_arn


def plan_rollback(registry: Clients, environment: Environment, version: int | None = None) -> DeploymentPlan:
    """What brings an environment back; reads only.

    Args:
        version: one that was deployed there; the one before the current one if None.

    Raises:
        GatehouseError: there is nothing to go back to, that version was never deployed there, or it was
            deleted and its number is now another one's that is not approved.
    """
    records = read_history(environment)
    if not records:
        raise nothing_deployed(environment)
    if version is None:
        found = rollback_target(records)
        if found is None:
            raise GatehouseError(
                f"{records[0].in_words} is the first in {environment.name}; there is none before",
                remedy="Deploy another with `gatehouse deploy`",
            )
    else:
        found = next((record for record in records if record.version == version), None)
        if found is None:
            numbers = {record.version for record in records if record.version is not None}
            known = ", ".join(map(str, sorted(numbers)))
            raise GatehouseError(
                f"version {version} was never deployed in {environment.name}",
                remedy=f"These were: {known}",
            )
    described = describe_arn(registry, found.arn)
    approval = described["ModelApprovalStatus"]
    if approval != APPROVED and found.when < described["CreationTime"]:
        number = found.version
        raise GatehouseError(
            f"the version {number} that served in {environment.name} was deleted, and the one of that number"
            f" now is {approval}",
            remedy=f"Review it: `gatehouse model {environment.project} {number}`,"
            f" `gatehouse approve {environment.project} {number}`",
        )
    return plan_deployment(registry, environment, found.arn, action=ROLLBACK)


def plan_promotion(registry: Clients, source: Environment, destination: Environment) -> DeploymentPlan:
    """What brings the version that serves in one environment to another; reads only.

    Raises:
        GatehouseError: nothing serves in the first, or not what should.
    """
    state = read_state(source)
    if state.deployed is None:
        raise nothing_deployed(source)
    what = None if state.serves else state.not_serving
    if what is None and serves_namesake(source, state.endpoint, describe_arn(registry, state.deployed.arn)):
        version = state.deployed.in_words
        what = f"{source.name} serves a {version} that was deleted, and another has its number now"
    if what is not None:
        raise GatehouseError(
            what,
            remedy=f"Deploy it there first: `gatehouse deploy {source.project} --env {source.name}"
            f" --version {state.deployed.version or 'N'}`",
        )
    return plan_deployment(registry, destination, state.deployed.arn, action=PROMOTE)


def promotion_note(source: str, note: str) -> str:
    """What the history says of a promotion: where the version came from, and what somebody noted."""
    return f"from {source}; {note}" if note else f"from {source}"
