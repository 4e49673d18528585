"""What has to happen next in an environment, decided on what is there now and on nothing else.

``settle`` looks at an environment and takes at most one step:

    the parameter names a version that is not approved   back to the newest one before that is
    the endpoint is on its way                           nothing; its next event brings us here again
    the version does not serve, nobody tried yet         start its deployment
    the version does not serve though it was started     back to the one before, and say why
    the version serves, its sample is not answered       back to the one before, and say why
    the version serves and answers                       announce it, take it to the next environment

So it does not matter which event called it, how often, or in which order; a ``lease`` keeps two calls at the
same moment apart. How far a deployment has come is kept on the very entry it is about: as labels on that
version of the environment's parameter. An entry that was announced is finished. If the endpoint serves
something else later on, a person is at work there (`gatehouse deploy` moves the endpoint first and writes
the parameter last), and we keep out of it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from botocore.exceptions import ClientError

from automation import messages
from automation.context import AUTOMATIC, Stage, Surroundings
from automation.lease import lease
from aws_formats.arns import group_and_version
from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from registry.deployment_history import (
    DEPLOY,
    PROMOTE,
    ROLLBACK,
    DeploymentRecord,
    deployed_arn,
    earlier_records,
    read_history,
    record_deployment,
)
from registry.deployments import UNDER_WAY, CannotServe, plan_deployment
from registry.endpoint_changes import start_deployment
from registry.environment_state import State, read_state
from registry.environments import Environment
from registry.model_packages import APPROVED
from registry.rollout import prove_deployment
from registry.version_details import VersionDetails, read_arn

STARTED, ANNOUNCED, KEPT = "gatehouse-started", "gatehouse-announced", "gatehouse-kept"
"""Labels of a parameter's version. KEPT: it is not approved any more, has no predecessor, and people know."""

TAKEN_UP = "taken_up"
"""Property of a version: the approval by which it entered the first environment."""


def settle(surroundings: Surroundings, stage: Stage) -> str:
    """Take the one step that an environment needs now; returns it in words, for the log."""
    with _alone(stage):
        return _settle(surroundings, stage)


def _alone(stage: Stage) -> AbstractContextManager[None]:
    environment = stage.environment
    return lease(environment.clients, f"/gatehouse/{environment.project}/{environment.name}/lease")


def _settle(surroundings: Surroundings, stage: Stage) -> str:
    state = read_state(stage.environment)
    if state.deployed is None:
        return _remove_unwanted(surroundings, stage, state)
    version = find_version(surroundings, state.deployed.arn)
    if _must_go(version, state.deployed):
        reason = messages.reason_of(version) if version else "it is no version of this model"
        return _go_back(surroundings, stage, state, reason)
    if _has(stage.environment, ANNOUNCED, state.deployed):
        return f"{_of(state.deployed)} is settled in {stage.name}"
    endpoint = state.endpoint
    if endpoint is not None and endpoint.status in UNDER_WAY:
        return f"endpoint {endpoint.name} is {endpoint.status}"
    if state.serves:
        return _finish(surroundings, stage, state.deployed)
    if _has(stage.environment, STARTED, state.deployed):
        reason = f"the endpoint is {endpoint.status}" if endpoint else "the endpoint is gone"
        return _go_back(surroundings, stage, state, (endpoint and endpoint.failure) or reason)
    try:
        plan = plan_deployment(
            surroundings.clients, stage.environment, state.deployed.arn, action=state.deployed.action
        )
    except CannotServe as error:
        return _go_back(surroundings, stage, state, error.what)
    start_deployment(plan)
    # Afterwards: one that broke off before it was asked for is started again, not given up.
    _label(stage.environment, state.deployed, STARTED)
    return f"{_of(state.deployed)} is on its way to {stage.name}"


def find_version(surroundings: Surroundings, arn: str) -> VersionDetails | None:
    """The version with that ARN; None if it is none of this model, or was deleted."""
    if f":model-package/{surroundings.project}/" not in arn:
        return None
    try:
        return read_arn(surroundings.clients, arn)
    except GatehouseError:
        return None


