"""Carrying a deployment plan out, with the proof that the version answers, or back to what was before.

    model -> endpoint configuration -> endpoint created or updated -> InService
    -> the version's own sample payload, answered -> the parameter written

The artifact is compared once more when the endpoint is in service: SageMaker fetched it after the plan was
made. Until the sample is answered the old configuration is kept. If the endpoint does not come up or the
answer is wrong, the endpoint gets the old configuration again, and the parameter still names the version that
serves. SageMaker itself keeps the old instances in service while new ones start, and goes back to them
when an alarm rings.
"""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_busy, is_present
from registry import deployment_history, sample_payload
from registry.artifacts import check_artifacts
from registry.clients import Clients
from registry.deployments import DeploymentPlan
from registry.endpoint_changes import Tell, start_deployment, tell_log_end, wait_for_endpoint
from registry.environment_state import Endpoint, read_endpoint
from registry.life_cycle import DEPLOYED, ROLLED_BACK, note_stage
from registry.model_packages import describe_arn

_REASON_LENGTH = 240
"""Characters of SageMaker's reason that an error repeats."""


def apply_deployment(
    plan: DeploymentPlan, registry: Clients, *, note: str = "", tell: Tell = lambda _: None
) -> None:
    """Carry a plan out; returns once the version has answered and the parameter names it.

    Raises:
        GatehouseError: the endpoint did not come up or did not answer well; what served before serves
            again and the parameter is as it was.
    """
    environment = plan.state.environment
    if not plan.changes:
        return
    if plan.sample is not None:
        # One that is gone or broken must be found before anything is touched.
        sample_payload.read_sample(registry.client("s3"), plan.sample)
    if plan.endpoint_action != "none":
        _change_endpoint(plan, tell)
    try:
        prove_deployment(plan, registry, tell=tell)
    except (GatehouseError, ClientError, BotoCoreError):
        _undo(plan, tell)
        raise
    if not _endpoint_is_as_planned(plan):
        raise GatehouseError(
            "somebody else has moved the endpoint meanwhile; the parameter is as it was",
            where=f"endpoint {environment.endpoint}",
            remedy=f"See `gatehouse environments {environment.project}`, and deploy again if it has to be",
        )
    _tell_of_other_changes(plan, tell)
    try:
        deployment_history.record_deployment(environment, plan.arn, plan.action, note, served=True)
    except ClientError:  # refused; where no answer came it may have been written, and a second run finds out
        _undo(plan, tell)
        raise
    _note_stages(plan, registry)
    tell(f"{environment.parameter} names version {plan.version}")


def _note_stages(plan: DeploymentPlan, registry: Clients) -> None:
    """In the registry, what became of the version, and of the one whose place it takes by a rollback."""
    name, before = plan.state.environment.name, plan.state.deployed
    note_stage(registry, plan.arn, name, DEPLOYED)
    is_replaced = before is not None and before.version is not None and before.arn != plan.arn
    if plan.action == deployment_history.ROLLBACK and before is not None and is_replaced:
        note_stage(registry, before.arn, name, ROLLED_BACK, f"version {plan.version} serves again")


def _change_endpoint(plan: DeploymentPlan, tell: Tell) -> None:
    environment, config = plan.state.environment, plan.config["EndpointConfigName"]
    try:
        start_deployment(plan, tell=tell)
    except ClientError as error:
        if not (is_busy(error) or is_present(error)):
            raise
        raise GatehouseError(
            "somebody else has begun to change the endpoint at this moment",
            where=f"endpoint {environment.endpoint}",
            remedy=f"See `gatehouse environments {environment.project}`, and try again if it has to be",
        ) from error
    reached = wait_for_endpoint(environment, tell)
    if reached is None or reached.status != "InService" or reached.config != config:
        tell_log_end(environment, tell)
        raise _did_not_come_up(plan, reached)


