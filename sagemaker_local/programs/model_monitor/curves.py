"""ROC and precision-recall curves of a binary task, the area under them, and the points that are written.

The scores are sorted once and counted at each distinct one. What follows has an entry for each of these and
needs some 40 bytes a row at most, a third of what scikit-learn takes for a curve of ten million rows: hence
the short integers, and sums that are made in place. Tests hold curves and areas to scikit-learn's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Curve = tuple[list[list[float]], float]
"""False and true positive rates, thinned, and the area under the whole curve."""

MOVED = 1e-4
"""By how much the area under a thinned curve may differ from that under the whole one."""
_POINTS = 200
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Ranked:
    """How many rows have a score at or above each distinct one, from the highest score on.

    Attributes:
        false, true: of negative and of positive rows; int32, or int64 where that cannot hold all rows.
    """

    false: np.ndarray
    true: np.ndarray

    @classmethod
    def of(cls, actual: np.ndarray, scores: np.ndarray) -> Ranked:
        """Count the rows, of which there is at least one.

        Args:
            actual: 0 or 1 for each row.
            scores: of the positive class, finite.
        """
        positive, negative = scores[actual == 1], scores[actual == 0]
        positive.sort()
        negative.sort()
        distinct = np.concatenate((positive, negative))
        distinct.sort()
        new = np.ones(len(distinct), bool)
        np.not_equal(distinct[1:], distinct[:-1], out=new[1:])
        distinct = distinct[new]
        kind = np.int32 if len(scores) <= np.iinfo(np.int32).max else np.int64
        return cls(*(_at_or_above(own, distinct, kind) for own in (negative, positive)))

    @property
    def area(self) -> float:
        """The area under the ROC curve; NaN where one of the classes is absent."""
        if not self.false[-1] or not self.true[-1]:
            return math.nan
        # As scikit-learn sums it, to the last digit: without the points on a straight line.
        corner = np.ones(len(self.true), bool)
        corner[1:-1] = np.diff(self.false, 2) != 0
        corner[1:-1] |= np.diff(self.true, 2) != 0
        across, up = (_rates(counts[corner]) for counts in (self.false, self.true))
        return float(_areas(across, up).sum())

    def roc(self) -> tuple[np.ndarray, np.ndarray]:
        """False and true positive rates, from (0, 0) to (1, 1); 0 of a class without rows."""
        return _rates(self.false), _rates(self.true)

    def recall_precision(self) -> tuple[np.ndarray, np.ndarray]:
        """Recalls and precisions, from recall 0, where precision is 1; recall is 0 without positive rows."""
        return _rates(self.true), np.append(1.0, self.true / (self.true + self.false))


def area_under_roc(actual: np.ndarray, scores: np.ndarray) -> float:
    """The area under the ROC curve of rows; NaN where one of the classes is absent."""
    return Ranked.of(actual, scores).area


def one_against_rest(actual: np.ndarray, probabilities: np.ndarray) -> list[Curve]:
    """For each class its probability's ROC curve against all others; the area is NaN, and the curve none
    worth the name, for a class without rows.

    Args:
        actual: the class of each row, an index.
        probabilities: rows x classes.
    """
    curves = []
    for place, scores in enumerate(probabilities.T):
        ranked = Ranked.of(actual == place, scores)
        curves.append((thinned(*ranked.roc()), ranked.area))
    return curves


def _at_or_above(own: np.ndarray, distinct: np.ndarray, kind: type[np.signedinteger]) -> np.ndarray:
    """How many of some sorted scores are at or above each distinct one, from the highest on."""
    counts = np.empty(len(distinct), kind)
    for begin in range(0, len(distinct), _AT_ONCE):
        end = begin + _AT_ONCE
        counts[begin:end] = len(own) - np.searchsorted(own, distinct[begin:end])
    return counts[::-1]


def _rates(counts: np.ndarray) -> np.ndarray:
    """Shares of the last count, after a 0."""
    rates = np.zeros(len(counts) + 1)
    np.divide(counts, max(1, counts[-1]), out=rates[1:])
    return rates


def _areas(across: np.ndarray, up: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Between each two points the area below the straight line."""
    areas = np.add(up[1:], up[:-1], out=out)
    areas *= np.diff(across)
    areas /= 2.0
    return areas


def thinned(across: np.ndarray, up: np.ndarray) -> list[list[float]]:
    """Few points of a curve, first and last included, whose area differs by at most :data:`MOVED`.

    A curve of up to 200 points stays as it is. Of others 200 points are chosen evenly along the curve, so
    that steep ends keep their shape. Then the stretches whose areas differ most get their furthest point,
    too, until all differences, none of them set off against another, are small enough: some hundred points
    more.

    Args:
        across: the axis below the area; it never goes back.
    """
    last = len(across) - 1
    if last < _POINTS:
        return [across.tolist(), up.tolist()]
    length = np.zeros(last + 1)
    np.subtract(up[1:], up[:-1], out=length[1:])
    np.abs(length, out=length)
    length[1:] += np.diff(across)
    np.cumsum(length, out=length)
    even = np.searchsorted(length, np.linspace(0.0, length[-1], _POINTS)).clip(0, last)
    area = length  # in its place
    _areas(across, up, out=area[1:])
    np.cumsum(area, out=area)
    places = np.unique(np.concatenate(([0], even, [last])))
    while True:
        moved = np.abs(_areas(across[places], up[places]) - np.diff(area[places]))
        if moved.sum() <= MOVED:
            return [across[places].tolist(), up[places].tolist()]
        worst = np.flatnonzero(moved >= moved.max() / 2)
        more = [_furthest(across, up, *places[[place, place + 1]]) for place in worst]
        places = np.unique(np.concatenate((places, more)))


def _furthest(across: np.ndarray, up: np.ndarray, begin: int, end: int) -> int:
    """The place that is furthest from the straight line between two places of a curve."""
    right, over = across[begin : end + 1] - across[begin], up[begin : end + 1] - up[begin]
    return begin + int(np.abs(right * over[-1] - over * right[-1]).argmax())
