"""What the project says of its data: ``dataset.json`` in, a checked and frozen value out.

Also holds :class:`InputError`, the one exception for what a user can cause; ``preprocess`` catches it once
and prints its line. Names of columns are checked here against the columns that the data has.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    """The keys of ``dataset.json``; ``split`` holds the shares of train, validation and test."""

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
    known = DatasetSettings.__dataclass_fields__
    for name in document:
        if name not in known:
            raise InputError(f"there is no key {name!r}", where=where, remedy=which_one(name, known))
    for name in ("task", "target"):
        if not document.get(name):
            raise InputError(f"the key {name!r} is missing", where=where, remedy="Add it")
    values = {name: _checked(name, value, where) for name, value in document.items() if value is not None}
    if "" not in values.get("missing_values", ("",)):
        values["missing_values"] = ("", *values["missing_values"])
    return DatasetSettings(**values)


def _checked(name: str, value: Any, where: str) -> Any:
    def wrong(expected: str) -> InputError:
        return InputError(f"{name} is {json.dumps(value)}", where=where, remedy=f"It must be {expected}")

    if name == "task":
        if value not in ("binary", "multiclass"):
            raise wrong('"binary" or "multiclass"')
    elif name == "positive_class":
        if not isinstance(value, (str, int, float)):
            raise wrong("the name of a class")
        return value if isinstance(value, str) else json.dumps(value)
    elif name in ("target", "key"):
        if not isinstance(value, str):
            raise wrong("the name of a column")
    elif name == "delimiter":
        if not isinstance(value, str) or len(value) != 1:
            raise wrong("one character")
    elif name in ("features", "drop", "columns", "missing_values"):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise wrong("a list of texts")
        if len(set(value)) < len(value):
            raise wrong("a list of texts without repetitions")
        return tuple(value)
    elif name == "header":
        if not isinstance(value, bool):
            raise wrong("true or false")
    elif name == "kinds":
        if not isinstance(value, dict) or not all(kind in KINDS for kind in value.values()):
            raise wrong(f"an object from column names to {', '.join(KINDS)}")
    elif name == "split":
        shares: list[Any] = (
            [value.get(part) for part in ("train", "validation", "test")] if isinstance(value, dict) else []
        )
        if not all(isinstance(share, (int, float)) and 0 < share < 1 for share in shares) or not shares:
            raise wrong('{"train": 0.7, "validation": 0.15, "test": 0.15} or other shares above 0')
        if abs(sum(shares) - 1) > 1e-9:
            raise wrong("shares that add up to 1")
        return tuple(shares)
    elif name in ("seed", "max_categories"):
        lowest = 0 if name == "seed" else 2
        if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
            raise wrong(f"a whole number from {lowest} on")
    return value


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
                f"{key} names the target {settings.target!r}", where="dataset.json", remedy="Take it out"
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
