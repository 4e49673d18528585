"""What turns a column into the model's numbers: in training, in evaluation and in a request, the same.

Nothing is fitted here: ``schema.json``, written beside the booster, says which columns there are, their
kinds, and the categories seen in training.

A number is itself, and a timestamp (one without a zone is UTC) seconds since 1970, unless the schema counts
them from elsewhere (``scale``); a category is its place in the schema's list; a boolean is 0 or 1. A number
sent for a category is the one that it spells: 1 is "1", or else the only other spelling, such as "1.0" or
"001". An absent value (null, an empty field, one of the schema's ``missing_values``), a category never seen
in training, and a number that float32 cannot hold are missing (NaN), which XGBoost handles itself.
"""

from __future__ import annotations

import contextlib
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
from dates import microseconds
from notation import PLAIN, Notation, stripped, stripped_text
from notation import number as number_of
from scale import PLAIN as PLAIN_SCALE
from scale import Scale, scale_of

TRUE, FALSE = ("true", "True", "TRUE", "1"), ("false", "False", "FALSE", "0")

_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan(?:\(\w*\))?)", re.IGNORECASE
).fullmatch
_WHOLE = re.compile(r"[+-]?[0-9]{1,400}").fullmatch
_HEXADECIMAL = re.compile(r"-?0[xX][0-9a-fA-F]+").fullmatch
_NAN = math.nan
_FLOAT64, _STRING = pa.float64(), pa.string()
_FEW_ROWS = 5000  # up to which it is the number of steps that takes the time, and all columns fit the cache
_BOOLEANS = {**dict.fromkeys(TRUE, 1.0), **dict.fromkeys(FALSE, 0.0)}


Unseen = Callable[[str], float]


def _missing(text: str) -> float:  # noqa: ARG001
    return _NAN


@dataclass(frozen=True)
class Feature:
    """One input column.

    ``codes`` maps each category to its place in ``categories``, ``number_codes`` the number that a category
    is the only one to spell ("1.0", "007"); both are empty for other kinds. ``known`` are the categories as
    Arrow looks them up.
    """

    name: str
    kind: str  # number, category, boolean or timestamp
    categories: tuple[str, ...]
    known: pa.StringArray
    codes: Mapping[str, float]
    number_codes: Mapping[float, float]
    from_text: Callable[[str], float]  # one CSV field to its number; ValueError if it is none
    scale: Scale
    missing_numbers: frozenset[float] = frozenset()  # of a number or a time: missing values, NaN aside
    strip: bool = False  # whether spaces around a text are no part of it
    in_notation: bool = False  # whether texts of it must be read by `from_text`
    unseen: Unseen = _missing  # the code of a category that training has not seen


@dataclass(frozen=True)
class Schema:
    """``schema.json``, ready to use. ``layouts`` maps the width of a row without names to its columns."""

    task: str
    target: str
    classes: tuple[str, ...]
    source_columns: tuple[str, ...]
    delimiter: str
    missing_values: frozenset[str]
    features: tuple[Feature, ...]
    layouts: Mapping[int, tuple[str, ...]]
    quote: str = '"'
    strip: bool = False

    @property
    def names(self) -> list[str]:
        """The features' names, in the matrix's order."""
        return [feature.name for feature in self.features]

    @property
    def types(self) -> list[str]:
        """XGBoost's feature types, in the matrix's order: ``c`` for a category, ``q`` for a quantity."""
        return ["c" if feature.kind == "category" else "q" for feature in self.features]


