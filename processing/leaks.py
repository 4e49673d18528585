"""Columns that give the target away, and columns that say nothing new: what a model should not be given.

Judged on the uniform sample of the training part (at most 2 048 rows), so a column that gives the target away
is named only where chance is ruled out:

- **classes**: the best cut points of the column's values (or, for categories, each category's most frequent
  class) put the sampled rows into their classes. It is named if a column that is wrong in 2 % of all rows
  would be as good in such a sample at most once in 1 000, and one that is wrong in 10 % of a class's rows
  would be as good for that class at most once in 1 000 (the tail of the binomial distribution). So the sample
  needs 342 rows at least, and 66 of each class. Of a column that is never wrong once in 100 is enough (228
  rows, 44 of each class), and 50 rows, 10 of each class, of one that is the target in another coding: it has
  one value for each class, or, of two classes, values for one alone. Rows of a category that is rarer than 5
  rows in the sample do not count, because one row always is of its own class.
- **a number as the target**: the column is the target in another unit (a correlation of 1 but for rounding),
  its values are in the target's order, or each of its categories has one target.
- **identifiers**: whole numbers that all differ and fill their range at least by a third, which numbers drawn
  at random in that range do with probability exp(-n/6) for n rows; or that all differ and either have the
  name of an identifier, or are spread over all numbers of as many digits, six at least, or have eleven digits
  and more. Differ is checked by value, not by row (``quality``).
- **copies** of other columns (``copies``).

``leaks = "error"`` in the settings makes them an :class:`InputError`; near copies stay notes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
from copies import copies, near_copies, near_copies_of_categories, values_of
from dataset_settings import DatasetSettings, InputError
from findings import Finding
from quality import NumberColumn, floats
from rows import Counts, Plan
from settings_lines import list_line

_CHANCE, _CHANCE_OF_NO_MISTAKE = 0.001, 0.01
_WRONG, _WRONG_OF_A_CLASS = 0.02, 0.10
_ROWS_OF_A_CATEGORY = 5
_COVERED = 0.9  # of the rows, by categories that repeat
_FEWEST_ROWS = 50
_FEWEST_NUMBERS = 20  # different targets of a regression
_SAME_ORDER = 0.99995
_SAME_NUMBER = 1 - 1e-9
_IDENTIFIERS = 100  # rows
_RANDOM_DIGITS, _DIGITS_OF_AN_IDENTIFIER = 6, 11
_NAME_OF_AN_IDENTIFIER = re.compile(r"(?i:(^|[_\s.-])(id|uuid|guid|key|phone|ssn|iban)$)|[a-z](Id|ID|Key)$")
_ROWS_OF_A_CODE = 10
_SHOWN = 5


def find_leaks(plan: Plan, counts: Counts) -> list[Finding]:
    """A warning for each column that gives the target away or is an identifier, a note for each copy and near
    copy.

    Raises:
        InputError: the settings say ``leaks = "error"`` and there is one.
    """
    sample = counts.quality.sample.table()
    if sample is None:
        return []
    columns = {name: _column(sample[name].combine_chunks()) for name in plan.features}
    target = _column(sample[plan.settings.target].combine_chunks())
    given_away = dict(_giving_away(columns, target, plan.settings))
    found = [
        *(_finding("gives_target_away", name, text, plan.settings) for name, text in given_away.items()),
        *_identifiers(plan, counts, given_away),
    ]
    values = values_of(columns, given_away)
    copied = copies(values)
    found += [_finding("copy", name, text, plan.settings, "note") for name, text in copied.items()]
    if found and plan.settings.leaks == "error":
        raise _stop(found, plan.settings)
    named = {one.column for one in found}
    others = {name: one for name, one in values.items() if name not in named}
    near = [*near_copies(others), *near_copies_of_categories(others)]
    return [*found, *(_finding("near_copy", name, text, plan.settings, "note") for name, text in near)]


def _stop(found: Sequence[Finding], settings: DatasetSettings) -> InputError:
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return InputError(
        "; ".join(finding.text for finding in found[:_SHOWN]) + more,
        remedy=f'Set {_drop([str(finding.column) for finding in found], settings)}, or leaks = "warn"',
    )


def _finding(
    kind: str, name: str, text: str, settings: DatasetSettings, level: Literal["warning", "note"] = "warning"
) -> Finding:
    remedy = f"Set {_drop([name], settings)} if the model should not see it"
    return Finding(kind, f"column {name!r} {text}", name, remedy=remedy, level=level)


def _drop(names: Sequence[str], settings: DatasetSettings) -> str:
    return list_line("drop", settings.drop, names)


def _column(array: pa.Array) -> np.ndarray:
    """Numbers as float64 with NaN for missing ones, texts and booleans as codes from 0 on with -1."""
    if pa.types.is_string(array.type) or pa.types.is_boolean(array.type):
        return array.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return floats(array)


def _is_category(column: np.ndarray) -> bool:
    return column.dtype.kind == "i"


# --- The target ------------------------------------------------------------------------------------


def _giving_away(
    columns: dict[str, np.ndarray], target: np.ndarray, settings: DatasetSettings
) -> Iterator[tuple[str, str]]:
    rows = len(target)
    for name, column in columns.items():
        if settings.is_regression:
            how = _number_given_away(column, target)
            if how:
                yield name, f"alone gives away the target {settings.target!r}: {how}"
            continue
        if _is_other_coding(column, target):
            yield name, f"alone gives away the target {settings.target!r}: it has one value for each class"
            continue
        if _is_missing_by_class(column, target):
            yield (
                name,
                f"alone gives away the target {settings.target!r}: it has values in all rows of one class "
                "and in none of the other",
            )
            continue
        wrong = _wrong_by_class(column, target)
        if wrong is not None and _beyond_chance(*wrong):
            right, judged = int((wrong[1] - wrong[0]).sum()), int(wrong[1].sum())
            of = f"{judged:,} of {rows:,} sampled rows" if judged < rows else f"{rows:,} sampled rows"
            yield name, f"alone gives away the target {settings.target!r}: it puts {right:,} of {of} right"


def _is_other_coding(column: np.ndarray, classes: np.ndarray) -> bool:
    """Whether the column has one value for each class, and another one for each."""
    _, codes = np.unique(column, return_inverse=True)
    count = int(classes.max()) + 1
    if count < 2 or int(codes.max()) + 1 != count or len(classes) < _FEWEST_ROWS:
        return False
    pairs = np.unique(codes * count + classes, return_counts=True)[1]
    return len(pairs) == count and int(pairs.min()) >= _ROWS_OF_A_CODE


def _is_missing_by_class(column: np.ndarray, classes: np.ndarray) -> bool:
    """Whether of two classes all rows of one, and none of the other, lack a value."""
    missing = column == -1 if _is_category(column) else np.isnan(column)
    places = np.unique(2 * classes + missing, return_counts=True)
    return (
        len(classes) >= _FEWEST_ROWS
        and places[0].tolist() in ([0, 3], [1, 2])
        and int(places[1].min()) >= _ROWS_OF_A_CODE
    )


def _beyond_chance(wrong: np.ndarray, of: np.ndarray) -> bool:
    if wrong.sum() > _WRONG * of.sum():
        return False  # about every second draw has fewer: the sum over all of them is spared
    chance = _CHANCE if wrong.any() else _CHANCE_OF_NO_MISTAKE
    if _binomial_tail(int(wrong.sum()), int(of.sum()), _WRONG) > chance:
        return False
    tails = (_binomial_tail(int(w), int(n), _WRONG_OF_A_CLASS) for w, n in zip(wrong, of, strict=True))
    return all(tail <= chance for tail in tails)


def _binomial_tail(most: int, tries: int, share: float) -> float:
    """The probability of at most so many of so many tries."""
    logs = [
        math.lgamma(tries + 1)
        - math.lgamma(k + 1)
        - math.lgamma(tries - k + 1)
        + k * math.log(share)
        + (tries - k) * math.log1p(-share)
        for k in range(min(most, tries) + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, logs)))


def _wrong_by_class(column: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """``(wrong, of)``: for each class how many of its rows the column puts into another one, of how many."""
    count = int(classes.max()) + 1
    if count < 2:
        return None
    if _is_category(column):
        return _wrong_by_category(column, classes, count)
    missing = np.isnan(column)
    if missing.all():
        return None
    # A missing value may be what gives the class away: it stands below all others, or above.
    edges = (-np.inf, np.inf) if missing.any() else (0.0,)
    candidates = [_wrong_by_cuts(np.where(missing, edge, column), classes, count) for edge in edges]
    return min(candidates, key=lambda one: int(one[0].sum()))


def _wrong_by_category(
    column: np.ndarray, classes: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray] | None:
    table = np.zeros((int(column.max()) + 2, count), np.int64)
    np.add.at(table, (column + 1, classes), 1)
    table = table[table.sum(axis=1) >= _ROWS_OF_A_CATEGORY]
    of = table.sum(axis=0)
    if of.sum() < _COVERED * len(classes) or len(table) < 2:
        return None
    right = np.zeros(count, np.int64)
    np.add.at(right, table.argmax(axis=1), table.max(axis=1))
    return of - right, of


def _wrong_by_cuts(column: np.ndarray, classes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """One cut between each two classes that are next to each other by their medians."""
    of = np.bincount(classes, minlength=count)
    medians = np.array([np.median(column[classes == one]) if of[one] else np.inf for one in range(count)])
    place = np.empty(count, np.int64)
    place[np.argsort(medians, kind="stable")] = np.arange(count)
    order = np.argsort(column, kind="stable")
    values, places = column[order], place[classes[order]]
    ends = np.flatnonzero(np.append(values[1:] != values[:-1], True))  # a cut lies between different values
    cuts = []
    for lower in range(count - 1):
        above = np.cumsum(places > lower)[ends]
        below = np.cumsum(places <= lower)[ends]
        shares = above / max(1, above[-1]) + (below[-1] - below) / max(1, below[-1])
        cuts.append(values[ends[int(shares.argmin())]])
    put = np.searchsorted(np.sort(cuts), column, side="left")
    wrong = np.bincount(classes[put != place[classes]], minlength=count)
    return wrong, of


def _number_given_away(column: np.ndarray, target: np.ndarray) -> str | None:
    """How the column tells the target of a regression, or None."""
    if _is_category(column):
        return _one_target_for_each_category(column, target)
    present = np.isfinite(column) & np.isfinite(target)
    x, y = column[present], target[present]
    if len(x) < max(_FEWEST_ROWS, _COVERED * len(target)) or len(np.unique(y)) < _FEWEST_NUMBERS:
        return None
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        straight = abs(float(np.corrcoef(x, y)[0, 1]))
        monotone = abs(float(np.corrcoef(_ranks(x), _ranks(y))[0, 1]))
    if straight >= _SAME_NUMBER:
        return "it is the target times a factor and plus a constant"
    return "its values are in the order of the target's" if monotone >= _SAME_ORDER else None


def _one_target_for_each_category(column: np.ndarray, target: np.ndarray) -> str | None:
    sizes = np.bincount(column + 1)
    repeated = sizes[column + 1] >= _ROWS_OF_A_CATEGORY
    if repeated.sum() < max(_FEWEST_ROWS, _COVERED * len(target)):
        return None
    codes, numbers = column[repeated], target[repeated]
    lowest, highest = np.full(len(sizes), np.inf), np.full(len(sizes), -np.inf)
    np.minimum.at(lowest, codes + 1, numbers)
    np.maximum.at(highest, codes + 1, numbers)
    spread = (highest - lowest)[np.isfinite(lowest)].max()
    if len(np.unique(codes)) < _FEWEST_NUMBERS or spread > 1e-9 * (numbers.max() - numbers.min()):
        return None
    return "each of its categories has one value of the target"


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0 on, the mean rank for equal values."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[codes]


# --- Identifiers -----------------------------------------------------------------------------------


def _identifiers(plan: Plan, counts: Counts, named: dict[str, str]) -> Iterator[Finding]:
    for name in plan.features:
        whole = counts.quality.whole.get(name)
        if whole is None or not whole.all_differ or name in named or name in plan.settings.kinds:
            continue
        column = counts.quality.numbers[name]
        if column.present < _IDENTIFIERS or column.missing:
            continue
        if (
            column.highest - column.lowest + 1 <= 3 * column.present
            or _NAME_OF_AN_IDENTIFIER.search(name)
            or _has_random_digits(column)
        ):
            text = "holds a whole number of its own for each row, like an identifier"
            yield _finding("identifier", name, text, plan.settings)


def _has_random_digits(column: NumberColumn) -> bool:
    """Whether numbers that all differ have so many digits each that they measure nothing."""
    if column.lowest < 1:
        return False
    digits = len(f"{column.lowest:.0f}")
    first = 10.0 ** (digits - 1)
    if column.highest >= 10 * first:
        return False
    if digits >= _DIGITS_OF_AN_IDENTIFIER and column.lowest >= 3 * first:
        return True  # neither a time in milliseconds nor a date, which begin with 1 or 2
    width = 9 * first
    ends = max(column.lowest - first, 10 * first - column.highest)
    deviation = width / math.sqrt(12 * column.present)
    is_uniform = ends <= 20 * width / column.present and abs(column.mean - 5.5 * first) <= 5 * deviation
    return digits >= _RANDOM_DIGITS and is_uniform
