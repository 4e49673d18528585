"""`gatehouse executions`: what has run and what runs."""

from __future__ import annotations

import click

from pipelines.commands.local_endpoint import connection
from pipelines.commands.options import json_option, project_argument, target_option
from pipelines.commands.output import document, moment, remark, table
from pipelines.commands.project_context import find_context
from pipelines.executions.lifecycle import list_executions


@click.command("executions")
@project_argument
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@target_option
@json_option
def command(project: str | None, limit: int, target: str, as_json: bool) -> None:
    """List the project's executions, newest first."""
    context = find_context(project, target)
    with connection(context.target, context.settings) as connect:
        found = list_executions(connect(), context.project.name, limit)
    if as_json:
        document(
            [
                {
                    "execution_arn": execution.execution_arn,
                    "id": execution.id,
                    "status": execution.status,
                    "started": execution.started,
                    "display_name": execution.display_name,
                    "failure_reason": execution.failure_reason,
                }
                for execution in found
            ]
        )
    elif not found:
        name = context.project.name
        remark(f"Pipeline {name} has no execution yet. Next: gatehouse run {name}")
    else:
        table(
            ("Execution", "Started", "Status", "Reason"),
            [
                (
                    execution.id,
                    moment(execution.started),
                    execution.status,
                    (execution.failure_reason or "").partition("\n")[0],
                )
                for execution in found
            ],
        )
