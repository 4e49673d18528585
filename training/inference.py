"""From a raw row to a class and its probability, or to a number: what serves the model, inside its artifact.

The endpoint's XGBoost container calls, for every request, :func:`input_fn` (what was sent),
:func:`predict_fn` (with what :func:`model_fn` loaded once) and :func:`output_fn` (what goes back). Training
and evaluation use the same :func:`encode`, so a model is trained, evaluated and served on the same numbers.
Nothing is fitted here: ``schema.json``, written beside the booster, says which columns there are, their
kinds, and the categories seen in training. It is one file that imports no other, so that its path is enough
to load it: the container puts its folder on ``sys.path``, but evaluation does not.

A request holds rows as they came from the source, in one of three forms:

``text/csv``
    The schema's delimiter; with or without a header line, which names source columns only, or every feature
    and whatever else. Without one the width tells what was sent: the features alone, all source columns, or
    all source columns but the target, each in source order.
``application/json``
    ``[{"column": value, ...}, ...]``, ``{"instances": [...]}``, ``{"columns": {"column": [value, ...]}}``, or
    one bare object for one row. An instance may also be a list of values, in the order of a CSV row.
``application/x-parquet``
    A Parquet file.

How a value becomes a number: a number is itself; a category is its place in the schema's list; a boolean is
0 or 1; a timestamp is seconds since 1970 UTC (one without a zone is UTC). A number sent for a category is the
one that it spells: 1 is "1", or else the only other spelling, such as "1.0" or "001". An absent value (null,
an empty field, one of the schema's ``missing_values``), a category never seen in training, and a number that
float32 cannot hold are missing (NaN), which XGBoost handles itself. A value of the wrong kind and a feature
that is not there at all are errors that name row and column. Columns that are no features are ignored.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import xgboost as xgb

CSV, JSON, PARQUET = "text/csv", "application/json", "application/x-parquet"
TRUE, FALSE = ("true", "True", "TRUE", "1"), ("false", "False", "FALSE", "0")

_ARROW_FROM_ROWS = 48  # for fewer, splitting by hand is faster than starting Arrow's reader (about 1 ms)
_ONE_THREAD_WORK = 1_000_000  # rows times trees, about 4 ms: for less, a second core saves nothing
_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan(?:\(\w*\))?)", re.IGNORECASE
).fullmatch
_HEXADECIMAL = re.compile(r"-?0[xX][0-9a-fA-F]+").fullmatch
_NAN = math.nan
_BOOLEANS = {**dict.fromkeys(TRUE, 1.0), **dict.fromkeys(FALSE, 0.0)}


# What the container calls


@dataclass(frozen=True)
class Model:
    """What :func:`model_fn` loads: the booster and the schema it was trained with.

    ``one_thread_booster`` is the same booster on one thread, for up to ``one_thread_rows`` rows: on busy
    cores several threads wait for each other far longer than the trees take.
    """

    booster: xgb.Booster
    schema: Schema
    one_thread_booster: xgb.Booster
    one_thread_rows: int


@dataclass(frozen=True)
class Payload:
    """A request's body, parsed as far as it can be without the schema: text, JSON document or table."""

    content_type: str
    content: Any


@dataclass(frozen=True)
class Prediction:
    """Of a classification, one row each: ``chosen`` (int, an index into ``classes``), ``probabilities``
    (float64, rows x classes)."""

    classes: tuple[str, ...]
    chosen: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class NumberPrediction:
    """Of a regression: ``values``, one number a row (float64)."""

    values: np.ndarray


