"""`gatehouse stop`: end an execution that is under way."""

from __future__ import annotations

import click

from pipelines.commands.local_endpoint import connection
from pipelines.commands.options import execution_arguments, json_option, target_option, which_execution
from pipelines.commands.output import document, remark, say
from pipelines.commands.project_context import find_context
from pipelines.executions import lifecycle as executions
from pipelines.executions import watching
from pipelines.executions.watching import UNDER_WAY


@click.command("stop")
@execution_arguments
@target_option
@json_option
def command(project: str | None, execution: str | None, target: str, as_json: bool) -> None:
    """Stop an execution and its jobs, and wait until it has ended.

    EXECUTION is an ARN or id (the newest execution if left out); an ARN needs no PROJECT.
    """
    project, execution = which_execution(project, execution)
    context = find_context(project, target)
    with connection(context.target, context.settings) as connect:
        live = connect()
        execution_arn = executions.find(live, context.project.name, execution)
        status = watching.outcome(live, execution_arn).status
        if status in UNDER_WAY:
            executions.stop(live, execution_arn)
            remark("Stopping the execution and its jobs.")
            for snapshot in watching.follow(live, execution_arn):
                status = snapshot.status
        else:
            remark("The execution had ended already.")
    if as_json:
        document({"execution_arn": execution_arn, "status": status})
    else:
        say(f"{status}  {execution_arn}")
