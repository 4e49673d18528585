"""Columns that say what another column says: copies, and columns that are one but for little.

Judged on the uniform sample of the training part, as ``leaks`` are. A copy has the same values in all sampled
rows, or, of few values, one value for each of the other's. A near copy is found by the correlation of ranks
and is equal in nearly all rows, or on a straight line, or in the same order: a tree that cuts one can cut the
other at the same rows. Of categories it has one value for each of the other's, and the other for each of its,
in nearly all rows and in nearly all of each value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

_FEWEST_ROWS = 50
_ROWS_OF_A_VALUE, _ROWS_OF_A_CODE = 5, 10
_MOST_COMPARED = 1000  # columns; the time grows with the square
_MOST_CANDIDATES = 3
_RANKS_ALIKE = 0.99
_EQUAL = 0.99  # of the rows
_STRAIGHT, _SAME_ORDER = 0.9999, 0.99999
_FEWEST_VALUES = 20
_MOST_VALUES, _MOST_VALUES_OF_ALL = 50, 1000  # of categories that are compared
_OF_A_VALUE = 0.9


@dataclass(frozen=True)
class Values:
    """A column of the sample: ``codes`` are the places of its values among the different ones, in their
    order, and ``counts`` how often each of these is there."""

    column: np.ndarray
    codes: np.ndarray
    counts: np.ndarray


def values_of(columns: Mapping[str, np.ndarray], left_out: Collection[str]) -> dict[str, Values]:
    """The columns that have several values, of which not one alone is frequent, as it is of rare flags.

    Args:
        columns: numbers as float64 with NaN for missing ones, categories as codes from 0 on with -1.
        left_out: columns that are neither copies nor copied.
    """
    found = {}
    for name, column in columns.items():
        if name in left_out or len(column) < _FEWEST_ROWS:
            continue
        _, codes, counts = np.unique(column, return_inverse=True, return_counts=True)
        if len(counts) > 1 and np.sort(counts)[-2] >= min(_ROWS_OF_A_CODE, len(column) // len(counts)):
            found[name] = Values(column, codes, counts)
    return found


def copies(values: Mapping[str, Values]) -> dict[str, str]:
    """What each copy says in words: ``is a copy of column 'a'``."""
    first: dict[bytes, str] = {}
    found = {}
    for name, one in values.items():
        few = len(one.counts) <= len(one.column) / _ROWS_OF_A_VALUE
        same = _in_order_of_appearance(one.codes) if few else one.column
        other = first.setdefault(same.tobytes() + (b"codes" if few else b"values"), name)
        if other != name:
            equal = np.array_equal(one.column, values[other].column, equal_nan=True)
            found[name] = f"{'is a copy of' if equal else 'has one value for each value of'} column {other!r}"
    return found


def near_copies(values: Mapping[str, Values]) -> Iterator[tuple[str, str]]:
    """Each number that is nearly the copy of an earlier one, and in words how; of the first 1 000 numbers."""
    numbers = [(name, one) for name, one in values.items() if one.column.dtype.kind == "f"][:_MOST_COMPARED]
    if len(numbers) < 2:
        return
    ranks = np.stack([_ranks(one) for _, one in numbers])
    alike = np.abs(np.tril(ranks @ ranks.T, -1))
    for place in np.flatnonzero((alike >= _RANKS_ALIKE).any(axis=1)):
        name, one = numbers[place]
        candidates = np.flatnonzero(alike[place] >= _RANKS_ALIKE)
        for other in candidates[np.argsort(-alike[place][candidates], kind="stable")][:_MOST_CANDIDATES]:
            how = _how_alike(one.column, numbers[other][1].column, float(alike[place, other]))
            if how:
                yield name, how.format(repr(numbers[other][0]))
                break


def near_copies_of_categories(values: Mapping[str, Values]) -> Iterator[tuple[str, str]]:
    """The same of categories, the first that have at most 1 000 values together."""
    few = [
        (name, one)
        for name, one in values.items()
        if one.column.dtype.kind == "i" and len(one.counts) <= _MOST_VALUES
    ]
    ends = np.cumsum([len(one.counts) for _, one in few])
    few = few[: int(np.searchsorted(ends, _MOST_VALUES_OF_ALL, side="right"))]
    if len(few) < 2:
        return
    starts = np.append(0, ends[: len(few) - 1])
    ones = np.hstack([one.codes[:, None] == np.arange(len(one.counts)) for _, one in few]).astype(np.float32)
    counts = np.concatenate([one.counts for _, one in few])[:, None]
    most = np.maximum.reduceat(
        ones.T @ ones, starts, axis=1
    )  # of each value the rows with one of the other's
    of_each = np.where(counts >= _ROWS_OF_A_CODE, most / counts, 1)
    shares = np.add.reduceat(most, starts, axis=0) / len(ones)
    alike = (shares >= _EQUAL) & (np.minimum.reduceat(of_each, starts, axis=0) >= _OF_A_VALUE)
    for place, others in enumerate(np.tril(alike & alike.T, -1)):
        if others.any():
            other = int(others.argmax())
            share = min(shares[place, other], shares[other, place])
            of = f"column {few[other][0]!r} in {share:.2%} of the sampled rows"
            yield few[place][0], f"has one value for each value of {of}"


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


def _ranks(values: Values) -> np.ndarray:
    """Ranks, the mean rank for equal values and one for all that are missing, of mean 0 and length 1."""
    ranks = (np.cumsum(values.counts) - (values.counts + 1) / 2)[values.codes]
    ranks -= ranks.mean()
    return (ranks / np.sqrt(np.square(ranks).sum())).astype(np.float32)


def _in_order_of_appearance(codes: np.ndarray) -> np.ndarray:
    """The codes numbered anew by when they come first, so that equal patterns become equal."""
    _, first = np.unique(codes, return_index=True)
    anew = np.empty(len(first), np.int64)
    anew[np.argsort(first, kind="stable")] = np.arange(len(first))
    return anew[codes]
