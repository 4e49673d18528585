"""Data quality: statistics of every column, the constraints that they suggest, and what violates others.

The documents and their checks are Model Monitor's:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-statistics.html, -byoc-constraints.html and
-interpreting-violations.html below it. What these leave open is ours:

- A value counts as a whole number, a fraction or a text by how it is written; a column is what all its values
  are. A number in scientific notation is a number, where the image takes it for a text. Whole numbers are
  good where fractions are expected.
- ``datatype_check_threshold`` and ``domain_content_threshold`` are the share of values that has to be right;
  the image suggests 1.0 for both, and words its violations so.
- The texts of a column are suggested as its ``domains`` where there are at most 20.
- ``is_non_negative`` is suggested and, since the documented checks have none for it, not checked.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import column_statistics
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from drift_distance import distance, sketch_of
from input_error import of_the_form

INTEGRAL, FRACTIONAL, TEXT, UNKNOWN = "Integral", "Fractional", "String", "Unknown"
_WHOLE = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SCIENTIFIC = r"^[+-]?[0-9.]+[eE][+-]?[0-9]+$"
_MOST_DOMAINS = 20

MONITORING_CONFIG: dict[str, Any] = {
    "evaluate_constraints": "Enabled",
    "emit_metrics": "Enabled",
    "datatype_check_threshold": 1.0,
    "domain_content_threshold": 1.0,
    "distribution_constraints": {
        "perform_comparison": "Enabled",
        "comparison_threshold": 0.1,
        "comparison_method": "Robust",
        "categorical_comparison_threshold": 0.1,
        "categorical_drift_method": "LInfinity",
    },
}
"""What the image suggests, as ``processing/constraints.py`` does in a version's documents."""


@dataclass(frozen=True)
class Column:
    """A column, its values without their order.

    Attributes:
        kind: what all its values are: ``Integral``, ``Fractional``, ``String``, or ``Unknown`` of none.
        by_kind: how many values are each.
        counted: each text and how often it occurs, ``values`` and ``counts``.
        numbers: of a numeric column, its values in rising order, float64.
        scientific: whether a number is written with an exponent.
    """

    name: str
    kind: str
    rows: int
    by_kind: Mapping[str, int]
    counted: pa.StructArray
    numbers: np.ndarray
    scientific: bool

    @functools.cached_property
    def texts(self) -> dict[str, int]:
        """Each text and how often it occurs, of any column."""
        values, counts = (self.counted.field(name).to_pylist() for name in ("values", "counts"))
        return dict(zip(values, counts, strict=True))

    @property
    def present(self) -> int:
        """How many rows have a value."""
        return sum(self.by_kind.values())

    @property
    def completeness(self) -> float:
        """The share of rows that have one."""
        return self.present / self.rows if self.rows else 0.0

    def statistics(self) -> dict[str, Any]:
        """The column's entry of ``statistics.json``."""
        entry: dict[str, Any] = {"name": self.name, "inferred_type": self.kind}
        missing = self.rows - self.present
        if self.kind in (TEXT, UNKNOWN):
            return {**entry, "string_statistics": column_statistics.of_texts(self.texts.items(), missing)}
        statistics = column_statistics.of_numbers(self.numbers, missing)
        statistics["distribution"]["kll"]["sketch"] = sketch_of(self.numbers)
        return {**entry, "numerical_statistics": statistics}

    def constraints(self) -> dict[str, Any]:
        """The column's entry of ``constraints.json``."""
        entry: dict[str, Any] = {
            "name": self.name,
            "inferred_type": self.kind,
            "completeness": self.completeness,
        }
        if self.kind in (INTEGRAL, FRACTIONAL):
            return {**entry, "num_constraints": {"is_non_negative": bool(self.numbers[0] >= 0)}}
        if self.kind == TEXT and len(self.texts) <= _MOST_DOMAINS:
            return {**entry, "string_constraints": {"domains": sorted(self.texts)}}
        return entry


def columns_of(table: pa.Table) -> list[Column]:
    """The columns of a table of texts."""
    return [_column(name, table.column(place)) for place, name in enumerate(table.column_names)]


def _column(name: str, values: pa.ChunkedArray) -> Column:
    counted = pc.value_counts(values.combine_chunks().drop_null())
    texts, counts = counted.field("values"), counted.field("counts").to_numpy()
    trimmed = pc.utf8_trim_whitespace(texts)
    whole, number, scientific = (
        pc.match_substring_regex(trimmed, pattern).to_numpy(zero_copy_only=False)
        for pattern in (_WHOLE, _NUMBER, _SCIENTIFIC)
    )
    by_kind = {
        INTEGRAL: int(counts[whole].sum()),
        FRACTIONAL: int(counts[number & ~whole].sum()),
        TEXT: int(counts[~number].sum()),
    }
    kind = next((kind for kind in (TEXT, FRACTIONAL, INTEGRAL) if by_kind[kind]), UNKNOWN)
    numbers = np.empty(0)
    if kind in (INTEGRAL, FRACTIONAL):
        values_of = pc.cast(pc.utf8_ltrim(trimmed, "+"), pa.float64()).to_numpy(zero_copy_only=False)
        order = np.argsort(values_of)
        numbers = np.repeat(values_of[order], counts[order])
    return Column(name, kind, len(values), by_kind, counted, numbers, bool(scientific.any()))