def read_schema(path: Path, unseen: Callable[[str], Unseen] | None = None) -> Schema:
    """Read ``schema.json`` and prepare what turns a row into numbers fast.

    Args:
        unseen: for who counts categories that training has not seen: of a feature's name, what gives the code
            of such a text. Without it they are missing, as the model has them.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    missing = frozenset(document["missing_values"])
    strip = bool(document.get("strip"))
    features = tuple(
        _feature(entry, missing, strip, unseen(entry["name"]) if unseen else _missing)
        for entry in document["features"]
    )
    source = tuple(document["source_columns"])
    target = document["target"]
    alone = tuple(feature.name for feature in features)
    return Schema(
        task=document["task"],
        target=target,
        classes=tuple(document["classes"]),
        source_columns=source,
        delimiter=document["delimiter"],
        missing_values=missing,
        features=features,
        layouts={len(layout): layout for layout in (source, alone)},
        quote=document.get("quote", '"'),
        strip=strip,
    )


def _feature(entry: Mapping[str, Any], missing: frozenset[str], strip: bool, unseen: Unseen) -> Feature:
    categories = tuple(entry.get("categories", ()))
    codes = {value: float(place) for place, value in enumerate(categories)}
    numbers = {text: float(text) for text in categories if _NUMBER(text) and text[-1] != ")"}
    often = Counter(numbers.values())
    number_codes = {number: codes[text] for text, number in numbers.items() if often[number] == 1}
    kind, notation = entry["kind"], Notation(**{"strip": strip, **entry.get("notation", {})})
    missing = missing | frozenset(entry.get("also_missing", ()))
    missing_numbers: frozenset[float] = frozenset()
    if kind == "number":
        spelled = (float(text) for text in missing if _NUMBER(text) and text[-1] != ")")
        missing_numbers = frozenset(number for number in spelled if not math.isnan(number))
    elif kind == "timestamp":
        times = (_time(text, notation) for text in missing)
        missing_numbers = frozenset(time for time in times if time is not None)
    scale = scale_of(entry)
    by_whole_numbers = kind == "number" and scale.by_whole_numbers
    return Feature(
        entry["name"],
        kind,
        categories,
        pa.array(categories, pa.string()),
        codes,
        number_codes,
        _text_reader(kind, codes, missing, missing_numbers, notation, scale, unseen),
        scale,
        missing_numbers,
        strip,
        in_notation=notation != PLAIN or "also_missing" in entry or by_whole_numbers,
        unseen=unseen,
    )


def _text_reader(
    kind: str,
    codes: Mapping[str, float],
    missing: frozenset[str],
    missing_numbers: frozenset[float],
    notation: Notation,
    scale: Scale,
    unseen: Unseen,
) -> Callable[[str], float]:
    by_arrow = notation.decimal == "." and not notation.thousands

    def number(text: str) -> int | float:
        written = text.strip(" \t")
        if not by_arrow or (notation.amounts and not _NUMBER(written)):
            found = number_of(text, notation)
            if found is None:
                raise ValueError(f"{text!r} is not a number as the data writes them")
            written = found
        if scale.by_whole_numbers and _WHOLE(written):
            return int(written)
        if _NUMBER(written):
            return _NAN if written[-1] == ")" else float(written)
        if _HEXADECIMAL(written):  # Arrow reads these as integers, so preprocessing does
            return int(written, 16)
        raise ValueError(f"{written!r} is not a number")

    def category(text: str) -> float:
        code = codes.get(text)
        return unseen(text) if code is None else code

    def boolean(text: str) -> float:
        try:
            return _BOOLEANS[text]
        except KeyError:
            raise ValueError(f"{text!r} is not a boolean (true, false, 0 or 1)") from None

    def timestamp(text: str) -> int:
        found = _time(text, notation)
        if found is not None:
            return found
        written = "2026-01-31, or 2026-01-31T12:00:00Z"
        if notation.date_format is not None:
            written = notation.date_format
        raise ValueError(f"{text!r} is not a timestamp ({written})")

    place = scale.of if kind in ("number", "timestamp") else float
    read = {"number": number, "category": category, "boolean": boolean, "timestamp": timestamp}[kind]

    def present(text: str) -> float:
        if notation.strip:
            text = stripped_text(text)
        if text in missing:
            return _NAN
        value = read(text)
        return _NAN if value in missing_numbers else place(value)

    return present


def _time(text: str, notation: Notation) -> int | None:
    """Microseconds since 1970 UTC, by the feature's format or as Arrow reads it; None where it is no time."""
    if notation.date_format is not None:
        found = microseconds(text, notation.date_format)
        if found is not None:
            return found
    for zone in (None, "UTC"):
        with contextlib.suppress(pa.ArrowInvalid):
            return int(_microseconds(pa.array([text]).cast(pa.timestamp("us", zone)))[0].as_py())
    return None


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
    together: dict[int, pa.Array] = {}
    with np.errstate(over="ignore"):
        for place, feature in enumerate(features):
            if feature.name not in columns:
                raise ValueError(lacking(feature.name))
            array = _in_one(columns[feature.name])
            numbers = _own_numbers(array, feature) if rows <= _FEW_ROWS else None
            if numbers is None:
                matrix[:, place] = _numbers(array, feature)
            else:
                together[place] = numbers
        if together:
            batch = pa.record_batch(list(together.values()), list(map(str, together)))
            places = slice(None) if len(together) == len(features) else list(together)
            matrix[:, places] = batch.to_tensor(null_to_nan=True).to_numpy()
    return without_infinity(matrix)


