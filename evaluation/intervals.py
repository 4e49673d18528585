"""How exactly a number is known: an interval for each metric, from the test rows that it was measured on.

The methods were chosen by simulated coverage (docs/gate.md has the table and the command that makes it):
Wilson's interval for proportions, and Clopper and Pearson's where a bound decides; the same on the Jaccard
index for F1; Newcombe's method 5 for the area under the ROC curve; a multinomial bootstrap of the confusion
matrix for metrics that are averages over classes; a studentised bootstrap of the logarithm for the errors of
a regression, and a bootstrap of its rows for R2.
The usual shortcuts (Wald, the delta method, DeLong, a bootstrap with few positives) miss by a lot.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from metrics import ClassCounts
from numerics import root_between
from scipy import special
from wilson import wilson

CONFIDENCE = 0.95
_DRAWS = 2000
_Z, _Z_ONE_SIDED = (float(special.ndtri(share)) for share in (0.5 + CONFIDENCE / 2, CONFIDENCE))
_MOST_CELLS_DRAWN = 1 << 21
"""Of confusion matrices, at once: 16 MB."""
_MOST_INDICES_DRAWN = 1 << 15
"""Of rows, at once: what is taken by them stays in the processor's cache."""
_LARGEST_LOGARITHM = math.log(sys.float_info.max)
_MOST_ROWS_DRAWN = 20_000
"""Of more rows the draws would take many seconds, and quantiles of the normal distribution are as good."""


@dataclass(frozen=True)
class Interval:
    """Where a metric's true value is, with 95 % confidence.

    Attributes:
        low, high: of the two-sided interval, for people.
        bound: the one-sided bound that a decision by evidence uses: the least value of a metric that is
            better when higher, the greatest of one that is better when lower.
        approximate: whether the method is known to cover less than it says.
    """

    low: float
    high: float
    bound: float
    approximate: bool = False


def proportion(successes: int, trials: int) -> Interval | None:
    """For accuracy, recall, precision and the like; None without trials.

    Wilson 1927; Clopper and Pearson 1934 for the bound.
    """
    if not trials:
        return None
    bound = special.betaincinv(successes, trials - successes + 1, 1 - CONFIDENCE) if successes else 0.0
    return Interval(*wilson(successes / trials, trials), float(bound))


def f1(true_positives: int, false_positives: int, false_negatives: int) -> Interval | None:
    """F1 is 2J / (1 + J) of the Jaccard index J = TP / (TP + FP + FN), which is a proportion."""
    return f_beta(1.0, true_positives, false_positives, false_negatives)


def f_beta(beta: float, true_positives: int, false_positives: int, false_negatives: int) -> Interval | None:
    """By the Jaccard index J: (1 + b2) J / ((1 + b2) J + w (1 - J)), b2 being beta squared.

    w is the mean weight of an error: b2 for a missed row, 1 for a false alarm; the larger one where there
    are no errors.
    """
    square, errors = beta * beta, false_positives + false_negatives
    weight = (square * false_negatives + false_positives) / errors if errors else max(square, 1.0)
    found = proportion(true_positives, true_positives + errors)
    if found is None:
        return None

    def of_jaccard(share: float) -> float:
        right = (1 + square) * share
        return right / (right + weight * (1 - share))

    return Interval(of_jaccard(found.low), of_jaccard(found.high), of_jaccard(found.bound))