def model_fn(model_dir: str) -> Model:
    """Load ``model.ubj`` and ``schema.json`` from the unpacked artifact.

    Raises:
        ValueError: one of the two is not there.
    """
    folder = Path(model_dir)
    for name in ("model.ubj", "schema.json"):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: no {name}; this is not an artifact of this pipeline")
    booster = xgb.Booster(model_file=folder / "model.ubj")
    one_thread_booster = xgb.Booster({"nthread": 1}, model_file=folder / "model.ubj")
    schema = read_schema(folder / "schema.json")
    trees = booster.num_boosted_rounds() * (len(schema.classes) if schema.task == "multiclass" else 1)
    return Model(booster, schema, one_thread_booster, _ONE_THREAD_WORK // max(trees, 1))


def input_fn(body: str | bytes, content_type: str) -> Payload:
    """Parse a request's body; see the module's text for the forms.

    Raises:
        ValueError: the content type is none of the three, or the body is not what it says.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == PARQUET:
        data = body.encode() if isinstance(body, str) else bytes(body)
        try:
            return Payload(kind, pq.read_table(pa.BufferReader(data)))
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"the body is no Parquet file: {_first_line(error)}") from error
    if kind not in (CSV, JSON):
        raise ValueError(f"content type {content_type!r} is not served; send {CSV}, {JSON} or {PARQUET}")
    try:
        text = body if isinstance(body, str) else bytes(body).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"the body is not UTF-8: byte {error.start}") from error
    text = text.removeprefix("\ufeff")
    if kind == CSV:
        return Payload(kind, text)
    try:
        return Payload(kind, json.loads(text))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"the body is no JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error


def predict_fn(data: Payload, model: Model) -> Prediction | NumberPrediction:
    """Score every row of a request.

    Raises:
        ValueError: the rows do not fit the schema; the message names row (from 1) and column.
    """
    matrix = to_matrix(data, model.schema)
    booster = model.one_thread_booster if len(matrix) <= model.one_thread_rows else model.booster
    scores = np.asarray(booster.inplace_predict(matrix, validate_features=False), dtype=np.float64)
    if model.schema.task == "regression":
        return NumberPrediction(scores.reshape(-1))
    if model.schema.task == "binary":
        scores = scores.reshape(-1)
        chosen = (scores > 0.5).astype(np.int64)
        probabilities = np.column_stack((1.0 - scores, scores))
    else:
        probabilities = scores.reshape(len(matrix), len(model.schema.classes))
        chosen = probabilities.argmax(axis=1)
    return Prediction(model.schema.classes, chosen, probabilities)


def output_fn(prediction: Prediction | NumberPrediction, accept: str) -> tuple[str, str]:
    """Write the answer: ``(body, content type)``.

    ``text/csv``: a line ``class,probability`` a row, the probability being that class's; of a regression a
    line with the number. JSON (also for ``*/*`` and for no ``accept`` at all):
    ``{"predictions": [{"class", "probability", "probabilities": {class: p}}]}``, of a regression
    ``{"predictions": [{"value"}]}``.

    Raises:
        ValueError: neither is accepted.
    """
    accepted = [entry.partition(";")[0].strip().lower() for entry in (accept or JSON).split(",")]
    for content_type in accepted:
        if content_type in (CSV, "text/*"):
            return "".join(f"{line}\n" for line in _csv_answers(prediction)), CSV
        if content_type in (JSON, "application/*", "*/*", ""):
            return json.dumps({"predictions": _json_answers(prediction)}), JSON
    raise ValueError(f"cannot answer as {accept!r}; accept {JSON} or {CSV}")


def _csv_answers(prediction: Prediction | NumberPrediction) -> list[str]:
    if isinstance(prediction, NumberPrediction):
        return [repr(value) for value in prediction.values.tolist()]
    names = [_csv_field(name) for name in prediction.classes]
    return [
        f"{names[c]},{p!r}" for c, p in zip(prediction.chosen.tolist(), _of_chosen(prediction), strict=True)
    ]


def _json_answers(prediction: Prediction | NumberPrediction) -> list[dict[str, Any]]:
    if isinstance(prediction, NumberPrediction):
        return [{"value": value} for value in prediction.values.tolist()]
    names, chosen = prediction.classes, prediction.chosen.tolist()
    return [
        {"class": names[c], "probability": p, "probabilities": dict(zip(names, row, strict=True))}
        for c, p, row in zip(chosen, _of_chosen(prediction), prediction.probabilities.tolist(), strict=True)
    ]


def _of_chosen(prediction: Prediction) -> list[float]:
    """The probability of each row's class."""
    rows = np.arange(len(prediction.chosen))
    probabilities: list[float] = prediction.probabilities[rows, prediction.chosen].tolist()
    return probabilities


def _csv_field(text: str) -> str:
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


# The schema, and what it makes of one field of text


@dataclass(frozen=True)
class Feature:
    """One input column.

    ``codes`` maps each category to its place in ``categories``, ``number_codes`` the number that a category
    is the only one to spell ("1.0", "007"); both are empty for other kinds.
    """

    name: str
    kind: str  # number, category, boolean or timestamp
    categories: tuple[str, ...]
    codes: Mapping[str, float]
    number_codes: Mapping[float, float]
    from_text: Callable[[str], float]  # one CSV field to its number; ValueError if it is none


@dataclass(frozen=True)
class Schema:
    """``schema.json``, ready to use. ``layouts`` maps a CSV row's width to the features' positions in it."""

    task: str
    target: str
    classes: tuple[str, ...]
    source_columns: tuple[str, ...]
    delimiter: str
    missing_values: frozenset[str]
    features: tuple[Feature, ...]
    layouts: Mapping[int, tuple[str, ...]]

    @property
    def names(self) -> list[str]:
        """The features' names, in the matrix's order."""
        return [feature.name for feature in self.features]

    @property
    def types(self) -> list[str]:
        """XGBoost's feature types, in the matrix's order: ``c`` for a category, ``q`` for a quantity."""
        return ["c" if feature.kind == "category" else "q" for feature in self.features]


def read_schema(path: Path) -> Schema:
    """Read ``schema.json`` and prepare what turns a row into numbers fast."""
    document = json.loads(path.read_text(encoding="utf-8"))
    missing = frozenset(document["missing_values"])
    features = tuple(_feature(entry, missing) for entry in document["features"])
    source = tuple(document["source_columns"])
    target = document["target"]
    without_target = tuple(name for name in source if name != target)
    alone = tuple(feature.name for feature in features)
    return Schema(
        task=document["task"],
        target=target,
        classes=tuple(document["classes"]),
        source_columns=source,
        delimiter=document["delimiter"],
        missing_values=missing,
        features=features,
        layouts={len(layout): layout for layout in (source, without_target, alone)},
    )


def _feature(entry: Mapping[str, Any], missing: frozenset[str]) -> Feature:
    categories = tuple(entry.get("categories", ()))
    codes = {value: float(place) for place, value in enumerate(categories)}
    numbers = {text: float(text) for text in categories if _NUMBER(text) and text[-1] != ")"}
    often = Counter(numbers.values())
    number_codes = {number: codes[text] for text, number in numbers.items() if often[number] == 1}
    read = _text_reader(entry["kind"], codes, missing)
    return Feature(entry["name"], entry["kind"], categories, codes, number_codes, read)


def _text_reader(kind: str, codes: Mapping[str, float], missing: frozenset[str]) -> Callable[[str], float]:
    def number(text: str) -> float:
        if text in missing:
            return _NAN
        text = text.strip(" \t")
        if _NUMBER(text):
            return _NAN if text[-1] == ")" else float(text)
        if _HEXADECIMAL(text):  # Arrow reads these as integers, so preprocessing does
            return float(int(text, 16))
        raise ValueError(f"{text!r} is not a number")

    def category(text: str) -> float:
        return _NAN if text in missing else codes.get(text, _NAN)

    def boolean(text: str) -> float:
        if text in missing:
            return _NAN
        try:
            return _BOOLEANS[text]
        except KeyError:
            raise ValueError(f"{text!r} is not a boolean (true, false, 0 or 1)") from None

    def timestamp(text: str) -> float:
        if text in missing:
            return _NAN
        for zone in (None, "UTC"):
            try:
                return float(_seconds(pa.array([text]).cast(pa.timestamp("us", zone)))[0])
            except pa.ArrowInvalid:
                continue
        raise ValueError(f"{text!r} is not a timestamp (2026-01-31, or 2026-01-31T12:00:00Z)")

    return {"number": number, "category": category, "boolean": boolean, "timestamp": timestamp}[kind]


# Typed columns to the matrix


def encode(columns: Mapping[str, pa.Array], features: Sequence[Feature]) -> np.ndarray:
    """Typed columns to the model's matrix: float32, rows x features, NaN where a value is missing.

    Takes any Arrow type that can stand for the feature's kind: a number as integer, floating, decimal or
    text; a category as text, number or boolean; a boolean as boolean, 0 and 1, or text; a timestamp as
    date, timestamp or text.

    Raises:
        ValueError: a feature is not among the columns, or a value is not of its kind.
    """
    rows = len(next(iter(columns.values()))) if columns else 0
    matrix = np.empty((rows, len(features)), dtype=np.float32)
    with np.errstate(over="ignore"):
        for place, feature in enumerate(features):
            if feature.name not in columns:
                raise ValueError(_lacks(feature.name))
            matrix[:, place] = _numbers(columns[feature.name], feature)
    return _without_infinity(matrix)


def _numbers(column: pa.Array | pa.ChunkedArray, feature: Feature) -> np.ndarray:
    array = column
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # combined, it keeps more than one where 2 GiB of text are passed
        return np.concatenate([_numbers(chunk, feature) for chunk in array.chunks])
    kind = array.type
    if pa.types.is_null(kind):
        return np.full(len(array), _NAN)
    if feature.kind == "category":
        return _codes(array, feature)
    if pa.types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _from_texts(array, feature)
    if feature.kind == "timestamp" and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return _seconds(array)
    if feature.kind != "timestamp" and _is_number(kind):
        if pa.types.is_boolean(kind):
            array = array.cast(pa.int8())
        if not pa.types.is_float64(kind):
            array = array.cast(pa.float64(), safe=False)
        numbers = array.to_numpy(zero_copy_only=False)
        if feature.kind == "boolean" and not np.isin(numbers[~np.isnan(numbers)], (0.0, 1.0)).all():
            raise ValueError(f"column {feature.name!r}: a boolean is true, false, 0 or 1")
        return numbers
    raise ValueError(f"column {feature.name!r}: {kind} cannot stand for a {feature.kind}")


def _is_number(kind: pa.DataType) -> bool:
    return (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
    )


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)


def _codes(array: pa.Array, feature: Feature) -> np.ndarray:
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_nested(kind) or _is_bytes(kind):
        raise ValueError(f"column {feature.name!r}: {kind} cannot stand for a category")
    if pa.types.is_float16(kind):  # Arrow cannot find the distinct ones of these
        array = array.cast(pa.float32())
    distinct = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    values = distinct.dictionary
    if _is_number(values.type):
        found = pa.array([_code_of_number(value, feature) for value in values.to_pylist()], pa.float64())
    else:
        found = pc.index_in(values.cast(pa.string()), pa.array(feature.categories, pa.string()))
    return found.take(distinct.indices).cast(pa.float64()).to_numpy(zero_copy_only=False)


def _code_of_number(value: bool | int | float | Decimal | None, feature: Feature) -> float:
    """The code of a category that is sent as a number or boolean: as Arrow writes it (1.0 is "1", True is
    "true"), else that of the one category that spells this number."""
    if value is None:
        return _NAN
    # Arrow knows no integer beyond 64 bits.
    text = str(value) if type(value) is int else pa.scalar(value).cast(pa.string()).as_py()
    code = feature.codes.get(text)
    if code is None and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # no category spells a number that no double holds
            code = feature.number_codes.get(float(value))
    return _NAN if code is None else code


def _from_texts(array: pa.Array, feature: Feature) -> np.ndarray:
    distinct = array.dictionary_encode()
    texts = distinct.dictionary.to_pylist()
    numbers = np.full(len(texts) + 1, _NAN)
    for place, text in enumerate(texts):
        try:
            numbers[place] = feature.from_text(text)
        except ValueError as error:
            row = pc.index(distinct.indices, pa.scalar(place, distinct.indices.type)).as_py() + 1
            raise ValueError(f"row {row}, column {feature.name!r}: {error}") from error
    return numbers[distinct.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)]


