"""Brings an environment to what it should serve, decided on what is there now and on nothing else.

:func:`reconcile` looks at an environment and takes at most one step:

    the parameter names a version that is not approved   back to the newest one before that is
    the endpoint is on its way                           nothing; its next event brings us here again
    the version served, and now another one does         nothing: a person is at work
    the version does not serve, nobody tried yet         start its deployment
    the version does not serve though it was started     back to the one before, and say why
    the version serves, its sample is not answered       back to the one before, and say why
    a deleted version of that number serves              start the deployment of the one that has it now
    the version serves and answers                       announce it, take it to the next environment

So it does not matter which event called it, how often, or in which order; a ``lease`` keeps two calls at the
same moment apart. ``labels`` on the parameter's version say how far its deployment has come. A version that
was announced is finished. If the endpoint serves something else later on, a person is at work there
(`gatehouse deploy` changes the endpoint first and writes the parameter last), and nothing is done. The same
holds before the announcement for what a person has deployed, because it served when it was recorded.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from automation import messages
from automation.context import AUTOMATIC, Context, Stage
from automation.labels import ANNOUNCED, LEFT_SERVING, STARTED, add_labels, has_label, mark_announced
from automation.lease import lease
from automation.missing_decisions import lacks_decision, request_decision
from aws_formats.arns import parse_package_version
from aws_formats.errors import GatehouseError
from registry.artifacts import ArtifactChanged
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
from registry.deployments import UNDER_WAY, CannotServe, DeploymentPlan, plan_deployment
from registry.endpoint_changes import start_deployment
from registry.environment_state import Endpoint, State, read_state
from registry.life_cycle import DEPLOYED, ROLLED_BACK, note_stage
from registry.model_packages import APPROVED
from registry.rollout import prove_deployment
from registry.version_details import VersionDetails

DEPLOYED_APPROVAL = "taken_up"
"""Property of a version: the approval for which it was deployed to the first environment."""


def reconcile(context: Context, stage: Stage) -> str:
    """Take the one step that an environment needs now; returns it in words, for the log."""
    with _lease_of(stage):
        return _reconcile(context, stage)


def _lease_of(stage: Stage) -> AbstractContextManager[None]:
    environment = stage.environment
    return lease(environment.clients, f"/gatehouse/{environment.project}/{environment.name}/lease")


def _reconcile(context: Context, stage: Stage) -> str:
    state = read_state(stage.environment)
    record, endpoint = state.deployed, state.endpoint
    if record is None:
        return _delete_unwanted_endpoint(context, stage, state)
    version = context.find_version(record.arn)
    if _must_go(version, record):
        reason = messages.why_not_approved(version) if version else "it is no version of this model"
        return _roll_back(context, stage, state, reason)
    if has_label(stage.environment, record, ANNOUNCED):
        return f"{_named(record)} serves in {stage.name} and was announced"
    if endpoint is not None and endpoint.status in UNDER_WAY:
        return f"endpoint {endpoint.name} is {endpoint.status}"
    if state.serves:
        return _confirm(context, stage, record)
    if record.served and endpoint is not None and endpoint.status == "InService":
        return _left_by_a_person(stage, record)
    if has_label(stage.environment, record, STARTED):
        reason = _why_not_serving(endpoint)
        return _roll_back(context, stage, state, (endpoint and endpoint.failure) or reason, may_pass=True)
    try:
        plan = plan_deployment(context.clients, stage.environment, record.arn, action=record.action)
    except (ArtifactChanged, CannotServe) as error:
        return _roll_back(context, stage, state, error.what)
    return _start(stage, record, plan)


def _start(stage: Stage, record: DeploymentRecord, plan: DeploymentPlan) -> str:
    start_deployment(plan)
    # Afterwards: if this function dies before it has asked for the endpoint, the next one starts again.
    add_labels(stage.environment, record, STARTED)
    return f"{_named(record)} is on its way to {stage.name}"


def _why_not_serving(endpoint: Endpoint | None) -> str:
    if endpoint is None:
        return "the endpoint is gone"
    if endpoint.status == "InService" and endpoint.version is not None:
        return f"the endpoint serves version {endpoint.version} again"
    return f"the endpoint is {endpoint.status}"


def _must_go(version: VersionDetails | None, record: DeploymentRecord) -> bool:
    """Whether an environment must not keep what its parameter names."""
    if version is None or version.approval == APPROVED:
        return version is None
    if record.action != ROLLBACK:
        return True
    # A person may go back to a version that was rejected; a rejection after that counts again, and so
    # does one that was made in Studio, of which nobody knows when.
    decided = [decision.when for decision in version.decisions if decision.status == version.approval]
    return not decided or max(decided) > record.when


def deploy_to_first(context: Context, version: VersionDetails) -> str:
    """Deploy an approved version to the first environment, unless it was there or a newer one is.

    Returns:
        What was done, in words, for the log.
    """
    stage = context.stages[0]
    with _lease_of(stage):
        return _deploy_to_first(context, stage, version)


def _deploy_to_first(context: Context, stage: Stage, version: VersionDetails) -> str:
    history = read_history(stage.environment)
    approved = next((found.when for found in version.decisions if found.status == APPROVED), None)
    approval = approved.isoformat() if approved else "in Studio"
    # A version that did not come up may have left no history: the version itself says that it was tried.
    if version.properties.get(DEPLOYED_APPROVAL) == approval:
        return f"version {version.version} was deployed for this approval already"
    # An approval in Studio has no entry in the version's history: nobody knows when, so it gets one try.
    if any(record.arn == version.arn and (approved is None or record.when >= approved) for record in history):
        return f"version {version.version} was in {stage.name} already"
    if history and (history[0].version or 0) > version.version:
        return f"{stage.name} has version {history[0].version}, which is newer"
    if stage.promotion != AUTOMATIC:
        return f"{stage.name} is deployed to by people only"
    if lacks_decision(version):
        return request_decision(context, version)
    record_deployment(stage.environment, version.arn, DEPLOY, f"approved version {version.version}")
    context.clients.client("sagemaker").update_model_package(
        ModelPackageArn=version.arn, CustomerMetadataProperties={DEPLOYED_APPROVAL: approval}
    )
    return f"{stage.environment.parameter} names version {version.version}"


def _confirm(context: Context, stage: Stage, record: DeploymentRecord) -> str:
    """The version serves: check that it answers, announce it, and go on to the next environment."""
    try:
        plan = plan_deployment(context.clients, stage.environment, record.arn, action=record.action)
    except (ArtifactChanged, CannotServe) as error:
        return _roll_back(context, stage, read_state(stage.environment), error.what)
    if plan.replaces_namesake:
        if has_label(stage.environment, record, STARTED):
            reason = "the endpoint serves what was deleted again"
            return _roll_back(context, stage, plan.state, reason, may_pass=True)
        return _start(stage, record, plan)
    try:
        prove_deployment(plan, context.clients)
    except GatehouseError as error:
        return _roll_back(context, stage, read_state(stage.environment), error.what)
    next_step = _promote(context, stage, record, plan.version)
    messages.announce(context, stage, record, next_step)
    mark_announced(stage.environment, record)
    note_stage(context.clients, record.arn, stage.name, DEPLOYED)
    return f"{_named(record)} serves in {stage.name}"


def _promote(context: Context, stage: Stage, record: DeploymentRecord, version: int) -> str:
    """Write the next environment's parameter, or say what a person has to do for that."""
    following = context.stage_after(stage)
    if record.action == ROLLBACK:
        return "The other environments are as they were."
    if following is None:
        return "This is the last environment."
    current = deployed_arn(following.environment)
    if current == record.arn:
        return f"{following.name} has it already."
    by_hand = context.command("promote", context.project, "--from", stage.name, "--to", following.name)
    if following.promotion != AUTOMATIC:
        return f"It waits for {following.name}. To go on: {by_hand}"
    found = parse_package_version(current) if current is not None else None
    if found is not None and found[1] > version:
        return f"{following.name} has version {found[1]}, which is newer. To replace it: {by_hand}"
    record_deployment(following.environment, record.arn, PROMOTE, f"from {stage.name}")
    return f"It goes on to {following.name} by itself."


