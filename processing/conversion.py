"""From a column as it was read to its final Arrow type, and what was noticed on the way.

Most columns Arrow reads in their type at once. The others come as texts: categories, a classification's
target, and whatever is written in a notation that Arrow does not read (``notation``). Their distinct texts
are converted, once a batch. What means a missing value is counted there, because a mark such as ``None``
may be a class, and the units of amounts are kept, because amounts in two currencies are no numbers.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from column_types import FALSE, TRUE, TYPES, arrow_reads_numbers
from dates import timestamps
from evidence import UNKNOWN
from notation import Notation, numbers, stripped
from state_file import State


@dataclass
class Noticed:
    """``marks[column][text]``: how often a text stood for a missing value, in columns that are read as
    texts; ``units[column]``: what stands beside the column's amounts."""

    marks: dict[str, Counter[str]] = field(default_factory=dict)
    units: dict[str, set[str]] = field(default_factory=dict)

    def state(self) -> State:
        """What ``absorb`` takes."""
        return {"marks": self.marks, "units": {name: sorted(units) for name, units in self.units.items()}}

    def absorb(self, state: State) -> None:
        """Add what was noticed of other rows."""
        for name, marks in state["marks"].items():
            self.marks.setdefault(name, Counter()).update(marks)
        for name, units in state["units"].items():
            self.units.setdefault(name, set()).update(units)


@dataclass(frozen=True)
class ColumnReading:
    """How one column becomes its type.

    Attributes:
        type: one of ``column_types.TYPES``.
        notation: how its texts are written.
        missing: the texts that mean a missing value.
        missing_values: the numbers or the times among them, in a column of such; any spelling is missing.
        renamed: texts that stand for other ones, before anything else (``class_names``).
    """

    name: str
    type: str
    notation: Notation
    missing: pa.StringArray
    missing_values: pa.Array
    renamed: Mapping[str, str]


class Unfitting(Exception):
    """A value is not of its column's type; the text says which value."""


def convert(array: pa.Array, reading: ColumnReading, noticed: Noticed) -> pa.Array:
    """A column as read, in its final Arrow type: timestamps without zone (UTC), text as a dictionary.

    NaN stays; ``splitting`` and ``quality`` count it as missing.

    Raises:
        Unfitting: a text is not of the column's type.
    """
    if array.null_count == len(array):
        without_zone = reading.type.removesuffix(" with zone")
        return pa.nulls(len(array), TYPES[without_zone])
    if reading.type == "text":
        return _category(_encoded(array), reading, noticed)
    if is_text(array.type) or reading.notation.date_format is not None:
        return _from_texts(_encoded(array), reading, noticed)
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary_decode()
    if reading.type.startswith("timestamp"):
        return _without_missing_values(_timestamps(array), reading)
    wanted = TYPES[reading.type]
    typed = array if array.type == wanted else array.cast(wanted, safe=False)
    return _without_missing_values(typed, reading)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds texts, however they are stored."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _encoded(array: pa.Array) -> pa.DictionaryArray:
    """The texts as a dictionary of strings with indices of 32 bits."""
    if not pa.types.is_dictionary(array.type):
        array = array.cast(pa.string()).dictionary_encode()
    if array.dictionary.type != pa.string() or array.indices.type != pa.int32():
        array = pa.DictionaryArray.from_arrays(
            array.indices.cast(pa.int32()), array.dictionary.cast(pa.string())
        )
    if len(array.dictionary) > 2 * len(array):  # a Parquet batch brings its row group's whole dictionary
        array = array.cast(pa.string()).dictionary_encode()
    return array


def _category(array: pa.DictionaryArray, reading: ColumnReading, noticed: Noticed) -> pa.DictionaryArray:
    texts = _meant(array.dictionary, reading)
    absent = pc.is_in(texts, value_set=reading.missing)
    missing = pc.any(absent).as_py()
    if missing:
        _count(array, texts, absent, reading.name, noticed)
        texts = pc.if_else(absent, pa.scalar(None, pa.string()), texts)
    if not (missing or texts.null_count or reading.renamed or reading.notation.strip):
        return array
    kept = texts.drop_null().unique()
    places = pc.index_in(texts, value_set=kept)
    return pa.DictionaryArray.from_arrays(places.take(array.indices), kept)


def _meant(texts: pa.StringArray, reading: ColumnReading) -> pa.StringArray:
    """The texts less the spaces around them, and with the names that they stand for."""
    if reading.notation.strip:
        texts = stripped(texts)
    if reading.renamed:
        place = pc.index_in(texts, value_set=pa.array(reading.renamed, pa.string()))
        texts = pc.coalesce(pa.array(reading.renamed.values(), pa.string()).take(place), texts)
    return texts


