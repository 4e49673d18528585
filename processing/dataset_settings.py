"""What the project says of its data, as one frozen value; ``settings_file`` reads and checks it.

Also holds :class:`InputError`, the one exception for what a user can cause; ``preprocess`` catches it once
and prints its line. Names of columns are checked by ``column_roles``, against the columns that the data has.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from notation import Notation

PARTS = ("train", "validation", "test")
KINDS = ("number", "category", "boolean", "timestamp")
MISSING_VALUES = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
THOUSANDS = ("", ",", ".", "'", " ")


BLANKS = " "
"""The delimiter that stands for any number of spaces and tabs."""

_COLUMNS_SHOWN = 8

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


def columns_in_words(names: Sequence[str], one: str, several: str) -> str:
    """Subject and verb of a sentence about some columns: ``column 'a' holds``; of many, the first ones.

    Args:
        one, several: the verb, of one column and of several.
    """
    more = f" and {len(names) - _COLUMNS_SHOWN} more" if len(names) > _COLUMNS_SHOWN else ""
    shown = ", ".join(map(repr, names[:_COLUMNS_SHOWN]))
    return f"columns {shown}{more} {several}" if len(names) > 1 else f"column {shown} {one}"


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