def auc(area: float, positives: int, negatives: int) -> Interval | None:
    """Of the area under the ROC curve: Newcombe's method 5 (Stat. Med. 2006), solved like Wilson's interval.

    None where one of the classes is absent.
    """
    if not positives or not negatives:
        return None
    mean = (positives + negatives) / 2

    def deviation(theta: float) -> float:
        spread = 1 + (mean - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return math.sqrt(max(0.0, theta * (1 - theta) * spread / (positives * negatives)))

    def limit(z: float) -> float:
        """The value from which the observed area is z deviations away; below it for a positive z."""
        end = 0.0 if z > 0 else 1.0
        if abs(area - end) < 1e-9:
            return end
        # At the area itself the deviation may be 0 (an area of 1), which is no limit.
        near = area - math.copysign(1e-9, z)
        return root_between(lambda theta: area - theta - z * deviation(theta), end, near)

    return Interval(limit(_Z), limit(-_Z), limit(_Z_ONE_SIDED))


def of_confusion(
    matrix: np.ndarray, measure: Callable[[ClassCounts], Mapping[str, np.ndarray]], seed: int = 0
) -> dict[str, Interval]:
    """Of metrics that are computed from a confusion matrix: 2 000 draws of as many rows, percentiles.

    Args:
        matrix: int64, classes x classes, actual by predicted.
        measure: the metrics of many matrices at once, by name.

    Returns:
        by name; none without rows.
    """
    rows = int(matrix.sum())
    if not rows:
        return {}
    generator, cells = np.random.default_rng(seed), np.argwhere(matrix)
    shares = matrix[tuple(cells.T)] / rows
    # Many classes have many cells, of which few have rows: those are drawn, some draws at a time.
    at_once = max(1, _MOST_CELLS_DRAWN // len(cells))
    parts = []
    for place in range(0, _DRAWS, at_once):
        drawn = generator.multinomial(rows, shares, size=min(at_once, _DRAWS - place))
        parts.append(measure(_counts(cells, drawn, len(matrix))))
    tail = (1 - CONFIDENCE) / 2
    return {
        name: Interval(*map(float, np.quantile(_joined(parts, name), [tail, 1 - tail, 1 - CONFIDENCE])))
        for name in parts[0]
    }


def _joined(parts: Sequence[Mapping[str, np.ndarray]], name: str) -> np.ndarray:
    return np.concatenate([part[name] for part in parts])


def _counts(cells: np.ndarray, drawn: np.ndarray, classes: int) -> ClassCounts:
    """Of confusion matrices that have rows in some cells only.

    Args:
        cells: cells x 2, actual and predicted class.
        drawn: draws x cells, rows.
    """

    def by_class(of_cell: np.ndarray, rows: np.ndarray) -> np.ndarray:
        order = np.argsort(of_cell, kind="stable")
        present, starts = np.unique(of_cell[order], return_index=True)
        found = np.zeros((len(rows), classes), rows.dtype)
        if len(present):
            found[:, present] = np.add.reduceat(rows[:, order], starts, axis=1)
        return found

    actual, predicted = cells.T
    right = actual == predicted
    return ClassCounts(
        by_class(actual[right], drawn[:, right]), by_class(actual, drawn), by_class(predicted, drawn)
    )


def mean_error(errors: np.ndarray, seed: int = 0) -> Interval | None:
    """Of a mean of non-negative errors, one for each row: studentised bootstrap of its logarithm.

    With heavy tails and under 1 000 rows it covers 70 to 88 % instead of 95 %: nothing known does better.
    None under two rows, where all errors are zero, and where so many draws of a few rows are of one row alone
    that no upper end follows.
    """
    rows = len(errors)
    mean = float(np.mean(errors)) if rows else 0.0
    if rows < 2 or mean <= 0:
        return None
    error = float(np.std(errors, ddof=1)) / math.sqrt(rows) / mean  # of the logarithm, by the delta method
    if error == 0:
        return Interval(mean, mean, mean)
    pivots = special.ndtri((np.arange(_DRAWS) + 0.5) / _DRAWS)
    for place, chosen in _drawn_rows(rows, seed):
        drawn = errors[chosen]
        means = np.maximum(drawn.mean(axis=1), 1e-300)
        of_draws = np.maximum(drawn.std(axis=1, ddof=1) / math.sqrt(rows) / means, 1e-12)
        pivots[place] = (np.log(means) - math.log(mean)) / of_draws
    tail = (1 - CONFIDENCE) / 2
    least, most, lowest = np.quantile(pivots, [tail, 1 - tail, 1 - CONFIDENCE])
    ends = [math.log(mean) - float(pivot) * error for pivot in (most, least, lowest)]
    return Interval(*map(math.exp, ends)) if max(ends) < _LARGEST_LOGARITHM else None


def _drawn_rows(rows: int, seed: int) -> Iterator[tuple[slice, np.ndarray]]:
    """As many rows, 2 000 times, some draws at once: their places among the draws, and draws x rows indices.

    None of more rows than are drawn.
    """
    generator, at_once = np.random.default_rng(seed), max(1, _MOST_INDICES_DRAWN // rows)
    for place in range(0, _DRAWS if rows <= _MOST_ROWS_DRAWN else 0, at_once):
        count = min(at_once, _DRAWS - place)
        yield slice(place, place + count), generator.integers(0, rows, (count, rows))


def root(found: Interval | None) -> Interval | None:
    """Of the root mean squared error, by that of the mean squared error."""
    return found and Interval(*(math.sqrt(value) for value in (found.low, found.high, found.bound)))


def r2(actual: np.ndarray, predicted: np.ndarray, seed: int = 0) -> Interval | None:
    """Of R2: 2 000 draws of as many rows, percentiles. Approximate: with few rows it covers less than 95 %.

    None under three rows, or where all actual values are the same.

    Args:
        actual, predicted: float64, a number for each row.
    """
    rows = len(actual)
    distances = actual - actual.mean() if rows else actual
    if rows < 3 or not distances.any():
        return None
    squares, errors = distances**2, (actual - predicted) ** 2
    unexplained = float(errors.mean() / squares.mean())
    spread = float(np.std(errors - unexplained * squares) / squares.mean()) / math.sqrt(rows)  # delta method
    values = 1 - unexplained + spread * special.ndtri((np.arange(_DRAWS) + 0.5) / _DRAWS)
    for place, chosen in _drawn_rows(rows, seed):
        variances = squares[chosen].mean(axis=1) - distances[chosen].mean(axis=1) ** 2
        values[place] = 1 - errors[chosen].mean(axis=1) / np.maximum(variances, 1e-300)
    tail = (1 - CONFIDENCE) / 2
    low, high, bound = np.quantile(values, [tail, 1 - tail, 1 - CONFIDENCE])
    return Interval(float(low), float(high), float(bound), approximate=True)
