"""Follows an execution to its end on the screen and reports what came out: `run`, `start` and `retry`.

The report is one table of values for people or one JSON document for machines. Ctrl-C stops the
execution and waits until its jobs have ended; a second Ctrl-C does not wait.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from pipelines.commands import GATE_SHUT, INTERRUPTED
from pipelines.commands.local_endpoint import page_link
from pipelines.commands.output import Document, Lines, Output, duration, notice
from pipelines.commands.progress import Screen, log_command, open_screen
from pipelines.commands.project_context import ProjectContext
from pipelines.executions import lifecycle as executions
from pipelines.executions import watching
from pipelines.executions.job_records import StepJob, log_lines
from pipelines.executions.outline import Outline
from pipelines.executions.trials import document
from pipelines.executions.watching import ExecutionOutcome, GateReading, Snapshot, Step
from pipelines.settings.target import Target
from registry.model_quality import figure
from studio.links import page_path

LOG_TAIL = 15
"""Lines of a failed job's log that are shown."""


def follow_and_report(target: Target, project: str, execution_arn: str) -> Output:
    """Follow the execution to its end and report what came out, with the command's exit code.

    A second Ctrl-C ends the process from here.

    Raises:
        KeyboardInterrupt: the user interrupted it; the execution has ended by then.
    """
    outcome = watching.outcome_of(follow_to_the_end(target, project, execution_arn))
    yield Document(_document(outcome), exit_code=_exit_code(outcome))
    yield ""
    yield Lines(_report(target, project, outcome))


def say_where_to_watch(context: ProjectContext, execution_arn: str) -> None:
    """Print the link to the execution's page, where the endpoint is up that shows it."""
    if context.target.name == "local":
        address = page_link(context.settings, page_path(context.project.name, execution=execution_arn))
        if address is not None:
            notice(f"Watch it: {address}")


def say_what_is_not_tracked(outline: Outline, target: Target) -> None:
    """Say that the local SageMaker has no MLflow, where the definition names one."""
    if outline.mlflow is not None and target.name == "local":
        notice(f"MLflow: nothing is tracked on this machine; in AWS the server is {outline.mlflow}")


def _exit_code(outcome: ExecutionOutcome) -> int:
    if outcome.gate_shut:
        return GATE_SHUT
    return 0 if outcome.status == "Succeeded" else 1


def _document(outcome: ExecutionOutcome) -> dict[str, Any]:
    gate = outcome.gate
    return {
        "execution_arn": outcome.execution_arn,
        "status": outcome.status,
        "steps": [
            {
                "name": step.name,
                "status": step.status,
                "cached": step.cached,
                "seconds": None if step.seconds is None else round(step.seconds, 3),
                "failure_reason": step.failure_reason,
            }
            for step in outcome.steps
        ],
        "tuning": next((document(step.trials, step.search) for step in outcome.steps if step.search), None),
        "metric": gate.metric.name if gate else None,
        "accuracy": gate.value if gate else None,
        "threshold": gate.threshold if gate else None,
        "verdict": gate.verdict if gate else None,
        "report": gate.report if gate else None,
        "model_package_arn": outcome.model_package_arn,
        "findings": outcome.findings.document(),
        "same_version": outcome.same_version.number if outcome.same_version else None,
        "gate_shut": outcome.gate_shut,
        "failure_reason": outcome.failure_reason,
    }


def follow_to_the_end(target: Target, project: str, execution_arn: str) -> Snapshot:
    """Show the execution until it has ended; the last snapshot.

    Raises:
        KeyboardInterrupt: the user interrupted it; the execution has ended by then.
    """
    where = "on this machine" if target.name == "local" else f"in AWS {target.region}"
    title = f"{project} {where}, execution {execution_arn.rpartition('/')[2]}"
    try:
        with open_screen(project, title) as screen:
            try:
                return _show_until_ended(target, execution_arn, screen)
            except KeyboardInterrupt:
                _stop(target, execution_arn, screen)
                raise
    except _SecondInterruptError:
        notice("Left at once; jobs on this machine end with this command.")
        # Closing an endpoint in this process would wait for them: that is what was just refused.
        os._exit(INTERRUPTED)


def _show_until_ended(target: Target, execution_arn: str, screen: Screen) -> Snapshot:
    """Show the execution until it has ended; the last snapshot."""
    last: Snapshot | None = None
    for last in watching.follow(target, execution_arn):
        screen.show(last)
    assert last is not None  # following yields at least one
    return last


class _SecondInterruptError(KeyboardInterrupt):
    """Ctrl-C while the first one is being carried out."""


def _stop(target: Target, execution_arn: str, screen: Screen) -> None:
    """Stop the execution, wait until it and its jobs have ended, say so."""
    try:
        notice("Stopping the execution and its jobs; Ctrl-C again to leave at once.")
        try:
            executions.stop(target, execution_arn)
        except ClientError as error:
            # It ended by itself in the meantime.
            if error.response["Error"]["Code"] not in ("ValidationException", "ConflictException"):
                raise
        status = _show_until_ended(target, execution_arn, screen).status
    except KeyboardInterrupt as again:
        raise _SecondInterruptError from again
    notice(f"The execution is {status}: {execution_arn}")
    if status == "Stopped":
        notice(f"Run what is left of it with: gatehouse retry {execution_arn} --wait")


