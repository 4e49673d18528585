"""`gatehouse start`: an execution of the pipeline as it was last upserted."""

from __future__ import annotations

from dataclasses import dataclass

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.following import follow_and_report, say_what_is_not_tracked, say_where_to_watch
from pipelines.commands.local_endpoint import connected, is_kept_up
from pipelines.commands.looking import look_first
from pipelines.commands.options import (
    gathered,
    parameter_option,
    project_argument,
    register_again_option,
    target_option,
)
from pipelines.commands.output import Document, Output, with_json
from pipelines.commands.project_context import ProjectContext, find_context
from pipelines.commands.uploading import UploadProgress
from pipelines.definition.dataset import find_dataset, publish
from pipelines.executions import lifecycle as executions
from pipelines.executions.functions import require_functions
from pipelines.executions.overrides import (
    check_experiment,
    check_overrides,
    check_steps,
    with_dataset,
    with_registration,
)
from pipelines.settings.target import Target

wait_option = click.option("--wait", is_flag=True, help="Follow the execution to its end, as `run` does.")


@dataclass(frozen=True)
class StartOptions:
    """What to start."""

    project: str | None
    target: str
    parameters: dict[str, str]
    register_again: bool
    wait: bool
    pipeline_version: str | None
    only: tuple[str, ...]
    source: str | None
    mlflow_experiment: str | None


@click.command("start")
@project_argument
@parameter_option
@register_again_option
@wait_option
@click.option(
    "--pipeline-version",
    metavar="VERSION",
    help="A version of the pipeline, by number or alias; else the newest.",
)
@click.option(
    "--only",
    metavar="STEP",
    multiple=True,
    help="Run this step alone, on an earlier execution's results; repeatable.",
)
@click.option(
    "--from",
    "source",
    metavar="EXECUTION",
    help="With --only: whose results; the newest that succeeded without it.",
)
@click.option(
    "--mlflow-experiment",
    metavar="NAME",
    help="Track it in this experiment; else in the one of the project's name. Needs mlflow in the settings.",
)
@target_option
@with_json
@gathered(StartOptions)
def command(options: StartOptions) -> Output:
    """Publish the data and start an execution of the pipeline as it was last upserted.

    Without --wait it prints the execution's ARN and returns; on this machine that needs an endpoint
    that stays (gatehouse local up). With --wait it follows, and ends with the exit codes of `run`.

    \b
    Examples:
      gatehouse start health-tumor-diagnosis -p NumRound=500 --wait
      gatehouse start --only EvaluateModel -p AccuracyThreshold=0.95 --wait
      gatehouse start --pipeline-version 3 --wait
    """
    if options.source and not options.only:
        raise click.UsageError("--from belongs to --only, which says which steps run.")
    context = find_context(options.project, options.target)
    if not options.wait:
        require_lasting_endpoint(context)
    name = context.project.name
    with connected(context, runs=True) as at:
        live = at.target
        outline = executions.live_outline(live, name, options.pipeline_version)
        given = check_overrides(outline, options.parameters, name)
        overrides = with_registration(given, outline, options.register_again)
        check_steps(outline, options.only, name)
        require_functions(outline, name, live)
        check_experiment(outline, options.mlflow_experiment, name)
        say_what_is_not_tracked(outline, live)
        dataset = find_dataset(context.project, live)
        if "InputDataUri" not in overrides:
            look_first(context.project, lambda: live, live)
            publish(context.project, live, UploadProgress())
        execution_arn = executions.start(
            live,
            name,
            with_dataset(overrides, dataset),
            version=options.pipeline_version,
            only=options.only,
            source=_source(live, name, options) if options.only else None,
            mlflow_experiment=options.mlflow_experiment,
        )
        say_where_to_watch(context, execution_arn)
        if options.wait:
            yield from follow_and_report(live, name, execution_arn)
            return
    yield from started(context.target, name, execution_arn)


def _source(target: Target, name: str, options: StartOptions) -> str:
    """The execution whose results are used: the one that is named, or the newest that succeeded."""
    if options.source is not None:
        return executions.find(target, name, options.source)
    for found in executions.list_executions(target, name):
        if found.status == "Succeeded":
            return found.execution_arn
    raise GatehouseError(
        "no execution has succeeded yet whose results could be used",
        where=f"pipeline {name}",
        remedy="Name one with --from, or start without --only",
    )


def require_lasting_endpoint(context: ProjectContext) -> None:
    """An execution ends with the endpoint that runs it, and one in this process ends with the command.

    Raises:
        GatehouseError: nothing would be left to run the execution.
    """
    if context.target.name == "local" and not is_kept_up(context.settings):
        raise GatehouseError(
            "no local SageMaker is up that would run the execution after this command has ended",
            remedy="Add --wait, or bring one up first with `gatehouse local up`",
        )


def started(target: Target, name: str, execution_arn: str) -> Output:
    """What `start` and `retry` print of an execution that goes on without them."""
    return [
        Document({"execution_arn": execution_arn, "status": "Executing"}),
        f"Started {execution_arn}",
        f"Next: gatehouse logs {execution_arn} --follow{target.option},"
        f" gatehouse executions {name}{target.option}",
    ]
