"""Whether local data has what the settings name in it: columns, and classes that have floors of their own.

Preprocessing checks the same for all data, in S3 too, before anything is trained. This check is for data on
this machine: a name that is not there is found before anything is uploaded or started, all of them at once.
It only refuses what is certainly absent: a file that cannot be read, and a class that may be further down
than was read, are left to preprocessing.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

from aws_formats.errors import GatehouseError
from pipelines.settings.complaints import all_wrong
from pipelines.settings.project import Data, Project
from pipelines.settings.tables import which_one

_MOST_ROWS = 500_000
"""Read in search of a class; about a second."""

_UNREADABLE = (OSError, EOFError, StopIteration, ValueError, LookupError, csv.Error)
"""What reading a broken file raises; pyarrow's errors are among them."""


def check_named(project: Project, files: Sequence[Path]) -> None:
    """Look for every column that the settings name, and for every class that has a floor.

    Args:
        files: the project's local data; all have the same columns.

    Raises:
        GatehouseError: some of them are not there; it names all, with table and key.
    """
    if not files:
        return
    try:
        columns = _columns(files[0], project.data)
    except _UNREADABLE:
        return
    wrong = [*_absent_columns(project, files[0], columns)]
    if project.data.target in columns:
        wrong += _absent_classes(project, files)
    if wrong:
        raise all_wrong(project.file, wrong)


def _absent_columns(project: Project, file: Path, columns: Sequence[str]) -> Iterator[GatehouseError]:
    data = project.data
    named = {
        ("data", "target"): (data.target,),
        ("data", "key"): (data.key,) if data.key else (),
        ("data", "features"): data.features or (),
        ("data", "drop"): data.drop,
        ("data", "kinds"): tuple(data.kinds),
        **{
            ("data", key): tuple(value)
            for key in ("decimal", "thousands", "date_format")
            if isinstance(value := getattr(data, key), dict)
        },
        ("gate", "slices"): project.gate.slices,
    }
    for key, names in named.items():
        for name in names:
            if name not in columns:
                what = f"{file.name} has no column {name!r}"
                yield _error(project, key, what, which_one(name, columns, "columns"))


def _absent_classes(project: Project, files: Sequence[Path]) -> Iterator[GatehouseError]:
    wanted, found, rows = set(project.gate.classes), set[str](), 0
    if not wanted:
        return
    try:
        for value in (value for file in files for value in _targets(file, project.data)):
            rows += 1
            if value not in found:
                found.add(value)
                wanted = {label for label in wanted if not _same(label, value)}
            if not wanted or rows == _MOST_ROWS:
                return
    except _UNREADABLE:
        return
    for name in project.gate.floors if found else ():
        metric, _, label = name.partition(".")
        if label in wanted:
            what = f"the target {project.data.target!r} has no class {label!r}"
            yield _error(project, ("gate", "floors", metric, label), what, which_one(label, found, "classes"))


def _error(project: Project, path: tuple[str, ...], what: str, remedy: str) -> GatehouseError:
    table = ".".join(("projects", project.team, project.short_name, *path[:-1]))
    return GatehouseError(what, where=f"{project.file}: [{table}] {path[-1]}", remedy=remedy)


def _same(label: str, value: str) -> bool:
    """Whether a value of the target may be of that class, whatever type its column turns out to have."""
    if label == value or label == value.lower():
        return True
    try:
        return float(label) == float(value)
    except ValueError:
        return False


def _columns(file: Path, data: Data) -> Sequence[str]:
    if data.columns is not None:
        return data.columns
    if _is_parquet(file):
        import pyarrow.parquet as pq

        return list(pq.read_schema(file).names)
    with _text(file) as lines:
        names = next(row for row in csv.reader(lines, **_dialect(data)) if row)
    return [name.strip() for name in names] if data.strip else names


def _targets(file: Path, data: Data) -> Iterator[str]:
    """The target of each row that has one."""
    if _is_parquet(file):
        import pyarrow.parquet as pq

        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(columns=[data.target]):
                values = (str(value) for value in batch.column(0).to_pylist() if value is not None)
                yield from (data.class_names.get(value, value) for value in values)
        return
    missing = {*data.missing_values, *data.also_missing}
    place = list(_columns(file, data)).index(data.target)
    with _text(file) as lines:
        rows = (row for row in csv.reader(lines, strict=True, **_dialect(data)) if row)
        if data.header:
            next(rows)
        for row in rows:
            value = row[place].strip() if data.strip else row[place]
            value = data.class_names.get(value, value)
            if value not in missing:
                yield value


def _dialect(data: Data) -> dict[str, Any]:
    quoting = {"quotechar": data.quote} if data.quote else {"quoting": csv.QUOTE_NONE}
    return {"delimiter": data.delimiter, **quoting}


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as start:
        return start.read(4) == b"PAR1"


def _text(file: Path) -> TextIO:
    """A CSV as text, unpacked if it is gzipped."""
    with file.open("rb") as start:
        packed = start.read(2) == b"\x1f\x8b"
    reading = gzip.open if packed else open
    return cast("TextIO", reading(file, "rt", encoding="utf-8-sig", errors="replace", newline=""))
