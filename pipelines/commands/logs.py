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
from pipelines.executions.job_records import LogLine, LogTail
from pipelines.executions.watching import Snapshot, Step
from pipelines.settings.target import Target


@click.command("logs")
@execution_arguments
@click.option("--step", "step_name", metavar="NAME", help="Of this step only, e.g. TrainModel.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the execution has ended.")
@target_option
@with_json
def command(
    project: str | None,
    execution: str | None,
    step_name: str | None,
    follow: bool,
    target: str,
) -> Output:
    """Print the logs of an execution's jobs, step by step.

    EXECUTION is an ARN or id (the newest execution if left out); an ARN needs no PROJECT. A step whose
    result came from the cache shows the log of the job that once computed it.

    \b
    Examples:
      gatehouse logs health-tumor-diagnosis --step TrainModel
      gatehouse logs --follow
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
        for step, line in _lines(at.target, looks, step_name):
            if step.name != under_heading:
                yield f"--- {step.name} ({line.stream})"
                under_heading = step.name
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


def _lines(live: Target, looks: Iterator[Snapshot], step_name: str | None) -> Iterator[tuple[Step, LogLine]]:
    """The lines of every look's jobs that were not there at the look before."""
    tails: dict[str, LogTail] = {}
    for snapshot in looks:
        if step_name is not None:
            _check_step(snapshot, step_name)
        for step in snapshot.steps:
            if step.job is None or step_name not in (None, step.name):
                continue
            tail = tails.setdefault(step.job.arn, LogTail(live, step.job))
            for line in tail.new_lines():
                yield step, line


def _check_step(snapshot: Snapshot, step_name: str) -> None:
    names = [step.name for step in snapshot.steps]
    if step_name not in names:
        raise GatehouseError(f"there is no step {step_name!r}", remedy=f"The steps are: {', '.join(names)}")