def _seconds(array: pa.Array) -> np.ndarray:
    if pa.types.is_timestamp(array.type) and array.type.tz is not None:
        array = array.cast(pa.timestamp(array.type.unit, "UTC"))
    microseconds = array.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    return microseconds.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) / 1e6


def _without_infinity(numbers: np.ndarray) -> np.ndarray:
    infinite = np.isinf(numbers)
    if infinite.any():  # XGBoost refuses infinity
        numbers[infinite] = _NAN
    return numbers


# A request's rows to the matrix


def to_matrix(data: Payload, schema: Schema) -> np.ndarray:
    """The rows of a request as the model's matrix; see :func:`encode`.

    Raises:
        ValueError: the rows do not fit the schema, or there are none.
    """
    if data.content_type == CSV:
        matrix = _csv_matrix(data.content, schema)
    elif data.content_type == JSON:
        matrix = _json_matrix(data.content, schema)
    else:
        columns = dict(zip(data.content.column_names, data.content.columns, strict=True))
        if len(columns) < data.content.num_columns:
            raise ValueError(_twice(data.content.column_names))
        matrix = encode(columns, schema.features)
    if not len(matrix):
        raise ValueError("the request holds no rows")
    return matrix


# CSV


def _csv_matrix(text: str, schema: Schema) -> np.ndarray:
    text = text.lstrip("\r\n")
    first = _first_row(text, schema.delimiter)
    if not first:
        return np.empty((0, len(schema.features)), dtype=np.float32)
    header = _is_header(first, schema)
    names = tuple(first) if header else schema.layouts.get(len(first))
    if names is None:
        raise ValueError(_width(1, len(first), schema))
    if text.count("\n") > _ARROW_FROM_ROWS:
        try:
            return _csv_matrix_by_arrow(text, names, header, schema)
        except pa.ArrowInvalid:
            pass  # reading by hand finds the row and the column
    rows = _fields(text, schema.delimiter)
    return _rows_matrix(rows[1:] if header else rows, names, schema)


