"""`gatehouse retry`: go on where an execution failed or was stopped."""

from __future__ import annotations

import click

from pipelines.commands.following import follow_and_report
from pipelines.commands.local_endpoint import connection
from pipelines.commands.options import execution_arguments, json_option, target_option, which_execution
from pipelines.commands.project_context import find_context
from pipelines.commands.start import refuse_orphan, tell_started, wait_option
from pipelines.executions import lifecycle as executions


@click.command("retry")
@execution_arguments
@wait_option
@target_option
@json_option
def command(project: str | None, execution: str | None, wait: bool, target: str, as_json: bool) -> int:
    """Run the steps of an execution again that failed, were stopped or never ran.

    Same definition, same code, same parameters; what succeeded is kept. EXECUTION is an ARN or id (the
    newest execution if left out); an ARN needs no PROJECT.
    """
    project, execution = which_execution(project, execution)
    context = find_context(project, target)
    refuse_orphan(context, wait)
    name = context.project.name
    with connection(context.target, context.settings) as connect:
        live = connect()
        execution_arn = executions.find(live, name, execution)
        executions.retry(live, execution_arn)
        if wait:
            return follow_and_report(live, name, execution_arn, as_json=as_json)
    tell_started(name, execution_arn, target, as_json=as_json)
    return 0