def enter_first(surroundings: Surroundings, version: VersionDetails) -> str:
    """An approved version goes to the first environment, unless it was there or a newer one is."""
    stage = surroundings.stages[0]
    with _alone(stage):
        return _enter(surroundings, stage, version)


def _enter(surroundings: Surroundings, stage: Stage, version: VersionDetails) -> str:
    history = read_history(stage.environment)
    approved = next((found.when for found in version.decisions if found.status == APPROVED), None)
    approval = approved.isoformat() if approved else "in Studio"
    # One that did not come up may have left no history: the version itself knows that it was tried.
    if version.properties.get(TAKEN_UP) == approval:
        return f"version {version.version} was taken up already"
    # Without an entry of ours it was approved in Studio: nobody knows when, so it gets one try.
    if any(entry.arn == version.arn and (approved is None or entry.when >= approved) for entry in history):
        return f"version {version.version} was in {stage.name} already"
    if history and group_and_version(history[0].arn)[1] > version.version:
        return f"{stage.name} has version {group_and_version(history[0].arn)[1]}, which is newer"
    if stage.promotion != AUTOMATIC:
        return f"{stage.name} is entered by hand"
    record_deployment(stage.environment, version.arn, DEPLOY, f"approved version {version.version}")
    surroundings.clients.client("sagemaker").update_model_package(
        ModelPackageArn=version.arn, CustomerMetadataProperties={TAKEN_UP: approval}
    )
    return f"{stage.environment.parameter} names version {version.version}"


def _must_go(version: VersionDetails | None, deployment: DeploymentRecord) -> bool:
    """Whether an environment may not keep what its parameter names."""
    if version is None or version.approval == APPROVED:
        return version is None
    if deployment.action != ROLLBACK:
        return True
    # A person may go back to a version that was rejected; a rejection after that counts again, and so
    # does one that was made in Studio, of which nobody knows when.
    decided = [decision.when for decision in version.decisions if decision.status == version.approval]
    return not decided or max(decided) > deployment.when


def _finish(surroundings: Surroundings, stage: Stage, deployment: DeploymentRecord) -> str:
    """The version serves: does it answer? Then on with it."""
    plan = plan_deployment(surroundings.clients, stage.environment, deployment.arn, action=deployment.action)
    try:
        prove_deployment(plan, surroundings.clients)
    except GatehouseError as error:
        state = read_state(stage.environment)
        return _go_back(surroundings, stage, state, error.what)
    next_step = _onward(surroundings, stage, deployment)
    messages.announce(surroundings, stage, deployment, next_step)
    _label_settled(stage.environment, deployment)
    return f"{_of(deployment)} serves in {stage.name}"


def _onward(surroundings: Surroundings, stage: Stage, deployment: DeploymentRecord) -> str:
    """Write the next environment's parameter, or say what a person has to do for that."""
    following = surroundings.after(stage)
    if deployment.action == ROLLBACK:
        return "The other environments are as they were."
    if following is None:
        return "This is the last environment."
    current = deployed_arn(following.environment)
    if current == deployment.arn:
        return f"{following.name} has it already."
    by_hand = surroundings.command(
        "promote", surroundings.project, "--from", stage.name, "--to", following.name
    )
    if following.promotion != AUTOMATIC:
        return f"It waits for {following.name}. To go on: {by_hand}"
    newer = group_and_version(current)[1] if current is not None else 0
    if newer > group_and_version(deployment.arn)[1]:
        return f"{following.name} has version {newer}, which is newer. To replace it: {by_hand}"
    record_deployment(following.environment, deployment.arn, PROMOTE, f"from {stage.name}")
    return f"It goes on to {following.name} by itself."


