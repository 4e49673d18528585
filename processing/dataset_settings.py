"""What the project says of its data: ``dataset.json`` in, a checked and frozen value out.

Also holds :class:`InputError`, the one exception for what a user can cause; ``preprocess`` catches it once
and prints its line. Names of columns are checked by ``column_roles``, against the columns that the data has.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import dates
from notation import Notation

SETTINGS_FILE = "dataset.json"
PARTS = ("train", "validation", "test")
KINDS = ("number", "category", "boolean", "timestamp")
MISSING_VALUES = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
THOUSANDS = ("", ",", ".", "'", " ")


BLANKS = " "
"""The delimiter that stands for any number of spaces and tabs."""

EVERY_COLUMN = "*"
"""Stands for all columns that a notation does not name."""


class InputError(Exception):
    """Something about the data or its settings: what, where, and what to do, as one line.

    Where it is one value of the settings that is wrong, ``key`` and ``value`` say which: the column ``value``
    that ``drop`` names, for example. ``lines`` of the project's data table would mend it, where such are
    known; of several possible ones these are the first.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        remedy: str | None = None,
        key: str | None = None,
        value: str | None = None,
        lines: Sequence[str] = (),
    ) -> None:
        self.what, self.where, self.remedy = what, where, remedy
        self.key, self.value, self.lines = key, value, tuple(lines)
        line = f"{where}: {what}" if where else what
        if remedy:
            line = f"{line} {remedy}" if line.endswith("?") else f"{line}. {remedy}"
        super().__init__(" ".join(line.split()))


@dataclass(frozen=True)
class DatasetSettings:
    """The keys of ``dataset.json``; ``split`` holds the parts' proportions, in the order of :data:`PARTS`.

    ``slices`` are columns that the evaluation looks at, so the test part keeps them, features or not;
    ``floor_classes`` are classes that the gate has floors for, so the target must have them. ``decimal``,
    ``thousands`` and ``date_format`` hold one notation for each column named in them, and under
    :data:`EVERY_COLUMN` the one of all others; ``missing_values`` includes ``also_missing``. With
    ``leaks`` at ``error`` a column that gives the target away stops the run (``leaks``). Where ``stratify``
    is None, only classes that a part would be without are split by rank (``small_classes``).
    """

    task: str
    target: str
    positive_class: str | None = None
    features: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    header: bool = True
    delimiter: str = ","
    quote: str = '"'
    missing_values: tuple[str, ...] = MISSING_VALUES
    also_missing: tuple[str, ...] = ()
    decimal: Mapping[str, str] = field(default_factory=dict)
    thousands: Mapping[str, str] = field(default_factory=dict)
    date_format: Mapping[str, str] = field(default_factory=dict)
    strip: bool = False
    class_names: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    split: tuple[float, float, float] = (0.70, 0.15, 0.15)
    seed: int = 0
    max_categories: int = 1000
    slices: tuple[str, ...] = ()
    floor_classes: tuple[str, ...] = ()
    leaks: str = "warn"
    stratify: bool | None = None

    @property
    def is_regression(self) -> bool:
        """Whether the target is a number; else it is a class."""
        return self.task == "regression"

    @property
    def is_stratified(self) -> bool:
        """Whether classes with few rows may be split by rank; a key decides on its rows alone."""
        return self.stratify is not False and self.key is None and not self.is_regression

    @property
    def demanded_kinds(self) -> Mapping[str, str]:
        """The kind that some columns must have: by ``kinds``, by a notation of their own, by the task."""
        demanded = {
            **dict.fromkeys(self.decimal, "number"),
            **dict.fromkeys(self.thousands, "number"),
            **dict.fromkeys(self.date_format, "timestamp"),
            **self.kinds,
        }
        demanded.pop(EVERY_COLUMN, None)
        if self.key is not None:
            demanded[self.key] = "category"  # no number holds every identity exactly
        if self.is_regression:
            demanded[self.target] = "number"
        elif self.class_names:
            demanded[self.target] = "category"
        return demanded

    @property
    def doubtful_marks(self) -> frozenset[str]:
        """The texts that mean a missing value only because nobody said otherwise; the empty one is sure."""
        if self.missing_values != (*MISSING_VALUES, *self.also_missing):
            return frozenset()
        return frozenset(MISSING_VALUES) - {"", *self.also_missing}

    def notation(self, column: str) -> Notation:
        """How a column is written."""
        every = EVERY_COLUMN
        return Notation(
            decimal=self.decimal.get(column, self.decimal.get(every, ".")),
            thousands=self.thousands.get(column, self.thousands.get(every, "")),
            date_format=self.date_format.get(column, self.date_format.get(every)),
            strip=self.strip,
            amounts=self.demanded_kinds.get(column) == "number",
        )


