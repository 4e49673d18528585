"""What is computed without `scipy.stats` and `scipy.optimize` is what these compute."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numerics import at_least, at_most, draws_without_replacement, root_between, tables_with_margins
from scipy import optimize, stats


@pytest.mark.parametrize("largest", [5, 40, 1000, 200_000, 10_000_000])
def test_draws_without_replacement_have_the_hypergeometric_tail(largest: int) -> None:
    generator = np.random.default_rng(largest)
    for _ in range(200):
        total = int(generator.integers(1, largest + 1))
        marked, drawn = (int(generator.integers(0, total + 1)) for _ in range(2))
        expected = drawn * marked / total
        for least in {0, 1, int(expected), int(expected) + 1, int(1.02 * expected) + 2, min(marked, drawn)}:
            found = draws_without_replacement(least, total, marked, drawn)
            known = float(stats.hypergeom.sf(least - 1, total, marked, drawn))
            assert found == pytest.approx(known, rel=1e-6, abs=1e-9), (least, total, marked, drawn)


@pytest.mark.parametrize(
    ("least", "total", "marked", "drawn"),
    [(30, 100_000, 40, 300), (5, 20_200, 5, 200), (199, 20_200, 200, 200)],
)
def test_a_tiny_tail_keeps_its_digits(least: int, total: int, marked: int, drawn: int) -> None:
    known = float(stats.hypergeom.sf(least - 1, total, marked, drawn))
    assert known < 1e-9
    assert draws_without_replacement(least, total, marked, drawn) == pytest.approx(known, rel=1e-8, abs=0)


@pytest.mark.parametrize("matrix", [[[8, 2], [1, 5]], [[0, 7], [3, 0]], [[4, 0], [9, 0]], [[0, 0], [3, 4]]])
def test_the_association_of_two_classes_is_fishers_test(matrix: list[list[int]]) -> None:
    from significance import association

    known = float(stats.fisher_exact(matrix, alternative="greater").pvalue)
    assert association(np.array(matrix)) == pytest.approx(known, rel=1e-9)


def test_binomial_tests_are_those_of_scipy() -> None:
    for trials in (1, 2, 7, 40, 5000):
        for successes in {0, 1, trials // 3, trials // 2, trials - 1, trials}:
            for share in (0.01, 0.5, 0.9):
                arguments = (successes, trials, share)
                below, above = (
                    float(stats.binomtest(*arguments, alternative=side).pvalue)
                    for side in ("less", "greater")
                )
                assert at_most(*arguments) == pytest.approx(below, rel=1e-9, abs=1e-300)
                assert at_least(*arguments) == pytest.approx(above, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(
    ("outside", "present", "values"), [(0, 50, 20_000), (1, 1000, 300), (4, 900, 20_000)]
)
def test_values_outside_a_range_follow_the_predictive_distribution(
    outside: int, present: int, values: int
) -> None:
    from drift import Counted, more_outside

    found = more_outside(values, Counted(np.array([present]), 0, 0, outside))
    known = stats.betabinom.pmf(
        np.arange(outside, present + 1), present, 2, values - 1
    ).sum()  # sf is 1 - cdf
    assert found == pytest.approx(float(known), rel=1e-8)


def test_the_tests_of_a_regression_are_those_of_scipy() -> None:
    from significance import rises_with, smaller_errors

    generator = np.random.default_rng(0)
    for rows in (3, 10, 400):
        actual = generator.standard_normal(rows)
        predicted = 0.3 * actual + generator.standard_normal(rows)
        known = stats.pearsonr(predicted, actual, alternative="greater").pvalue
        assert rises_with(actual, predicted) == pytest.approx(float(known), rel=1e-9)
        errors, of_constant = (actual - predicted) ** 2, (actual - 0.1) ** 2
        known = stats.ttest_1samp(of_constant - errors, 0.0, alternative="greater").pvalue
        assert smaller_errors(errors, of_constant) == pytest.approx(float(known), rel=1e-9)


def test_random_tables_have_their_margins_and_the_probabilities_of_shuffling() -> None:
    rows, columns = np.array([3, 0, 4]), np.array([2, 5])
    tables = tables_with_margins(rows, columns, 20_000, np.random.default_rng(0))
    assert (tables.sum(axis=2) == rows).all()
    assert (tables.sum(axis=1) == columns).all()
    distribution = stats.random_table(rows, columns)
    kinds, counts = np.unique(tables, axis=0, return_counts=True)
    expected = len(tables) * np.array([distribution.pmf(kind) for kind in kinds])
    assert expected.sum() == pytest.approx(len(tables))
    assert stats.chisquare(counts, expected).pvalue > 1e-4


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (lambda x: x - 0.3, 0.0, 1.0),
        (lambda x: 0.3 - x, 0.0, 1.0),
        (lambda x: x**3 - 2, 0.0, 10.0),
        (lambda x: math.exp(-x) - 1e-8, 0.0, 1e4),
        (lambda x: 1 / (1 + x) - 0.999999, 0.0, 1e9),
        (lambda x: math.atan(x - 5) * 1e-30, -1e6, 1e6),
        (lambda x: x, 0.0, 1.0),
        (lambda x: x - 1, 0.0, 1.0),
    ],
)
def test_a_root_is_found_as_precisely_as_by_brent(
    function: Callable[[float], float], low: float, high: float
) -> None:
    known = optimize.brentq(function, low, high, xtol=1e-300, rtol=1e-15, maxiter=1000)
    assert root_between(function, low, high) == pytest.approx(known, rel=1e-9, abs=1e-12)
