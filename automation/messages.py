"""What people are told: plain text for a mail, a subject that says it all, and the commands to go on with.

SNS allows a subject 100 characters of ASCII on one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automation.context import AUTOMATIC, Stage, Surroundings
from aws_formats.arns import group_and_version, parse_arn
from registry.deployment_history import (
    ROLLBACK,
    DeploymentRecord,
    deployed_arn,
    read_history,
    rollback_target,
)
from registry.model_packages import APPROVED
from registry.version_details import VersionDetails, read_arn

_SUBJECT_LIMIT = 100


def publish(surroundings: Surroundings, subject: str, *lines: str) -> None:
    """Send one message to the project's topic."""
    text = f"{surroundings.project}: {subject}".encode("ascii", "replace").decode()
    surroundings.clients.client("sns").publish(
        TopicArn=surroundings.topic,
        Subject=text if len(text) <= _SUBJECT_LIMIT else f"{text[: _SUBJECT_LIMIT - 3]}...",
        Message="\n".join(lines),
        MessageAttributes={"project": {"DataType": "String", "StringValue": surroundings.project}},
    )


def request_review(surroundings: Surroundings, version: VersionDetails) -> None:
    """Ask for a decision on a version that waits for one."""
    project, number = surroundings.project, version.version
    words = (project, number, "--note", '"why"')
    publish(
        surroundings,
        f"please review version {number}",
        f"Version {number} of model {project} is registered and waits for approval.",
        "",
        *_quality(surroundings, version),
        "",
        f"See it:  {surroundings.command('model', project, number)}",
        f"Studio:  {_studio(surroundings)}",
        "",
        f"Approve: {surroundings.command('approve', *words)}",
        f"Reject:  {surroundings.command('reject', *words)}",
        "",
        f"Approved, it is deployed to {surroundings.stages[0].name} by itself."
        if surroundings.stages[0].promotion == AUTOMATIC
        else f"Approved, it waits for somebody to deploy it to {surroundings.stages[0].name}.",
    )


def announce(surroundings: Surroundings, stage: Stage, deployment: DeploymentRecord, next_step: str) -> None:
    """Say that a version serves in an environment, and what happens next."""
    project, number = surroundings.project, deployment.version
    again = " again" if deployment.action == ROLLBACK else ""
    lines = [f"History: {surroundings.command('environments', project, '--env', stage.name)}"]
    back = rollback_target(read_history(stage.environment))
    if back is not None:
        to = f"version {group_and_version(back.arn)[1]}"
        lines.append(f"Back to {to}: {surroundings.command('rollback', project, '--env', stage.name)}")
    publish(
        surroundings,
        f"version {number} serves in {stage.name}{again}",
        f"Version {number} of model {project} serves in {stage.name}{again}.",
        f"Endpoint {stage.environment.endpoint} is in service and has answered the version's sample payload.",
        "",
        next_step,
        "",
        *lines,
    )


def gone_back(surroundings: Surroundings, stage: Stage, number: int | str, reason: str, outcome: str) -> None:
    """Say that an environment does not keep a version, why, and what serves there instead."""
    publish(
        surroundings,
        f"version {number} does not stay in {stage.name}",
        f"Version {number} of model {surroundings.project} does not stay in {stage.name}.",
        f"Why: {reason}",
        "",
        outcome,
        "",
        f"State: {surroundings.command('environments', surroundings.project)}",
    )


def stays_rejected(surroundings: Surroundings, stage: Stage, number: int | str, reason: str) -> None:
    """Say that an environment serves a version that is not approved any more, and cannot go back."""
    project = surroundings.project
    publish(
        surroundings,
        f"version {number} still serves in {stage.name}",
        f"Version {number} of model {project} still serves in {stage.name}: no approved version served there"
        " before, and an endpoint is not switched off without a person's word.",
        f"Why it should not: {reason}",
        "",
        f"Deploy another: {surroundings.command('deploy', project, '--env', stage.name, '--version', 'N')}",
        f"Or switch off:  {_switch_off(surroundings, stage)}",
    )


def report_failure(surroundings: Surroundings, execution: str, failed: Sequence[Mapping[str, Any]]) -> None:
    """Say that an execution registered nothing.

    Args:
        failed: its failed steps as SageMaker lists them; the gate stayed shut if the first is a Fail step.
    """
    project, identity = surroundings.project, parse_arn(execution).name
    step = failed[0] if failed else {}
    name, metadata = step.get("StepName", ""), step.get("Metadata", {})
    is_gate = "Fail" in metadata
    reason = step.get("FailureReason") or metadata.get("Fail", {}).get("ErrorMessage") or "no reason is given"
    subject = "the model is not good enough" if is_gate else f"execution failed{name and f' in {name}'}"
    lines = [f"Executions: {surroundings.command('executions', project)}"]
    if not is_gate and name:
        lines.append(f"Log:        {surroundings.command('logs', project, identity, '--step', name)}")
        lines.append(f"Try again:  {surroundings.command('retry', project, identity)}")
    publish(
        surroundings,
        f"{subject}, no version is registered",
        f"Execution {identity} of the pipeline {project} ended without a version"
        + (": the gate stayed shut." if is_gate else ": something broke down."),
        "",
        f"Why: {reason}",
        "",
        *lines,
    )


def _switch_off(surroundings: Surroundings, stage: Stage) -> str:
    """The AWS CLI's command; locally with the address of this machine's SageMaker, or it would reach AWS."""
    region, endpoint = stage.environment.region, stage.environment.endpoint
    command = f"aws sagemaker delete-endpoint --region {region} --endpoint-name {endpoint}"
    return command if surroundings.target == "aws" else f'(eval "$(gatehouse local env)" && {command})'


def _quality(surroundings: Surroundings, version: VersionDetails) -> list[str]:
    """Accuracy against the threshold, and against the version that now serves nearest to the people."""
    accuracy = version.metrics.get("accuracy")
    threshold = version.metadata.get("accuracy_threshold") or f"{surroundings.threshold:g}"
    figure = f"{accuracy.value:.4f}" if accuracy else "unknown"
    lines = [f"Accuracy:  {figure} (the gate's threshold: {threshold})"]
    for stage in reversed(surroundings.stages):
        serving = deployed_arn(stage.environment)
        if serving is None:
            continue
        number = group_and_version(serving)[1]
        other = read_arn(surroundings.clients, serving).metrics.get("accuracy")
        if accuracy is None or other is None:
            return [*lines, f"Serving:   version {number} in {stage.name}; no accuracy to compare with"]
        difference = accuracy.value - other.value
        return [
            *lines,
            f"Serving:   version {number} in {stage.name} with {other.value:.4f} ({difference:+.4f})",
        ]
    return [*lines, "Serving:   nothing yet"]


def _studio(surroundings: Surroundings) -> str:
    """Where the version is seen: below the Studio domain that the template was given, or by the console."""
    if surroundings.studio:
        return f"{surroundings.studio.rstrip('/')}/models/registered-models/{surroundings.project}"
    region = surroundings.region
    return f"https://{region}.console.aws.amazon.com/sagemaker/home?region={region}#/studio-landing"


def reason_of(version: VersionDetails) -> str:
    """Why a version is not approved, with who said so and when."""
    decision = next((found for found in version.decisions if found.status == version.approval), None)
    if decision is None:
        return version.approval_description or f"it is {version.approval}, not {APPROVED}"
    note = f": {decision.note}" if decision.note else ""
    return f"{decision.status} by {decision.who} at {decision.when:%Y-%m-%d %H:%M} UTC{note}"
