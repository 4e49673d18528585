"""Two versions side by side: each metric, and whether the difference is more than chance.

Where both versions were scored on the same rows, each metric is compared by a paired test, whose p-value
comes from ``evaluation/paired_metrics.py``. Without common rows it is compared by the 95 % intervals of both
values, joined by Newcombe's square-and-add method (Newcombe 1998, Stat. Med. 17, method 10): the difference
is more than chance if its interval does not hold 0. That method takes the two test parts as independent.
Versions that were tested on shared rows differ less by chance than that, so it overlooks small differences
there, and errs no more often.

Both call at most about 5 % of pairs of equally good models different; tests simulate it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from evaluation.wilson import wilson
from registry.model_quality import ACCURACY, Metric, is_of_constant, metric_kind
from registry.verdicts import Measured
from registry.version_details import VersionDetails

LEVEL = 0.05
"""How often two equally good versions may be called different."""

BY_SAME_ROWS, BY_INTERVALS = "same rows", "intervals"


@dataclass(frozen=True)
class PairedMetric:
    """A metric of two versions on the same rows.

    Attributes:
        p_value: how often two versions that are equally good by it differ at least as much.
    """

    first: float
    second: float
    p_value: float


@dataclass(frozen=True)
class RightAnswers:
    """How many of the same rows each of two versions has right, and how many only this one has right."""

    first: int
    second: int
    only_first: int
    only_second: int


@dataclass(frozen=True)
class PairedAnswers:
    """What two versions answer to the same rows, by ``evaluation/paired_metrics.py``.

    Attributes:
        tested_on: the version whose test part the rows are.
        metrics: those that both have on these rows, by name.
        right: None of a regression, which has no answers that are exactly right.
        same_split: whether both were preprocessed by the same code and settings, so that neither was trained
            on these rows.
    """

    tested_on: int
    rows: int
    metrics: Mapping[str, PairedMetric]
    right: RightAnswers | None = None
    same_split: bool = True


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two versions.

    Attributes:
        first, second: those of the same rows where both were scored on them.
        difference: second minus first; None where one of them lacks the metric.
        more_than_noise: None where nothing tells how exactly a value is known.
        better: `first`, `second`, or None where neither is by more than chance.
        method: `same rows` or `intervals`; None without an answer.
        p_value: of the paired test on the same rows.
        low, high: of the difference's 95 % interval, by the method of intervals.
    """

    name: str
    first: Metric | None
    second: Metric | None
    difference: float | None = None
    more_than_noise: bool | None = None
    better: str | None = None
    method: str | None = None
    p_value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Two versions of a model; `remarks` say what makes the comparison unfair."""

    first: VersionDetails
    second: VersionDetails
    metrics: tuple[MetricComparison, ...]
    paired: PairedAnswers | None
    remarks: tuple[str, ...]

    def better_in(self, which: str) -> list[str]:
        """The labels of the metrics in which `which`, `first` or `second`, is better by more than chance."""
        return [metric_kind(one.name).label for one in self.metrics if one.better == which]

    @property
    def pairs_in_words(self) -> str | None:
        """Which rows both were scored on, and how often only one of them is right; None if they were not."""
        paired, first, second = self.paired, self.first.version, self.second.version
        if paired is None:
            return None
        words = (
            f"The same rows are the {paired.rows:,} test rows of version {paired.tested_on}, scored by both"
        )
        if paired.right is None:
            return f"{words}."
        return (
            f"{words}: {paired.right.only_first:,} only version {first} has right,"
            f" {paired.right.only_second:,} only version {second}"
            f" (McNemar's exact test: p {paired.metrics[ACCURACY.name].p_value:.2g})."
        )


def compare(first: VersionDetails, second: VersionDetails, paired: PairedAnswers | None = None) -> Comparison:
    """Every metric that at least one of two versions has, in the order of the statistics.

    Args:
        paired: what both answered on the same rows, if they were scored on them.
    """
    names = [*first.metrics, *(name for name in second.metrics if name not in first.metrics)]
    compared = tuple(
        _by_same_rows(name, paired.metrics[name])
        if paired and name in paired.metrics
        else _by_intervals(_Known.of(first, name), _Known.of(second, name), name)
        for name in names
        if not is_of_constant(name)
    )
    return Comparison(first, second, compared, paired, tuple(_remarks(first, second, paired)))


def _by_same_rows(name: str, paired: PairedMetric) -> MetricComparison:
    compared = MetricComparison(
        name,
        Metric(name, paired.first, None),
        Metric(name, paired.second, None),
        paired.second - paired.first,
        method=BY_SAME_ROWS,
        p_value=paired.p_value,
    )
    return _decided(compared, paired.p_value <= LEVEL)


@dataclass(frozen=True)
class _Known:
    """A metric of a version, and how exactly it is known."""

    metric: Metric | None
    measured: Measured | None

    @classmethod
    def of(cls, version: VersionDetails, name: str) -> _Known:
        """By the verdict; without one, by Wilson's interval of accuracy on as many rows."""
        metric = version.metrics.get(name)
        measured = version.verdict.metrics.get(name) if version.verdict else None
        if measured is None and metric and name == "accuracy" and version.test_rows:
            measured = Measured(metric.value, *wilson(metric.value, version.test_rows))
        return cls(metric, measured)


def _by_intervals(first: _Known, second: _Known, name: str) -> MetricComparison:
    compared = MetricComparison(name, first.metric, second.metric)
    if first.metric is None or second.metric is None:
        return compared
    difference = second.metric.value - first.metric.value
    compared = replace(compared, difference=difference)
    ours, theirs = _ends(first.measured), _ends(second.measured)
    if ours is None or theirs is None:
        return compared
    low = difference - math.hypot(second.metric.value - theirs[0], ours[1] - first.metric.value)
    high = difference + math.hypot(theirs[1] - second.metric.value, first.metric.value - ours[0])
    compared = replace(compared, method=BY_INTERVALS, low=low, high=high)
    return _decided(compared, not low <= 0 <= high)


def _ends(measured: Measured | None) -> tuple[float, float] | None:
    if measured is None or measured.low is None or measured.high is None:
        return None
    return measured.low, measured.high


def _decided(compared: MetricComparison, differs: bool) -> MetricComparison:
    if not differs:
        return replace(compared, more_than_noise=False)
    assert compared.difference is not None
    second = (compared.difference > 0) == metric_kind(compared.name).higher_is_better
    return replace(compared, more_than_noise=True, better="second" if second else "first")


def _remarks(first: VersionDetails, second: VersionDetails, paired: PairedAnswers | None) -> list[str]:
    found = []
    for key, words in (("dataset_version", "data set version"), ("dataset_uri", "data")):
        ours, theirs = first.metadata.get(key), second.metadata.get(key)
        if ours != theirs:
            found.append(f"not the same {words}: {ours or 'unknown'}, {theirs or 'unknown'}")
    if first.test_rows != second.test_rows:
        rows = f"{first.test_rows or 'unknown'}, {second.test_rows or 'unknown'}"
        found.append(f"not the same number of test rows: {rows}")
    if paired and not paired.same_split:
        other = first.version if paired.tested_on == second.version else second.version
        found.append(
            f"not the same preprocessing: version {other} may have been trained on some of the rows"
            f" that both were scored on, the test part of version {paired.tested_on}"
        )
    return found
