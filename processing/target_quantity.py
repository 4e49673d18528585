"""Whether the values of a classification's target are numbers that are most probably no classes.

Then the task is a regression. Marks of missing values beside the numbers (``n.a.``) do not make classes of
them, nor does a notation that a setting reads (``0,35``): the error names the lines for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from dataset_settings import DatasetSettings, InputError
from marks import is_mark
from notation import numbers
from recognition import FEWEST, recognise
from settings_lines import list_line, table_line

_MOST_CLASSES = 10
_MOST_FRACTIONS, _MOST_WHOLE_NUMBERS = 20, 100
_FEWEST_ROWS_OF_A_CLASS = 5  # on average
_PLAIN = "numbers"


@dataclass(frozen=True)
class _Quantity:
    """``numbers`` are the different ones; in the data they are ``what``, which ``settings`` of the target's
    column read; ``marks`` stand beside them."""

    numbers: np.ndarray
    what: str
    shown: tuple[str, ...]
    settings: Mapping[str, str]
    marks: tuple[str, ...]


def sure_quantity(settings: DatasetSettings, names: Sequence[str], rows: int) -> InputError | None:
    """The error for numbers that are no classes even where every class has its rows.

    Args:
        names: the different values of the target.
        rows: how many rows there are.
    """
    found = _quantity(settings, names)
    if found is None:
        return None
    count, fractions = len(found.numbers), _fractions(found) >= len(found.numbers) / 2
    nearly_all_differ = count > _MOST_CLASSES and rows < _FEWEST_ROWS_OF_A_CLASS * count
    if (fractions and count > _MOST_FRACTIONS) or (found.what != _PLAIN and nearly_all_differ):
        return _error(settings, found, *_counted(found, rows))
    return None


def likely_quantity(settings: DatasetSettings, names: Sequence[str], rows: int) -> InputError | None:
    """The error for numbers that are no good classes: nearly all differ, or there are many, or some and with
    decimals."""
    found = _quantity(settings, names)
    if found is None:
        return None
    count = len(found.numbers)
    most = _MOST_FRACTIONS if _fractions(found) else _MOST_WHOLE_NUMBERS
    nearly_all_differ = rows < _FEWEST_ROWS_OF_A_CLASS * count
    if count > _MOST_CLASSES and (nearly_all_differ or count > most):
        return _error(settings, found, *_counted(found, rows))
    return None


def many_numbers(settings: DatasetSettings, names: Sequence[str], most: int) -> InputError | None:
    """The error for numbers, more than ``most`` different ones; ``names`` need not be all of them."""
    found = _quantity(settings, names)
    return None if found is None else _error(settings, found, f"more than {most:,} different")


def marks_among_numbers(texts: Sequence[str]) -> list[str]:
    """The texts that mean a missing value, where all others are numbers and there are some."""
    marks = [text for text in texts if is_mark(text)]
    return marks if 0 < len(marks) <= FEWEST and _floats([t for t in texts if t not in marks]) else []


def _quantity(settings: DatasetSettings, names: Sequence[str]) -> _Quantity | None:
    marks = [name for name in names if is_mark(name)]
    texts = [name for name in names if name not in marks]
    if not texts or len(marks) > FEWEST:
        return None
    plain = _floats(texts)
    if plain:
        return _Quantity(np.array(plain), _PLAIN, (), {}, tuple(marks))
    notation = settings.notation(settings.target)
    found = recognise(texts, notation)
    if found is None or found.others or "date_format" in found.readings[0].settings:
        return None
    wanted = {key: value for key, value in found.readings[0].settings.items() if key != "kinds"}
    read = numbers(pa.array(texts, pa.string()), replace(notation, amounts=True, **wanted)).plain
    values = read.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return _Quantity(np.unique(values), found.what, found.fits, wanted, tuple(marks))


def _floats(texts: Sequence[str]) -> list[float] | None:
    """The texts as numbers; None where one is none."""
    try:
        return [float(text) for text in texts]
    except ValueError:
        return None


def _fractions(found: _Quantity) -> int:
    return int((found.numbers != np.round(found.numbers)).sum())


def _counted(found: _Quantity, rows: int) -> tuple[str, str]:
    """How many there are, before the word for them, and in what."""
    plain = found.what == _PLAIN
    where = f" in {rows if plain else f'{rows:,}'} rows"
    if plain:
        where += f", from {found.numbers.min():g} to {found.numbers.max():g}"
    return f"{len(found.numbers)} different", where


def _error(settings: DatasetSettings, found: _Quantity, count: str, where: str = "") -> InputError:
    marks = f" and {', '.join(map(repr, found.marks))}" if found.marks else ""
    what = f"{count} numbers{marks}{where}"
    if found.what != _PLAIN:
        what = f"{found.what}{marks}, {count} ones{where} ({', '.join(map(repr, found.shown))})"
    lines = [
        table_line(key, getattr(settings, key), {settings.target: value})
        for key, value in found.settings.items()
    ]
    if found.marks:
        lines.append(list_line("also_missing", settings.also_missing, found.marks))
    lines = ['task = "regression"', *lines]
    return InputError(
        f"the target {settings.target!r} holds {what}: this is a regression",
        remedy=f"Set {' and '.join(lines)}, or group the numbers into classes",
        lines=lines,
    )
