"""The columns that a version was trained on, by its data-quality report in Model Monitor's format.

Distributions are drawn by the server: bars lie where their values lie, so that those of two versions can be
drawn over the same range. Any part of the file may be missing or of another kind, since anybody can write it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.model_quality import finite_number
from studio.views import json_values

WIDTH, HEIGHT = 160, 24
"""Pixels of a distribution."""

_KINDS = {"Integral": "whole number", "Fractional": "number", "String": "category"}
_MOST_VALUES = 20


@dataclass(frozen=True)
class Bucket:
    """Rows between two numbers."""

    low: float
    high: float
    count: float


@dataclass(frozen=True)
class Column:
    """A column of the training part.

    Attributes:
        buckets: of a column of numbers, in rising order.
        values: of a column of categories the most frequent ones, with how many rows each has.
        words: mean and range, or the most frequent values.
    """

    name: str
    kind: str
    present: int
    missing: int
    distinct: int | None
    buckets: tuple[Bucket, ...]
    values: Mapping[str, float]
    words: str

    @property
    def bars(self) -> tuple[Bar, ...]:
        """Its distribution over its own range."""
        return bars(self, span_of([self]), list(self.values))


@dataclass(frozen=True)
class Bar:
    """A bar of a distribution, in pixels; it stands on the lower edge."""

    x: float
    width: float
    height: float


def bars(column: Column, span: tuple[float, float], values: Sequence[str]) -> tuple[Bar, ...]:
    """The distribution of a column, the highest bar over the whole height.

    Args:
        span: the lowest and the highest number of the axis.
        values: the categories of the axis.
    """
    if column.buckets:
        low, high = span
        scale = WIDTH / ((high - low) or 1.0)
        highest = max(bucket.count for bucket in column.buckets) or 1.0
        return tuple(
            _bar((one.low - low) * scale, (one.high - one.low) * scale, one.count / highest)
            for one in column.buckets
        )
    highest = max(column.values.values(), default=0) or 1.0
    step = min(16.0, WIDTH / max(1, len(values)))
    return tuple(
        _bar(place * step, step, column.values.get(value, 0) / highest) for place, value in enumerate(values)
    )


def _bar(x: float, width: float, share: float) -> Bar:
    return Bar(round(x, 1), round(max(1.0, width - 1), 1), round(share * HEIGHT, 1))


def span_of(columns: Sequence[Column]) -> tuple[float, float]:
    """The lowest and the highest number of these columns; 0 and 1 where they hold none."""
    every = [end for column in columns for bucket in column.buckets for end in (bucket.low, bucket.high)]
    return (min(every), max(every)) if every else (0.0, 1.0)


def columns_in(document: Any) -> tuple[list[Column], int | None]:
    """The columns of a data-quality report, and the rows that it is of; none if it is no such report."""
    table = json_values.table(document)
    rows = finite_number(json_values.table(table.get("dataset")).get("item_count"))
    found = [_column(one) for one in json_values.items(table.get("features")) if isinstance(one, dict)]
    return found, None if rows is None else int(rows)


def _column(feature: Mapping[str, Any]) -> Column:
    numbers = json_values.table(feature.get("numerical_statistics"))
    texts = json_values.table(feature.get("string_statistics"))
    found = numbers or texts
    common, distribution = (
        json_values.table(found.get("common")),
        json_values.table(found.get("distribution")),
    )
    ranges = json_values.items(json_values.table(distribution.get("kll")).get("buckets"))
    categories = json_values.items(json_values.table(distribution.get("categorical")).get("buckets"))
    buckets = [bucket for one in ranges if (bucket := _bucket(json_values.table(one))) is not None]
    values = {
        str(json_values.table(one).get("value", "")): _number(json_values.table(one), "count")
        for one in categories[:_MOST_VALUES]
    }
    if numbers:
        mean, low, high = (_number(numbers, key) for key in ("mean", "min", "max"))
        words = f"mean {mean:.4g}, {low:.4g} to {high:.4g}"
    else:
        words = ", ".join(list(values)[:3])
    distinct = finite_number(texts.get("distinct_count"))
    return Column(
        name=str(feature.get("name", "")),
        kind=_KINDS.get(str(feature.get("inferred_type")), "unknown"),
        present=int(_number(common, "num_present")),
        missing=int(_number(common, "num_missing")),
        distinct=None if distinct is None else int(distinct),
        buckets=tuple(buckets) if numbers else (),
        values={} if numbers else values,
        words=words,
    )


def _bucket(found: Mapping[str, Any]) -> Bucket | None:
    low, high, count = (finite_number(found.get(key)) for key in ("lower_bound", "upper_bound", "count"))
    return None if low is None or high is None or count is None else Bucket(low, high, count)


def _number(found: Mapping[str, Any], key: str) -> float:
    value = finite_number(found.get(key))
    return 0.0 if value is None else value
