"""Rows of a file as payloads for an endpoint: whole rows, at most 6 MB each.

CSV is read as it streams in, so a file may be of any size. Each payload of a CSV with a header repeats it,
so that every request says which columns it holds. A blank line is a row only where rows have one column: its
value is missing. pyarrow is imported for Parquet only.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from aws_formats.errors import GatehouseError
from registry.invocations import BODY_LIMIT, CSV, JSON, PARQUET, Payload

MOST_ROWS = 5000
"""Rows of one payload: an answer has the same limit of 6 MB, and takes up to some 500 bytes a row."""

CONTENT_TYPES = {"csv": CSV, "json": JSON, "parquet": PARQUET}
SUFFIXES = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".pq": "parquet"}


def form_of(path: Path) -> str:
    """csv, json or parquet, by the file's name.

    Raises:
        GatehouseError: its suffix is none of these.
    """
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise GatehouseError(
            "the file's name does not say what is in it",
            where=str(path),
            remedy="Say it with --format csv, json or parquet",
        )
    return form


def read_payloads(
    source: BinaryIO, form: str, name: str, *, header: bool | None = None, delimiter: str = ","
) -> Iterator[Payload]:
    """The rows of a CSV, JSON or Parquet source as payloads.

    Args:
        form: csv, json or parquet.
        name: the source's name, for errors.
        header: whether a CSV begins with its columns' names; judged by the first line if None.

    Raises:
        GatehouseError: there are no rows, the source is not what it should be, or a row is over 6 MB.
    """
    if form == "csv":
        payloads = _csv_payloads(source, name, header, delimiter)
    elif form == "json":
        payloads = _json_payloads(source, name)
    else:
        payloads = _parquet_payloads(source, name)
    first = next(payloads, None)
    if first is None:
        raise GatehouseError("there are no rows", where=name)
    yield first
    yield from payloads


# --- CSV -------------------------------------------------------------------------------------------


def _csv_payloads(source: BinaryIO, name: str, header: bool | None, delimiter: str) -> Iterator[Payload]:
    rows = _csv_rows(source, name)
    blank: list[bytes] = []
    first = next(rows, None)
    while first is not None and _is_blank(first):
        blank.append(first)
        first = next(rows, None)
    if first is None:
        return
    fields = _fields(first, delimiter)
    judged = _looks_like_header(fields) if header is None else header
    if len(fields) != 1:
        rows = (row for row in rows if not _is_blank(row))
        blank = []
    if not judged:
        rows = itertools.chain(blank, [first], rows)
    payloads = _packed(rows, first if judged else b"", name)
    one = next(payloads, None)
    if one is None and header is None:
        raise GatehouseError(
            "there are no rows after the first line, which reads like a header",
            where=name,
            remedy="If it is a row, say --no-header",
        )
    if one is not None:
        yield one
    yield from payloads


def _csv_rows(source: BinaryIO, name: str) -> Iterator[bytes]:
    """Rows with their line end, blank lines too; a quoted field may hold line ends of its own (RFC 4180)."""
    row = b""
    start = 1
    for number, line in enumerate(source, 1):
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not row:
            start = number
        row += line
        if row.count(b'"') % 2 == 0:
            yield row if row.endswith(b"\n") else row + b"\n"
            row = b""
        elif len(row) > BODY_LIMIT:
            break
    if row:
        raise GatehouseError("a quotation mark is opened and not closed", where=f"{name}, line {start}")


def _is_blank(row: bytes) -> bool:
    return not row.strip(b"\r\n")


def _fields(row: bytes, delimiter: str) -> list[str]:
    text = row.decode("utf-8", "replace").rstrip("\r\n")
    try:
        if delimiter == " ":  # stands for any number of spaces and tabs
            text = " ".join(text.split())
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:  # a field of 128 KB or more
        return []


def _looks_like_header(fields: list[str]) -> bool:
    """Names: none empty, none twice, none a number or a truth value."""
    distinct = len(set(fields)) == len(fields) > 0
    return distinct and not any(_is_value(field.strip()) for field in fields)


def _is_value(field: str) -> bool:
    if field.lower() in ("", "true", "false", "nan", "na", "null"):
        return True
    try:
        float(field)
    except ValueError:
        return False
    return True


def _packed(rows: Iterable[bytes], head: bytes, name: str) -> Iterator[Payload]:
    """Rows joined up to the limits, each payload beginning with `head`."""
    held: list[bytes] = []
    size, first = len(head), 1
    for row in rows:
        if len(head) + len(row) > BODY_LIMIT:
            raise GatehouseError(
                f"row {first + len(held)} has {len(row)} bytes; a request carries 6 MB", where=name
            )
        if held and (size + len(row) > BODY_LIMIT or len(held) == MOST_ROWS):
            yield Payload(head + b"".join(held), CSV, len(held), first)
            first += len(held)
            held, size = [], len(head)
        held.append(row)
        size += len(row)
    if held:
        yield Payload(head + b"".join(held), CSV, len(held), first)


# --- JSON ------------------------------------------------------------------------------------------


def _json_payloads(source: BinaryIO, name: str) -> Iterator[Payload]:
    """``[...]``, ``{"instances": [...]}``, ``{"columns": {...}}``, or one object for one row."""
    try:
        document = json.loads(source.read())
    except (ValueError, RecursionError) as error:  # not JSON, not text at all, or nested without end
        raise GatehouseError(f"this is no JSON: {error}", where=name) from error
    for first, instances in _batches(_instances(document, name)):
        yield from _halved(instances, first, name)


def _instances(document: Any, name: str) -> list[Any]:
    if isinstance(document, dict) and isinstance(document.get("columns"), dict):
        columns: dict[str, Any] = document["columns"]
        lengths = {len(values) if isinstance(values, list) else -1 for values in columns.values()}
        if len(lengths) > 1 or -1 in lengths:
            raise GatehouseError('the entries of "columns" are not lists of one length', where=name)
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if isinstance(document, dict):
        document = document.get("instances", [document])
    if not isinstance(document, list):
        raise GatehouseError(
            'the JSON is neither a list, nor {"instances": [...]}, nor {"columns": {...}}', where=name
        )
    return document


def _batches(instances: list[Any]) -> Iterator[tuple[int, list[Any]]]:
    for start in range(0, len(instances), MOST_ROWS):
        yield start + 1, instances[start : start + MOST_ROWS]


def _halved(instances: list[Any], first: int, name: str) -> Iterator[Payload]:
    """One payload, or as many halves of it as the limit asks for."""
    body = json.dumps({"instances": instances}).encode()
    if len(body) <= BODY_LIMIT:
        yield Payload(body, JSON, len(instances), first)
        return
    if len(instances) == 1:
        raise GatehouseError(f"row {first} has {len(body)} bytes; a request carries 6 MB", where=name)
    middle = len(instances) // 2
    yield from _halved(instances[:middle], first, name)
    yield from _halved(instances[middle:], first + middle, name)


# --- Parquet ---------------------------------------------------------------------------------------


def _parquet_payloads(source: BinaryIO, name: str) -> Iterator[Payload]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # A pipe cannot seek, which Parquet needs.
        seekable = source if source.seekable() else io.BytesIO(source.read())
        file = pq.ParquetFile(seekable, coerce_int96_timestamp_unit="us")
        first = 1
        for batch in file.iter_batches(batch_size=MOST_ROWS):
            if batch.num_rows:
                yield from _halved_table(pa.Table.from_batches([batch]), first, name)
                first += batch.num_rows
    # No Parquet; damaged pages; a codec that is not here; a column's name that is no UTF-8.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0]
        raise GatehouseError(f"this is no Parquet file: {reason}", where=name) from error


def _halved_table(table: Any, first: int, name: str) -> Iterator[Payload]:
    import pyarrow.parquet as pq

    written = io.BytesIO()
    pq.write_table(table, written)
    body = written.getvalue()
    if len(body) <= BODY_LIMIT:
        yield Payload(body, PARQUET, table.num_rows, first)
        return
    if table.num_rows == 1:
        raise GatehouseError(f"row {first} has {len(body)} bytes; a request carries 6 MB", where=name)
    middle = table.num_rows // 2
    yield from _halved_table(table.slice(0, middle), first, name)
    yield from _halved_table(table.slice(middle), first + middle, name)
