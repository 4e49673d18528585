"""What the counts of the one pass over the rows say that a person should know: findings, in the order of the
columns.

Nothing here reads a file or ends the run; ``fitness`` refuses what is not fit for training.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from column_types import KIND_OF
from findings import Finding
from quality import TextColumn
from rows import Counts, Plan

_TEXTS_EXAMINED = 1000
_SHARE_OF_REPEATED = 0.01
_LIKE_A_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def findings_of_counts(plan: Plan, counts: Counts, named: Collection[str | None]) -> Iterator[Finding]:
    """All that the counts show: rows that repeat, and columns that are probably something else.

    Args:
        named: columns of which a finding says already what their values look like.
    """
    yield from _repeated_rows(counts)
    for name in plan.features:
        if KIND_OF[plan.types[name]] == "category":
            yield from _of_category(name, plan, counts, is_named=name in named)


def _repeated_rows(counts: Counts) -> Iterator[Finding]:
    repeated, rows = counts.quality.occurrences.repeated, counts.rows["train"]
    if repeated >= _SHARE_OF_REPEATED * rows > 0:
        text = f"{repeated:,} of {rows:,} rows of the training part repeat another one in every column"
        yield Finding(
            "repeated_rows", f"{text}; identical rows share a part of the split", count=repeated, level="note"
        )


def _of_category(name: str, plan: Plan, counts: Counts, *, is_named: bool) -> Iterator[Finding]:
    settings, column = plan.settings, counts.quality.texts[name]
    if not is_named and name not in settings.kinds:
        yield from _numbers_in_category(name, column)
    distinct = column.distinct()
    if distinct > settings.max_categories:
        yield Finding(
            "beyond_max_categories",
            f"column {name!r} has {distinct:,} distinct texts; the {settings.max_categories:,} most frequent "
            "are its categories, others count as missing",
            name,
            distinct,
            "Add it to drop if it names single rows, or raise max_categories",
        )


def _numbers_in_category(name: str, column: TextColumn) -> Iterator[Finding]:
    """Many different numbers and a few other texts: most likely an unknown marker of missing values."""
    texts, _ = column.most_frequent(_TEXTS_EXAMINED)
    numbers = pc.match_substring_regex(pa.array(texts, pa.string()), _LIKE_A_NUMBER)
    others = pa.array(texts, pa.string()).filter(pc.invert(numbers)).to_pylist()
    unseen = column.distinct() > len(texts)  # the others are among the rare ones
    if (others or unseen) and len(others) <= len(texts) / 10:
        shown = ", ".join(map(repr, others[:5])) or "some of its texts"
        yield Finding(
            "numbers_in_category",
            f"column {name!r} counts as a category because of {shown}; the others are numbers",
            name,
            column.present,
            "If that marks a missing value, add it to missing_values",
        )