def _is_header(row: Sequence[str], schema: Schema) -> bool:
    """Does the row name source columns only, or every feature, whatever else it names?"""
    if row[0] in schema.source_columns and set(row) <= set(schema.source_columns):
        return True
    return schema.features[0].name in row and set(schema.names) <= set(row)


def _first_row(text: str, delimiter: str) -> list[str]:
    end = text.find("\n")
    line = text if end < 0 else text[:end]
    if '"' in line:  # it may go on over several lines
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    return next(iter(_fields(line, delimiter)), [])


def _fields(text: str, delimiter: str) -> list[list[str]]:
    if '"' in text:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return [line.split(delimiter) for line in text.split("\n") if line]


def _rows_matrix(rows: Sequence[Sequence[str]], names: Sequence[str], schema: Schema) -> np.ndarray:
    places = _places(names, schema)
    readers = [(place, feature.from_text) for place, feature in places]
    numbers = np.empty((len(rows), len(readers)))
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise ValueError(_width(number + 1, len(row), schema))
        try:
            numbers[number] = [read(row[place]) for place, read in readers]
        except ValueError:
            _raise_for_row(number + 1, row, places)
            raise
    return _as_float32(numbers)


def _raise_for_row(number: int, row: Sequence[Any], places: Sequence[tuple[int, Feature]]) -> None:
    """Say of the first wrong value in which row (from 1) and column it is."""
    for place, feature in places:
        try:
            _from_value(row[place], feature)
        except ValueError as error:
            raise ValueError(f"row {number}, column {feature.name!r}: {error}") from None


