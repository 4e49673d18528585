"""The rows of a CSV request as the model's matrix.

A few lines are split by Python, which also finds the row and the column of a wrong value; many are read by
Arrow. A long body may be cut at line ends, so that several threads read its parts.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from feature_encoding import (
    FALSE,
    TRUE,
    Feature,
    Schema,
    code_of_number,
    encode,
    is_number,
    lacking,
    without_infinity,
)
from notation import single_spaces, stripped_text

_ARROW_FROM_ROWS = 48  # for fewer, splitting by hand is faster than starting Arrow's reader (about 1 ms)
_BEGINNING = 1 << 14  # characters: the lines in them tell about how many there are in all
_NAMES_LISTED = 20
_NAN = math.nan

UNREADABLE = (ValueError, csv.Error, RecursionError, pa.ArrowNotImplementedError, pa.ArrowTypeError)
"""What reading a request raises where the request is at fault."""


class BadRequest(ValueError):
    """The request, not the model, is at fault; the text says what is wrong with it."""


@dataclass(frozen=True)
class Lines:
    """CSV of known columns, with or without a header line."""

    text: str
    names: tuple[str, ...]
    has_header: bool


def rows_about(text: str) -> int:
    """How many rows a body has if all of its lines are as long as the first ones."""
    return text.count("\n", 0, _BEGINNING) * len(text) // min(len(text), _BEGINNING) if text else 0


def cut(text: str, schema: Schema, parts: int) -> list[Lines]:
    """The rows of a CSV body in parts of about the same length; none where it must stay in one piece, since
    a row may have more than one line or the first line is no CSV of the schema."""
    if parts < 2 or schema.delimiter == " " or (schema.quote and schema.quote in text):
        return []
    try:
        whole = _lines(text, schema)
    except ValueError:
        return []
    text = whole.text
    ends = [text.find("\n", len(text) * part // parts) + 1 for part in range(1, parts)]
    edges = [0, *ends, len(text)]
    if edges != sorted(set(edges)):
        return []
    texts = [text[start:end] for start, end in itertools.pairwise(edges)]
    return [Lines(part, whole.names, whole.has_header and not place) for place, part in enumerate(texts)]


def part_matrices(parts: Sequence[Lines], schema: Schema, threads: Executor) -> Iterator[np.ndarray]:
    """The matrix of each part, one after another.

    Arrow reads the parts side by side. They are encoded in the calling thread alone: that is Python's work,
    and threads that hand the interpreter to and fro would take five times as long.

    Raises:
        BadRequest: a part cannot be read or has no rows; where in the body is not said.
    """
    first, *others = parts
    under_way = [threads.submit(_csv_columns, part, schema) for part in others]
    try:
        for read in (partial(_csv_columns, first, schema), *(part.result for part in under_way)):
            matrix = encode(read(), schema.features)
            if not len(matrix):
                raise ValueError("a part of the request holds no rows")
            yield matrix
    except UNREADABLE as error:
        raise BadRequest(str(error)) from error


def csv_matrix(text: str, schema: Schema) -> np.ndarray:
    """A whole body's rows.

    Raises:
        One of UNREADABLE: the rows do not fit the schema; the text names row and column.
    """
    lines = _lines(text, schema)
    if _has_more_lines(lines.text, _ARROW_FROM_ROWS) and not _has_open_quote(lines.text, schema.quote):
        try:
            return encode(_csv_columns(lines, schema), schema.features)
        except pa.ArrowInvalid:
            pass  # reading by hand finds the row and the column
    rows = _fields(lines.text, schema)
    rows = [row or [""] for row in rows] if len(lines.names) == 1 else [row for row in rows if row]
    return _rows_matrix(rows[1:] if lines.has_header else rows, lines.names, schema)


def _lines(text: str, schema: Schema) -> Lines:
    """A body from where its lines begin, with its columns as the first line tells them.

    Raises:
        ValueError: the first line is neither a header nor a row.
    """
    if schema.delimiter == " ":
        text = single_spaces(text, schema.quote)
    after_blanks = text.lstrip("\r\n")
    first = _first_row(after_blanks, schema)
    first = [stripped_text(name) for name in first] if schema.strip else first
    header = _is_header(first, schema)
    if header:
        names = tuple(first)
    elif first:
        _refuse_half_a_header(first, schema)
        names = layout(1, len(first), schema)
    else:
        names = tuple(schema.names)
    if header or len(names) > 1:
        text = after_blanks
    return Lines(text, names, header)


def _has_more_lines(text: str, most: int) -> bool:
    """Whether there are more line ends than that, without counting all of a long text's."""
    return len(text.split("\n", most + 1)) > most + 1


