"""Whether two versions differ by more than chance: the two rules, and how often the one by intervals errs.

How often the paired tests err is in tests/programs/test_paired_metrics.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import stats

from evaluation.wilson import wilson
from registry.comparison import BY_INTERVALS, BY_SAME_ROWS, PairedAnswers, PairedMetric, compare
from registry.model_quality import Metric
from registry.verdicts import Measured, Verdict
from registry.version_details import VersionDetails

PAIRS = 2500


def version(number: int, accuracy: float, rows: int | None, **verdict: Measured) -> VersionDetails:
    """A version of which no more is known than its metrics."""
    metrics = {"accuracy": Metric("accuracy", accuracy, None)}
    metrics |= {name: Metric(name, measured.value, None) for name, measured in verdict.items()}
    found = Verdict("passed", "", "accuracy", rows, None, (), verdict) if verdict else None
    nothing = dict.fromkeys(VersionDetails.__dataclass_fields__)
    return VersionDetails(
        **{
            **nothing,
            "group": "rc-churn",
            "version": number,
            "created": datetime(2026, 1, 1, tzinfo=UTC),
            "metrics": metrics,
            "test_rows": rows,
            "verdict": found,
            "metadata": {},
        }
    )


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.8], ids=lambda shared: f"{shared:.0%} shared")
@pytest.mark.parametrize("rows", [200, 1000])
@pytest.mark.parametrize("accuracy", [0.7, 0.95])
def test_equally_good_models_are_called_different_in_at_most_5_5_percent(
    shared: float, rows: int, accuracy: float
) -> None:
    """Of each row, both models give the same answer with some probability, and else answer independently."""
    generator = np.random.default_rng(20261125)
    called = 0
    for _ in range(PAIRS):
        first, other = generator.random((2, rows)) < accuracy
        second = np.where(generator.random(rows) < shared, first, other)
        ours, theirs = version(1, first.mean(), rows), version(2, second.mean(), rows)
        [compared] = compare(ours, theirs).metrics
        assert compared.method == BY_INTERVALS
        called += bool(compared.more_than_noise)
    assert called <= 0.055 * PAIRS


def test_shared_answers_show_a_difference_that_the_intervals_overlook() -> None:
    """On 515 rows, 10 points of them: the old rule's deviation of 0.0047 made more of less."""
    p_value = stats.binomtest(4, 20).pvalue
    paired = PairedAnswers(2, 515, {"accuracy": PairedMetric(470 / 515, 482 / 515, p_value)})
    ours, theirs = version(1, 470 / 515, 515), version(2, 482 / 515, 515)
    [by_rows], [by_intervals] = compare(ours, theirs, paired).metrics, compare(ours, theirs).metrics
    assert (by_rows.more_than_noise, by_rows.better, by_rows.method) == (True, "second", BY_SAME_ROWS)
    assert (by_intervals.more_than_noise, by_intervals.better) == (False, None)
    assert by_intervals.low < 0 < by_intervals.high
    assert (by_rows.p_value, by_intervals.p_value) == (p_value, None)


def test_a_metric_that_was_not_paired_is_compared_by_its_intervals() -> None:
    """As after a change of the classes, where only right answers can be counted."""
    ours = version(1, 0.9, 100, f1=Measured(0.9, 0.85, 0.95))
    theirs = version(2, 0.9, 100, f1=Measured(0.5, 0.4, 0.6))
    paired = PairedAnswers(2, 100, {"accuracy": PairedMetric(0.9, 0.9, 1.0)})
    accuracy, f1 = compare(ours, theirs, paired).metrics
    assert (accuracy.method, f1.method, f1.better) == (BY_SAME_ROWS, BY_INTERVALS, "first")


def test_a_paired_error_is_better_when_it_is_lower() -> None:
    paired = PairedAnswers(2, 100, {"rmse": PairedMetric(3.0, 2.0, 0.01)})
    measured = Measured(9.0, 8.0, 10.0)
    ours, theirs = (version(number, 0.0, 100, rmse=measured) for number in (1, 2))
    rmse = next(entry for entry in compare(ours, theirs, paired).metrics if entry.name == "rmse")
    assert (rmse.first.value, rmse.second.value, rmse.better) == (3.0, 2.0, "second")
    within = replace(paired, metrics={"rmse": PairedMetric(3.0, 2.0, 0.06)})
    rmse = next(entry for entry in compare(ours, theirs, within).metrics if entry.name == "rmse")
    assert (rmse.more_than_noise, rmse.better) == (False, None)


def test_wilsons_interval_is_scipys() -> None:
    for right, rows in ((0, 30), (30, 30), (17, 40), (955, 1000)):
        expected = stats.binomtest(right, rows).proportion_ci(method="wilson")
        assert wilson(right / rows, rows) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_an_error_is_better_when_it_is_lower() -> None:
    ours = version(1, 0.9, 900, rmse=Measured(3.0, 2.9, 3.1))
    theirs = version(2, 0.9, 900, rmse=Measured(2.0, 1.9, 2.1))
    rmse = next(entry for entry in compare(ours, theirs).metrics if entry.name == "rmse")
    assert (rmse.better, rmse.method) == ("second", BY_INTERVALS)
    assert (rmse.low, rmse.high) == pytest.approx((-1 - 0.02**0.5, -1 + 0.02**0.5))


@pytest.mark.parametrize("low", [None, 0.8])
def test_without_an_interval_of_both_there_is_no_answer(low: float | None) -> None:
    ours = version(1, 0.9, 900, auc=Measured(0.9, low, 0.95 if low else None))
    theirs = version(2, 0.9, 900, auc=Measured(0.7))
    auc = next(entry for entry in compare(ours, theirs).metrics if entry.name == "auc")
    assert (auc.more_than_noise, auc.method, auc.low) == (None, None, None)
    assert auc.difference == pytest.approx(-0.2)


def test_equal_values_are_not_different_even_where_both_are_certain() -> None:
    [same] = compare(version(1, 1.0, 50), version(2, 1.0, 50)).metrics
    assert same.more_than_noise is False
    [unknown] = compare(version(1, 0.9, None), version(2, 0.5, None)).metrics
    assert unknown.more_than_noise is None


def test_another_split_is_named() -> None:
    paired = PairedAnswers(2, 100, {"accuracy": PairedMetric(0.9, 0.9, 1.0)}, same_split=False)
    remarks = compare(version(1, 0.9, 100), version(2, 0.9, 100), paired).remarks
    assert any("version 1 may have been trained on some of the rows" in remark for remark in remarks)
    assert not compare(version(1, 0.9, 100), version(2, 0.9, 100), replace(paired, same_split=True)).remarks
