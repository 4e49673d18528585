"""`gatehouse environments`: what serves where, since when, by whom."""

from __future__ import annotations

import click

from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import project_argument, target_option
from pipelines.commands.output import Document, Output, Remark, Table, known_as, moment, remark_on, with_json
from pipelines.commands.project_context import find_context
from registry.deployment_history import DeploymentRecord, nothing_deployed, read_history
from registry.environment_state import State, read_state
from registry.environments import Environment


@click.command("environments")
@project_argument
@click.option("--env", "environment", metavar="NAME", help="One environment, with its deployment history.")
@target_option
@with_json
def command(project: str | None, environment: str | None, target: str) -> Output:
    """Show what serves in each environment, since when and by whom.

    With --env: the deployment history of that environment, newest first.
    """
    with connected(find_context(project, target, environment)) as at:
        if environment is None:
            return _all_environments([read_state(one) for one in at.environments()])
        found = at.environment(environment)
        return _history(found, read_history(found))


def _all_environments(states: list[State]) -> Output:
    yield Document([_state_document(state) for state in states])
    yield Table(
        ("Environment", "Version", "Since", "By", "How", "Endpoint"), [_state_row(state) for state in states]
    )
    for state in states:
        if (words := _drift_in_words(state)) is not None:
            yield Remark(f"Note: {state.environment.name}: {words}")


def _history(environment: Environment, deployments: tuple[DeploymentRecord, ...]) -> Output:
    yield Document([_deployment_document(deployment) for deployment in deployments])
    if not deployments:
        yield remark_on(nothing_deployed(environment))
        return
    yield Table(
        ("Version", "When", "By", "How", "Note"),
        [
            (
                _version_in_words(found),
                moment(found.when),
                known_as(found.by),
                found.action or "-",
                found.note,
            )
            for found in deployments
        ],
    )


def _state_row(state: State) -> tuple[str, ...]:
    deployed, endpoint = state.deployed, state.endpoint
    there = endpoint.status if endpoint else "none"
    if deployed is None:
        return (state.environment.name, "-", "-", "-", "-", there)
    how = f"{deployed.action}: {deployed.note}" if deployed.note else deployed.action
    return (
        state.environment.name,
        _version_in_words(deployed),
        moment(deployed.when),
        known_as(deployed.by),
        how or "-",
        there,
    )


def _version_in_words(deployment: DeploymentRecord) -> str:
    return deployment.arn if deployment.version is None else str(deployment.version)


def _drift_in_words(state: State) -> str | None:
    """Where the endpoint is not what the parameter says, in words."""
    if state.deployed is None:
        return None if state.endpoint is None else "an endpoint is there and no version is recorded for it"
    if state.endpoint is None:
        return f"{state.deployed.in_words} should serve, and there is no endpoint"
    if state.serves:
        return None
    if state.endpoint.status not in ("InService", "Updating", "SystemUpdating"):
        reason = f": {state.endpoint.failure}" if state.endpoint.failure else ""
        return f"the endpoint is {state.endpoint.status}{reason}"
    return f"{state.deployed.in_words} should serve, and the endpoint has another"


def _state_document(state: State) -> dict[str, object]:
    endpoint = state.endpoint
    return {
        "environment": state.environment.name,
        "endpoint": state.environment.endpoint,
        "endpoint_status": endpoint.status if endpoint else None,
        "parameter": state.environment.parameter,
        "serves": state.serves,
        **_deployment_document(state.deployed),
    }


def _deployment_document(deployment: DeploymentRecord | None) -> dict[str, object]:
    return {
        "version": deployment.version if deployment else None,
        "arn": deployment.arn if deployment else None,
        "since": deployment.when if deployment else None,
        "by": deployment.by if deployment else None,
        "action": deployment.action if deployment else None,
        "note": deployment.note if deployment else None,
    }
