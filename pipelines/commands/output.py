"""What a command prints: tables for people or one JSON document for machines, on standard output.

Progress and remarks go to standard error, so that standard output can always be piped. rich is
imported only when a table is drawn.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click


def document(value: object) -> None:
    """Print one JSON document; dates as ISO 8601."""
    click.echo(json.dumps(value, indent=2, default=_plain))


def say(line: str = "") -> None:
    """Print one line of the result."""
    click.echo(line)


def remark(line: str = "") -> None:
    """Print one line beside the result, on standard error."""
    click.echo(line, err=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings: fitted to the terminal, or full width where the output is piped."""
    import sys

    from rich import box
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in columns:
        grid.add_column(heading, overflow="fold")
    for row in rows:
        grid.add_row(*(_literal(cell) for cell in row))
    # A pipe has no width: never break a value that a script may be looking for.
    Console(width=None if sys.stdout.isatty() else 1000, highlight=False).print(grid)


def _literal(cell: str) -> Any:
    from rich.text import Text

    return Text(cell)


def moment(value: datetime) -> str:
    """A point in time for people, in their own time zone: `2026-05-01 14:03:22`."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """`0.4 s`, `12.3 s`, `4 min 05 s`, `2 h 04 min`; empty where there is none."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
