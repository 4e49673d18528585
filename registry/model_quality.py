"""The metrics in a version's ``statistics.json``, as SageMaker Model Monitor's model-quality format has them.

Each is ``{"value": x, "standard_deviation": s}``; the deviation is the text "NaN" where the test part
was too small to estimate one. Curves and confusion matrices are left to the report.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.clients import read_object

BINARY, MULTICLASS = "binary_classification_metrics", "multiclass_classification_metrics"


@dataclass(frozen=True)
class Metric:
    """A figure on the test part; `standard_deviation` is None where it was not estimated."""

    name: str
    value: float
    standard_deviation: float | None


def read_statistics(s3: Any, uri: str | None) -> Any:
    """The parsed ``statistics.json``; None if there is none, it is gone, or it is no JSON."""
    content = read_object(s3, uri) if uri else None
    if content is None:
        return None
    try:
        return json.loads(content)
    except ValueError:
        return None


def metrics_in(statistics: Any) -> dict[str, Metric]:
    """Every metric that is one number, by name, in the file's order; none if the format is another."""
    found: dict[str, Metric] = {}
    for kind in (BINARY, MULTICLASS):
        table = statistics.get(kind) if isinstance(statistics, dict) else None
        for name, entry in table.items() if isinstance(table, dict) else ():
            value = _number(entry.get("value")) if isinstance(entry, dict) else None
            if value is not None:
                found[name] = Metric(name, value, _number(entry.get("standard_deviation")))
    return found


def headline(metrics: Mapping[str, Metric]) -> Metric | None:
    """The figure that stands beside accuracy in a list: AUC for two classes, weighted F1 for several."""
    return metrics.get("auc") or metrics.get("weighted_f1")


def classes_in(statistics: Any) -> tuple[str, ...]:
    """The classes' names, which the confusion matrix of several classes carries; none for two classes."""
    table = statistics.get(MULTICLASS) if isinstance(statistics, dict) else None
    matrix = table.get("confusion_matrix") if isinstance(table, dict) else None
    return tuple(matrix) if isinstance(matrix, dict) else ()


def rows_in(statistics: Any) -> int | None:
    """How many rows the metrics are of."""
    dataset = statistics.get("dataset") if isinstance(statistics, dict) else None
    count = dataset.get("item_count") if isinstance(dataset, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def _number(value: Any) -> float | None:
    """A finite number, None for anything else; a boolean is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
