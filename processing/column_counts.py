"""What each column of the source holds, whatever its role: rows, missing values, distinct values, examples.

``quality`` counts the features and the target of the training part, for the report; this counts every column
of all rows, for people who decide on the settings. Memory is bounded: beyond :data:`MOST_DISTINCT` different
values a column's values are no longer told apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

MOST_DISTINCT = 50_000
_EXAMPLES = 3
_MOST_LISTED = 20
_LONGEST = 60  # characters of a value that is shown


@dataclass
class ColumnCounts:
    """Counts of one column; ``values`` holds how often each value is there, up to the limit."""

    rows: int = 0
    missing: int = 0
    values: dict[Any, int] = field(default_factory=dict)
    complete: bool = True  # whether every value is in `values`

    def add(self, array: pa.Array) -> None:
        """Add a batch of the column, typed by ``reading``; NaN counts as missing."""
        self.rows += len(array)
        absent = array.is_null(nan_is_null=True)
        missing = absent.true_count
        self.missing += missing
        if not self.complete or missing == len(array):
            return
        counted = pc.value_counts(array.filter(pc.invert(absent)) if missing else array)
        values, counts = counted.field("values"), counted.field("counts")
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if len(values) > MOST_DISTINCT:
            values, counts = values[: MOST_DISTINCT + 1], counts[: MOST_DISTINCT + 1]
        try:
            listed = values.to_pylist()
        except OverflowError:  # a time outside the years 1 to 9999
            listed = values.cast(pa.int64()).to_pylist()
        for value, count in zip(listed, counts.to_pylist(), strict=True):
            self.values[value] = self.values.get(value, 0) + count
        self.complete = len(self.values) <= MOST_DISTINCT

    def most_frequent(self) -> list[tuple[str, int]]:
        """The values by how frequent they are; none where there are too many to list."""
        if not self.complete or len(self.values) > _MOST_LISTED:
            return []
        ordered = sorted(self.values.items(), key=lambda item: (-item[1], _shown(item[0])))
        return [(_shown(value), count) for value, count in ordered]

    def examples(self) -> list[str]:
        """A few values: the most frequent ones, or the first ones where nearly all are frequent."""
        listed = [value for value, _ in self.most_frequent()]
        return (listed or [_shown(value) for value in self.values])[:_EXAMPLES]


def count_columns(names: Sequence[str], batches: Iterable[pa.RecordBatch]) -> dict[str, ColumnCounts]:
    """The counts of every column; one that no batch has, because it is not supported, has no rows."""
    counts = {name: ColumnCounts() for name in names}
    for batch in batches:
        for name in batch.schema.names:
            counts[name].add(batch.column(name))
    return counts


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}" if math.isfinite(value) else str(value)
    text = value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
