"""What a command prints: lines and tables for people, or one JSON document for machines.

A command gives its output in parts: a list where all is known at once, a generator where there is
something to print before the command is done. ``with_json`` is the one place that prints the parts: with
--json the :class:`Document` and nothing else, without it everything but the document. So no command asks
which of the two is wanted. While parts of a generator are printed, its `with` blocks stay open.

Whatever is printed for people may hold text that anybody has stored, so its control characters are shown and
never sent to the terminal; a part that has several lines is given as :class:`Lines`.

A notice, such as progress, goes to standard error in both cases, so that standard output can always be
piped. Of rich, only a table imports anything.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

import click

from aws_formats.errors import GatehouseError
from aws_formats.times import duration as duration
from aws_formats.times import moment as moment
from aws_formats.visible_text import visible
from pipelines.commands.table_layout import lay_out


@dataclass(frozen=True)
class Document:
    """What --json prints, and the exit code of the command with and without --json.

    Attributes:
        content: what JSON can hold, and datetimes, which are printed as ISO 8601; a :class:`JsonText` is
            printed byte for byte, and an iterator is a list that is read only if it is printed.
    """

    content: object
    exit_code: int = 0


class JsonText(str):
    """A document that is JSON text already."""


@dataclass(frozen=True)
class Lines:
    """Lines for people; an iterator is read only if they are printed."""

    lines: Iterable[str]


@dataclass(frozen=True)
class Table:
    """Rows under headings for people, fitted to the terminal.

    `wrapped` continues a text that is too long in further lines; otherwise it is cut, and each row is a line.
    `optional` is the heading of a column that is left out where the terminal is too narrow.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    wrapped: bool = False
    optional: str | None = None


@dataclass(frozen=True)
class CheckLine:
    """A line for people about something that was checked, with a mark before it that says how it went."""

    ok: bool
    line: str


@dataclass(frozen=True)
class Remark:
    """A line for people beside the result, on standard error: what to do next, for example."""

    line: str


def remark_on(error: GatehouseError) -> Remark:
    """The words of an error where it is none, because a list may be empty: what is missing, what to do."""
    words = str(GatehouseError(error.what, remedy=error.remedy))
    return Remark(words[:1].upper() + words[1:])


Part = Document | Lines | Table | CheckLine | Remark | str
"""A str is one line for people."""

Output = Iterable[Part]


def with_json(function: Callable[..., Output]) -> Callable[..., int]:
    """Add --json to a command's function, and print what it gives; returns the exit code."""
    return with_json_excluding()(function)


def with_json_excluding(**messages: str) -> Callable[[Callable[..., Output]], Callable[..., int]]:
    """The same for a command some of whose options exclude --json.

    Args:
        messages: the option's parameter -> what is said where it is given with --json.
    """

    def decorate(function: Callable[..., Output]) -> Callable[..., int]:
        @functools.wraps(function)
        def printing(*, as_json: bool, **given: Any) -> int:
            for parameter, message in messages.items():
                if as_json and given[parameter]:
                    raise click.UsageError(message)
            return _print(function(**given), as_json)

        option = click.option(
            "--json", "as_json", is_flag=True, help="One JSON document on standard output, nothing else."
        )
        return option(printing)

    return decorate


def notice(line: str) -> None:
    """Print a line on standard error at once, with and without --json."""
    click.echo(visible(line), err=True)


def confirm(question: str) -> None:
    """Ask for a yes, on standard error.

    Raises:
        click.Abort: there was none.
    """
    with _asking():
        click.confirm(question, abort=True, err=True)


def is_typed(name: str, what_then: str) -> bool:
    """Ask for a name to be typed, on standard error, and say whether it was.

    Raises:
        click.Abort: nothing was typed, not even an empty line.
    """
    with _asking():
        answer = click.prompt(f"Type {name} to {what_then}", default="", show_default=False, err=True)
    return bool(answer == name)


@contextmanager
def _asking() -> Iterator[None]:
    """Where nobody can answer, say how not to be asked."""
    try:
        yield
    except click.Abort:
        if not sys.stdin.isatty():
            click.echo(err=True)
            notice("Nothing is done without a yes; --yes does not ask.")
        raise


def is_redrawable(stream: TextIO) -> bool:
    """Whether lines that were printed there can be drawn again: it is a terminal that obeys commands."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def _print(output: Output, as_json: bool) -> int:
    exit_code = 0
    try:
        for part in output:
            if isinstance(part, Document):
                exit_code = part.exit_code
                if as_json:
                    click.echo(_json_text(part.content))
            elif not as_json:
                _print_for_people(part)
    finally:
        # Where printing fails, the `with` blocks of the command end here and not when it is collected.
        if isinstance(output, Generator):
            output.close()
    return exit_code


def _print_for_people(part: Lines | Table | CheckLine | Remark | str) -> None:
    match part:
        case Lines(lines):
            for line in lines:
                click.echo(visible(line))
        case Table(headings, rows, wrapped, optional):
            cells = [[visible(cell) for cell in row] for row in rows]
            shown = [visible(heading) for heading in headings]
            for line in lay_out(shown, cells, _terminal_width(), wrapped=wrapped, optional=optional):
                click.echo(line)
        case CheckLine(ok, line):
            mark = click.style("ok  ", fg="green") if ok else click.style("FAIL", fg="red")
            click.echo(f"{mark}  {visible(line)}")
        case Remark(line):
            notice(line)
        case _:
            click.echo(visible(part))


def _terminal_width() -> int | None:
    """Of standard output; None where it is no terminal, and nothing is cut that a script may look for."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _json_text(content: object) -> str:
    return content if isinstance(content, JsonText) else json.dumps(content, indent=2, default=_json_form)


def _json_form(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Iterator):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def known_as(arn: str) -> str:
    """Who an ARN names, without the account that a list need not repeat: `user/ann`, or `ROLE/SESSION`."""
    return arn.rpartition(":")[2].removeprefix("assumed-role/") if arn.startswith("arn:") else arn
