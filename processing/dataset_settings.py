"""What the project says of its data: ``dataset.json`` in, a checked and frozen value out.

Also holds :class:`InputError`, the one exception for what a user can cause; ``preprocess`` catches it once
and prints its line. Names of columns are checked here against the columns that the data has.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

SETTINGS_FILE = "dataset.json"
PARTS = ("train", "validation", "test")
KINDS = ("number", "category", "boolean", "timestamp")
MISSING_VALUES = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")


class InputError(Exception):
    """Something about the data or its settings: what, where, and what to do, as one line."""

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        line = f"{where}: {what}" if where else what
        if remedy:
            line = f"{line}. {remedy}"
        super().__init__(" ".join(line.split()))


@dataclass(frozen=True)
class DatasetSettings:
    """The keys of ``dataset.json``; ``split`` holds the parts' proportions, in the order of :data:`PARTS`.

    ``slices`` are columns that the evaluation looks at, so the test part keeps them, features or not;
    ``floor_classes`` are classes that the gate has floors for, so the target must have them.
    """

    task: str
    target: str
    positive_class: str | None = None
    features: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    header: bool = True
    delimiter: str = ","
    missing_values: tuple[str, ...] = MISSING_VALUES
    kinds: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    split: tuple[float, float, float] = (0.70, 0.15, 0.15)
    seed: int = 0
    max_categories: int = 1000
    slices: tuple[str, ...] = ()
    floor_classes: tuple[str, ...] = ()

    @property
    def is_regression(self) -> bool:
        """Whether the target is a number; else it is a class."""
        return self.task == "regression"

    @property
    def demanded_kinds(self) -> Mapping[str, str]:
        """The kind that some columns must have: those of ``kinds``, and the target of a regression."""
        return {**self.kinds, self.target: "number"} if self.is_regression else self.kinds


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
    return DatasetSettings(**values)


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
    "missing_values": _missing_values,
    "kinds": _kinds,
    "key": _column_name,
    "split": _split,
    "seed": _whole_number(0),
    "max_categories": _whole_number(2),
    "slices": _texts,
    "floor_classes": _texts,
}
"""For each key of ``dataset.json`` what makes its field of :class:`DatasetSettings` out of the JSON value, or
raises a ValueError that says what the value must be."""


def check_columns(settings: DatasetSettings, source_columns: Sequence[str], where: str) -> tuple[str, ...]:
    """Check every column that the settings name, and choose the features, in source order.

    Without ``features`` in the settings these are all columns but the target, the key and the dropped ones.

    Raises:
        InputError: a named column is not in the data, or no feature is left.
    """
    if settings.target not in source_columns:
        raise InputError(
            f"there is no target column {settings.target!r}",
            where=where,
            remedy=which_one(settings.target, source_columns),
        )
    named = {
        "key": (settings.key,) if settings.key else (),
        "features": settings.features or (),
        "drop": settings.drop,
        "kinds": tuple(settings.kinds),
        "slices": settings.slices,
    }
    for key, names in named.items():
        for name in names:
            if name not in source_columns:
                raise InputError(
                    f"{key} names a column {name!r} that the data does not have",
                    where=where,
                    remedy=which_one(name, source_columns),
                )
    for key in ("key", "features", "drop"):
        if settings.target in named[key]:
            raise InputError(
                f"{key} names the target {settings.target!r}", where=SETTINGS_FILE, remedy="Take it out"
            )
    left_out = {settings.target, *settings.drop}
    if settings.features is None:
        left_out.add(settings.key or settings.target)
    wanted = source_columns if settings.features is None else settings.features
    features = tuple(name for name in source_columns if name in wanted and name not in left_out)
    if not features:
        raise InputError("no feature is left", where=where, remedy="Drop fewer columns")
    return features


def which_one(name: str, names: Iterable[str]) -> str:
    """The remedy for a wrong name: the nearest right one, or all of them where they are few."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=1)
    if not near:
        folded = {other.casefold(): other for other in known}
        near = [folded[name.casefold()]] if name.casefold() in folded else []
    if near:
        return f"Did you mean {near[0]!r}?"
    shown = ", ".join(map(repr, known[:12]))
    return f"There are: {shown}{' and more' if len(known) > 12 else ''}"