def read_settings(path: Path) -> DatasetSettings:
    """Read and check ``dataset.json``.

    Raises:
        InputError: the file is missing, is no JSON object, or a key or value in it is wrong.
    """
    where = path.name
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            "there is no such file", where=str(path), remedy="Give the data's settings there"
        ) from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"this is no JSON: {error}", where=where, remedy="Correct it at that place"
        ) from None
    if not isinstance(document, dict):
        raise InputError("this is no JSON object", where=where, remedy='Write {"task": ..., "target": ...}')
    for name in document:
        if name not in _CHECKS:
            raise InputError(f"there is no key {name!r}", where=where, remedy=which_one(name, _CHECKS))
    for name in ("task", "target"):
        if not document.get(name):
            raise InputError(f"the key {name!r} is missing", where=where, remedy="Add it")
    values = {}
    for name, value in document.items():
        if value is None:
            continue
        try:
            values[name] = _CHECKS[name](value)
        except ValueError as expected:
            raise InputError(
                f"{name} is {json.dumps(value)}", where=where, remedy=f"It must be {expected}"
            ) from None
    values["missing_values"] = _joined(
        values.get("missing_values", MISSING_VALUES), values.get("also_missing", ())
    )
    _check_two(values.get("decimal", {}), values.get("thousands", {}), where)
    return DatasetSettings(**values)


def _joined(texts: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return (*texts, *(text for text in more if text not in texts))


def _check_two(decimal: Mapping[str, str], thousands: Mapping[str, str], where: str) -> None:
    """A number in which one character is before decimals and between thousands could not be read."""
    for column in {*decimal, *thousands}:
        point = decimal.get(column, decimal.get(EVERY_COLUMN, "."))
        if point == thousands.get(column, thousands.get(EVERY_COLUMN)):
            raise InputError(
                f"decimal and thousands are both {point!r}", where=where, remedy="Give one of them another"
            )


def _one_of(*values: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in values:
            raise ValueError(" or ".join(map(json.dumps, values)))
        return cast(str, value)

    return check


def _class_name(value: Any) -> str:
    if not isinstance(value, (str, int, float)):
        raise ValueError("the name of a class")
    return value if isinstance(value, str) else json.dumps(value)


def _column_name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("the name of a column")
    return value


def _one_character(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 1:
        raise ValueError("one character")
    return value


def _quote(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1:
        raise ValueError('one character, or "" where nothing is quoted')
    return value


def _by_column(what: str, fits: Callable[[str], bool]) -> Callable[[Any], dict[str, str]]:
    def check(value: Any) -> dict[str, str]:
        by_column = {EVERY_COLUMN: value} if isinstance(value, str) else value
        if not isinstance(by_column, dict) or not all(
            isinstance(v, str) and fits(v) for v in by_column.values()
        ):
            raise ValueError(f"{what}, or an object from column names to such")
        return by_column

    return check


def _class_names(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
        raise ValueError("an object from the target's values to the names of their classes")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("a list of texts")
    if len(set(value)) < len(value):
        raise ValueError("a list of texts without repetitions")
    return tuple(value)


def _missing_values(value: Any) -> tuple[str, ...]:
    texts = _texts(value)
    return texts if "" in texts else ("", *texts)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _kinds(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(kind in KINDS for kind in value.values()):
        raise ValueError(f"an object from column names to {', '.join(KINDS)}")
    return value


def _split(value: Any) -> tuple[float, ...]:
    proportions: list[Any] = [value.get(part) for part in PARTS] if isinstance(value, dict) else [None]
    if not all(isinstance(number, (int, float)) and 0 < number < 1 for number in proportions):
        raise ValueError('{"train": 0.7, "validation": 0.15, "test": 0.15} or other proportions above 0')
    if abs(sum(proportions) - 1) > 1e-9:
        raise ValueError("proportions that add up to 1")
    return tuple(proportions)


def _whole_number(lowest: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
            raise ValueError(f"a whole number from {lowest} on")
        return value

    return check


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "task": _one_of("binary", "multiclass", "regression"),
    "target": _column_name,
    "positive_class": _class_name,
    "features": _texts,
    "drop": _texts,
    "columns": _texts,
    "header": _truth,
    "delimiter": _one_character,
    "quote": _quote,
    "missing_values": _missing_values,
    "also_missing": _texts,
    "decimal": _by_column('"." or ","', lambda text: text in (".", ",")),
    "thousands": _by_column('"", ",", ".", "\'" or " "', lambda text: text in THOUSANDS),
    "date_format": _by_column('a format such as "%d/%m/%Y %H:%M"', lambda text: dates.problem(text) is None),
    "strip": _truth,
    "class_names": _class_names,
    "kinds": _kinds,
    "key": _column_name,
    "split": _split,
    "seed": _whole_number(0),
    "max_categories": _whole_number(2),
    "slices": _texts,
    "floor_classes": _texts,
    "leaks": _one_of("warn", "error"),
    "stratify": _truth,
}
"""For each key of ``dataset.json`` what makes its field of :class:`DatasetSettings` out of the JSON value, or
raises a ValueError that says what the value must be."""


def which_one(name: str, names: Iterable[str]) -> str:
    """The remedy for a wrong name: the nearest right one, or all of them where they are few."""
    known = sorted(names)
    if name in (text.strip() for text in known):
        return f"With strip = true {name!r} is one, without the spaces around it"
    near = difflib.get_close_matches(name, known, n=1)
    if not near:
        folded = {other.casefold(): other for other in known}
        near = [folded[name.casefold()]] if name.casefold() in folded else []
    if near:
        return f"Did you mean {near[0]!r}?"
    shown = ", ".join(map(repr, known[:12]))
    return f"There are: {shown}{' and more' if len(known) > 12 else ''}"