def statistics(columns: Sequence[Column], rows: int) -> dict[str, Any]:
    """``statistics.json``."""
    return {
        "version": 0.0,
        "dataset": {"item_count": rows},
        "features": [column.statistics() for column in columns],
    }


def suggested_constraints(columns: Sequence[Column]) -> dict[str, Any]:
    """``constraints.json``."""
    return {
        "version": 0.0,
        "features": [column.constraints() for column in columns],
        "monitoring_config": MONITORING_CONFIG,
    }


def with_drift_method(method: str) -> dict[str, Any]:
    """What the image suggests, with another way to compare texts."""
    return _merged({}, {"distribution_constraints": {"categorical_drift_method": method}})


@dataclass(frozen=True)
class Checked:
    """What the comparison with a baseline found.

    Attributes:
        violations: as ``constraint_violations.json`` lists them.
        drift: the distance of each column from the baseline, of those that were compared.
    """

    violations: list[dict[str, str]]
    drift: dict[str, float]


def check(columns: Sequence[Column], constraints: Mapping[str, Any], baseline: Mapping[str, Any]) -> Checked:
    """Compare with a baseline's constraints and, where there are some, its statistics.

    Raises:
        InputError: a document is not what it has to be, or asks for what is not done here.
    """
    with of_the_form("the baseline"):
        config = constraints.get("monitoring_config") or {}
        expected = {feature["name"]: feature for feature in constraints.get("features") or []}
        before = {feature["name"]: feature for feature in baseline.get("features") or []}
        evaluated = config.get("evaluate_constraints", "Enabled") == "Enabled"
    checked = Checked([], {})
    if not evaluated:
        return checked
    checked.violations.extend(_columns_that_differ([column.name for column in columns], list(expected)))
    for column in columns:
        if column.name in expected:
            with of_the_form(f"the baseline of '{column.name}'"):
                _check_column(column, expected[column.name], before.get(column.name), config, checked)
    return checked


def _check_column(
    column: Column,
    feature: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    config: Mapping[str, Any],
    checked: Checked,
) -> None:
    own = _merged(config, feature.get("monitoringConfigOverrides") or {})
    for kind, sentence in _violated(column, feature, own):
        checked.violations.append(_violation(column.name, kind, sentence))
    shape = own["distribution_constraints"]
    if before is None or shape["perform_comparison"] != "Enabled":
        return
    moved = distance(before, column, shape)
    if moved is None:
        return
    checked.drift[column.name] = moved
    limit = float(
        shape["categorical_comparison_threshold" if "string_statistics" in before else "comparison_threshold"]
    )
    if moved > limit:
        sentence = f"Baseline drift distance: {moved} exceeds threshold: {limit}"
        checked.violations.append(_violation(column.name, "baseline_drift_check", sentence))


def _columns_that_differ(current: Sequence[str], expected: Sequence[str]) -> Iterator[dict[str, str]]:
    numbers = (
        f"Number of columns in current dataset: {len(current)}, Number of columns in baseline constraints:"
        f" {len(expected)}"
    )
    for names, word in (
        ([name for name in expected if name not in current], "missing"),
        ([name for name in current if name not in expected], "extra"),
    ):
        if names:
            listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
            sentence = f"There are {word} columns in current dataset ({listed}). {numbers}"
            yield _violation(f"{word.capitalize()} columns", f"{word}_column_check", sentence)


def _violated(
    column: Column, feature: Mapping[str, Any], config: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    kind, needed = feature.get("inferred_type", UNKNOWN), float(config["datatype_check_threshold"])
    right = {
        INTEGRAL: column.by_kind[INTEGRAL],
        FRACTIONAL: column.by_kind[INTEGRAL] + column.by_kind[FRACTIONAL],
    }.get(kind, column.present)
    if column.present and right / column.present < needed:
        yield (
            "data_type_check",
            f"Data type match requirement is not met. Expected data type: {kind}, Expected match:"
            f" {_percent(needed)}. Observed: Only {_percent(right / column.present)} of data is {kind}.",
        )
    completeness = float(feature.get("completeness", 0.0))
    if column.completeness < completeness:
        yield (
            "completeness_check",
            f"Data completeness requirement is not met. Expected completeness: {_percent(completeness)}."
            f" Observed: Only {_percent(column.completeness)} of data is complete.",
        )
    domains = (feature.get("string_constraints") or {}).get("domains")
    if domains is None or not column.present:
        return
    known = sum(column.texts.get(text, 0) for text in set(domains))
    needed = float(config["domain_content_threshold"])
    if known / column.present < needed:
        yield (
            "categorical_values_check",
            f"Value match requirement is not met. Expected match: {_percent(needed)}. Observed: Only"
            f" {_percent(known / column.present)} of values are in the baseline's domain.",
        )


def _merged(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The image's suggestions, under the document's own settings, under those of one column."""
    merged = {**MONITORING_CONFIG}
    for given in (config, overrides):
        shape = {**merged["distribution_constraints"], **(given.get("distribution_constraints") or {})}
        merged = {**merged, **given, "distribution_constraints": shape}
    return merged


def _violation(feature: str, kind: str, sentence: str) -> dict[str, str]:
    return {"feature_name": feature, "constraint_check_type": kind, "description": sentence}


def _percent(share: float) -> str:
    """Rounded towards nought, so that what is not all of it never reads 100 %."""
    return f"{math.floor(share * 1e6) / 1e4}%"
