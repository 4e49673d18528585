"""Statistics of one column, in the form of Model Monitor's ``statistics.json``.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-statistics.html. The program that looks at
a window of requests and the one that stands in for Model Monitor's own image write them by this same file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

BUCKETS = 10
MOST_TEXTS = 100


def of_numbers(present: np.ndarray, missing: int) -> dict[str, Any]:
    """``numerical_statistics``: float64 values, and how many rows have none."""
    found: dict[str, Any] = {"common": {"num_present": len(present), "num_missing": missing}}
    if len(present):
        low, high = float(present.min()), float(present.max())
        width = high / BUCKETS - low / BUCKETS  # so that the widest range is no infinity
        edges = [low + place * width for place in range(BUCKETS)] + [high]
        ends = np.searchsorted(np.sort(present), edges[1:-1], side="left")
        found |= {
            "mean": float(present.mean()),
            "sum": float(present.sum()),
            "std_dev": float(present.std()),
            "min": low,
            "max": high,
            "distribution": {
                "kll": {
                    "buckets": [
                        {"lower_bound": left, "upper_bound": right, "count": float(count)}
                        for left, right, count in zip(
                            edges[:-1], edges[1:], np.diff(ends, prepend=0, append=len(present)), strict=True
                        )
                    ]
                }
            },
        }
    return {key: value for key, value in found.items() if not _is_infinite(value)}


def of_texts(counts: Iterable[tuple[str, int]], missing: int) -> dict[str, Any]:
    """``string_statistics``: each text with how often it occurs, and how many rows have none."""
    named = sorted(counts, key=lambda pair: (-pair[1], pair[0]))
    return {
        "common": {"num_present": sum(count for _, count in named), "num_missing": missing},
        "distinct_count": float(len(named)),
        "distribution": {
            "categorical": {
                "buckets": [{"value": text, "count": count} for text, count in named[:MOST_TEXTS]]
            }
        },
    }


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
