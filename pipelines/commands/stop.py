"""`gatehouse stop`: end an execution that is under way."""

from __future__ import annotations

import click

from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import execution_arguments, target_option, which_execution
from pipelines.commands.output import Document, Output, notice, with_json
from pipelines.commands.project_context import find_pipeline_context
from pipelines.executions import lifecycle as executions
from pipelines.executions import watching
from pipelines.executions.watching import UNDER_WAY


@click.command("stop")
@execution_arguments
@target_option
@with_json
def command(project: str | None, execution: str | None, target: str) -> Output:
    """Stop an execution and its jobs, and wait until it has ended.

    EXECUTION is an ARN or id (the newest execution if left out); an ARN needs no PROJECT.
    """
    project, execution = which_execution(project, execution)
    with connected(find_pipeline_context(project, target)) as at:
        execution_arn = executions.find(at.target, at.project.name, execution)
        status = watching.outcome(at.target, execution_arn).status
        if status in UNDER_WAY:
            executions.stop(at.target, execution_arn)
            notice("Stopping the execution and its jobs.")
            for snapshot in watching.follow(at.target, execution_arn):
                status = snapshot.status
        else:
            notice("The execution had ended already.")
    return [Document({"execution_arn": execution_arn, "status": status}), f"{status}  {execution_arn}"]
