"""`gatehouse executions`: what has run and what runs."""

from __future__ import annotations

import click

from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import project_argument, target_option
from pipelines.commands.output import Document, Output, Table, moment, remark_on, with_json
from pipelines.commands.project_context import find_context
from pipelines.executions.lifecycle import list_executions, no_execution


@click.command("executions")
@project_argument
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@target_option
@with_json
def command(project: str | None, limit: int, target: str) -> Output:
    """List the project's executions, newest first."""
    with connected(find_context(project, target)) as at:
        name = at.project.name
        found = list_executions(at.target, name, limit)
    yield Document(
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
    if not found:
        yield remark_on(no_execution(at.target, name))
        return
    yield Table(
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
