"""Columns of numbers in which some numbers, or all, probably mean something else: each is noted.

A number that stands for a missing value (-999), days written as one number (20240131), and identifiers that
are larger than the whole numbers that float64 holds exactly. They are looked for in the sample of rows that
the data-quality report keeps (``quality``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from dates import timestamps
from findings import Finding
from rows import Counts, Plan
from settings_lines import list_line, table_line, toml_key

_EXACT = 2**53  # float64 holds every whole number up to here
_FEWEST, _SHARE = 5, 0.002  # how often a number must be there to stand for a missing value
_DISTINCT = 10  # numbers beside it
_MOST_MARKS = 3
_DAY = "%Y%m%d"
_DAYS = (19000101, 21001231)


def notable_numbers(plan: Plan, counts: Counts) -> Iterator[Finding]:
    """What stands out in the features that are numbers and that ``kinds`` does not name, and which numbers in
    them, or in the target of a regression, probably mean a missing value."""
    sample = counts.quality.sample.table()
    if sample is not None and plan.settings.is_regression:
        target = sample[plan.settings.target].to_numpy()
        yield from _missing(plan.settings.target, target[np.isfinite(target)], plan.settings.also_missing)
    for name in plan.features if sample is not None else ():
        type_ = plan.types[name]
        if type_ not in ("whole number", "number") or name in plan.settings.demanded_kinds:
            continue
        grouped = [one.evidence[name].grouped for one in plan.files]
        if all(grouped):
            yield _thousands(name, str(grouped[0]), plan.settings.thousands)
        values = sample[name].drop_null().cast(pa.float64(), safe=False).to_numpy()
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        zeros = next(
            (one.evidence[name].with_zeros for one in plan.files if one.evidence[name].with_zeros), None
        )
        if zeros is not None:
            yield _codes(name, zeros)
        whole = bool((values == np.floor(values)).all())
        column = counts.quality.numbers[name]
        if whole and max(-column.lowest, column.highest) > _EXACT:
            yield _identifiers(name, column.highest, plan.settings.drop)
        elif type_ == "whole number" and _DAYS[0] <= column.lowest <= column.highest <= _DAYS[1]:
            yield from _days(name, values, plan.settings.date_format)
        else:
            yield from _missing(name, values, plan.settings.also_missing)


def _identifiers(name: str, highest: float, dropped: tuple[str, ...]) -> Finding:
    return Finding(
        "large_whole_numbers",
        f"column {name!r} holds whole numbers up to {highest:.3g}, which no model's number tells apart"
        ": they look like identifiers",
        column=name,
        remedy=f'Set {list_line("drop", dropped, [name])}, or kinds.{toml_key(name)} = "category"',
    )


def _codes(name: str, zeros: str) -> Finding:
    return Finding(
        "zeros_before_numbers",
        f"column {name!r} counts as a number, but holds {zeros!r}, whose zeros are lost: it may hold codes",
        column=name,
        remedy=f'If so, set kinds.{toml_key(name)} = "category"',
    )


def _thousands(name: str, example: str, said: Mapping[str, str]) -> Finding:
    line = table_line("thousands", said, {name: "."})
    return Finding(
        "dots_of_thousands",
        f"column {name!r} has three digits after each dot: {example!r} counts as {float(example):g}, but may "
        f"be {example.replace('.', '')}",
        column=name,
        remedy=f"If so, set {line} and {table_line('decimal', {}, {name: ','})}",
    )


def _days(name: str, values: np.ndarray, formats: Mapping[str, str]) -> Iterator[Finding]:
    texts = pc.cast(pa.array(values.astype(np.int64)), pa.string())
    if timestamps(texts, _DAY).null_count:
        return
    yield Finding(
        "days_as_numbers",
        f"column {name!r} counts as a number, but all its values are days such as {texts[0].as_py()}",
        column=name,
        remedy=f"Set {table_line('date_format', formats, {name: _DAY})}",
    )


def _missing(name: str, values: np.ndarray, already: tuple[str, ...]) -> Iterator[Finding]:
    distinct, times = np.unique(values, return_counts=True)
    for ordered, counted in ((distinct, times), (distinct[::-1], times[::-1])):
        for count in range(min(_MOST_MARKS, len(ordered) - 2), 0, -1):
            marks, rest = ordered[:count], ordered[count:]
            rows = int(counted[:count].sum())
            if rows < max(_FEWEST, _SHARE * len(values)) or not _stick_out(marks, rest):
                continue
            texts = [f"{mark:.0f}" if mark == round(mark) else repr(float(mark)) for mark in marks]
            line = list_line("also_missing", already, texts)
            yield Finding(
                "number_like_a_mark",
                f"column {name!r} holds {' and '.join(texts)} in {rows / len(values):.1%} of its rows, and "
                f"otherwise numbers from {rest.min():g} to {rest.max():g}",
                column=name,
                remedy=f"If it means that the value is missing, set {line}",
            )
            break


def _stick_out(marks: np.ndarray, rest: np.ndarray) -> bool:
    """Whether these outermost numbers are apart from the rest as no quantity is."""
    gap, spread = float(np.abs(rest - marks[-1]).min()), float(rest.max() - rest.min())
    first, *others = (f"{abs(mark):.0f}" if mark == round(mark) else "" for mark in marks)
    nines = bool(re.fullmatch("9{2,}", first)) and all(re.fullmatch("9+[5-9]", one) for one in others)
    negative = marks.max() < 0 <= rest.min()
    if nines and gap > 3 * spread:
        return True
    if len(rest) < _DISTINCT or (others and not nines):
        return False
    return gap > 3 * spread or (nines and (gap > spread / 4 or negative)) or (negative and marks[0] == -1)