def _has_open_quote(text: str, quote: str) -> bool:
    return bool(quote) and quote in text and text.count(quote) % 2 == 1


def _is_header(row: Sequence[str], schema: Schema) -> bool:
    """Does the row name source columns only, or every feature, whatever else it names?

    Columns may have numbers as names. So numbers alone are a header only if they are all columns in their
    order, or all features.
    """
    if not row:
        return False
    if all(map(is_number, row)):
        return tuple(row) in (schema.source_columns, tuple(schema.names))
    if row[0] in schema.source_columns and set(row) <= set(schema.source_columns):
        return True
    return schema.features[0].name in row and set(schema.names) <= set(row)


def _refuse_half_a_header(row: Sequence[str], schema: Schema) -> None:
    """Raises ValueError for a first line that would be read as a row, and that in half of its fields names
    columns, in whatever case and with whatever between the words."""
    known = {_letters(name) for name in schema.source_columns} - {""}
    named = [text for text in row if _letters(text) in known and not is_number(text)]
    if 2 * len(named) >= len(row):
        other = next((text for text in row if text not in schema.source_columns), row[0])
        raise ValueError(
            f"row 1 reads like a header, but {other!r} is no column. Name every feature as the data does:"
            f" {_listed(schema.names)}"
        )


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _first_row(text: str, schema: Schema) -> list[str]:
    end = text.find("\n")
    line = text if end < 0 else text[:end]
    if schema.quote and schema.quote in line:  # it may go on over several lines
        return next(_csv_rows(text, schema))
    return next(iter(_fields(line, schema)), [])


def _fields(text: str, schema: Schema) -> list[list[str]]:
    """The fields of each line; none of a blank one. The end of the last line begins no further one."""
    if schema.quote and schema.quote in text:
        return list(_csv_rows(text, schema))
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.removesuffix("\n").split("\n") if text else []
    return [line.split(schema.delimiter) if line else [] for line in lines]


def _csv_rows(text: str, schema: Schema) -> Iterator[list[str]]:
    """Raises ValueError if a quotation mark is not closed: the reader would make one row of all the rest."""
    lines = itertools.chain(io.StringIO(text, newline=""), ["\n"])
    rows = csv.reader(lines, delimiter=schema.delimiter, quotechar=schema.quote)
    row = next(rows)
    for following in rows:
        yield row
        row = following
    if row:  # and not the blank line that was added
        raise ValueError(f"a quotation mark ({schema.quote}) is opened and not closed")


def _csv_columns(lines: Lines, schema: Schema) -> dict[str, pa.ChunkedArray]:
    """The features' columns as Arrow reads them.

    Raises:
        ValueError: it cannot, or a feature is not among the columns.
    """
    names = lines.names
    places_of(names, schema)
    arrow = {
        "number": pa.float64(),
        "category": pa.string(),
        "boolean": pa.bool_(),
        "timestamp": pa.string(),
    }
    content = lines.text.encode()
    table = pa_csv.read_csv(
        pa.BufferReader(content),
        pa_csv.ReadOptions(
            column_names=list(names),
            skip_rows_after_names=int(lines.has_header),
            use_threads=False,
            # One block: at its end Arrow would lose the \n of a \r\n, inside quotes too (apache/arrow#51368).
            block_size=len(content) + 1,
        ),
        pa_csv.ParseOptions(
            delimiter=schema.delimiter,
            quote_char=schema.quote or False,
            newlines_in_values=True,
            ignore_empty_lines=len(names) > 1,
        ),
        pa_csv.ConvertOptions(
            column_types={
                feature.name: pa.string()
                if feature.in_notation and feature.kind != "category"
                else arrow[feature.kind]
                for feature in schema.features
            },
            include_columns=schema.names,
            null_values=sorted(schema.missing_values),
            true_values=list(TRUE),
            false_values=list(FALSE),
            strings_can_be_null=True,
        ),
    )
    return {name: table[name] for name in schema.names}


