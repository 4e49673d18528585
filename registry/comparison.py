"""Two versions side by side: each metric, and whether the difference is more than noise.

Model Monitor gives a metric's standard deviation over random samples of 80 % of the test part. If two
independent estimates have the deviations s1 and s2, their difference has sqrt(s1^2 + s2^2); a difference
beyond twice that is called more than noise (about 95 % for a normal distribution). The two versions
were tested on much the same rows, so their difference varies less than that, and some real differences
are still called noise. Without deviations, below 200 test rows, there is no verdict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from registry.model_quality import Metric, is_of_constant, metric_kind
from registry.version_details import VersionDetails

NOISE = 2.0
"""How many standard deviations of the difference count as noise."""


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two versions.

    Attributes:
        difference: second minus first; None where one of them lacks the metric.
        more_than_noise: None where a standard deviation is missing.
        better: `first`, `second`, or None where neither is by more than noise.
    """

    name: str
    first: Metric | None
    second: Metric | None
    difference: float | None
    more_than_noise: bool | None
    better: str | None


@dataclass(frozen=True)
class Comparison:
    """Two versions of a model; `remarks` say what makes the comparison unfair."""

    first: VersionDetails
    second: VersionDetails
    metrics: tuple[MetricComparison, ...]
    remarks: tuple[str, ...]


def compare(first: VersionDetails, second: VersionDetails) -> Comparison:
    """Every metric that at least one of two versions has, in the order of the statistics."""
    names = [*first.metrics, *(name for name in second.metrics if name not in first.metrics)]
    compared = tuple(
        _compare(name, first.metrics.get(name), second.metrics.get(name))
        for name in names
        if not is_of_constant(name)
    )
    return Comparison(first, second, compared, tuple(_remarks(first, second)))


def _compare(name: str, first: Metric | None, second: Metric | None) -> MetricComparison:
    if first is None or second is None:
        return MetricComparison(name, first, second, None, None, None)
    difference = second.value - first.value
    if first.standard_deviation is None or second.standard_deviation is None:
        return MetricComparison(name, first, second, difference, None, None)
    noise = NOISE * math.hypot(first.standard_deviation, second.standard_deviation)
    beyond = abs(difference) > noise
    better = None
    if beyond:
        better = "second" if (difference > 0) == metric_kind(name).higher_is_better else "first"
    return MetricComparison(name, first, second, difference, beyond, better)


def _remarks(first: VersionDetails, second: VersionDetails) -> list[str]:
    found = []
    for key, words in (("dataset_version", "data set version"), ("dataset_uri", "data")):
        ours, theirs = first.metadata.get(key), second.metadata.get(key)
        if ours != theirs:
            found.append(f"not the same {words}: {ours or 'unknown'}, {theirs or 'unknown'}")
    if first.test_rows != second.test_rows:
        rows = f"{first.test_rows or 'unknown'}, {second.test_rows or 'unknown'}"
        found.append(f"not the same number of test rows: {rows}")
    return found
