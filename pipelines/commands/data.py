"""`gatehouse data`: what preprocessing makes of the project's data, before anything is paid for."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click

from aws_formats.visible_text import visible
from pipelines.commands.local_endpoint import connection
from pipelines.commands.looking import doubts_of, what_is_read_instead
from pipelines.commands.options import project_argument, target_option
from pipelines.commands.output import Document, Lines, Output, Table, with_json
from pipelines.commands.project_context import find_context
from pipelines.definition.dataset import source_in_words
from pipelines.definition.look import THOROUGH_BYTES, Look, classes_in_words, look_at
from pipelines.settings.project import Project

WIDTH = 80
_LONGEST_NAME, _END = 26, 10
_GAP = 3  # between two columns of a table
_MOST_CLASSES = 20


@click.command("data")
@project_argument
@click.option("--all", "read_all", is_flag=True, help="Read all of the data, however large; on this machine.")
@target_option
@with_json
def command(project: str | None, read_all: bool, target: str) -> Output:
    """Show what the project's data holds, and how preprocessing would read it. Changes nothing.

    A row for each column: its kind, its part in the training, missing and distinct values, examples. Then
    the classes of the target, the split to be expected, what is in doubt, with the setting that would
    decide it, and what is wrong, all of it. Data on this machine is read as a whole up to 200 MB, where a
    file counts as 128 kB at least; beyond that, and in S3, the first MB of the first files. The output
    says which. A query of Athena is not run.

    Exit code 1 if preprocessing would refuse the data.

    \b
    Examples:
      gatehouse data health-tumor-diagnosis
      gatehouse data --target aws
    """
    context = find_context(project, target)
    found, most = context.project, None if read_all else THOROUGH_BYTES
    source = source_in_words(found, context.target)
    if source.startswith("s3://"):
        with connection(context.target, context.settings) as connect:
            look = look_at(found, connect())
    else:
        look = look_at(found, context.target, most_bytes=most)
    document = dict(look.document)
    yield Document(
        {
            "project": found.name,
            "source": source,
            "looked_at": look.said,
            "whole": look.whole,
            **{key: document.get(key) for key in ("rows", "columns", "split", "classes", "positive_class")},
            "target": document.get("numbers"),
            "findings": look.findings,
            "errors": [
                {"where": error.where, "what": error.what, "remedy": error.remedy} for error in look.errors
            ],
        },
        exit_code=1 if look.errors else 0,
    )
    yield f"{found.name}: {source}"
    if instead := what_is_read_instead(found, context.target):
        yield instead[0].upper() + instead[1:]
    if look.whole is None:
        yield look.said
        return
    rows = document.get("rows")
    yield look.said + (f": {rows:,} rows, {len(document['columns'])} columns" if rows is not None else "")
    yield from in_words(look, found)
    if not look.errors:
        yield f"Next: gatehouse run {found.name}{context.target.option}"


def in_words(look: Look, project: Project) -> Output:
    """The columns, the target, the split, doubts and errors, for people."""
    document = look.document
    if "columns" in document:
        yield ""
        yield columns_table(document["columns"])
    doubts = [" ".join(_sentences(found["text"], found["remedy"])) for found in doubts_of(look)]
    notes = [found["text"] for found in look.findings if found.get("level") == "note"]
    wrong = [str(error).replace(f"{project.file}: ", "") for error in look.errors]
    for heading, lines in (
        (None, list(_target_and_split(document, project.data.target))),
        ("In doubt:", _listed(doubts)),
        ("Noticed:", _listed(notes)),
        ("Wrong:", _listed(wrong)),
    ):
        if lines:
            yield ""
            yield Lines([heading, *lines] if heading else lines)


def columns_table(columns: Sequence[dict[str, Any]]) -> Table:
    """A row for each column, in 80 characters."""
    from rich.cells import cell_len

    headings = ["column", "kind", "role", "missing", "distinct", "examples"]
    rows = [
        [
            name or '""',
            column["kind"],
            column["role"],
            f"{column['missing']:,}",
            f"{column['distinct']:,}" if column["all_distinct"] else f"over {column['distinct'] - 1:,}",
        ]
        for name, column in zip(_names([column["name"] for column in columns]), columns, strict=True)
    ]
    taken = sum(max(map(cell_len, cells)) + _GAP for cells in zip(headings[:-1], *rows, strict=False))
    for row, column in zip(rows, columns, strict=True):
        row.append(_as_many_as_fit(column["examples"], WIDTH - taken))
    return Table(headings, rows)


def _names(names: Sequence[str]) -> list[str]:
    """The names as far as they fit, and so that they stay apart: by their ends, or by their places."""
    shown = [_cut(name, _LONGEST_NAME) for name in names]
    alike = Counter(shown)
    shown = [
        _cut(name, _LONGEST_NAME - _END) + _last(name, _END) if alike[cut] > 1 else cut
        for name, cut in zip(names, shown, strict=True)
    ]
    alike = Counter(shown)
    places = [f" {place}" if alike[cut] > 1 else "" for place, cut in enumerate(shown, start=1)]
    return [
        _cut(name, _LONGEST_NAME - len(place)) + place if place else cut
        for name, cut, place in zip(names, shown, places, strict=True)
    ]


def _last(text: str, width: int) -> str:
    from rich.cells import cell_len

    shown = visible(text)
    while cell_len(shown) > width:
        shown = shown[1:]
    return shown


def _as_many_as_fit(texts: Sequence[str], width: int) -> str:
    from rich.cells import cell_len

    for count in range(len(texts), 1, -1):
        joined = "; ".join(map(visible, texts[:count]))
        if cell_len(joined) <= width:
            return joined
    return _cut(texts[0], width) if texts else ""


def _cut(text: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    shown = visible(text)
    return shown if cell_len(shown) <= width else set_cell_size(shown, width - 3).rstrip() + "..."


def _target_and_split(document: Any, target: str) -> Iterator[str]:
    if "classes" in document:
        named = list(classes_in_words(document))
        if len(named) > _MOST_CLASSES:
            named[_MOST_CLASSES:] = [f"{len(named) - _MOST_CLASSES} more classes"]
        yield from _labelled("Target", f"{target}: {', '.join(named)}")
    if "numbers" in document:
        numbers = document["numbers"]
        yield from _labelled(
            "Target",
            f"{target}: from {numbers['lowest']:g} to {numbers['highest']:g}, mean {numbers['mean']:g}, "
            "in the training part",
        )
    if "split" in document:
        split = document["split"]
        parts = [f"{split[part]:,} {part}" for part in ("train", "validation", "test")]
        without = split["without_target"]
        yield from _labelled(
            "Split",
            ", ".join(parts) + (f"; {without:,} rows without a target are left out" if without else ""),
        )


def _labelled(label: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{label:<8}", subsequent_indent=" " * 8)


def _sentences(*texts: str | None) -> Iterator[str]:
    yield from (text if text.endswith((".", "?", "!")) else f"{text}." for text in texts if text)


def _listed(texts: Sequence[str]) -> list[str]:
    return [
        line
        for text in texts
        for line in textwrap.wrap(
            text, WIDTH, initial_indent="  - ", subsequent_indent="    ", break_long_words=False
        )
    ]
