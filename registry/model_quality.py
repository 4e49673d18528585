"""The metrics in a version's ``statistics.json``, as SageMaker Model Monitor's model-quality format has them.

Each is ``{"value": x, "standard_deviation": s}``; the deviation is the text "NaN" where the test part
was too small to estimate one. Curves and confusion matrices are left to the report.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from evaluation.metric_table import METRICS, SECTIONS, MetricKind
from registry.clients import read_document

_OF_CONSTANT = "_best_constant_classifier"


ACCURACY = METRICS["accuracy"]
HEADLINES = (METRICS["auc"], METRICS["weighted_f1"], METRICS["r2"])
"""What stands beside the gate's metric in a list: for two classes, for several, for a regression."""


def metric_kind(name: str) -> MetricKind:
    """The kind of a metric by its name in ``statistics.json``; one that is not known is called by it."""
    if is_of_constant(name):
        measured = metric_kind(name.removesuffix(_OF_CONSTANT))
        return replace(measured, name=name, label=f"{measured.label} of the best constant classifier")
    return METRICS.get(name) or MetricKind(name, name.replace("_", " "), tasks=())


def is_of_constant(name: str) -> bool:
    """Whether a metric says something about the test part and nothing about the model."""
    return name.endswith(_OF_CONSTANT)


def figure(value: float | None, kind: MetricKind, missing: str = "-") -> str:
    """A metric's value for people, as its kind shows it; `missing` where there is none."""
    return missing if value is None else kind.shown(value)


@dataclass(frozen=True)
class Metric:
    """A figure on the test part; `standard_deviation` is None where it was not estimated."""

    name: str
    value: float
    standard_deviation: float | None

    @property
    def kind(self) -> MetricKind:
        return metric_kind(self.name)


def read_statistics(s3: Any, uri: str | None) -> Any:
    """The parsed ``statistics.json``; None if there is none, it is gone, or it is no JSON."""
    return read_document(s3, uri)


def metrics_in(statistics: Any) -> dict[str, Metric]:
    """Every metric that is one number, by name, in the file's order; none if the format is another."""
    found: dict[str, Metric] = {}
    for section in SECTIONS.values():
        table = statistics.get(section) if isinstance(statistics, dict) else None
        for name, entry in table.items() if isinstance(table, dict) else ():
            value = finite_number(entry.get("value")) if isinstance(entry, dict) else None
            if value is not None:
                found[name] = Metric(name, value, finite_number(entry.get("standard_deviation")))
    return found


def headline(metrics: Mapping[str, Metric]) -> Metric | None:
    """The first of the headlines that the metrics hold; None if they hold none."""
    return next((metrics[kind.name] for kind in HEADLINES if kind.name in metrics), None)


def classes_in(statistics: Any) -> tuple[str, ...]:
    """The classes' names, which the confusion matrix of several classes carries; none for two classes."""
    table = statistics.get(SECTIONS["multiclass"]) if isinstance(statistics, dict) else None
    matrix = table.get("confusion_matrix") if isinstance(table, dict) else None
    return tuple(matrix) if isinstance(matrix, dict) else ()


def rows_in(statistics: Any) -> int | None:
    """How many rows the metrics are of."""
    dataset = statistics.get("dataset") if isinstance(statistics, dict) else None
    count = dataset.get("item_count") if isinstance(dataset, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def finite_number(value: Any) -> float | None:
    """A finite number of a JSON document, None for anything else; a boolean is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond the largest double
        return None
    return number if math.isfinite(number) else None