def _csv_matrix_by_arrow(text: str, names: Sequence[str], header: bool, schema: Schema) -> np.ndarray:
    _places(names, schema)
    arrow = {
        "number": pa.float64(),
        "category": pa.dictionary(pa.int32(), pa.string()),
        "boolean": pa.bool_(),
        "timestamp": pa.string(),
    }
    table = pa_csv.read_csv(
        pa.BufferReader(text.encode()),
        pa_csv.ReadOptions(column_names=list(names), skip_rows_after_names=int(header), use_threads=False),
        pa_csv.ParseOptions(delimiter=schema.delimiter, newlines_in_values=True),
        pa_csv.ConvertOptions(
            column_types={feature.name: arrow[feature.kind] for feature in schema.features},
            include_columns=schema.names,
            null_values=sorted(schema.missing_values),
            true_values=list(TRUE),
            false_values=list(FALSE),
            strings_can_be_null=True,
        ),
    )
    return encode({name: table[name] for name in schema.names}, schema.features)


def _places(names: Sequence[str], schema: Schema) -> list[tuple[int, Feature]]:
    places = {name: place for place, name in enumerate(names)}
    if len(places) < len(names):
        raise ValueError(_twice(names))
    for feature in schema.features:
        if feature.name not in places:
            raise ValueError(_lacks(feature.name))
    return [(places[feature.name], feature) for feature in schema.features]


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
            row, names = instance, schema.layouts.get(len(instance), ())
            if not names:
                raise ValueError(_width(number + 1, len(instance), schema))
        else:
            raise ValueError(f"row {number + 1}: neither an object nor a list of values")
        try:
            places = _places(names, schema)
        except ValueError as error:
            raise ValueError(f"row {number + 1}: {error}") from None
        numbers[number] = _from_values(number + 1, row, places)
    return _as_float32(numbers)