def _report(target: Target, project: str, outcome: ExecutionOutcome) -> Iterator[str]:
    yield from _report_outcome(target, project, outcome)
    if noticed := outcome.findings.rows():
        yield ""
        yield "What preprocessing noticed of the data:"
        for level, sentence in noticed:
            yield f"  {level}: {sentence}"


def _report_outcome(target: Target, project: str, outcome: ExecutionOutcome) -> Iterator[str]:
    if outcome.gate_shut:
        yield from _report_gate(target, project, outcome)
    elif outcome.status == "Succeeded":
        yield from _report_success(target, project, outcome)
    elif outcome.status == "Stopped":
        yield f"The execution was stopped: {outcome.execution_arn}"
        yield f"Next: gatehouse retry {outcome.execution_arn} --wait"
    else:
        yield from report_failure(target, project, outcome)


def _report_success(target: Target, project: str, outcome: ExecutionOutcome) -> Iterator[str]:
    cached = [step.display_name for step in outcome.steps if step.cached]
    if cached:
        yield f"Taken from the step cache, because nothing they depend on changed: {', '.join(cached)}"
    if outcome.same_version is not None:
        yield f"Nothing new to register: {outcome.same_version.sentence}."
        yield "Artifact, data and evaluation are the same; --register-again registers the model all the same."
        if outcome.gate and outcome.gate.report:
            yield f"Report: {outcome.gate.report}"
        yield f"Next: gatehouse model {project} {outcome.same_version.number}{target.option}"
        return
    if outcome.model_package_arn is None:
        yield "The execution succeeded; it registered no model."
        return
    found = target.client("sagemaker").describe_model_package(ModelPackageName=outcome.model_package_arn)
    gate = outcome.gate
    tuned = next((step.produced for step in outcome.steps if step.search), None)
    facts = {
        "Registered": f"{found['ModelPackageGroupName']} version {found['ModelPackageVersion']}",
        **(_gate_facts(gate) if gate else {}),
        **({"Tuned": tuned} if tuned else {}),
        "Status": found["ModelApprovalStatus"],
        "ARN": outcome.model_package_arn,
        **({"Report": gate.report} if gate and gate.report else {}),
        "Next": f"gatehouse models {project}{target.option}",
    }
    width = max(map(len, facts))
    for name, fact in facts.items():
        yield f"{name:<{width}}  {fact}"


def _report_gate(target: Target, project: str, outcome: ExecutionOutcome) -> Iterator[str]:
    gate = outcome.gate
    if gate is None:
        yield "The gate stayed shut. No model was registered."
        return
    compared = f"{gate.metric.label} {_value(gate)} is not {gate.side} {gate.threshold_in_words}"
    why = gate.in_words(passed=False) if gate.verdict else compared
    yield f"The gate stayed shut: {why}. No model was registered."
    look = log_command(project, gate.measured_by)
    if gate.report:
        yield f"Report: {gate.report}"
        look = f"gatehouse report {project} --open"
    better = f"gatehouse run {project} -p MaxDepth=6"
    if any(
        step.search and any(one.name == "max_depth" for one in step.search.ranges) for step in outcome.steps
    ):
        better = "other ranges in tuning.ranges"
    yield f"Next: train better ({better}), or look at the evaluation:"
    yield f"      {look}{target.option}"


def _gate_facts(gate: GateReading) -> dict[str, str]:
    """The metric against the threshold, how exactly it is known, and what the other checks say."""
    facts = {gate.metric.heading: f"{_value(gate)}, {gate.side} {gate.threshold_in_words}"}
    for check in gate.verdict["checks"] if gate.verdict else ():
        if check["name"] == "threshold":
            if "low" in check:
                interval = gate.metric.between(check["low"], check["high"])
                facts[gate.metric.heading] += f" (95 % interval {interval})"
            if "; " in check["sentence"]:
                facts["Note"] = check["sentence"].partition("; ")[2]
        else:
            facts[check["name"].capitalize()] = check["sentence"]
    return facts


def _value(gate: GateReading) -> str:
    """The metric's value without zeros at its end, as significant digits have none."""
    shown = figure(gate.value, gate.metric, "unknown")
    return shown if gate.metric.largest is None else shown.rstrip("0").rstrip(".")


def report_failure(target: Target, project: str, outcome: ExecutionOutcome) -> Iterator[str]:
    """Which step failed and why, with the end of its log, in lines."""
    step = outcome.failed_step
    if step is None:
        yield f"The execution ended as {outcome.status}: {outcome.failure_reason or 'no reason is given'}"
        return
    yield f"Step {step.name} ({step.display_name}) failed after {duration(step.seconds)}:"
    for line in (step.failure_reason or outcome.failure_reason or "no reason is given").splitlines():
        yield f"  {line}"
    if step.job is not None:
        yield from _log_tail(target, project, step)
    yield f"Next: correct the cause and run again; gatehouse retry {outcome.execution_arn} --wait"
    yield "      repeats the failed step with the same code and settings"


def _log_tail(target: Target, project: str, step: Step) -> Iterator[str]:
    assert step.job is not None
    job, command = step.job, log_command(project, step.name)
    failed = [trial for trial in step.trials if trial.status == "Failed"]
    if failed:
        job, command = StepJob("training", failed[-1].arn), f"{command} --trial {failed[-1].number}"
    lines = log_lines(target, job)
    if not lines:  # it failed before its program began
        return
    yield f"The end of its log (all of it: {command}):"
    for line in lines[-LOG_TAIL:]:
        yield f"  | {line.message.rstrip()}"
