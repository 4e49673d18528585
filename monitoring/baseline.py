"""What a window is compared with: the columns of the training part, and the model's answers to the test part.

Read from what the version was registered with: its ``schema.json``, the data quality's ``statistics.json``
and ``constraints.json``, the evaluation's ``predictions.json``. A number is counted in the ten bins between
the tenths of its training values (of at most ten different values each is a bin), a category in a bin for
each of its most frequent texts and one for all others. Counts are made in the matrix that the model is given,
so a request's row is counted as the model sees it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from drift import Counted, Reference
from metric_table import readable

NUMBER, CATEGORY, BOOLEAN, TIMESTAMP = "number", "category", "boolean", "timestamp"
ANSWER, SCORE = "(the model's answer)", "(the model's probability)"
"""Columns that are no features; their names hold what no header does."""

_BINS = 10
_DIGITS = 4
_MOST_CATEGORIES = 20
_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Column:
    """A column, its reference, and how values of a window are counted.

    Attributes:
        labels: the bins, in words.
        edges: of a number, between the bins.
        bin_of: of a category, the bin of each code; unseen ones are in the last.
        low, high: of a number, what values lie between that are not outside (`expected_range`).
    """

    name: str
    kind: str
    reference: Reference
    labels: tuple[str, ...]
    edges: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    bin_of: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    low: float = 0.0
    high: float = 0.0

    def count(self, values: np.ndarray) -> Counted:
        """Of a column of the matrix: NaN where a value is missing, below 0 for a category never seen."""
        present = values[~np.isnan(values)]
        missing = len(values) - len(present)
        if self.kind == TIMESTAMP:  # moves by itself: only whether it is there is compared
            return Counted(np.array([len(present)]), missing)
        if self.kind in (CATEGORY, BOOLEAN):
            codes = present.astype(np.int64)
            new = codes < 0
            places = np.where(new, len(self.labels) - 1, self.bin_of[np.maximum(codes, 0)])
            return Counted(np.bincount(places, minlength=len(self.labels)), missing, int(new.sum()))
        counts = np.bincount(np.searchsorted(self.edges, present, side="right"), minlength=len(self.labels))
        outside = int(np.count_nonzero((present < self.low) | (present > self.high)))
        return Counted(counts, missing, 0, outside)


@dataclass(frozen=True)
class Baseline:
    """All columns, and a digest of their bins: windows counted in other bins are no history of this one."""

    columns: Mapping[str, Column]
    digest: str

    @property
    def references(self) -> dict[str, Reference]:
        """By column."""
        return {name: column.reference for name, column in self.columns.items()}


def read_baseline(
    features: Sequence[Any],
    statistics: Mapping[str, Any],
    constraints: Mapping[str, Any],
    predictions: Mapping[str, Any],
) -> Baseline:
    """The baseline of a version.

    Args:
        features: those of the artifact's schema, with ``name``, ``kind``, ``categories`` and ``scale``.
        statistics, constraints: of the training part.
        predictions: of the test part.
    """
    of_columns = {entry["name"]: entry for entry in statistics["features"]}
    expected = {entry["name"]: entry.get("string_constraints", {}) for entry in constraints["features"]}
    found = {
        feature.name: _feature(feature, of_columns[feature.name], expected.get(feature.name, {}))
        for feature in features
        if feature.name in of_columns
    }
    for column in _answers(predictions):
        found[column.name] = column
    bins = [
        (column.name, column.edges.tolist(), column.bin_of.tolist(), column.reference.counts.tolist())
        for column in found.values()
    ]
    return Baseline(found, hashlib.sha256(json.dumps(bins).encode()).hexdigest()[:16])


def _feature(feature: Any, entry: Mapping[str, Any], expected: Mapping[str, Any]) -> Column:
    if feature.kind == CATEGORY:
        return _category(feature, entry["string_statistics"], expected)
    numbers = entry["numerical_statistics"]
    present, missing = int(numbers["common"]["num_present"]), int(numbers["common"]["num_missing"])
    if feature.kind == TIMESTAMP or not present:
        return Column(feature.name, TIMESTAMP, Reference(np.array([present]), present, missing), ("any",))
    if feature.kind == BOOLEAN:
        true = round(numbers["mean"] * present)
        reference = Reference(np.array([present - true, true]), present, missing)
        return Column(feature.name, BOOLEAN, reference, ("false", "true"), bin_of=np.arange(2))
    sample = np.array(numbers["distribution"]["kll"]["sketch"]["data"][-1], np.float64)
    ends = numbers["min"], numbers["max"]
    places, (low, high) = (_places(values, feature.scale) for values in (sample, expected_range(*ends)))
    return _number(feature.name, sample, places, float(low), float(high), present, missing)


def expected_range(least: float, most: float) -> tuple[float, float]:
    """From the training part's range: half of it more on each side, but nothing negative where nothing was.

    So another unit and a -1 for "unknown" lie outside, and a level that moves from day to day does not: how
    the values are spread says that. With the range itself, levels of each day's own in each of 100 columns
    (standard deviation 0.5) were called a difference in 5 % of the windows.
    """
    margin = (most - least) / 2
    return (least - margin if least < 0 else max(least - margin, 0.0)), most + margin


def _places(values: Sequence[float] | np.ndarray, scale: Any) -> np.ndarray:
    """As the matrix has them."""
    return np.array([scale.of(float(value)) for value in values], np.float64).astype(np.float32)


def _number(
    name: str, shown: np.ndarray, places: np.ndarray, low: float, high: float, present: int, missing: int
) -> Column:
    """A column of numbers from a sorted sample, in the data's units and in the matrix's."""
    different = np.unique(places)
    if len(different) <= _BINS:
        middles = (different[:-1] + different[1:]) / 2
        known = dict(zip(places.tolist(), shown.tolist(), strict=True))
        labels = tuple(readable(known[value]) for value in different.tolist())
    else:
        cuts = np.unique(np.arange(1, _BINS) * len(places) // _BINS)
        cut, first = np.unique(places[cuts], return_index=True)
        cut, first = cut[cut > different[0]], first[cut > different[0]]
        if not len(cut):  # nine tenths are the lowest value: it, and all that is more
            cut = different[1:2]
            first, cuts = np.zeros(1, np.int64), np.searchsorted(places, cut)
        # Between two values, not at one: a value that is written with other digits stays in its bin.
        middles = (cut + different[np.searchsorted(different, cut) - 1]) / 2
        ends = [readable(shown[cuts[place]], _DIGITS) for place in first]
        between = [f"{left} to {right}" for left, right in itertools.pairwise(ends)]
        labels = (f"below {ends[0]}", *between, f"{ends[-1]} and more")
    edges = middles.astype(np.float32)
    counts = np.bincount(np.searchsorted(edges, places, side="right"), minlength=len(labels))
    reference = Reference(counts, present, missing, has_range=True)
    return Column(name, NUMBER, reference, labels, edges, low=low, high=high)


def _category(feature: Any, entry: Mapping[str, Any], expected: Mapping[str, Any]) -> Column:
    present, missing = int(entry["common"]["num_present"]), int(entry["common"]["num_missing"])
    buckets = {
        bucket["value"]: int(bucket["count"]) for bucket in entry["distribution"]["categorical"]["buckets"]
    }
    codes = {text: code for code, text in enumerate(feature.categories)}
    named = [text for text in buckets if text in codes][:_MOST_CATEGORIES]
    bin_of = np.full(max(len(codes), 1), len(named), np.int64)
    for place, text in enumerate(named):
        bin_of[codes[text]] = place
    counts = [buckets[text] for text in named]
    reference = Reference(
        np.array([*counts, max(present - sum(counts), 0)]),
        present,
        missing,
        unseen=expected.get("unseen"),
    )
    return Column(feature.name, CATEGORY, reference, (*named, "any other"), bin_of=bin_of)


def _answers(predictions: Mapping[str, Any]) -> list[Column]:
    rows, found = int(predictions["rows"]), []
    classes = predictions.get("classes")
    if classes is not None:
        # Of many classes the most frequent ones, as of a category.
        named = sorted(classes, key=lambda label: (-classes[label], label))[:_MOST_CATEGORIES]
        bin_of = np.array([named.index(label) if label in named else len(named) for label in classes])
        counts = [classes[label] for label in named]
        reference = Reference(np.array([*counts, rows - sum(counts)]), rows, 0)
        found.append(Column(ANSWER, CATEGORY, reference, (*named, "any other"), bin_of=bin_of))
    if "values" in predictions:
        sample = np.array(predictions["values"], np.float64)
        places, name = sample.astype(np.float32), SCORE if classes is not None else ANSWER
        column = _number(name, sample, places, float(places[0]), float(places[-1]), rows, 0)
        # Without a range: a new extreme of the answers is no fault of the data.
        found.append(replace(column, reference=replace(column.reference, has_range=False)))
    return found