def _rows_matrix(rows: Sequence[Sequence[str]], names: Sequence[str], schema: Schema) -> np.ndarray:
    places = places_of(names, schema)
    readers = [(place, feature.from_text) for place, feature in places]
    numbers = np.empty((len(rows), len(readers)))
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise ValueError(_width(number + 1, len(row), schema))
        try:
            numbers[number] = [read(row[place]) for place, read in readers]
        except ValueError:
            raise_for_row(number + 1, row, places)
            raise
    return as_float32(numbers)


# Shared with the other forms


def places_of(names: Sequence[str], schema: Schema) -> list[tuple[int, Feature]]:
    """Of each feature its place among the names. Raises ValueError if one lacks, or a name is there twice."""
    places = {name: place for place, name in enumerate(names)}
    if len(places) < len(names):
        raise ValueError(twice(names))
    for feature in schema.features:
        if feature.name not in places:
            raise ValueError(lacking(feature.name))
    return [(places[feature.name], feature) for feature in schema.features]


def layout(row: int, found: int, schema: Schema) -> tuple[str, ...]:
    """The columns of a row without names, by its width."""
    names = schema.layouts.get(found)
    if names is None:
        raise ValueError(_width(row, found, schema))
    return names


def raise_for_row(number: int, row: Sequence[Any], places: Sequence[tuple[int, Feature]]) -> None:
    """Say of the first wrong value in which row (from 1) and column it is."""
    for place, feature in places:
        try:
            number_of(row[place], feature)
        except ValueError as error:
            raise ValueError(f"row {number}, column {feature.name!r}: {error}") from None


def number_of(value: Any, feature: Feature) -> float:
    """The number of one value of CSV or JSON. Raises ValueError if it is not of the feature's kind."""
    if isinstance(value, str):
        return feature.from_text(value)
    if value is None or value != value:
        return _NAN
    if isinstance(value, (bool, int, float)):
        if feature.kind == "number":
            return _NAN if value in feature.missing_numbers else feature.scale.of(value)
        if feature.kind == "category":
            return code_of_number(value, feature)
        if feature.kind == "boolean" and value in (0, 1):
            return float(value)
    raise ValueError(f"{json.dumps(value)} is not a {feature.kind}")


def as_float32(numbers: np.ndarray) -> np.ndarray:
    """The numbers as the model has them; NaN where float32 cannot hold one."""
    with np.errstate(over="ignore"):
        return without_infinity(numbers.astype(np.float32))


def twice(names: Sequence[str]) -> str:
    """What is said where a name is there more than once."""
    name = next(name for name in names if names.count(name) > 1)
    return f"column {name!r} is there more than once; send it once"


def _width(row: int, found: int, schema: Schema) -> str:
    features, columns = len(schema.features), len(schema.source_columns)
    if found == columns - 1:
        return (
            f"row {row}: {found} values without names may be all source columns but the target, or all but "
            f"another one. Send a header line, or objects in JSON; or the {features} features alone "
            f"({_listed(schema.names)}), or all {columns} source columns"
        )
    return (
        f"row {row}: {found} values; expected {features} (the features) or {columns} (all source columns), "
        f"separated by {schema.delimiter!r}"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMES_LISTED]) + (", ..." if len(names) > _NAMES_LISTED else "")