def _roll_back(context: Context, stage: Stage, state: State, reason: str, *, may_pass: bool = False) -> str:
    """To the newest version before that is approved, or the one of them that serves already; with none, to
    nothing, unless people are served.

    Args:
        may_pass: whether the reason may be of the moment, as a lack of instances is.
    """
    environment, current = stage.environment, state.deployed
    assert current is not None
    again = current.version if may_pass else None
    history = read_history(environment)
    if not history or history[0].number != current.number:  # by a person, who needs no lease
        return f"{stage.name} changed meanwhile"
    packages = state.endpoint.packages if state.endpoint is not None else ()
    for candidate in sorted(earlier_records(history), key=lambda earlier: packages != (earlier.arn,)):
        version = context.find_version(candidate.arn)
        if version is None or version.approval != APPROVED:
            continue
        record_deployment(environment, candidate.arn, ROLLBACK, f"{_named(current)}: {reason}")
        if current.version is not None:
            note_stage(context.clients, current.arn, stage.name, ROLLED_BACK, reason)
        now = read_state(environment)
        at_rest = now.serves and now.endpoint is not None and now.endpoint.status not in UNDER_WAY
        outcome = f"{stage.name} goes back to version {candidate.version}."
        if at_rest and now.deployed is not None and now.deployed.arn == candidate.arn:
            outcome = f"Version {candidate.version} serves there as before."
            mark_announced(environment, now.deployed)
        messages.report_rollback(context, stage, _named(current), reason, outcome, again=again)
        return f"{stage.name} goes back to version {candidate.version}"
    # A version that never answered is taken away. One that people use is not, whoever deployed it.
    in_use = has_label(environment, current, ANNOUNCED) or not has_label(environment, current, STARTED)
    if in_use and state.serves:
        if not has_label(environment, current, LEFT_SERVING):
            messages.report_left_serving(context, stage, _named(current), reason)
            add_labels(environment, current, LEFT_SERVING)
        return f"{_named(current)} stays in {stage.name}: there is none before"
    endpoint = state.endpoint
    has_served = current.served or has_label(environment, current, ANNOUNCED)
    if has_served and endpoint is not None and endpoint.status != "Failed":
        return _left_by_a_person(stage, current)
    environment.clients.client("ssm").delete_parameter(Name=environment.parameter)
    outcome = f"Nothing serves in {stage.name}, as before."
    messages.report_rollback(context, stage, _named(current), reason, outcome, again=again)
    _delete_unwanted_endpoint(context, stage, read_state(environment))
    return f"nothing serves in {stage.name}: there is none before"


def _left_by_a_person(stage: Stage, record: DeploymentRecord) -> str:
    return f"a person is at work: the endpoint has left {_named(record)}, which served in {stage.name}"


def _delete_unwanted_endpoint(context: Context, stage: Stage, state: State) -> str:
    """Where no parameter names a version, delete an endpoint that failed or serves an unapproved one.

    One with an approved version may be a person's first deployment, under way.
    """
    endpoint = state.endpoint
    if endpoint is None or endpoint.status in UNDER_WAY or state.deployed is not None:
        return f"nothing is wanted in {stage.name}"
    versions = [context.find_version(arn) for arn in endpoint.packages]
    approvals = {version.approval for version in versions if version is not None}
    if not versions or None in versions:
        return f"endpoint {endpoint.name} serves what is no version of model {context.project}"
    if APPROVED in approvals and endpoint.status != "Failed":
        return f"endpoint {endpoint.name} is not recorded yet"
    stage.environment.clients.client("sagemaker").delete_endpoint(EndpointName=endpoint.name)
    return f"endpoint {endpoint.name} is deleted"


def _named(record: DeploymentRecord) -> str:
    """``version 3``; where the parameter names no version, what it holds."""
    return f"version {record.arn if record.version is None else record.version}"
