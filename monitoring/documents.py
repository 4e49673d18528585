"""Model Monitor's two documents of a window: ``statistics.json`` and ``constraint_violations.json``.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-interpreting-statistics.html,
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-interpreting-violations.html. What reads them
elsewhere reads them here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import column_statistics
import numpy as np
from baseline import BOOLEAN, CATEGORY
from drift import MISSING, NEW, OUTSIDE, SPREAD

CHECKS = {
    SPREAD: "baseline_drift_check",
    MISSING: "completeness_check",
    NEW: "categorical_values_check",
    OUTSIDE: "baseline_drift_check",
}
"""A question of ``drift`` -> Model Monitor's name of the check; it has none for a range."""

_SECOND = 1_000_000


def violations_document(differences: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``constraint_violations.json`` from the verdict's differences."""
    return {
        "version": 0.0,
        "violations": [
            {
                "feature_name": one["column"],
                "constraint_check_type": CHECKS[one["question"]],
                "description": one["sentence"],
            }
            for one in differences
        ],
    }


def statistics_document(
    features: Sequence[Any], matrix: np.ndarray, unseen: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """``statistics.json`` of a window's rows.

    Args:
        features: those of the artifact's schema.
        matrix: rows x features, as ``captures`` has them; ``unseen`` its categories below 0.
    """
    columns = [
        _texts(feature, matrix[:, place], unseen.get(feature.name, ()))
        if feature.kind == CATEGORY
        else _numbers(feature, matrix[:, place])
        for place, feature in enumerate(features)
    ]
    return {"version": 0.0, "dataset": {"item_count": len(matrix)}, "features": columns}


def in_units(values: np.ndarray, feature: Any) -> np.ndarray:
    """Values of the matrix as the data has them; timestamps as seconds since 1970."""
    found = values.astype(np.float64) * feature.scale.unit + feature.scale.origin
    return found / _SECOND if feature.kind == "timestamp" else found


def _numbers(feature: Any, column: np.ndarray) -> dict[str, Any]:
    present = in_units(column[~np.isnan(column)], feature)
    whole = feature.kind == BOOLEAN or bool(len(present) and np.all(present == np.round(present)))
    kind = "Integral" if whole else "Fractional"
    statistics = column_statistics.of_numbers(present, len(column) - len(present))
    return {"name": feature.name, "inferred_type": kind, "numerical_statistics": statistics}


def _texts(feature: Any, column: np.ndarray, unseen: Sequence[str]) -> dict[str, Any]:
    present = column[~np.isnan(column)].astype(np.int64)
    codes, counts = np.unique(present, return_counts=True)
    named = [
        (name_of(int(code), feature, unseen), int(count)) for code, count in zip(codes, counts, strict=True)
    ]
    statistics = column_statistics.of_texts(named, len(column) - len(present))
    return {"name": feature.name, "inferred_type": "String", "string_statistics": statistics}


def name_of(code: int, feature: Any, unseen: Sequence[str]) -> str:
    """The text of a category's code; below 0 are those that training has not seen."""
    return unseen[-code - 1] if code < 0 else feature.categories[code]
