"""Tests of what a gate has to know: has the model learnt something, is it worse than another, is a slice bad?

Each answers with a p-value for a one-sided question, at most 5 % of useless models pass at 5 % (a little
more where noted in docs/gate.md, which has the simulated sizes and powers and the command that makes them).
Tests that look obvious are left out for what they do to useless models: a bootstrap or delta interval
against a constant answer lets up to half of them pass for F1 and all of them for weighted F1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

LEVEL = 0.05
_PERMUTATIONS = 1999
_FEW = 8


def association(matrix: np.ndarray) -> float:
    """Whether the answers go with the actual classes: Fisher's exact test, one-sided (two classes).

    Args:
        matrix: 2 x 2, actual by predicted.
    """
    return float(stats.fisher_exact(matrix, alternative="greater").pvalue)


def better_than_shuffled(
    matrix: np.ndarray, measure: Callable[[np.ndarray], np.ndarray], seed: int = 0
) -> float:
    """Whether a metric is higher than with the same answers shuffled over the rows (several classes).

    Args:
        matrix: classes x classes, actual by predicted.
        measure: the metric of many matrices (draws x classes x classes) at once; higher is better.
    """
    rows, columns = matrix.sum(axis=1), matrix.sum(axis=0)
    shuffled = stats.random_table(rows, columns, seed=np.random.default_rng(seed)).rvs(_PERMUTATIONS)
    observed = float(measure(matrix[np.newaxis])[0])
    reached = int(np.count_nonzero(measure(shuffled) >= observed - 1e-12))
    return (reached + 1) / (_PERMUTATIONS + 1)


def ranks_positives_higher(actual: np.ndarray, scores: np.ndarray, seed: int = 0) -> float:
    """Whether the area under the ROC curve is above 1/2: Mann and Whitney's test with correction for ties.

    With fewer than eight rows of a class its distribution is exact, or by permutation where scores are tied.
    1.0 where one of the classes is absent: nothing can be shown.

    Args:
        actual: 0 or 1 for each row.
        scores: of the positive class.
    """
    positive, negative = scores[actual == 1], scores[actual == 0]
    if not len(positive) or not len(negative):
        return 1.0
    if min(len(positive), len(negative)) >= _FEW:
        return float(stats.mannwhitneyu(positive, negative, alternative="greater").pvalue)
    if len(np.unique(scores)) == len(scores):
        return float(stats.mannwhitneyu(positive, negative, alternative="greater", method="exact").pvalue)
    ranks = stats.rankdata(scores)
    fewer = 1 if len(positive) <= len(negative) else 0
    observed = float(ranks[actual == fewer].sum())
    drawn = ranks[_distinct(len(scores), min(len(positive), len(negative)), seed)].sum(axis=1)
    # Good scores rank the positives high, and so the negatives low.
    reached = drawn >= observed - 1e-9 if fewer else drawn <= observed + 1e-9
    return (int(np.count_nonzero(reached)) + 1) / (_PERMUTATIONS + 1)


def _distinct(rows: int, count: int, seed: int) -> np.ndarray:
    """Many random choices of a few rows, each row at most once in a choice: draws x count, indices."""
    generator = np.random.default_rng(seed)
    chosen = generator.integers(0, rows, (_PERMUTATIONS, count))
    while (again := np.flatnonzero((np.diff(np.sort(chosen, axis=1), axis=1) == 0).any(axis=1))).size:
        chosen[again] = generator.integers(0, rows, (len(again), count))
    return chosen


def smaller_errors(errors: np.ndarray, of_constant: np.ndarray) -> float:
    """Whether squared errors are smaller than those of a constant answer: paired t test, one-sided."""
    differences = of_constant - errors
    if len(differences) < 2 or float(np.std(differences)) == 0:
        return 0.0 if len(differences) > 1 and float(np.mean(differences)) > 0 else 1.0
    return float(stats.ttest_1samp(differences, 0.0, alternative="greater").pvalue)


def more_often_right(only_first: int, only_second: int) -> float:
    """Whether the first of two is right more often on the same rows: McNemar's exact test, one-sided.

    Args:
        only_first, only_second: rows that only the first, or only the second, has right.
    """
    rows = only_first + only_second
    return float(stats.binomtest(only_first, rows, alternative="greater").pvalue) if rows else 1.0


def below(successes: Sequence[int], trials: Sequence[int], floor: float) -> list[float]:
    """For each of several shares whether it is below a floor: exact binomial tests, Holm's correction.

    Returns:
        p-values that already count how many are asked for; one under the level is below the floor.
    """
    raw = [
        stats.binomtest(int(good), int(count), floor, alternative="less").pvalue
        for good, count in zip(successes, trials, strict=True)
    ]
    adjusted, highest = [1.0] * len(raw), 0.0
    for place, index in enumerate(np.argsort(raw, kind="stable")):
        highest = max(highest, min(1.0, (len(raw) - place) * raw[index]))
        adjusted[index] = highest
    return adjusted