def prove_deployment(plan: DeploymentPlan, registry: Clients, *, tell: Tell = lambda _: None) -> None:
    """Check that the artifact is still the one that it should be, send the version's own sample payload to
    the endpoint and check the answer.

    Raises:
        ArtifactChanged: the artifact was replaced meanwhile, and the endpoint may serve either.
        GatehouseError: the sample is gone, was refused, or the answer is wrong.
    """
    environment = plan.state.environment
    check_artifacts(registry.client("s3"), describe_arn(registry, plan.arn))
    if plan.sample is None:
        tell(f"version {plan.version} has no sample payload: nothing was sent to it")
        return
    sample = sample_payload.read_sample(registry.client("s3"), plan.sample)
    try:
        rows = sample_payload.check(environment, sample, plan.accept, plan.classes)
    except GatehouseError as error:
        tell_log_end(environment, tell)
        raise GatehouseError(
            error.what,
            where=f"endpoint {environment.endpoint}, version {plan.version}",
            remedy=_what_serves(plan),
        ) from error
    tell(f"the sample payload's {rows} rows are answered")


def _undo(plan: DeploymentPlan, tell: Tell) -> None:
    """Undo what the plan did to the endpoint, unless somebody else has changed it since."""
    environment, before = plan.state.environment, plan.state.endpoint
    if not _endpoint_is_as_planned(plan):
        tell(f"somebody else has moved endpoint {environment.endpoint} meanwhile: it is left as it is")
        return
    sagemaker = environment.clients.client("sagemaker")
    was_being_made = before is not None and before.status == "Creating"
    if plan.endpoint_action in ("create", "replace") or was_being_made:
        tell(f"deleting endpoint {environment.endpoint}: it never answered well")
        sagemaker.delete_endpoint(EndpointName=environment.endpoint)
        wait_for_endpoint(environment, tell)
    elif (config := plan.config_before) is not None:
        tell(f"going back to {config}")
        sagemaker.update_endpoint(EndpointName=environment.endpoint, EndpointConfigName=config)
        wait_for_endpoint(environment, tell)


def _endpoint_is_as_planned(plan: DeploymentPlan) -> bool:
    """Whether the endpoint still has the configuration of the plan.

    SageMaker has no conditional update. Two deployments at the same time are kept apart by its refusal of an
    update during another, and by this check before a step that cannot be undone.
    """
    endpoint, ours = read_endpoint(plan.state.environment), plan.config["EndpointConfigName"]
    return (
        endpoint is not None
        and endpoint.config == ours
        # SageMaker's own maintenance (SystemUpdating) brings nothing else.
        and endpoint.pending in (None, ours)
        and endpoint.status != "Deleting"
    )


def _tell_of_other_changes(plan: DeploymentPlan, tell: Tell) -> None:
    """Say who set the parameter meanwhile. It is overwritten, because the endpoint has the plan's version."""
    records, known = deployment_history.read_history(plan.state.environment), plan.state.deployed
    if records and (known is None or records[0].number != known.number):
        newest = records[0]
        tell(f"{newest.by} set {plan.state.environment.parameter} to {newest.in_words} meanwhile")


def _did_not_come_up(plan: DeploymentPlan, reached: Endpoint | None) -> GatehouseError:
    environment = plan.state.environment
    reason = "it was deleted meanwhile"
    if reached is not None:
        reason = reached.failure or f"it is {reached.status} with {reached.config}"
    return GatehouseError(
        f"version {plan.version} did not come up: {_shortened(reason)}",
        where=f"endpoint {environment.endpoint}",
        remedy=_what_serves(plan) if reached else "Nothing serves; the parameter is unchanged",
    )


def _what_serves(plan: DeploymentPlan) -> str:
    before, deployed = plan.state.endpoint, plan.state.deployed
    if before is None or before.status in ("Failed", "Creating"):
        serving = "Nothing serves, as before"
    elif plan.endpoint_action != "none":
        serving = f"{_named(before.version)} serves as before"
    elif plan.config_before is None or deployed is None:
        serving = f"Version {plan.version} goes on serving"
    else:
        serving = f"{_named(deployed.version)} serves again"
    return f"{serving}; the parameter is unchanged"


def _named(version: int | None) -> str:
    return "What was there" if version is None else f"Version {version}"


def _shortened(text: str) -> str:
    """A reason on one line; of a long one its beginning and its end, where the cause stands."""
    line = " ".join(text.split())
    if len(line) <= _REASON_LENGTH:
        return line
    beginning = _REASON_LENGTH // 4
    return f"{line[:beginning]} ... {line[beginning - _REASON_LENGTH :]}"
