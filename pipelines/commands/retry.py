"""`gatehouse retry`: go on where an execution failed or was stopped."""

from __future__ import annotations

import click

from pipelines.commands.following import follow_and_report, say_where_to_watch
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import execution_arguments, target_option, which_execution
from pipelines.commands.output import Output, with_json
from pipelines.commands.project_context import find_pipeline_context
from pipelines.commands.start import require_lasting_endpoint, started, wait_option
from pipelines.executions import lifecycle as executions


@click.command("retry")
@execution_arguments
@wait_option
@target_option
@with_json
def command(project: str | None, execution: str | None, wait: bool, target: str) -> Output:
    """Run the steps of an execution again that failed, were stopped or never ran.

    Same definition, same code, same parameters; what succeeded is kept. EXECUTION is an ARN or id (the
    newest execution if left out); an ARN needs no PROJECT.
    """
    project, execution = which_execution(project, execution)
    context = find_pipeline_context(project, target)
    if not wait:
        require_lasting_endpoint(context)
    name = context.project.name
    with connected(context, runs=True) as at:
        execution_arn = executions.find(at.target, name, execution)
        executions.retry(at.target, execution_arn)
        say_where_to_watch(at, execution_arn)
        if wait:
            yield from follow_and_report(at.target, name, execution_arn)
            return
    yield from started(context.target, name, execution_arn)