def _from_texts(array: pa.DictionaryArray, reading: ColumnReading, noticed: Noticed) -> pa.Array:
    texts = _meant(array.dictionary, reading)
    absent = pc.is_in(texts, value_set=reading.missing)
    absent = pc.or_(absent, pc.equal(texts, UNKNOWN).fill_null(False))
    if pc.any(absent).as_py():
        _count(array, texts, absent, reading.name, noticed)
        texts = pc.if_else(absent, pa.scalar(None, pa.string()), texts)
    present = texts.drop_null()
    values = _typed(present, reading, noticed)
    unfitting = pc.filter(present, pc.is_null(values))
    if len(unfitting):
        raise Unfitting(f"{unfitting[0].as_py()!r} is no {reading.type.removesuffix(' with zone')}")
    places = pc.index_in(texts, value_set=present)
    values = values.take(places.take(array.indices))
    return _without_missing_values(values, reading)


def _typed(texts: pa.StringArray, reading: ColumnReading, noticed: Noticed) -> pa.Array:
    """The texts in the column's type, null where one does not fit."""
    kind, notation = reading.type, reading.notation
    if kind == "boolean":
        true = pc.is_in(texts, value_set=pa.array(TRUE))
        known = pc.or_(true, pc.is_in(texts, value_set=pa.array(FALSE)))
        return pc.if_else(known, true, pa.scalar(None, pa.bool_()))
    if kind.startswith("timestamp"):
        return _from_dates(texts, kind, notation)
    units = noticed.units.setdefault(reading.name, set()) if notation.amounts else set()
    if arrow_reads_numbers(notation):
        with contextlib.suppress(pa.ArrowInvalid):
            plain = pc.utf8_trim(texts, characters=" \t").cast(TYPES[kind])
            units.update([""] if len(texts) else [])
            return plain
    found = numbers(texts, notation)
    units.update(unit for unit in found.units.unique().to_pylist() if unit is not None)
    try:
        return found.plain.cast(TYPES[kind])
    except pa.ArrowInvalid as error:
        raise Unfitting(str(error).splitlines()[0]) from error


def _from_dates(texts: pa.StringArray, kind: str, notation: Notation) -> pa.TimestampArray:
    """By the column's format, and what is not of that format as Arrow reads it."""
    values = pa.nulls(len(texts), pa.timestamp("us"))
    if notation.date_format is not None:
        values = timestamps(texts, notation.date_format)
    with contextlib.suppress(pa.ArrowInvalid):
        others = pc.if_else(pc.is_null(values), texts, pa.scalar(None, pa.string()))
        values = pc.coalesce(values, others.cast(TYPES[kind]).cast(pa.timestamp("us")))
    return values


def times_among(texts: Iterable[str], notation: Notation) -> pa.TimestampArray:
    """Those of the texts that are times, in the column's format or as Arrow reads them."""
    kinds = ("timestamp", "timestamp with zone")
    found = [_from_dates(pa.array([text]), kind, notation) for text in texts for kind in kinds]
    return pa.concat_arrays([pa.array([], pa.timestamp("us")), *found]).drop_null()


def _timestamps(array: pa.Array) -> pa.TimestampArray:
    if pa.types.is_timestamp(array.type) and array.type.tz not in (None, "UTC"):
        array = array.cast(pa.timestamp(array.type.unit, "UTC"))
    return array.cast(pa.timestamp("us"), safe=False)


def _without_missing_values(array: pa.Array, reading: ColumnReading) -> pa.Array:
    """Null where a number or a time means a missing value, however it is spelt."""
    if not len(reading.missing_values):
        return array
    compared = array.cast(reading.missing_values.type, safe=False)
    absent = pc.is_in(compared, value_set=reading.missing_values)
    return pc.if_else(absent, pa.scalar(None, array.type), array) if absent.true_count else array


def _count(
    array: pa.DictionaryArray, texts: pa.StringArray, absent: pa.BooleanArray, name: str, noticed: Noticed
) -> None:
    indices = array.indices.drop_null().to_numpy(zero_copy_only=False)
    counts = np.bincount(indices, minlength=len(texts))
    found = noticed.marks.setdefault(name, Counter())
    for place in np.flatnonzero(absent.to_numpy(zero_copy_only=False)):
        if counts[place]:
            found[texts[int(place)].as_py()] += int(counts[place])