def _go_back(surroundings: Surroundings, stage: Stage, state: State, reason: str) -> str:
    """To the newest version before that is approved; with none, to nothing, unless people are served."""
    environment, current = stage.environment, state.deployed
    assert current is not None
    history = read_history(environment)
    if not history or history[0].number != current.number:  # by a person, whom no lease holds up
        return f"{stage.name} changed meanwhile"
    for candidate in earlier_records(history):
        version = find_version(surroundings, candidate.arn)
        if version is None or version.approval != APPROVED:
            continue
        record_deployment(environment, candidate.arn, ROLLBACK, f"{_of(current)}: {reason}")
        now = read_state(environment)
        settled = now.serves and now.endpoint is not None and now.endpoint.status not in UNDER_WAY
        outcome = f"{stage.name} goes back to version {candidate.version}."
        if settled and now.deployed is not None and now.deployed.arn == candidate.arn:
            outcome = f"Version {candidate.version} serves there as before."
            _label_settled(environment, now.deployed)
        messages.gone_back(surroundings, stage, _number(current), reason, outcome)
        return f"{stage.name} goes back to version {candidate.version}"
    # What never answered is taken away; what people use, by our doing or by theirs, is not.
    in_use = _has(environment, ANNOUNCED, current) or not _has(environment, STARTED, current)
    if in_use and state.serves:
        if not _has(environment, KEPT, current):
            messages.stays_rejected(surroundings, stage, _number(current), reason)
            _label(environment, current, KEPT)
        return f"{_of(current)} stays in {stage.name}: there is none before"
    environment.clients.client("ssm").delete_parameter(Name=environment.parameter)
    messages.gone_back(
        surroundings, stage, _number(current), reason, f"Nothing serves in {stage.name}, as before."
    )
    _remove_unwanted(surroundings, stage, read_state(environment))
    return f"nothing serves in {stage.name}: there is none before"


def _remove_unwanted(surroundings: Surroundings, stage: Stage, state: State) -> str:
    """Where no parameter names a version, an endpoint that failed or serves an unapproved one is deleted.

    One with an approved version may be a person's first deployment, under way.
    """
    endpoint = state.endpoint
    if endpoint is None or endpoint.status in UNDER_WAY or state.deployed is not None:
        return f"nothing is wanted in {stage.name}"
    ours = f":model-package/{surroundings.project}/"
    if not endpoint.packages or not all(ours in arn for arn in endpoint.packages):
        return f"endpoint {endpoint.name} is somebody else's"
    approvals = {read_arn(surroundings.clients, arn).approval for arn in endpoint.packages}
    if APPROVED in approvals and endpoint.status != "Failed":
        return f"endpoint {endpoint.name} is not recorded yet"
    stage.environment.clients.client("sagemaker").delete_endpoint(EndpointName=endpoint.name)
    return f"endpoint {endpoint.name} is deleted"


def _has(environment: Environment, label: str, deployment: DeploymentRecord) -> bool:
    """Whether that entry of the history carries a label."""
    return _labelled(environment, label) == deployment.number


def _labelled(environment: Environment, label: str) -> int | None:
    """The number of the entry that carries a label; None if none does."""
    try:
        labelled: dict[str, Any] = environment.clients.client("ssm").get_parameter(
            Name=f"{environment.parameter}:{label}"
        )
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return int(labelled["Parameter"]["Version"])


def _label(environment: Environment, deployment: DeploymentRecord, *labels: str) -> None:
    environment.clients.client("ssm").label_parameter_version(
        Name=environment.parameter, ParameterVersion=deployment.number, Labels=list(labels)
    )


def _label_settled(environment: Environment, deployment: DeploymentRecord) -> None:
    """Announced; and no label stays behind on an older entry.

    Parameter Store keeps a hundred entries, and refuses the next while the oldest of them has a label.
    """
    _label(environment, deployment, STARTED, ANNOUNCED)
    kept = _labelled(environment, KEPT)
    if kept is not None:
        environment.clients.client("ssm").unlabel_parameter_version(
            Name=environment.parameter, ParameterVersion=kept, Labels=[KEPT]
        )


def _number(deployment: DeploymentRecord) -> int | str:
    number = deployment.arn.rpartition("/")[2]
    return int(number) if number.isdecimal() else deployment.arn


def _of(deployment: DeploymentRecord) -> str:
    return f"version {_number(deployment)}"
