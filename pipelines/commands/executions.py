"""`gatehouse executions`: what has run and what runs, once or for as long as somebody watches."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import click

from aws_formats.visible_text import visible
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import project_argument, target_option
from pipelines.commands.output import (
    Document,
    Output,
    Table,
    is_redrawable,
    moment,
    remark_on,
    with_json_excluding,
)
from pipelines.commands.project_context import find_pipeline_context
from pipelines.commands.table_layout import lay_out
from pipelines.executions.lifecycle import ExecutionSummary, given_parameters, list_executions, no_execution
from pipelines.executions.watched_list import WatchedExecution, follow_list
from pipelines.settings.target import Target

_READERS = 4
"""Requests for parameters that are under way at once."""

_AROUND = 4
"""Lines of a terminal that are no rows: the heading, the rule, what is below and the prompt."""


@click.command("executions")
@project_argument
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@click.option(
    "--watch", is_flag=True, help="Go on until Ctrl-C: redrawn on a terminal, else a line for each change."
)
@target_option
@with_json_excluding(watch="--watch has no end, so it gives no JSON document; leave one of the two out.")
def command(project: str | None, limit: int, watch: bool, target: str) -> Output:
    """List the project's executions, newest first."""
    with connected(find_pipeline_context(project, target)) as at:
        name = at.project.name
        if watch:
            looks = follow_list(at.target, name, limit)
            if is_redrawable(sys.stdout):
                _redraw(looks)
            yield from _changes(looks)
        found = list_executions(at.target, name, limit)
        yield Document(_entries(at.target, found))
    if not found:
        yield remark_on(no_execution(at.target, name))
        return
    yield Table(_HEADINGS, [_row(WatchedExecution(one, ())) for one in found])


_HEADINGS = ("Execution", "Started", "Status", "Reason")


def _row(one: WatchedExecution) -> tuple[str, str, str, str]:
    return one.summary.id, moment(one.summary.started), one.summary.status, one.note


def _entries(target: Target, found: Sequence[ExecutionSummary]) -> Iterator[dict[str, Any]]:
    """What --json prints of each. Only then are its parameters read: a request for each execution."""

    def parameters(one: ExecutionSummary) -> Mapping[str, str]:
        return given_parameters(target, one.execution_arn)

    with ThreadPoolExecutor(_READERS) as readers:
        for one, given in zip(found, readers.map(parameters, found), strict=True):
            yield {
                "execution_arn": one.execution_arn,
                "id": one.id,
                "status": one.status,
                "started": one.started,
                "display_name": one.display_name,
                "failure_reason": one.failure_reason,
                "parameters": given,
            }


def _changes(looks: Iterator[Sequence[WatchedExecution]]) -> Iterator[str]:
    """A line for each execution at first, the oldest before the others, and one for each change of it."""
    said: dict[str, tuple[str, str]] = {}
    for look in looks:
        for one in reversed(look):
            state = (one.summary.status, one.note)
            if said.get(one.summary.id) != state:
                said[one.summary.id] = state
                yield "  ".join(filter(None, [moment(datetime.now(UTC)), one.summary.id, *state]))


def _redraw(looks: Iterator[Sequence[WatchedExecution]]) -> None:
    """The list in place, as many rows of it as the terminal has lines for."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False) as live:
        for look in looks:
            width, height = os.get_terminal_size(sys.stdout.fileno())
            rows = [[visible(cell) for cell in _row(one)] for one in look[: max(1, height - _AROUND)]]
            lines = list(lay_out(("Execution", "Started", "Status", "Step or reason"), rows, width))
            live.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"), refresh=True)
