"""From a request's body to the model's matrix: the rows, in one of three forms, as they came from the source.

``text/csv``
    The schema's delimiter, of which a space stands for several, and tabs, too; with or without a header line,
    which names source columns only, or every feature and whatever else. Without one the width tells what was
    sent: the features alone, or all source columns, in source order. All source columns but the target are as
    many as all but another one, so that without a header they are refused, unless the target is the only
    column that is no feature. A blank line is no row, but where rows have one column it is one whose value is
    missing.
``application/json``
    ``[{"column": value, ...}, ...]``, ``{"instances": [...]}``, ``{"columns": {"column": [value, ...]}}``, or
    one bare object for one row. An instance may also be a list of values, in the order of a CSV row.
``application/x-parquet``
    A Parquet file.

A value of the wrong kind and a feature that is not there at all are errors that name row and column. Columns
that are no features are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from csv_rows import (
    UNREADABLE,
    BadRequest,
    as_float32,
    csv_matrix,
    layout,
    number_of,
    places_of,
    raise_for_row,
    twice,
)
from feature_encoding import Feature, Schema, encode

CSV, JSON, PARQUET = "text/csv", "application/json", "application/x-parquet"


@dataclass(frozen=True)
class Payload:
    """A request's body, parsed as far as it can be without the schema: text, JSON document or table."""

    content_type: str
    content: Any


def parse(body: str | bytes, content_type: str) -> Payload:
    """A request's body; see the module's text for the forms.

    Raises:
        BadRequest: the content type is none of the three, or the body is not what it says.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == PARQUET:
        data = body.encode() if isinstance(body, str) else bytes(body)
        try:
            # Times of Spark and Hive in the unit that preprocessing reads them in: Arrow's ns end in 2262.
            # Not ``read_table``: it is made for folders, takes a millisecond more, and imports them.
            with pq.ParquetFile(pa.BufferReader(data), coerce_int96_timestamp_unit="us") as file:
                return Payload(kind, file.read())
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last of a column's name
            raise BadRequest(f"the body is no Parquet file: {_first_line(error)}") from error
    if kind not in (CSV, JSON):
        raise BadRequest(f"content type {content_type!r} is not served; send {CSV}, {JSON} or {PARQUET}")
    try:
        text = body if isinstance(body, str) else bytes(body).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: byte {error.start}") from error
    text = text.removeprefix("\ufeff")
    if kind == CSV:
        return Payload(kind, text)
    try:
        return Payload(kind, json.loads(text, object_pairs_hook=_named_once))
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"the body is no JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except (
        ValueError,
        RecursionError,
    ) as error:  # numbers of thousands of digits, as many brackets, a name twice
        raise BadRequest(f"the JSON cannot be read: {_first_line(error)}") from error


def to_matrix(data: Payload, schema: Schema) -> np.ndarray:
    """The rows of a request as the model's matrix; see ``feature_encoding.encode``.

    Raises:
        BadRequest: the rows do not fit the schema, or there are none.
    """
    try:
        matrix = _matrix(data, schema)
    except UNREADABLE as error:
        raise BadRequest(str(error)) from error
    if not len(matrix):
        raise BadRequest("the request holds no rows")
    return matrix


def _matrix(data: Payload, schema: Schema) -> np.ndarray:
    if data.content_type == CSV:
        return csv_matrix(data.content, schema)
    if data.content_type == JSON:
        return _json_matrix(data.content, schema)
    columns = dict(zip(data.content.column_names, data.content.columns, strict=True))
    if len(columns) < data.content.num_columns:
        raise ValueError(twice(data.content.column_names))
    return encode(columns, schema.features)


# JSON


def _json_matrix(document: Any, schema: Schema) -> np.ndarray:
    if isinstance(document, dict) and isinstance(document.get("columns"), dict):
        return _columns_matrix(document["columns"], schema)
    instances = document
    if isinstance(document, dict):
        instances = document.get("instances", [document])
    if not isinstance(instances, list):
        raise ValueError(
            'the JSON is neither a list of objects, nor {"instances": [...]}, nor {"columns": {...}}'
        )
    numbers = np.empty((len(instances), len(schema.features)))
    for number, instance in enumerate(instances):
        if isinstance(instance, dict):
            row, names = list(instance.values()), tuple(instance)
        elif isinstance(instance, list):
            row, names = instance, layout(number + 1, len(instance), schema)
        else:
            raise ValueError(f"row {number + 1}: neither an object nor a list of values")
        try:
            places = places_of(names, schema)
        except ValueError as error:
            raise ValueError(f"row {number + 1}: {error}") from None
        numbers[number] = _from_values(number + 1, row, places)
    return as_float32(numbers)


def _columns_matrix(columns: Mapping[str, Any], schema: Schema) -> np.ndarray:
    names = tuple(columns)
    places_of(names, schema)
    lengths = {len(columns[name]) if isinstance(columns[name], list) else -1 for name in schema.names}
    if len(lengths) > 1 or -1 in lengths:
        raise ValueError('every entry of "columns" must be a list, all of one length')
    rows = list(zip(*(columns[name] for name in schema.names), strict=True))
    places = list(enumerate(schema.features))
    numbers = np.empty((len(rows), len(schema.features)))
    for number, row in enumerate(rows):
        numbers[number] = _from_values(number + 1, row, places)
    return as_float32(numbers)


def _from_values(number: int, row: Sequence[Any], places: Sequence[tuple[int, Feature]]) -> list[float]:
    try:
        return [number_of(row[place], feature) for place, feature in places]
    except ValueError:
        raise_for_row(number, row, places)
        raise


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; without this, of two values of one name the last one would count."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(twice([name for name, _ in pairs]))
    return found


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]
