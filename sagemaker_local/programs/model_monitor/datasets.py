"""The rows of a dataset as columns of texts, whatever file they come from.

Model Monitor infers what a column is from its values, not from the file's own types, so CSV, JSON and Parquet
are read alike: a value is a text, or missing. An empty field of CSV is missing.

Columns without names are ``_c0``, ``_c1`` and so on, as the image calls them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from input_error import InputError

Record = Mapping[str, str | None]

_LARGEST_BLOCK = 2**31 - 1  # Arrow counts its bytes in 32 bits


def read(source: Path, form: Mapping[str, Any]) -> pa.Table:
    """All rows below a folder, every column a text.

    Args:
        form: ``dataset_format``: ``csv`` with ``header``, ``json`` with ``lines`` (or ``line``), ``parquet``.

    Raises:
        InputError: there is nothing to read, or it is not what the form says.
    """
    kind, options = _kind(form)
    files = files_below(source)
    if not any(file.stat().st_size for file in files):
        raise InputError(f"{source} holds no data")
    if kind == "json":
        return of_records(
            record for file in files for record in _json_records(file, bool(_flag(options, "line", "lines")))
        )
    tables = [_file(file, kind, options) for file in files if file.stat().st_size]
    for file, table in zip([file for file in files if file.stat().st_size], tables, strict=True):
        if table.column_names != tables[0].column_names:
            raise InputError(
                f"{file.name} has other columns than the first file: {_listed(table.column_names)}, not"
                f" {_listed(tables[0].column_names)}"
            )
    return pa.concat_tables(tables)


def lines(source: Path) -> Iterator[tuple[str, str]]:
    """The lines of every file, a header among them, and where each comes from."""
    for file in files_below(source):
        with file.open(encoding="utf-8", errors="replace") as opened:
            for number, line in enumerate(opened, 1):
                if line.strip():
                    yield line.rstrip("\r\n"), f"{file.name}, line {number}"


def files_below(source: Path) -> list[Path]:
    """Every file below a folder, by name, less those that Spark and people hide."""
    return sorted(
        path for path in source.rglob("*") if path.is_file() and not path.name.startswith((".", "_"))
    )


def of_records(records: Iterable[Record]) -> pa.Table:
    """Rows by the names of their columns, in the order in which those came first."""
    columns: dict[str, list[str | None]] = {}
    rows = 0
    for record in records:
        for name, value in record.items():
            columns.setdefault(name, [None] * rows).append(value)
        rows += 1
        for values in columns.values():
            if len(values) < rows:
                values.append(None)
    if not rows:
        raise InputError("the dataset has no rows")
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def flat(document: Any, where: str) -> dict[str, str | None]:
    """The members of a JSON object as texts.

    Raises:
        InputError: it is none, or a member holds others: Model Monitor takes flat objects only.
    """
    if not isinstance(document, Mapping):
        raise InputError(f"{where} is no JSON object")
    for name, value in document.items():
        if isinstance(value, Mapping | list):
            raise InputError(
                f"{where}: '{name}' holds other values; Model Monitor takes flat JSON objects only"
            )
    return {str(name): _text(value) for name, value in document.items()}


def csv_rows(text: str) -> list[list[str | None]]:
    """The rows of a CSV text without a header."""
    return [[value if value != "" else None for value in row] for row in csv.reader(text.splitlines()) if row]


def named(row: Sequence[str | None]) -> dict[str, str | None]:
    """A row of CSV with the names of columns that have none."""
    return {unnamed(place): value for place, value in enumerate(row)}


def unnamed(place: int) -> str:
    """The name of a column without one."""
    return f"_c{place}"


def _kind(form: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    given = {name.lower(): options for name, options in form.items()}
    for kind in ("csv", "json", "parquet"):
        if kind in given:
            return kind, given[kind] or {}
    raise InputError(f"dataset_format {json.dumps(form)} names none of csv, json, parquet")


def _flag(options: Mapping[str, Any], *names: str) -> bool:
    """A switch that some write as true and some as "true"."""
    given = {name.lower(): value for name, value in options.items()}
    value = next((given[name] for name in names if name in given), False)
    return value if isinstance(value, bool) else str(value).lower() == "true"


def _file(file: Path, kind: str, options: Mapping[str, Any]) -> pa.Table:
    try:
        return _csv(file, _flag(options, "header")) if kind == "csv" else _parquet(file)
    except pa.ArrowException as problem:
        said = next(iter(str(problem).strip().splitlines()), repr(problem))
        raise InputError(f"{file.name} cannot be read as {kind}: {said}") from problem


def _csv(file: Path, header: bool) -> pa.Table:
    with file.open(newline="", encoding="utf-8", errors="replace") as lines:
        first = next((row for row in csv.reader(lines) if row), None)
    if first is None:
        raise InputError(f"{file.name} holds no rows")
    names = first if header else [unnamed(place) for place in range(len(first))]
    if len(set(names)) < len(names):
        raise InputError(f"{file.name} has two columns of one name in its header: {_listed(names)}")
    # As few blocks as can be: at their ends Arrow loses the \n of a \r\n inside quotes (apache/arrow#51368).
    block = min(file.stat().st_size + 1, _LARGEST_BLOCK)
    return pyarrow.csv.read_csv(
        file,
        pyarrow.csv.ReadOptions(column_names=names, skip_rows_after_names=int(header), block_size=block),
        pyarrow.csv.ParseOptions(newlines_in_values=True),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )


def _parquet(file: Path) -> pa.Table:
    table = pq.read_table(file, partitioning=None, coerce_int96_timestamp_unit="us")
    nested = [entry.name for entry in table.schema if pa.types.is_nested(entry.type)]
    if nested:
        raise InputError(f"{file.name}: the column '{nested[0]}' holds other values; flat columns only")
    return table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))


def _json_records(file: Path, lines: bool) -> Iterator[Record]:
    texts = file.read_text(encoding="utf-8", errors="replace")
    for number, text in enumerate(texts.splitlines() if lines else [texts], 1):
        if not text.strip():
            continue
        where = f"{file.name}, line {number}" if lines else file.name
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise InputError(f"{where} is not JSON: {problem}") from problem
        for document in found if isinstance(found, list) else [found]:
            yield flat(document, where)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
