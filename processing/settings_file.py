"""The project's settings of its data on their way in: ``dataset.json``, read and checked, value by value.

An error names the key as the settings file does, and says what its value must be.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import dates
from dataset_settings import (
    EVERY_COLUMN,
    KINDS,
    MISSING_VALUES,
    PARTS,
    THOUSANDS,
    DatasetSettings,
    InputError,
    which_one,
)

SETTINGS_FILE = "dataset.json"


def read_settings(path: Path) -> DatasetSettings:
    """Read and check ``dataset.json``.

    Raises:
        InputError: the file is missing, is no JSON object, or a key or value in it is wrong.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            "there is no such file", where=str(path), remedy="Give the data's settings there"
        ) from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"this is no JSON: {error}", where=path.name, remedy="Correct it at that place"
        ) from None
    return checked(document, path.name)


def checked(document: Any, where: str = SETTINGS_FILE) -> DatasetSettings:
    """The settings that a JSON value holds.

    Raises:
        InputError: it is no object, or a key or value in it is wrong.
    """
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