def _columns_matrix(columns: Mapping[str, Any], schema: Schema) -> np.ndarray:
    names = tuple(columns)
    _places(names, schema)
    lengths = {len(columns[name]) if isinstance(columns[name], list) else -1 for name in schema.names}
    if len(lengths) > 1 or -1 in lengths:
        raise ValueError('every entry of "columns" must be a list, all of one length')
    rows = list(zip(*(columns[name] for name in schema.names), strict=True))
    places = list(enumerate(schema.features))
    numbers = np.empty((len(rows), len(schema.features)))
    for number, row in enumerate(rows):
        numbers[number] = _from_values(number + 1, row, places)
    return _as_float32(numbers)


def _from_values(number: int, row: Sequence[Any], places: Sequence[tuple[int, Feature]]) -> list[float]:
    try:
        return [_from_value(row[place], feature) for place, feature in places]
    except ValueError:
        _raise_for_row(number, row, places)
        raise


def _from_value(value: Any, feature: Feature) -> float:
    if isinstance(value, str):
        return feature.from_text(value)
    if value is None or value != value:
        return _NAN
    if isinstance(value, (bool, int, float)):
        if feature.kind == "number":
            try:
                return float(value)
            except OverflowError:
                return _NAN
        if feature.kind == "category":
            return _code_of_number(value, feature)
        if feature.kind == "boolean" and value in (0, 1):
            return float(value)
    raise ValueError(f"{json.dumps(value)} is not a {feature.kind}")


def _as_float32(numbers: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return _without_infinity(numbers.astype(np.float32))


# Messages


def _lacks(name: str) -> str:
    return (
        f"column {name!r} is not there; send every feature, with an empty or null value where there is none"
    )


def _twice(names: Sequence[str]) -> str:
    name = next(name for name in names if names.count(name) > 1)
    return f"column {name!r} is there more than once; send it once"


def _width(row: int, found: int, schema: Schema) -> str:
    return (
        f"row {row}: {found} values; expected {len(schema.features)} (the features) or "
        f"{len(schema.source_columns)} (all source columns), separated by {schema.delimiter!r}"
    )


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]
