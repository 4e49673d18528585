"""Tests of what a gate has to know: has the model learnt something, is it worse than another, is a slice bad?

Each answers with a p-value for a one-sided question, at most 5 % of useless models pass at 5 % (a little
more where noted in docs/gate.md, which has the simulated sizes and powers and the command that makes them).
Tests that look obvious are left out for what they do to useless models: a bootstrap or delta interval
against a constant answer lets up to half of them pass for F1 and all of them for weighted F1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from curves import Ranked
from metrics import ClassCounts
from numerics import at_least, at_most, draws_without_replacement, mean_above_zero, tables_with_margins
from scipy import special

LEVEL = 0.05
_PERMUTATIONS = 1999
_MOST_NUMBERS_DRAWN = 1 << 21
"""At once, by permutation: 16 MB."""
_ENOUGH = 50
"""Rows of each class, expected outside of the most frequent score, from which on a sum of ranks is normal."""


def association(matrix: np.ndarray) -> float:
    """Whether the answers go with the actual classes: Fisher's exact test, one-sided (two classes).

    Args:
        matrix: 2 x 2, actual by predicted.
    """
    (right, _), _ = matrix
    rows, columns = matrix.sum(axis=1), matrix.sum(axis=0)
    return draws_without_replacement(int(right), int(matrix.sum()), int(rows[0]), int(columns[0]))


class Shuffled:
    """Answers to several classes, shuffled over the rows: drawn when they are needed, once for all metrics.

    Args:
        matrix: classes x classes, actual by predicted.
        measure: the metrics of many matrices at once, by name; higher is better.
    """

    def __init__(
        self, matrix: np.ndarray, measure: Callable[[ClassCounts], Mapping[str, np.ndarray]], seed: int = 0
    ) -> None:
        self._matrix, self._measure = matrix, measure
        self._generator = np.random.default_rng(seed)
        self._draw = _shuffled_tables if matrix.size <= matrix.sum() else _shuffled_rows
        self._observed = measure(ClassCounts.of(matrix[np.newaxis]))
        self._drawn: list[Mapping[str, np.ndarray]] = []

    def chance(self, metric: str) -> float:
        """The p-value of "the metric is no higher than with shuffled answers"."""
        observed, used = float(self._observed[metric][0]) - 1e-12, 0

        def reached(count: int) -> int:
            nonlocal used
            if used == len(self._drawn):
                self._drawn.append(self._measure(self._draw(self._matrix, count, self._generator)))
            used += 1
            return int(np.count_nonzero(self._drawn[used - 1][metric] >= observed))

        return _by_chance(reached, min(self._matrix.size, int(self._matrix.sum())))


def _shuffled_tables(matrix: np.ndarray, count: int, generator: np.random.Generator) -> ClassCounts:
    """Of few classes the matrices are drawn, with the sums of rows and columns that they have."""
    margins = matrix.sum(axis=1), matrix.sum(axis=0)
    return ClassCounts.of(tables_with_margins(*margins, count, generator))


def _shuffled_rows(matrix: np.ndarray, count: int, generator: np.random.Generator) -> ClassCounts:
    """Of many classes, whose matrices have more cells than there are rows, the rows are shuffled."""
    classes = len(matrix)
    actual, predicted = np.divmod(np.repeat(np.arange(matrix.size), matrix.ravel()), classes)
    shuffled = generator.permuted(np.tile(predicted, (count, 1)), axis=1)
    draws, rows = np.nonzero(shuffled == actual)
    right = np.bincount(draws * classes + actual[rows], minlength=count * classes).reshape(count, classes)
    margins = (np.broadcast_to(matrix.sum(axis=axis), right.shape) for axis in (1, 0))
    return ClassCounts(right, *margins)


def _by_chance(reached: Callable[[int], int], numbers: int) -> float:
    """The p-value of a test by permutation, of 1 999 draws; fewer where those already exceed the level.

    Args:
        reached: draws so many times, and says how often the drawn value was as good as the observed one.
        numbers: that a draw has in memory.
    """
    enough, at_once = LEVEL * (_PERMUTATIONS + 1), max(1, min(250, _MOST_NUMBERS_DRAWN // numbers))
    found = drawn = 0
    while drawn < _PERMUTATIONS and found < enough:
        count = min(at_once, _PERMUTATIONS - drawn)
        found, drawn = found + reached(count), drawn + count
    return (found + 1) / (drawn + 1)


def ranks_positives_higher(actual: np.ndarray, scores: np.ndarray, seed: int = 0) -> float:
    """Whether the area under the ROC curve is above 1/2: Mann and Whitney's test with correction for ties.

    By permutation where few rows of one of the classes are outside of the most frequent score: there the
    statistic is far from normal, and with one score for nearly all rows a test that takes it for normal lets
    up to 20 % of useless models pass. 1.0 where one of the classes is absent: nothing can be shown.

    Args:
        actual: 0 or 1 for each row.
        scores: of the positive class.
    """
    positives, rows = int(np.count_nonzero(actual)), len(actual)
    few = min(positives, rows - positives)
    if not few:
        return 1.0
    ranked = Ranked.of(actual, scores)
    counts = np.diff(ranked.true + ranked.false, prepend=0)[::-1]  # from the lowest score on
    if few * (rows - int(counts.max())) >= _ENOUGH * rows:
        return _by_normal_approximation(ranked, counts)
    # Good scores rank the positives high, and so the negatives low.
    rarer, sign = (1, 1) if positives == few else (0, -1)
    place = np.searchsorted(np.unique(scores), scores)
    ranks = sign * (np.cumsum(counts) - (counts - 1) / 2)
    observed = float(ranks[place[actual == rarer]].sum()) - 1e-9
    generator = np.random.default_rng(seed)

    def reached(count: int) -> int:
        if few**2 <= 4 * rows:  # at least one choice in eight has no row twice
            sums = ranks[place[_distinct(rows, few, count, generator)]].sum(axis=1)
        else:
            sums = generator.multivariate_hypergeometric(counts, few, size=count) @ ranks
        return int(np.count_nonzero(sums >= observed))

    return _by_chance(reached, min(few, len(counts)))


def _by_normal_approximation(ranked: Ranked, counts: np.ndarray) -> float:
    """Mann and Whitney's test, one-sided, with corrections for ties and for continuity, as
    ``scipy.stats.mannwhitneyu`` has it; from the counts, since that needs 80 bytes a row.

    Args:
        counts: how many rows have each score.
    """
    positives, negatives = int(ranked.true[-1]), int(ranked.false[-1])
    own, equal = (np.diff(found, prepend=0).astype(np.int64) for found in (ranked.true, ranked.false))
    wins = int(own @ (negatives - ranked.false)) + int(own @ equal) / 2
    ties = counts.astype(np.float64)
    rows = positives + negatives
    tied = float((ties**3 - ties).sum()) / (rows * (rows - 1))
    deviation = math.sqrt(positives * negatives / 12 * (rows + 1 - tied))
    return float(special.ndtr((positives * negatives / 2 + 0.5 - wins) / deviation))


def _distinct(rows: int, few: int, count: int, generator: np.random.Generator) -> np.ndarray:
    """Random choices of a few rows, each row at most once in a choice: count x few, indices."""
    chosen = generator.integers(0, rows, (count, few))
    while (again := np.flatnonzero((np.diff(np.sort(chosen, axis=1), axis=1) == 0).any(axis=1))).size:
        chosen[again] = generator.integers(0, rows, (len(again), few))
    return chosen


def smaller_errors(errors: np.ndarray, of_constant: np.ndarray) -> float:
    """Whether squared errors are smaller than those of a constant answer: paired t test, one-sided."""
    differences = of_constant - errors
    if len(differences) < 2 or float(np.std(differences)) == 0:
        return 0.0 if len(differences) > 1 and float(np.mean(differences)) > 0 else 1.0
    return mean_above_zero(float(np.mean(differences)), differences)


def rises_with(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Whether predicted numbers go up with the actual ones: Pearson's correlation, one-sided.

    A constant has learnt nothing, but has smaller errors than the mean of the training part where it happens
    to be nearer to the mean of the test part. 1.0 for a constant, and under three rows.
    """
    if len(actual) < 3 or not np.ptp(actual) or not np.ptp(predicted):
        return 1.0
    first, second = (numbers - numbers.mean() for numbers in (predicted, actual))
    correlation = float(first / np.linalg.norm(first) @ (second / np.linalg.norm(second)))
    half = len(actual) / 2 - 1
    return float(special.betainc(half, half, (1 - max(-1.0, min(1.0, correlation))) / 2))


def more_often_right(only_first: int, only_second: int) -> float:
    """Whether the first of two is right more often on the same rows: McNemar's exact test, one-sided.

    Args:
        only_first, only_second: rows that only the first, or only the second, has right.
    """
    rows = only_first + only_second
    return at_least(only_first, rows) if rows else 1.0


def below(successes: Sequence[int], trials: Sequence[int], floor: float) -> list[float]:
    """For each of several shares whether it is below a floor: exact binomial tests, Holm's correction.

    Returns:
        p-values that already count how many are asked for; one under the level is below the floor.
    """
    raw = [at_most(int(good), int(count), floor) for good, count in zip(successes, trials, strict=True)]
    adjusted, highest = [1.0] * len(raw), 0.0
    for place, index in enumerate(np.argsort(raw, kind="stable")):
        highest = max(highest, min(1.0, (len(raw) - place) * raw[index]))
        adjusted[index] = highest
    return adjusted
