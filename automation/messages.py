"""What people are told: plain text for a mail, a subject that says it all, and the commands to go on with.

SNS allows a subject 100 characters of ASCII on one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automation.context import AUTOMATIC, Context, Stage
from aws_formats.arns import parse_arn
from evaluation.metric_table import MetricKind
from registry.deployment_history import (
    ROLLBACK,
    DeploymentRecord,
    deployed_arn,
    read_history,
    rollback_target,
)
from registry.model_packages import APPROVED
from registry.model_quality import figure, metric_kind
from registry.version_details import VersionDetails

_SUBJECT_LIMIT = 100
_DIFFERENCES_TOLD = 10


def publish(context: Context, subject: str, *lines: str) -> None:
    """Send one message to the project's topic."""
    text = f"{context.project}: {subject}".encode("ascii", "replace").decode()
    context.clients.client("sns").publish(
        TopicArn=context.topic,
        Subject=text if len(text) <= _SUBJECT_LIMIT else f"{text[: _SUBJECT_LIMIT - 3]}...",
        Message="\n".join(lines),
        MessageAttributes={"project": {"DataType": "String", "StringValue": context.project}},
    )


def request_review(context: Context, version: VersionDetails) -> None:
    """Ask for a decision on a version that waits for one."""
    project, number = context.project, version.version
    words = (project, number, "--note", '"why"')
    publish(
        context,
        f"please review version {number}",
        f"Version {number} of model {project} is registered and waits for approval.",
        "",
        *_quality(context, version),
        "",
        f"See it:  {context.command('model', project, number)}",
        f"Studio:  {_studio(context, number)}",
        "",
        f"Approve: {context.command('approve', *words)}",
        f"Reject:  {context.command('reject', *words)}",
        "",
        f"Approved, it is deployed to {context.stages[0].name} by itself."
        if context.stages[0].promotion == AUTOMATIC
        else f"Approved, it waits for somebody to deploy it to {context.stages[0].name}.",
    )


def request_decision(context: Context, version: VersionDetails) -> None:
    """Say that a version is approved without anybody's decision, and is not deployed for that reason."""
    project, number = context.project, version.version
    words = (project, number, "--force", "--note", '"why"')
    publish(
        context,
        f"version {number} is approved, and nobody decided on it",
        f"Version {number} of model {project} was registered as approved, by the start parameter"
        " ModelApprovalStatus. No person's decision is recorded, so it is not deployed to"
        f" {context.stages[0].name}.",
        "",
        *_quality(context, version),
        "",
        f"See it:  {context.command('model', project, number)}",
        f"Approve: {context.command('approve', *words)}",
        f"Reject:  {context.command('reject', *words)}",
    )


def announce(context: Context, stage: Stage, record: DeploymentRecord, next_step: str) -> None:
    """Say that a version serves in an environment, and what happens next."""
    project, number = context.project, record.version
    again = " again" if record.action == ROLLBACK else ""
    lines = [f"History: {context.command('environments', project, '--env', stage.name)}"]
    before = rollback_target(read_history(stage.environment))
    if before is not None:
        command = context.command("rollback", project, "--env", stage.name)
        lines.append(f"Back to version {before.version}: {command}")
    publish(
        context,
        f"version {number} serves in {stage.name}{again}",
        f"Version {number} of model {project} serves in {stage.name}{again}.",
        f"Endpoint {stage.environment.endpoint} is in service and has answered the version's sample payload.",
        "",
        next_step,
        "",
        *lines,
    )


def report_rollback(
    context: Context, stage: Stage, version: str, reason: str, outcome: str, *, again: int | None = None
) -> None:
    """Say that an environment does not keep a version, why, and what serves there instead.

    Args:
        version: in words: ``version 3``.
        again: its number, where the cause may pass and so a second try may help.
    """
    try_again = []
    if again is not None:
        by_hand = context.command("deploy", context.project, "--env", stage.name, "--version", again)
        try_again = [f"To try it again: {by_hand}"]
    publish(
        context,
        f"{version} does not stay in {stage.name}",
        f"{_sentence(version)} of model {context.project} does not stay in {stage.name}.",
        f"Why: {reason}",
        "",
        outcome,
        "",
        *try_again,
        f"State: {context.command('environments', context.project)}",
    )


def report_left_serving(context: Context, stage: Stage, version: str, reason: str) -> None:
    """Say that an environment serves a version that is not approved any more, and cannot go back.

    Args:
        version: in words: ``version 3``.
    """
    project = context.project
    publish(
        context,
        f"{version} still serves in {stage.name}",
        f"{_sentence(version)} of model {project} still serves in {stage.name}: no approved version served"
        " there before, and an endpoint is not switched off without a person's word.",
        f"Why it should not: {reason}",
        "",
        f"Deploy another: {context.command('deploy', project, '--env', stage.name, '--version', 'N')}",
        f"Or switch off:  {_switch_off(context, stage)}",
    )


