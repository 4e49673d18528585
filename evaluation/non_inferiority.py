"""Whether a model is not worse than another, both of them scored on the same rows.

"Not significantly worse" would be the wrong question: with few rows hardly anything is significantly worse,
and a year of daily candidates, each of them let in by that rule, loses all that the first one knew. So the
challenger has to show that it is worse by less than a margin: a one-sided test of the hypothesis that it is
worse by the margin. How often it errs is in docs/gate.md.

Each row contributes a difference, and their mean is the difference of the metric:

    accuracy           1, 0 or -1: only the challenger, both or neither, only the champion is right
    recall, F1, ...    by how much the challenger's answer to this row moves the metric (its derivative)
    AUC                by how much the row is ranked better or worse
    errors             the champion's error less the challenger's, in units of the constant's error

Few rows may differ at all, and then their variance says nothing. So the variance is that of the most likely
distribution that has the hypothesis' mean, in which the largest loss that a row can have is possible even if
it was not observed. Of accuracy this is Tango's score test (Stat. Med. 1998), and of the others its extension
by empirical likelihood (Owen 2001).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from metrics import ClassCounts, combinations
from numerics import mean_above_zero, root_between
from scipy import special

MARGIN = 0.005
"""By how much a challenger may be worse: half a point. A wider one lets a series of candidates erode."""

MOST_CLASSES = 50
"""With more, derivatives for each pair of classes would take too long."""

_NEARLY = 1 - 1e-12
_STEP = 1e-3  # of a row


@dataclass(frozen=True)
class Differences:
    """Rows by how much better (positive) or worse the challenger's answer is for the metric.

    Attributes:
        values, counts: distinct differences, and how many rows have each.
        worst: the largest loss that a single row can have, positive; None where there is no such limit.
        estimate: by how much the metric itself is better; the mean of the rows' differences is this, or is
            it to first order.
    """

    values: np.ndarray
    counts: np.ndarray
    worst: float | None
    estimate: float

    @property
    def rows(self) -> int:
        return int(self.counts.sum())


def chance_of_worse(differences: Differences, margin: float = MARGIN) -> float:
    """The p-value of "worse by the margin or more": small where the challenger is shown not to be worse."""
    rows = differences.rows
    distance = differences.estimate + margin
    if not rows or not distance > 0:
        return 1.0
    if differences.worst is None:
        return _by_t_test(differences, distance)
    variance = _variance_at(margin, differences)
    return float(special.ndtr(-distance / math.sqrt(variance / rows)))


def _by_t_test(differences: Differences, distance: float) -> float:
    if differences.rows < 2:
        return 1.0
    if float(np.std(differences.values, ddof=1)) == 0:
        return 0.0
    return mean_above_zero(distance, differences.values)


def _variance_at(margin: float, differences: Differences) -> float:
    """Of the most likely distribution with mean ``-margin`` on the observed values and the worst one."""
    assert differences.worst is not None
    worst = max(differences.worst, 2 * margin)
    shares = differences.counts / differences.rows
    moved = differences.values + margin
    largest = _NEARLY / (worst - margin)

    def mean(tilt: float) -> float:
        return float((shares * moved / (1 + tilt * moved)).sum())

    if mean(0.0) <= 0:
        tilt = 0.0
    elif mean(largest) >= 0:
        tilt = largest
    else:
        tilt = root_between(mean, 0.0, largest)
    tilted = shares / (1 + tilt * moved)
    unobserved = max(0.0, 1 - float(tilted.sum()))
    return float((tilted * moved**2).sum()) + unobserved * (worst - margin) ** 2


# --- What a row contributes ------------------------------------------------------------------------


def of_right_answers(champion: np.ndarray, challenger: np.ndarray) -> Differences:
    """For accuracy.

    Args:
        champion, challenger: for each row whether its answer is right.
    """
    better, worse = int((challenger & ~champion).sum()), int((champion & ~challenger).sum())
    rows = len(champion)
    counts = np.array([better, worse, rows - better - worse])
    return Differences(np.array([1.0, -1.0, 0.0]), counts, 1.0, (better - worse) / max(1, rows))


def of_answers(
    actual: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    classes: int,
    measure: Callable[[ClassCounts], np.ndarray],
) -> Differences:
    """For a metric that follows from the confusion matrix.

    Args:
        actual, champion, challenger: the class of each row, an index.
        classes: at most ``MOST_CLASSES``.
        measure: the metric of many matrices at once; higher is better.
    """
    counts = combinations((actual, champion, challenger), classes)
    cells = np.flatnonzero(counts)
    counts = counts[cells]
    rest, after = np.divmod(cells, classes)
    truth, before = np.divmod(rest, classes)
    old, new = np.zeros((2, classes, classes))
    np.add.at(old, (truth, before), counts)
    np.add.at(new, (truth, after), counts)
    slope = _slopes((old + new) / 2, measure)
    values = measure(ClassCounts.of(np.stack([old, new])))
    return Differences(
        values=slope[truth, after] - slope[truth, before],
        counts=counts,
        worst=float((slope.max(axis=1) - slope.min(axis=1)).max()),
        estimate=float(values[1] - values[0]),
    )


def _slopes(matrix: np.ndarray, measure: Callable[[ClassCounts], np.ndarray]) -> np.ndarray:
    """By how much the metric moves with the share of rows in each cell: actual x predicted."""
    classes = len(matrix)
    step = _STEP * np.eye(classes * classes).reshape(-1, classes, classes)
    above, below = matrix + step, np.maximum(matrix - step, 0.0)
    width = (above - below).sum(axis=(1, 2))
    slopes = matrix.sum() * (measure(ClassCounts.of(above)) - measure(ClassCounts.of(below))) / width
    return slopes.reshape(classes, classes)


def of_ranks(actual: np.ndarray, champion: np.ndarray, challenger: np.ndarray) -> Differences:
    """For the area under the ROC curve, by DeLong's components (Biometrics 1988); rows of both classes.

    Args:
        actual: 0 or 1.
        champion, challenger: the score of each row; higher means class 1.
    """
    positive = actual == 1
    share = float(positive.mean())
    moved = _placements(positive, challenger) - _placements(positive, champion)
    estimate = float(moved[positive].mean())
    weight = np.where(positive, share, 1 - share)
    values = estimate + (moved - estimate) / weight
    return Differences(
        values=values,
        counts=np.ones(len(values), dtype=np.int64),
        worst=1 / min(share, 1 - share),
        estimate=estimate,
    )


def _placements(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """For each row the share of the other class's rows that it is ranked rightly against, ties as halves."""
    found = np.empty(len(scores))
    for own in (positive, ~positive):
        others, mine = np.sort(scores[~own]), scores[own]
        order = np.argsort(mine)  # in their order they are looked up much faster
        mine = mine[order]
        below = np.searchsorted(others, mine)
        below += np.searchsorted(others, mine, side="right")
        shares = np.empty(len(mine))
        shares[order] = below / (2 * len(others))
        found[own] = shares
    found[~positive] = 1 - found[~positive]
    return found


def of_errors(champion: np.ndarray, challenger: np.ndarray, of_constant: np.ndarray) -> Differences:
    """For squared or absolute errors, in units of the mean error of a constant answer.

    Args:
        champion, challenger, of_constant: the error of each row, not negative.
    """
    unit = float(of_constant.mean())
    values = (champion - challenger) / unit if unit > 0 else np.sign(champion - challenger)
    return Differences(values, np.ones(len(values), dtype=np.int64), None, float(values.mean()))