def _in_one(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _own_numbers(array: pa.Array | pa.ChunkedArray, feature: Feature) -> pa.Array | None:
    """The column's numbers, null where one is missing, if they take one step at most; else None."""
    if feature.kind == "number" and array.type == _FLOAT64:
        return array if feature.scale == PLAIN_SCALE and not feature.missing_numbers else None
    if feature.kind == "category" and array.type == _STRING:
        return pc.index_in(array, feature.known) if not feature.strip and feature.unseen is _missing else None
    return None


def _numbers(array: pa.Array | pa.ChunkedArray, feature: Feature) -> np.ndarray:
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
        return _places(_microseconds(array), feature)
    if feature.kind != "timestamp" and _is_number(kind):
        if pa.types.is_boolean(kind):
            array = array.cast(pa.int8())
        if feature.kind == "number":
            return _places(array, feature)
        numbers = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        if feature.kind == "boolean" and not np.isin(numbers[~np.isnan(numbers)], (0.0, 1.0)).all():
            raise ValueError(f"column {feature.name!r}: a boolean is true, false, 0 or 1")
        return numbers
    raise ValueError(f"column {feature.name!r}: {kind} cannot stand for a {feature.kind}")


def _places(array: pa.Array, feature: Feature) -> np.ndarray:
    """Numbers, or microseconds since 1970, by the feature's scale; NaN where one means a missing value."""
    places = feature.scale.of_column(array)
    if not feature.missing_numbers:
        return places
    numbers = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.where(np.isin(numbers, list(feature.missing_numbers)), _NAN, places)


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
        found = pa.array([code_of_number(value, feature) for value in values.to_pylist()], pa.float64())
    else:
        texts = values.cast(pa.string())
        texts = stripped(texts) if feature.strip else texts
        found = pc.index_in(texts, feature.known).cast(pa.float64())
        if feature.unseen is not _missing:
            pairs = zip(texts.to_pylist(), found.to_pylist(), strict=True)
            codes = [
                feature.unseen(text) if code is None and text is not None else code for text, code in pairs
            ]
            found = pa.array(codes, pa.float64())
    return found.take(distinct.indices).to_numpy(zero_copy_only=False)


def code_of_number(value: bool | int | float | Decimal | None, feature: Feature) -> float:
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
    return feature.unseen(text) if code is None else code


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


def _microseconds(array: pa.Array) -> pa.Int64Array:
    if pa.types.is_timestamp(array.type) and array.type.tz is not None:
        array = array.cast(pa.timestamp(array.type.unit, "UTC"))
    return array.cast(pa.timestamp("us"), safe=False).cast(pa.int64())


def without_infinity(numbers: np.ndarray) -> np.ndarray:
    """The same numbers, changed in place: NaN where they are infinite."""
    infinite = np.isinf(numbers)
    if infinite.any():  # XGBoost refuses infinity
        numbers[infinite] = _NAN
    return numbers


def is_number(text: str) -> bool:
    """Whether a text is a number in plain notation, infinite ones and NaN included."""
    return _NUMBER(text) is not None


def lacking(name: str) -> str:
    """What is said where a feature is not there."""
    return (
        f"column {name!r} is not there; send every feature, with an empty or null value where there is none"
    )
