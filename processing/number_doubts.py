"""Columns of numbers in which some numbers, or all, probably mean something else: each is noted.

A number that stands for a missing value (-999), dates written as one number (20240131), codes whose text is
more than their number (01234), numbers that the model cannot hold, and identifiers that are larger than the
whole numbers that float64 holds exactly. They are looked for in the sample of rows that the data-quality
report keeps (``quality``), and codes in the texts of each file's first block (``evidence``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from dataset_settings import DatasetSettings
from dates import timestamps
from evidence import evidence_of
from findings import Finding
from quality import NumberColumn
from reading import texts_of
from rows import Counts, Plan
from settings_lines import list_line, table_line, toml_key
from source_file import joint

_EXACT = 2**53  # float64 holds every whole number up to here
_FEWEST, _SHARE = 5, 0.002  # how often a number must be there to stand for a missing value
_DISTINCT = 10  # numbers beside it; also dates that are numbers
_MOST_MARKS = 3
_LARGEST = float(np.finfo(np.float32).max)
_DIGITS_OF_A_CODE = 4
_YEARS = (1900, 2101)
_DATES = {
    6: "%Y%m",
    8: "%Y%m%d",
    10: "%Y%m%d%H",
    12: "%Y%m%d%H%M",
    14: "%Y%m%d%H%M%S",
    17: "%Y%m%d%H%M%S%f",
}
"""Formats of dates that are whole numbers of so many digits and begin with a year."""

_SHORT_DATES = {8: ("%d%m%Y", "%m%d%Y"), 6: ("%y%m%d", "%d%m%y", "%m%d%y")}
"""Those of dates whose first zero a number loses."""


def notable_numbers(plan: Plan, counts: Counts) -> Iterator[Finding]:
    """What stands out in the features that are numbers and that ``kinds`` does not name, and which numbers in
    them, or in the target of a regression, probably mean a missing value."""
    sample = counts.quality.sample.table()
    if sample is not None and plan.settings.is_regression:
        target = sample[plan.settings.target].to_numpy()
        yield from _missing(plan.settings.target, target[np.isfinite(target)], plan.settings.also_missing)
    for name in plan.features if sample is not None else ():
        type_ = plan.types[name]
        if type_ not in ("whole number", "number") or name in plan.settings.kinds:
            continue
        is_decided = name in plan.settings.demanded_kinds  # by a notation of its own
        grouped = plan.profile.first_blocks[name].grouped
        if grouped and not is_decided:
            yield _thousands(name, grouped, plan.settings)
        values = sample[name].drop_null().cast(pa.float64(), safe=False).to_numpy()
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        column = counts.quality.numbers[name]
        written = _date_formats(sample[name], column) if type_ == "whole number" else ()
        if not is_decided and not written:
            yield from _codes(name, plan, column)
        if column.infinite or max(-column.lowest, column.highest) > _LARGEST:
            yield _infinite(name, column)
        whole = bool((values == np.floor(values)).all())
        if written:
            yield _dates(name, written, plan)
        elif whole and max(-column.lowest, column.highest) > _EXACT:
            yield _identifiers(name, column.highest, plan.settings.drop)
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


def _codes(name: str, plan: Plan, column: NumberColumn) -> Iterator[Finding]:
    """Numbers whose texts may be codes, such as 01234 and 12E4."""
    found, digits = plan.profile.first_blocks[name].codes, plan.profile.first_blocks[name].digits
    if not found and digits and digits >= _DIGITS_OF_A_CODE and 0 <= column.lowest < 10 ** (digits - 1):
        # All texts of the first blocks are longer than some number of the others is without zeros.
        found = _zeros_further_down(name, plan)
    meanings = {
        "zeros": "whose zeros are lost: it may hold codes",
        "plus": "whose sign is lost: it may hold telephone numbers",
        "exponent": "which counts as {:g}: it may hold codes",
        "hexadecimal": "which counts as {:d}: it may hold codes",
    }
    for way, meaning in meanings.items():
        if way not in found:
            continue
        text = found[way]
        value = int(text, 16) if way == "hexadecimal" else float(text)
        yield Finding(
            "zeros_before_numbers" if way == "zeros" else "codes_as_numbers",
            f"column {name!r} counts as a number, but holds {text!r}, {meaning.format(value)}",
            column=name,
            remedy=f'If so, set kinds.{toml_key(name)} = "category"',
        )


def _zeros_further_down(name: str, plan: Plan) -> Mapping[str, str]:
    if plan.profile.all_values:
        return plan.profile.all_values[name].codes
    return joint(
        evidence_of(texts, name, plan.settings) for texts in texts_of(plan.files, name, plan.settings)
    ).codes


def _infinite(name: str, column: NumberColumn) -> Finding:
    rows = f"in {column.infinite:,} rows of the training part" if column.infinite else ""
    return Finding(
        "infinite_numbers",
        f"column {name!r} holds numbers that are infinite or beyond {_LARGEST:.2g} {rows}".rstrip()
        + ": to the model they are missing",
        column=name,
        count=column.infinite or None,
        remedy="Write a large number in their place, if the model should know them as large",
    )


def _thousands(name: str, example: str, settings: DatasetSettings) -> Finding:
    thousands = table_line("thousands", settings.thousands, {name: "."})
    decimal = table_line("decimal", settings.decimal, {name: ","})
    return Finding(
        "dots_of_thousands",
        f"column {name!r} has three digits after each dot: {example!r} counts as {float(example):g}, but may "
        f"be {example.replace('.', '')}",
        column=name,
        remedy=f"If so, set {thousands} and {decimal}",
    )


def _date_formats(sampled: pa.ChunkedArray, column: NumberColumn) -> dict[str, pa.StringArray]:
    """The formats in which all of the whole numbers are dates, such as 20240131 and 20240131235959, and the
    texts that are."""
    distinct = sampled.drop_null().unique()
    if len(distinct) < _DISTINCT:
        return {}
    texts = distinct.cast(pa.string())
    for digits, date_format in _DATES.items():
        first, last = (year * 10 ** (digits - 4) for year in _YEARS)
        if first <= column.lowest <= column.highest < last and not timestamps(texts, date_format).null_count:
            return {date_format: texts}
    for digits, formats in _SHORT_DATES.items():
        if not 10 ** (digits - 2) <= column.lowest <= column.highest < 10**digits:
            continue
        texts = pc.utf8_lpad(texts, digits, "0")
        found = {one: texts for one in formats if _all_dates(timestamps(texts, one))}
        if found:
            return found
    return {}


def _all_dates(moments: pa.TimestampArray) -> bool:
    if moments.null_count:
        return False
    years = pc.min_max(pc.year(moments)).as_py()
    return bool(_YEARS[0] <= years["min"] <= years["max"] < _YEARS[1])


def _dates(name: str, written: Mapping[str, pa.StringArray], plan: Plan) -> Finding:
    """A note of such a column; ``written`` is what ``_date_formats`` gave."""
    formats, texts = list(written), next(iter(written.values()))
    moments = [timestamps(texts, one) for one in formats]
    place = next((n for n in range(len(texts)) if len({one[n].as_py() for one in moments}) > 1), 0)
    example, hour = texts[place].as_py(), "H" in formats[0]
    lines = [table_line("date_format", plan.settings.date_format, {name: one}) for one in formats]
    if len(formats) > 1:
        days = (moment[place].as_py().date() for moment in moments)
        lines = [f"{line} if that is {day}" for line, day in zip(lines, days, strict=True)]
    has_zeros = plan.profile.first_blocks[name].digits == len(example)
    is_whole = pc.min(pc.binary_length(pc.utf8_ltrim(texts, characters="0"))).as_py() == len(example)
    return Finding(
        "days_as_numbers",
        f"column {name!r} counts as a number, but all its values are {'times' if hour else 'days'} such as "
        f"{example}",
        column=name,
        remedy=f"Set {', or '.join(lines)}" if has_zeros or is_whole else "Write them as 2024-01-31",
    )


def _missing(name: str, values: np.ndarray, already: tuple[str, ...]) -> Iterator[Finding]:
    distinct, times = np.unique(values, return_counts=True)
    for ordered, counted in ((distinct, times), (distinct[::-1], times[::-1])):
        for count in range(min(_MOST_MARKS, len(ordered) - 2), 0, -1):
            marks, rest = ordered[:count], ordered[count:]
            rows = int(counted[:count].sum())
            if rows < max(_FEWEST, _SHARE * len(values)) or not _stick_out(marks, rest):
                continue
            texts = [repr(float(mark)).removesuffix(".0") for mark in marks]
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
