"""How often the check against the champion errs: challengers whose true metric is known, judged by its test.

    python -m benchmarks.champion [--models 2000]

Prints the table of docs/gate.md. A challenger is behind the champion by a difference of the true metric.
"Behind by 0.5 points" is the least that the check has to keep out. Models share a part of their answers or
scores, as successive models of one project do; each kind of model shares another part.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from metric_table import METRICS
from metrics import ClassCounts, binary_values, multiclass_values
from non_inferiority import (
    MARGIN,
    Differences,
    chance_of_worse,
    of_answers,
    of_errors,
    of_ranks,
    of_right_answers,
)
from scipy import optimize, stats
from significance import LEVEL

METRIC_NAMES = ("accuracy", "f1", "recall", "false_positive_rate", "auc", "weighted_f1", "mse")
SHARED = (0.0, 0.8, 0.98)
_BINARY_KINDS = ((0.5, 0.9, 0.05), (0.2, 0.6, 0.1), (0.05, 0.9, 0.05))  # positives, recall, false positives
_MIXES = ((0.5, 0.3, 0.2), (0.9, 0.07, 0.03))

Draw = Callable[[np.random.Generator], Differences]


def passing(metric: str, rows: int, behind: float, models: int, seed: int) -> list[bool]:
    """Whether each of ``models`` challengers passes, spread evenly over all kinds.

    Args:
        metric: one of ``METRIC_NAMES``.
        rows: of the test part.
        behind: by how much the challenger's true metric is worse; negative: it is better.
    """
    generator = np.random.default_rng(seed)
    kinds = list(kinds_of(metric, rows, behind))
    return [chance_of_worse(kinds[place % len(kinds)](generator)) <= LEVEL for place in range(models)]


def kinds_of(metric: str, rows: int, behind: float) -> Iterator[Draw]:
    """Every kind of pair, as a function that draws one; arguments as of :func:`passing`."""
    if metric == "accuracy":
        for shared in SHARED:
            yield _Right(rows, behind, shared).draw
    elif metric == "auc":
        for share, area, shared in product((0.5, 0.1), (0.7, 0.9), (0.0, 0.9, 0.999)):
            yield _Ranked(rows, share, area, area - behind, shared).draw
    elif metric == "mse":
        for explained, shared, tail in product((0.2, 0.8), (0.0, 0.9), ("normal", "t3")):
            yield _Numbers(rows, explained, behind, shared, tail).draw
    elif metric == "weighted_f1":
        for mix, right, shared in product(_MIXES, (0.6, 0.9), SHARED):
            yield _Several(metric, rows, np.array(mix), right, behind, shared).draw
    else:
        for (share, recall, false), shared in product(_BINARY_KINDS, SHARED):
            yield _Two(metric, rows, share, (recall, false), behind, shared).draw


@dataclass(frozen=True)
class _Right:
    """Right answers: of the champion's 90 %, those that are not shared may be the challenger's, too."""

    rows: int
    behind: float
    shared: float

    def draw(self, generator: np.random.Generator) -> Differences:
        champion, challenger = 0.9, 0.9 - self.behind
        both = self.shared * min(champion, challenger) + (1 - self.shared) * champion * challenger
        parts = [both, champion - both, challenger - both, 1 - champion - challenger + both]
        cell = generator.choice(4, self.rows, p=np.clip(parts, 0, 1) / np.clip(parts, 0, 1).sum())
        return of_right_answers(cell <= 1, (cell == 0) | (cell == 2))


@dataclass(frozen=True)
class _Two:
    """Two classes by recall and rate of false positives; the challenger differs in the one that counts."""

    metric: str
    rows: int
    share: float
    rates: tuple[float, float]
    behind: float
    shared: float

    def draw(self, generator: np.random.Generator) -> Differences:
        actual = (generator.random(self.rows) < self.share).astype(np.int64)
        first = generator.random(self.rows)
        second = np.where(generator.random(self.rows) < self.shared, first, generator.random(self.rows))
        recall, false = self.rates
        champion = first < np.where(actual == 1, recall, false)
        other_recall, other_false = self._challengers_rates
        challenger = second < np.where(actual == 1, other_recall, other_false)
        sign = 1 if METRICS[self.metric].higher_is_better else -1
        return of_answers(
            actual,
            champion.astype(np.int64),
            challenger.astype(np.int64),
            2,
            lambda counts: sign * binary_values(counts)[self.metric],
        )

    @cached_property
    def _challengers_rates(self) -> tuple[float, float]:
        recall, false = self.rates
        if self.metric == "false_positive_rate":
            return recall, false + self.behind
        wanted = self._true(recall) - self.behind
        return float(optimize.brentq(lambda rate: self._true(rate) - wanted, 0.0, 1.0)), false

    def _true(self, recall: float) -> float:
        share, false = self.share, self.rates[1]
        matrix = np.array(
            [[(1 - share) * (1 - false), (1 - share) * false], [share * (1 - recall), share * recall]]
        )
        return float(binary_values(ClassCounts.of(matrix))[self.metric])


@dataclass(frozen=True)
class _Ranked:
    """Scores of two normal distributions, those of the two models correlated."""

    rows: int
    share: float
    area: float
    challengers_area: float
    shared: float

    def draw(self, generator: np.random.Generator) -> Differences:
        actual = np.zeros(self.rows, dtype=np.int64)
        actual[: max(1, round(self.share * self.rows))] = 1
        common, one, other = generator.standard_normal((3, self.rows))
        scores = [
            np.sqrt(self.shared) * common
            + np.sqrt(1 - self.shared) * own
            + np.sqrt(2) * stats.norm.ppf(area) * actual
            for own, area in ((one, self.area), (other, self.challengers_area))
        ]
        return of_ranks(actual, *scores)


@dataclass(frozen=True)
class _Several:
    """Several classes; a wrong answer is any other class."""

    metric: str
    rows: int
    mix: np.ndarray
    right: float
    behind: float
    shared: float

    def draw(self, generator: np.random.Generator) -> Differences:
        rows, classes = self.rows, len(self.mix)
        actual = generator.choice(classes, rows, p=self.mix)
        first = generator.random(rows)
        same = generator.random(rows) < self.shared
        second = np.where(same, first, generator.random(rows))
        wrong = (actual + generator.integers(1, classes, rows)) % classes
        other_wrong = np.where(same, wrong, (actual + generator.integers(1, classes, rows)) % classes)
        return of_answers(
            actual,
            np.where(first < self.right, actual, wrong),
            np.where(second < self._challengers_right, actual, other_wrong),
            classes,
            lambda counts: multiclass_values(counts)[self.metric],
        )

    @cached_property
    def _challengers_right(self) -> float:
        wanted = self._true(self.right) - self.behind
        return float(optimize.brentq(lambda right: self._true(right) - wanted, 0.01, 1.0))

    def _true(self, right: float) -> float:
        classes = len(self.mix)
        matrix = np.full((classes, classes), (1 - right) / (classes - 1))
        np.fill_diagonal(matrix, right)
        return float(multiclass_values(ClassCounts.of(self.mix[:, np.newaxis] * matrix))[self.metric])


@dataclass(frozen=True)
class _Numbers:
    """Errors of a regression that explains a share of the variance; ``behind`` is such a share, too."""

    rows: int
    explained: float
    behind: float
    shared: float
    tail: str

    def draw(self, generator: np.random.Generator) -> Differences:
        def noise() -> np.ndarray:
            if self.tail == "t3":
                return generator.standard_t(3, self.rows) / np.sqrt(3)
            return generator.standard_normal(self.rows)

        common, left = noise(), 1 - self.explained
        errors = [
            np.sqrt(variance) * (np.sqrt(self.shared) * common + np.sqrt(1 - self.shared) * noise())
            for variance in (left, left + self.behind)
        ]
        target = np.sqrt(self.explained) * generator.standard_normal(self.rows) + errors[0]
        return of_errors(errors[0] ** 2, errors[1] ** 2, target**2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", type=int, default=2000, help="for each cell of the table (2000)")
    models = parser.parse_args().models
    sizes = (200, 1000, 10_000)
    print("| metric | " + " | ".join(f"{rows:,} rows" for rows in sizes) + " |")
    print("| --- |" + " --- |" * len(sizes))
    for metric in METRIC_NAMES:
        cells = []
        for rows in sizes:
            shares = [
                100 * np.mean(passing(metric, rows, behind, models, seed=rows))
                for behind in (MARGIN, 0.0, -0.02)
            ]
            cells.append(" / ".join(f"{share:.1f}" if share < 10 else f"{share:.0f}" for share in shares))
        print(f"| {METRICS[metric].label} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
