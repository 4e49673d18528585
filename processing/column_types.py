"""What a column holds, inferred from all of its values: whole number, number, boolean, timestamp or text.

Every column starts with all types; each batch of values removes those that do not fit. The first one left,
in the order of :data:`TYPES`, is the column's type, so the result does not depend on the order of rows or
files. ``reading`` uses the first block of every file; where a later value contradicts it, all values. In a
CSV a value is a whole number, number, boolean or timestamp exactly if Arrow's CSV reader takes it for one
(``+1`` is a number but no whole one; ``20240101`` is a whole number, not a date).
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from dataset_settings import InputError
from dates import timestamps
from notation import PLAIN, Notation, numbers

TRUE, FALSE = ("true", "True", "TRUE", "1"), ("false", "False", "FALSE", "0")

TYPES: dict[str, pa.DataType] = {
    "whole number": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "timestamp with zone": pa.timestamp("us", "UTC"),
    "text": pa.dictionary(pa.int32(), pa.string()),
}
KIND_OF = {
    "whole number": "number",
    "number": "number",
    "boolean": "boolean",
    "timestamp": "timestamp",
    "timestamp with zone": "timestamp",
    "text": "category",
}
ANY = frozenset(TYPES)
UNSUPPORTED = "unsupported"

_WORDS = pa.array([*TRUE, *FALSE])
LOOKED_AT_FIRST = 16  # values


def fitting_texts(texts: pa.Array, notation: Notation = PLAIN) -> frozenset[str]:
    """The types that all of these texts fit in this notation; nulls fit every type."""
    values = texts.drop_null()
    if not len(values):
        return ANY
    booleans = {"boolean"} if pc.all(pc.is_in(values, value_set=_WORDS)).as_py() else set()
    if notation.date_format is not None and not timestamps(values, notation.date_format).null_count:
        return frozenset({"timestamp", "text"})
    written = _plain_numbers(values, notation)
    if written is not None and _casts(written, pa.int64()):
        return frozenset({"whole number", "number", "text", *booleans})
    if written is not None and _casts(written, pa.float64()):
        return frozenset({"number", "text"})
    zoned = {name for name in ("timestamp", "timestamp with zone") if _casts(values, TYPES[name])}
    return frozenset({"text", *booleans, *zoned})


def arrow_reads_numbers(notation: Notation) -> bool:
    """Whether a number in this notation, and without a unit, is one that Arrow reads."""
    return notation.decimal == "." and not notation.thousands


def _plain_numbers(values: pa.Array, notation: Notation) -> pa.Array | None:
    """The texts as Arrow reads numbers; None where one of them is none in this notation."""
    if arrow_reads_numbers(notation):
        trimmed = pc.utf8_trim(values, characters=" \t")  # as Arrow's reader does for numbers, and only there
        if not notation.amounts or _casts(trimmed, pa.float64()):
            return trimmed
    plain = numbers(values, notation).plain
    return None if plain.null_count else plain


def fitting_type(kind: pa.DataType) -> frozenset[str]:
    """The types that a column of this Arrow type, from a Parquet file, can be read as."""
    if pa.types.is_null(kind):
        return ANY
    if pa.types.is_boolean(kind):
        return frozenset({"boolean", "text"})
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return frozenset({"whole number", "number", "text"})
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or kind == pa.uint64():
        return frozenset({"number", "text"})
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return frozenset({"timestamp", "timestamp with zone", "text"})
    if pa.types.is_dictionary(kind):
        return fitting_type(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return frozenset({"text"})
    return frozenset()


def choose(fitting: Mapping[str, frozenset[str]], kinds: Mapping[str, str]) -> dict[str, str]:
    """The type of each column: the first that fits, and that is of the kind in ``kinds`` if it is there.

    Raises:
        InputError: no type of that kind fits.
    """
    chosen: dict[str, str] = {}
    for name, types in fitting.items():
        if not types:
            chosen[name] = UNSUPPORTED
            continue
        allowed = [type_ for type_ in TYPES if type_ in types and kinds.get(name) in (None, KIND_OF[type_])]
        if not allowed:
            raise InputError(
                f"kinds says that column {name!r} is a {kinds[name]}, but not all of its values are",
                remedy="Correct the values, add their mark to also_missing, or take the kind out",
            )
        chosen[name] = allowed[0]
    return chosen


def _casts(values: pa.Array, kind: pa.DataType) -> bool:
    # A few first: Arrow goes on after a value that does not fit, and writes an error for each of the others.
    for some in (values[:LOOKED_AT_FIRST], values):
        try:
            some.cast(kind)
        except pa.ArrowInvalid:
            return False
    return True
