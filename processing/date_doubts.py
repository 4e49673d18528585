"""Columns of dates in which some date probably stands for a missing value, as 9999-12-31 does.

To a model such a date is a time like any other, far from the rest. It is looked for, as numbers such as -999
are (``number_doubts``), in the sample of rows that the data-quality report keeps (``quality``).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from column_types import KIND_OF
from findings import Finding
from rows import Counts, Plan
from settings_lines import list_line

_FEWEST, _SHARE = 5, 0.002  # how often a date must be there to stand for a missing value
_OTHERS = 10  # dates beside it
_OFTEN = 5  # times as often as the most frequent of the others
_MOST_MARKS = 5
_USUAL = (
    *("1000-01-01", "1582-10-15", "1600-01-01", "1601-01-01", "1700-01-01", "1753-01-01", "1800-01-01"),
    *("1899-12-30", "1899-12-31", "1900-01-01", "1901-01-01", "1904-01-01", "1970-01-01", "1980-01-01"),
    *("2038-01-19", "2079-06-06", "2099-12-31", "2100-01-01", "2199-12-31", "2200-01-01", "2262-04-11"),
)
"""With which calendars, databases and programs begin or end, or which people write for "never"."""

_EARLY, _LATE = np.datetime64("1000-01-01", "D"), np.datetime64("2400-01-01", "D")
"""Before and from here on no date is one that somebody measured."""


def notable_dates(plan: Plan, counts: Counts) -> Iterator[Finding]:
    """The features that are timestamps in which some probably mean that there is none."""
    sample = counts.quality.sample.table()
    for name in plan.features if sample is not None else ():
        if KIND_OF[plan.types[name]] != "timestamp":
            continue
        column = sample[name].drop_null().cast(pa.int64()).to_numpy()
        times, rows = np.unique(column.astype("datetime64[us]"), return_counts=True)
        marks = [place for place in range(len(times)) if _is_mark(place, times, rows)]
        others = np.delete(times, marks)
        if not 0 < len(marks) <= _MOST_MARKS or not len(others):
            continue
        texts = [_written(times[place]) for place in marks]
        yield Finding(
            "date_like_a_mark",
            f"column {name!r} holds {' and '.join(texts)} in {rows[marks].sum() / len(column):.1%} of its "
            f"rows, and otherwise times from {_written(others[0])} to {_written(others[-1])}",
            column=name,
            remedy="If it means that the value is missing, set "
            f"{list_line('also_missing', plan.settings.also_missing, texts)}",
        )


def _is_mark(place: int, times: np.ndarray, rows: np.ndarray) -> bool:
    """Whether one of the sorted different times stands for a missing value."""
    day = times[place].astype("datetime64[D]")
    if day < _EARLY or day >= _LATE:
        return True
    others, theirs = np.delete(times, place), np.delete(rows, place)
    if rows[place] < max(_FEWEST, _SHARE * rows.sum()) or len(others) < _OTHERS:
        return False
    spread = (others[-1] - others[0]).astype(np.int64)
    gap = np.abs(others - times[place]).min().astype(np.int64)
    if gap > 3 * spread:
        return True
    return str(day) in _USUAL and bool(gap > spread / 4 or rows[place] >= _OFTEN * theirs.max())


def _written(time: np.datetime64) -> str:
    """As a setting names it: ``9999-12-31``, or with its time of day."""
    day = time.astype("datetime64[D]")
    return str(day) if day == time else str(time).replace("T", " ").rstrip("0").rstrip(".")
