"""How far a column has moved from its baseline: the distances that Model Monitor names.

``Simple`` is the largest difference of the two cumulative distribution functions, of texts that of the
shares of a text. ``Robust`` takes off what two samples of one distribution differ by: 1.8 times the root of
(n + m) / nm, Kolmogorov and Smirnov's bound at about 0.3 %; it is the formula of Deequ, on which the image is
built. "Schema for Constraints" of the SageMaker developer guide names both, and that test as the source.

The baseline's distribution is its KLL sketch (an item of level n stands for 2**n values), or its buckets
where a document has no sketch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from input_error import InputError

_C, _K = 0.64, 2048
"""The parameters that the image gives its sketches; a level holds at most k items."""

_ROBUST = 1.8


def sketch_of(numbers: np.ndarray) -> dict[str, Any]:
    """A sketch of values in rising order: all of up to 2048, else every 2**n-th of them, of one level."""
    level = max(0, math.ceil(math.log2(max(1, len(numbers)) / _K)))
    step = 2**level
    kept = numbers[step // 2 :: step]
    return {"parameters": {"c": _C, "k": float(_K)}, "data": [*([] for _ in range(level)), kept.tolist()]}


def distance(before: Mapping[str, Any], column: Any, shape: Mapping[str, Any]) -> float | None:
    """Between a feature of the baseline's ``statistics.json`` and a column; None where they do not compare.

    Args:
        shape: ``distribution_constraints``.

    Raises:
        InputError: a method that is not carried out here.
    """
    method = shape["comparison_method"]
    if method not in ("Simple", "Robust"):
        raise InputError(f"comparison_method is {method}; there are Simple and Robust")
    if not column.present:
        return None
    if "string_statistics" in before:
        if shape["categorical_drift_method"] != "LInfinity":
            raise InputError(
                f"categorical_drift_method {shape['categorical_drift_method']} is not implemented by the"
                " local SageMaker; LInfinity is"
            )
        found = _of_texts(before["string_statistics"], column.texts)
        present = before["string_statistics"]["common"]["num_present"]
    elif "numerical_statistics" in before and len(column.numbers):
        found = _of_numbers(before["numerical_statistics"], column.numbers)
        present = before["numerical_statistics"]["common"]["num_present"]
    else:
        return None
    if found is None or not present:
        return None
    if method == "Robust":
        taken = _ROBUST * math.sqrt((present + column.present) / (present * column.present))
        return max(0.0, found - taken)
    return found


def _of_numbers(before: Mapping[str, Any], numbers: np.ndarray) -> float | None:
    kll = (before.get("distribution") or {}).get("kll") or {}
    levels = (kll.get("sketch") or {}).get("data") or []
    values = np.array([value for level in levels for value in level], np.float64)
    if not len(values):
        return _by_buckets(kll.get("buckets") or [], numbers)
    weights = np.repeat(2.0 ** np.arange(len(levels)), [len(level) for level in levels])
    order = np.argsort(values)
    values, summed = values[order], np.cumsum(weights[order])
    at = np.union1d(values, numbers)
    then = np.append(0.0, summed)[np.searchsorted(values, at, side="right")] / summed[-1]
    now = np.searchsorted(numbers, at, side="right") / len(numbers)
    return float(np.abs(then - now).max())


def _by_buckets(buckets: Any, numbers: np.ndarray) -> float | None:
    """At the bounds of the buckets, which alone are known. A value on a bound is in the bucket above it."""
    total = sum(bucket["count"] for bucket in buckets)
    if not total:
        return None
    bounds = [buckets[0]["lower_bound"], *(bucket["upper_bound"] for bucket in buckets)]
    then = np.cumsum([0.0, *(bucket["count"] for bucket in buckets)]) / total
    now = np.searchsorted(numbers, bounds, side="left") / len(numbers)
    now[-1] = np.searchsorted(numbers, bounds[-1], side="right") / len(numbers)
    return float(np.abs(then - now).max())


def _of_texts(before: Mapping[str, Any], texts: Mapping[str, int]) -> float:
    """Of the texts that the baseline lists, and where it lists all of them, of the new ones, too."""
    listed = (before.get("distribution") or {}).get("categorical", {}).get("buckets") or []
    then = {bucket["value"]: bucket["count"] for bucket in listed}
    total, now = max(1, before["common"]["num_present"]), sum(texts.values())
    whole = before.get("distinct_count", 0) <= len(then)
    names = then.keys() | texts.keys() if whole else then.keys()
    return max((abs(then.get(name, 0) / total - texts.get(name, 0) / now) for name in names), default=0.0)
