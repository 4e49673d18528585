"""`gatehouse start`: an execution of the pipeline as it was last upserted."""

from __future__ import annotations

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.following import follow_and_report
from pipelines.commands.local_endpoint import connected, is_kept_up
from pipelines.commands.options import (
    parameter_option,
    project_argument,
    register_again_option,
    target_option,
)
from pipelines.commands.output import Document, Output, with_json
from pipelines.commands.project_context import ProjectContext, find_context
from pipelines.definition.dataset import find_dataset, publish
from pipelines.executions import lifecycle as executions
from pipelines.executions.functions import require_functions
from pipelines.executions.overrides import check_overrides, with_dataset, with_registration
from pipelines.settings.target import Target

wait_option = click.option("--wait", is_flag=True, help="Follow the execution to its end, as `run` does.")


@click.command("start")
@project_argument
@parameter_option
@register_again_option
@wait_option
@target_option
@with_json
def command(
    project: str | None, parameters: dict[str, str], register_again: bool, wait: bool, target: str
) -> Output:
    """Publish the data and start an execution of the pipeline as it was last upserted.

    Without --wait it prints the execution's ARN and returns; on this machine that needs an endpoint
    that stays (gatehouse local up). With --wait it follows, and ends with the exit codes of `run`.

    \b
    Example:
      gatehouse start health-tumor-diagnosis -p NumRound=500 --wait
    """
    context = find_context(project, target)
    if not wait:
        require_lasting_endpoint(context)
    name = context.project.name
    with connected(context, runs=True) as at:
        live = at.target
        outline = executions.live_outline(live, name)
        overrides = with_registration(check_overrides(outline, parameters, name), outline, register_again)
        require_functions(outline, name, live)
        dataset = find_dataset(context.project, live)
        if "InputDataUri" not in overrides:
            publish(context.project, live)
        execution_arn = executions.start(live, name, with_dataset(overrides, dataset))
        if wait:
            yield from follow_and_report(live, name, execution_arn)
            return
    yield from started(context.target, name, execution_arn)


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