def report_failure(context: Context, execution: str, failed: Sequence[Mapping[str, Any]]) -> None:
    """Say that an execution registered nothing.

    Args:
        execution: its ARN.
        failed: its failed steps as SageMaker lists them; the gate stayed shut if the first is a Fail step.
    """
    project, identity = context.project, parse_arn(execution).name
    step = failed[0] if failed else {}
    name, metadata = step.get("StepName", ""), step.get("Metadata", {})
    is_gate = "Fail" in metadata
    reason = step.get("FailureReason") or metadata.get("Fail", {}).get("ErrorMessage") or "no reason is given"
    subject = "the model is not good enough" if is_gate else f"execution failed{name and f' in {name}'}"
    lines = [f"Executions: {context.command('executions', project)}"]
    if not is_gate and name:
        lines.append(f"Log:        {context.command('logs', project, identity, '--step', name)}")
        lines.append(f"Try again:  {context.command('retry', project, identity)}")
    publish(
        context,
        f"{subject}, no version is registered",
        f"Execution {identity} of the pipeline {project} ended without a version"
        + (": the gate stayed shut." if is_gate else ": something broke down."),
        "",
        f"Why: {reason}",
        "",
        *lines,
    )


def report_window(context: Context, detail: Mapping[str, Any], next_step: str, *, is_over: bool) -> None:
    """Say what a window of requests showed, or that what was told before is over.

    Args:
        detail: of the event ``Gatehouse Window Compared``.
    """
    environment, version = detail["environment"], detail["version"]
    if is_over:
        subject = f"the traffic in {environment} is as it was again"
    elif detail["quality"] == "worse":
        subject = f"version {version} got worse in {environment}"
    else:
        subject = f"the traffic in {environment} changed"
    without_labels = detail["quality"] in ("no labels", "not enough labels")
    publish(
        context,
        subject,
        f"{_sentence(detail['sentence'])}.",
        *(f"  {one['sentence']}" for one in detail["differences"][:_DIFFERENCES_TOLD]),
        *(
            ["Whether the answers were right is not known: there are too few labels."]
            if without_labels
            else []
        ),
        "",
        *([next_step, ""] if next_step else []),
        f"Report: {detail['reportUri']}",
        f"See it: {context.command('monitor', context.project, '--env', environment, '--show')}",
    )


def why_not_approved(version: VersionDetails) -> str:
    """Why a version is not approved, with who said so and when."""
    decision = next((found for found in version.decisions if found.status == version.approval), None)
    if decision is None:
        return version.approval_description or f"it is {version.approval}, not {APPROVED}"
    note = f": {decision.note}" if decision.note else ""
    return f"{decision.status} by {decision.who} at {decision.when:%Y-%m-%d %H:%M} UTC{note}"


def _sentence(version: str) -> str:
    return version[0].upper() + version[1:]


def _switch_off(context: Context, stage: Stage) -> str:
    """The AWS CLI's command; locally with the address of this machine's SageMaker, or it would reach AWS."""
    region, endpoint = stage.environment.region, stage.environment.endpoint
    command = f"aws sagemaker delete-endpoint --region {region} --endpoint-name {endpoint}"
    return command if context.target == "aws" else f'(eval "$(gatehouse local env)" && {command})'


def _quality(context: Context, version: VersionDetails) -> list[str]:
    """The gate's verdict, and its metric beside the version in the last environment that has one."""
    kind = metric_kind(version.metadata.get("gate_metric", context.metric))
    return [*_gate(context, version, kind), _serving(context, version, kind)]


def _gate(context: Context, version: VersionDetails, kind: MetricKind) -> Iterator[str]:
    """Every check of the verdict in its own words; without one, the metric and the threshold."""
    verdict = version.verdict
    if verdict is None:
        metric = version.metrics.get(kind.name)
        threshold = version.metadata.get(f"{kind.name}_threshold") or f"{context.threshold:g}"
        value = figure(metric.value if metric else None, kind, "unknown")
        yield f"{f'{kind.heading}:':<10} {value} (the gate's threshold: {threshold})"
        return
    yield f"Gate:      {verdict.verdict}"
    for name, result, sentence in verdict.lines():
        yield f"  {name}, {result}: {sentence}"
    if verdict.measured:
        yield f"{f'{verdict.kind.heading}:':<10} {verdict.measured.in_words(verdict.kind)}"


def _serving(context: Context, version: VersionDetails, kind: MetricKind) -> str:
    for stage in reversed(context.stages):
        arn = deployed_arn(stage.environment)
        serving = context.find_version(arn) if arn is not None else None
        if serving is None:
            continue
        where = f"Serving:   version {serving.version} in {stage.name}"
        metric, other = version.metrics.get(kind.name), serving.metrics.get(kind.name)
        if metric is None or other is None:
            return f"{where}; no {kind.label} to compare with"
        return (
            f"{where} with {kind.shown(other.value)} ({kind.shown(metric.value - other.value, signed=True)})"
        )
    return "Serving:   nothing yet"


def _studio(context: Context, number: int) -> str:
    """Where the version is seen: below the Studio domain that the template was given, or by the console; on
    this machine the command that opens its page, since a link holds a token and the port of one start."""
    if context.target != "aws":
        return context.command("studio", context.project, number)
    if context.studio:
        return f"{context.studio.rstrip('/')}/models/registered-models/{context.project}"
    region = context.region
    return f"https://{region}.console.aws.amazon.com/sagemaker/home?region={region}#/studio-landing"
