"""Columns of numbers in which some numbers, or all, probably mean something else: each is noted.

A number that stands for a missing value (-999), days written as one number (20240131), and identifiers that
are larger than the whole numbers that float64 holds exactly. They are looked for in the sample of rows that
the data-quality report keeps (``quality``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from dates import timestamps
from findings import Finding
from rows import Counts, Plan
from settings_lines import list_line, toml_key, toml_text

_EXACT = 2**53  # float64 holds every whole number up to here
_FEWEST, _SHARE = 5, 0.002  # how often a number must be there to stand for a missing value
_DISTINCT = 10  # numbers beside it
_DAY = "%Y%m%d"
_DAYS = (19000101, 21001231)


def notable_numbers(plan: Plan, counts: Counts) -> Iterator[Finding]:
    """What stands out in the features that are numbers and that ``kinds`` does not name."""
    sample = counts.quality.sample.table()
    for name in plan.features if sample is not None else ():
        type_ = plan.types[name]
        if type_ not in ("whole number", "number") or name in plan.settings.demanded_kinds:
            continue
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


def _days(name: str, values: np.ndarray, formats: Mapping[str, str]) -> Iterator[Finding]:
    texts = pc.cast(pa.array(values.astype(np.int64)), pa.string())
    if timestamps(texts, _DAY).null_count:
        return
    pairs = [f"{toml_key(key)} = {toml_text(value)}" for key, value in {**formats, name: _DAY}.items()]
    yield Finding(
        "days_as_numbers",
        f"column {name!r} counts as a number, but all its values are days such as {texts[0].as_py()}",
        column=name,
        remedy=f"Set date_format = {{ {', '.join(pairs)} }}",
    )


def _missing(name: str, values: np.ndarray, already: tuple[str, ...]) -> Iterator[Finding]:
    for extreme in (float(values.min()), float(values.max())):
        rest = values[values != extreme]
        times = len(values) - len(rest)
        if times < max(_FEWEST, _SHARE * len(values)) or len(np.unique(rest)) < _DISTINCT:
            continue
        gap, spread = float(np.abs(rest - extreme).min()), float(rest.max() - rest.min())
        nines = set(f"{abs(extreme):.0f}") == {"9"} and abs(extreme) >= 99 and extreme == round(extreme)
        negative = extreme < 0 <= rest.min()
        if gap > 3 * spread or (nines and (gap > spread / 4 or negative)) or (negative and extreme == -1):
            text = f"{extreme:.0f}" if extreme == round(extreme) else repr(extreme)
            line = list_line("also_missing", already, [text])
            yield Finding(
                "number_like_a_mark",
                f"column {name!r} holds {text} in {times / len(values):.1%} of its rows, and otherwise "
                f"numbers from {rest.min():g} to {rest.max():g}",
                column=name,
                remedy=f"If it means that the value is missing, set {line}",
            )
