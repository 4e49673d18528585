"""`gatehouse logs`: what the jobs of an execution wrote, as CloudWatch Logs has it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import execution_arguments, target_option, which_execution
from pipelines.commands.output import Document, Output, Remark, with_json
from pipelines.commands.project_context import find_pipeline_context
from pipelines.executions import lifecycle as executions
from pipelines.executions import watching
from pipelines.executions.job_records import LogLine, LogTail, StepJob
from pipelines.executions.watching import Snapshot, Step
from pipelines.settings.target import Target


@click.command("logs")
@execution_arguments
@click.option("--step", "step_name", metavar="NAME", help="Of this step only, e.g. TrainModel.")
@click.option("--trial", type=click.IntRange(1), help="Of this trial of a tuning step only, by its number.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the execution has ended.")
@target_option
@with_json
def command(
    project: str | None,
    execution: str | None,
    step_name: str | None,
    trial: int | None,
    follow: bool,
    target: str,
) -> Output:
    """Print the logs of an execution's jobs, step by step.

    EXECUTION is an ARN or id (the newest execution if left out); an ARN needs no PROJECT. A step whose
    result came from the cache shows the log of the job that once computed it. A tuning step has the logs of
    its trials, one after the other.

    \b
    Examples:
      gatehouse logs health-tumor-diagnosis --step TrainModel
      gatehouse logs --follow
      gatehouse logs --step TuneModel --trial 3
    """
    project, execution = which_execution(project, execution)
    entries = []
    with connected(find_pipeline_context(project, target)) as at:
        execution_arn = executions.find(at.target, at.project.name, execution)
        looks = (
            watching.follow(at.target, execution_arn)
            if follow
            else iter([watching.Watch(at.target, execution_arn).look()])
        )
        under_heading = step_name
        for step, line in _lines(at.target, looks, step_name, trial):
            is_of_many = step.search is not None and trial is None
            heading = f"{step.name} ({line.stream})" if is_of_many else step.name
            if heading != under_heading:
                yield f"--- {step.name} ({line.stream})"
                under_heading = heading
            yield line.message.rstrip("\r\n")
            entries.append(
                {
                    "step": step.name,
                    "stream": line.stream,
                    "timestamp": line.timestamp,
                    "message": line.message,
                }
            )
    yield Document(entries)
    if not entries:
        yield Remark("Nothing was written yet.")


def _lines(
    live: Target, looks: Iterator[Snapshot], step_name: str | None, trial: int | None
) -> Iterator[tuple[Step, LogLine]]:
    """The lines of every look's jobs that were not there at the look before."""
    tails: dict[str, LogTail] = {}
    for snapshot in looks:
        if step_name is not None:
            _check_step(snapshot, step_name)
        if trial is not None and not any(step.search for step in snapshot.steps):
            raise GatehouseError("no step of this execution tunes", remedy="Leave --trial out")
        for step in snapshot.steps:
            if step.job is None or step_name not in (None, step.name):
                continue
            job = step.job if trial is None else _job_of_trial(snapshot, step, trial)
            if job is None:
                continue
            tail = tails.setdefault(job.arn, LogTail(live, job))
            for line in tail.new_lines():
                yield step, line


def _job_of_trial(snapshot: Snapshot, step: Step, number: int) -> StepJob | None:
    """The training job of a trial; None of a step that has none, or while the trial has not begun.

    Raises:
        GatehouseError: the step that is under way or has ended has no such trial and gets none.
    """
    if step.search is None:
        return None
    for trial in step.trials:
        if trial.number == number:
            return StepJob("training", trial.arn)
    if snapshot.ended:
        raise GatehouseError(
            f"step {step.name} has no trial {number}",
            remedy=f"Its trials are 1 to {len(step.trials)}" if step.trials else "Nothing was tried",
        )
    return None


def _check_step(snapshot: Snapshot, step_name: str) -> None:
    names = [step.name for step in snapshot.steps]
    if step_name not in names:
        raise GatehouseError(f"there is no step {step_name!r}", remedy=f"The steps are: {', '.join(names)}")
