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

_OF_CONSTANT = "_best_constant_classifier"


@dataclass(frozen=True)
class MetricKind:
    """What is known of a metric beyond its value.

    Attributes:
        name: its key in ``statistics.json``.
        label: what people call it, inside a sentence.
        higher_is_better: whether a model with a higher value is the better one.
        of_the_data: whether it says something about the test part and nothing about the model.
    """

    name: str
    label: str
    higher_is_better: bool = True
    of_the_data: bool = False

    @property
    def heading(self) -> str:
        """The label at the beginning of a line or over a column."""
        return self.label[:1].upper() + self.label[1:]


_KINDS = {
    kind.name: kind
    for kind in (
        MetricKind("accuracy", "accuracy"),
        MetricKind("auc", "AUC"),
        MetricKind("recall", "recall"),
        MetricKind("precision", "precision"),
        MetricKind("f0_5", "F0.5"),
        MetricKind("f1", "F1"),
        MetricKind("f2", "F2"),
        MetricKind("true_positive_rate", "true positive rate"),
        MetricKind("true_negative_rate", "true negative rate"),
        MetricKind("false_positive_rate", "false positive rate", higher_is_better=False),
        MetricKind("false_negative_rate", "false negative rate", higher_is_better=False),
        MetricKind("weighted_recall", "weighted recall"),
        MetricKind("weighted_precision", "weighted precision"),
        MetricKind("weighted_f0_5", "weighted F0.5"),
        MetricKind("weighted_f1", "weighted F1"),
        MetricKind("weighted_f2", "weighted F2"),
    )
}

ACCURACY = _KINDS["accuracy"]
HEADLINES = (_KINDS["auc"], _KINDS["weighted_f1"])
"""What stands beside accuracy in a list: the first for two classes, the second for several."""


def metric_kind(name: str) -> MetricKind:
    """The kind of a metric by its name in ``statistics.json``; one that is not known here is called by it."""
    if name.endswith(_OF_CONSTANT):
        measured = metric_kind(name.removesuffix(_OF_CONSTANT))
        label = f"{measured.label} of the best constant classifier"
        return MetricKind(name, label, measured.higher_is_better, of_the_data=True)
    return _KINDS.get(name) or MetricKind(name, name.replace("_", " "))


def figure(value: float | None, missing: str = "-") -> str:
    """A metric's value for people, with four decimals; `missing` where there is none."""
    return missing if value is None else f"{value:.4f}"


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
    """The first of the headlines that the metrics hold; None if they hold none."""
    return next((metrics[kind.name] for kind in HEADLINES if kind.name in metrics), None)


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
