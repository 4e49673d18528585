"""Rows of a file as payloads for an endpoint: whole rows, at most 6 MB each.

A file may be whatever a project's data may be: CSV as its settings say, JSON lines or Parquet, packed, in
UTF-16; and a JSON document as an endpoint takes one. CSV and JSON lines are read as they stream in, so a file
may be of any size. Each payload of a CSV with a header repeats it, so that every request says which columns
it holds. A blank line is a row only where rows have one column: its value is missing. pyarrow is imported
only for Parquet, UTF-16, zstd and lz4.
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
from pipelines.definition.unpacking import DAMAGED, PACKED_SUFFIXES, buffered, in_utf_8, unpacked
from registry.invocations import BODY_LIMIT, CSV, JSON, PARQUET, Payload

MOST_ROWS = 5000
"""Rows of one payload: an answer has the same limit of 6 MB, and takes up to some 500 bytes a row."""

CONTENT_TYPES = {"csv": CSV, "json": JSON, "parquet": PARQUET}
JSON_LINES = (".jsonl", ".ndjson")
SUFFIXES = {
    **{".csv": "csv", ".json": "json", ".parquet": "parquet", ".pq": "parquet"},
    **dict.fromkeys(JSON_LINES, "json"),
}


def form_of(path: Path) -> str:
    """csv, json (JSON lines, too) or parquet, by the file's name, packed or not.

    Raises:
        GatehouseError: its suffix is none of these.
    """
    form = SUFFIXES.get((path.with_suffix("") if is_packed(path) else path).suffix.lower())
    if form is None:
        raise GatehouseError(
            "the file's name does not say what is in it",
            where=str(path),
            remedy="Say it with --format csv, json or parquet",
        )
    return form


def is_packed(path: Path) -> bool:
    """Whether the file is packed, by its name."""
    return path.suffix.lower() in PACKED_SUFFIXES


def read_payloads(
    source: BinaryIO,
    form: str,
    name: str,
    *,
    header: bool | None = None,
    delimiter: str = ",",
    quote: str = '"',
) -> Iterator[Payload]:
    """The rows of a CSV, JSON or Parquet source as payloads.

    Args:
        form: csv, json or parquet.
        name: the source's name, for errors.
        header: whether a CSV begins with its columns' names; judged by the first line if None.
        quote: what quotes a CSV's fields; empty where nothing does.

    Raises:
        GatehouseError: there are no rows, the source is not what it should be, or a row is over 6 MB.
    """
    try:
        content = unpacked(buffered(source), name)
        if form == "csv":
            payloads = _csv_payloads(in_utf_8(content), name, header, delimiter, quote)
        elif form == "json":
            payloads = _json_payloads(in_utf_8(content), name)
        else:
            payloads = _parquet_payloads(content, name)
        first = next(payloads, None)
        if first is None:
            raise GatehouseError("there are no rows", where=name)
        yield first
        yield from payloads
    except DAMAGED as error:
        raise GatehouseError(f"the file cannot be read: {error}", where=name) from error


# --- CSV -------------------------------------------------------------------------------------------


def _csv_payloads(
    source: BinaryIO, name: str, header: bool | None, delimiter: str, quote: str
) -> Iterator[Payload]:
    rows = _csv_rows(source, name, quote.encode())
    blank: list[bytes] = []
    first = next(rows, None)
    while first is not None and _is_blank(first):
        blank.append(first)
        first = next(rows, None)
    if first is None:
        return
    fields = _fields(first, delimiter, quote)
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


def _csv_rows(source: BinaryIO, name: str, quote: bytes) -> Iterator[bytes]:
    """Rows with their line end, blank lines too; a quoted field may hold line ends of its own (RFC 4180)."""
    row = b""
    start = 1
    for number, line in enumerate(source, 1):
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not row:
            start = number
        row += line
        if not quote or row.count(quote) % 2 == 0:
            yield row if row.endswith(b"\n") else row + b"\n"
            row = b""
        elif len(row) > BODY_LIMIT:
            break
    if row:
        raise GatehouseError("a quotation mark is opened and not closed", where=f"{name}, line {start}")


def _is_blank(row: bytes) -> bool:
    return not row.strip(b"\r\n")


def _fields(row: bytes, delimiter: str, quote: str) -> list[str]:
    text = row.decode("utf-8", "replace").rstrip("\r\n")
    try:
        if delimiter == " ":  # stands for any number of spaces and tabs
            text = " ".join(text.split())
        if not quote:
            return text.split(delimiter)
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote), [])
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
    """``[...]``, ``{"instances": [...]}``, ``{"columns": {...}}``, one object for one row, or one a line."""
    lines = ((number, line) for number, line in enumerate(source, 1) if line.strip())
    first, second = next(lines, (1, b"")), next(lines, None)
    first = (first[0], first[1].removeprefix(b"\xef\xbb\xbf"))
    if second is not None and _is_object(first[1]):
        batches = _completed(_batches(_of_lines(itertools.chain([first, second], lines), name)))
    else:
        text = b"".join(line for _, line in itertools.chain([first], [second] if second else [], lines))
        batches = _batches(_instances(_of_json(text, name), name))
    for place, some in batches:
        yield from _halved(some, place, name)


def _completed(batches: Iterable[tuple[int, list[Any]]]) -> Iterator[tuple[int, list[Any]]]:
    """The batches with a null for each key that an object lacks and another one had, of its batch or before:
    in JSON lines that is how rows are written that have no value, and a model wants every feature."""
    names: dict[str, None] = {}
    for place, instances in batches:
        for instance in instances:
            names |= dict.fromkeys(instance if isinstance(instance, dict) else ())
        yield place, [{**names, **one} if isinstance(one, dict) else one for one in instances]


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _of_lines(lines: Iterable[tuple[int, bytes]], name: str) -> Iterator[Any]:
    for number, line in lines:
        yield _of_json(line, f"{name}, line {number}")


def _of_json(text: bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # not JSON, not text at all, or nested without end
        raise GatehouseError(f"this is no JSON: {error}", where=where) from error


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


def _batches(instances: Iterable[Any]) -> Iterator[tuple[int, list[Any]]]:
    first, rest = 1, iter(instances)
    while some := list(itertools.islice(rest, MOST_ROWS)):
        yield first, some
        first += len(some)


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
