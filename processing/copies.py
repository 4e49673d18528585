"""Columns that say what another column says: copies, and columns that are one but for little.

Judged on the uniform sample of the training part, as ``leaks`` are. A copy has the same values in all sampled
rows, or, of few values, one value for each of the other's. A near copy is found by the correlation of ranks
and is equal in nearly all rows, or on a straight line, or in the same order: a tree that cuts one can cut the
other at the same rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np

_FEWEST_ROWS = 50
_ROWS_OF_A_VALUE, _ROWS_OF_A_CODE = 5, 10
_MOST_COMPARED = 1000  # columns; the time grows with the square
_MOST_CANDIDATES = 3
_RANKS_ALIKE = 0.99
_EQUAL = 0.99  # of the rows
_STRAIGHT, _SAME_ORDER = 0.9999, 0.99999
_FEWEST_VALUES = 20


def copies(columns: Mapping[str, np.ndarray], left_out: Collection[str]) -> dict[str, str]:
    """What each copy says in words: ``is a copy of column 'a'``.

    Args:
        columns: numbers as float64 with NaN for missing ones, categories as codes from 0 on with -1.
        left_out: columns that are neither copies nor copied.
    """
    first: dict[bytes, str] = {}
    found = {}
    for name, column in columns.items():
        if name in left_out or not _varies(column):
            continue
        _, codes, counts = np.unique(column, return_inverse=True, return_counts=True)
        few = len(counts) <= len(column) / _ROWS_OF_A_VALUE
        same = _in_order_of_appearance(codes) if few else column
        other = first.setdefault(same.tobytes() + (b"codes" if few else b"values"), name)
        if other != name:
            equal = np.array_equal(column, columns[other], equal_nan=True)
            found[name] = f"{'is a copy of' if equal else 'has one value for each value of'} column {other!r}"
    return found


def near_copies(columns: Mapping[str, np.ndarray], left_out: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each number that is nearly the copy of an earlier one, and in words how; of the first 1 000 numbers."""
    numbers = [
        (name, column)
        for name, column in columns.items()
        if name not in left_out and column.dtype.kind == "f" and _varies(column)
    ][:_MOST_COMPARED]
    if len(numbers) < 2:
        return
    ranks = np.stack([_ranks(column) for _, column in numbers])
    alike = np.abs(np.tril(ranks @ ranks.T, -1))
    for place, (name, column) in enumerate(numbers):
        candidates = np.flatnonzero(alike[place] >= _RANKS_ALIKE)
        for other in candidates[np.argsort(-alike[place][candidates], kind="stable")][:_MOST_CANDIDATES]:
            how = _how_alike(column, numbers[other][1], float(alike[place, other]))
            if how:
                yield name, how.format(repr(numbers[other][0]))
                break


def _how_alike(column: np.ndarray, other: np.ndarray, order: float) -> str | None:
    absent = np.isnan(column) & np.isnan(other)
    equal = float(((column == other) | absent).mean())
    if equal >= _EQUAL:
        return f"is equal to column {{}} in {equal:.2%} of the sampled rows"
    both = np.isfinite(column) & np.isfinite(other)
    x, y = column[both], other[both]
    if min(len(np.unique(x)), len(np.unique(y))) < _FEWEST_VALUES or len(x) < _EQUAL * (~absent).sum():
        return None
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        straight = abs(float(np.corrcoef(x, y)[0, 1]))
    if straight >= _STRAIGHT:
        return "is column {} times a factor and plus a constant, or nearly so"
    return "has the order of column {}" if order >= _SAME_ORDER else None


def _varies(column: np.ndarray) -> bool:
    """Whether it has several values, of which not one alone is frequent, as it is of rare flags."""
    counts = np.unique(column, return_counts=True)[1]
    if len(column) < _FEWEST_ROWS or len(counts) < 2:
        return False
    return bool(np.sort(counts)[-2] >= min(_ROWS_OF_A_CODE, len(column) // len(counts)))


def _ranks(column: np.ndarray) -> np.ndarray:
    """Ranks, the mean rank for equal values and one for all that are missing, of mean 0 and length 1."""
    _, codes, counts = np.unique(column, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts + 1) / 2)[codes]
    ranks -= ranks.mean()
    return (ranks / np.sqrt(np.square(ranks).sum())).astype(np.float32)


def _in_order_of_appearance(codes: np.ndarray) -> np.ndarray:
    """The codes numbered anew by when they come first, so that equal patterns become equal."""
    _, first = np.unique(codes, return_index=True)
    anew = np.empty(len(first), np.int64)
    anew[np.argsort(first, kind="stable")] = np.arange(len(first))
    return anew[codes]
