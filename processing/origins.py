"""Origin and unit of the features whose values would fall together in the model's numbers.

The model reads float32, which holds 24 bits: for it, all seconds of two minutes of this century are one. So
the schema says for each timestamp, and for each number that needs it, from where it is counted and in which
steps (``training/scale.py`` does so): from the value in the middle, because a few values far away (a 0, the
year 9999) must not cost the others their resolution, and in steps of the largest whole number that divides
all differences. Both are chosen by a sample of the different rows of the training part (``quality``), which
never depends on their order, unlike that of the data-quality report.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from column_types import KIND_OF
from findings import Finding
from rows import Counts, Plan
from settings_lines import list_line

_BITS = 24
_FEWEST_STEPS = 2**16  # of float32 between the bulk of a column's values
_SECOND = 1_000_000
_WHOLE = 2.0**62
_SHARE_TOLD = 0.01  # of the different values


def scales(plan: Plan, counts: Counts) -> dict[str, dict[str, int | float]]:
    """By feature that needs them, ``origin`` and ``unit``; those of a timestamp are microseconds."""
    return {name: _scale(values, KIND_OF[plan.types[name]]) for name, values in _values(plan, counts)}


def close_values(plan: Plan, counts: Counts) -> Iterator[Finding]:
    """The features whose different values fall together all the same."""
    for name, values in _values(plan, counts):
        distinct = np.unique(values)
        left = len(np.unique(_as_encoded(distinct, _scale(values, KIND_OF[plan.types[name]]))))
        if len(distinct) - left > _SHARE_TOLD * len(distinct):
            yield Finding(
                "values_fall_together",
                f"column {name!r} has {len(distinct):,} different values in a sample, of which the model can "
                f"tell {left:,} apart: they differ only after the seventh digit",
                column=name,
                count=len(distinct) - left,
                remedy="Give what differs as a column of its own; if it is an identifier, set "
                f"{list_line('drop', plan.settings.drop, [name])}",
            )


def _scale(values: np.ndarray, kind: str) -> dict[str, int | float]:
    if kind == "timestamp":
        return _whole_scale(values) or {"origin": int(_middle(values)), "unit": _SECOND}
    if values.dtype == np.int64:
        found = _whole_scale(values)
        lost = _inexact(values)
        if not lost or not found or 2 * _inexact((values - found["origin"]) // found["unit"]) > lost:
            return {}
        return found
    low, high = np.quantile(values, (0.01, 0.99), method="nearest")
    with np.errstate(over="ignore"):
        step = np.spacing(np.float32(max(abs(low), abs(high))))
    return {"origin": float(_middle(values))} if 0 < high - low < _FEWEST_STEPS * step else {}


def _as_encoded(values: np.ndarray, found: dict[str, int | float]) -> np.ndarray:
    with np.errstate(over="ignore"):
        places = (values - found.get("origin", 0)).astype(np.float64) / found.get("unit", 1)
        return places.astype(np.float32)


def _values(plan: Plan, counts: Counts) -> Iterator[tuple[str, np.ndarray]]:
    """Each number and timestamp with its finite values in the sample, sorted, if it has any: int64 where all
    are whole numbers (a timestamp's are microseconds), else float64."""
    sample = counts.quality.different.table()
    for name in plan.features if sample is not None else ():
        if KIND_OF[plan.types[name]] not in ("number", "timestamp"):
            continue
        column = sample[name].drop_null().combine_chunks()
        if pa.types.is_floating(column.type):
            values = column.to_numpy(zero_copy_only=False)
            values = values[np.isfinite(values)]
            if len(values) and (values == np.floor(values)).all() and np.abs(values).max() < _WHOLE:
                values = values.astype(np.int64)
        else:
            values = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
        if len(values):
            yield name, np.sort(values)


def _middle(values: np.ndarray) -> Any:
    return values[len(values) // 2]


def _whole_scale(values: np.ndarray) -> dict[str, int] | None:
    """Of sorted whole numbers; None where all are the same, or where differences need more than 63 bits."""
    if values[0] == values[-1] or int(values[-1]) - int(values[0]) >= 2**63:
        return None
    origin = _middle(values)
    return {"origin": int(origin), "unit": int(np.gcd.reduce(values - origin))}


def _inexact(values: np.ndarray) -> int:
    """How many of the whole numbers have more bits than float32."""
    odd = np.abs(values // np.where(values == 0, 1, values & -values))
    return int((odd >= 2**_BITS).sum())
