"""The metrics of ``statistics.json``: the one place that knows their names, their words and their direction.

The settings accept a metric by it, the definition finds it in the file by it, evaluation, the registry and
the command line call it by it. Standard library only, since all of them import it.
"""

from __future__ import annotations

from dataclasses import dataclass

SECTIONS = {
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
    "regression": "regression_metrics",
}
"""Task -> the object of ``statistics.json`` that holds its metrics (Model Monitor's model-quality format)."""


_MOST_WRITTEN_OUT = 1e15


def readable(value: float, digits: int = 6, *, signed: bool = False) -> str:
    """A number for people, with thousands separated: ``875,775,000``.

    Args:
        digits: how many of the number are significant.
        signed: with a plus sign where it is positive.
    """
    sign, rounded = "+" if signed else "", float(f"{value:.{digits}g}")
    whole = 10 ** (digits - 1) <= abs(rounded) < _MOST_WRITTEN_OUT
    return f"{rounded:{sign},.0f}" if whole else f"{rounded:{sign},.{digits}g}"


@dataclass(frozen=True)
class MetricKind:
    """A metric that is one number.

    Attributes:
        name: its key in ``statistics.json``.
        label: what people call it, as it stands in a sentence.
        tasks: those that have it.
        higher_is_better: False for errors and rates of errors.
        constant_counts: whether the best constant answer is something to beat (``accuracy``, F scores);
            answering "positive" always has recall 1, so against recall a constant says nothing.
        largest: the largest value there is, None for errors.
    """

    name: str
    label: str
    tasks: tuple[str, ...]
    higher_is_better: bool = True
    constant_counts: bool = False
    largest: float | None = 1.0

    @property
    def heading(self) -> str:
        """The label at the beginning of a line or over a column."""
        return self.label[:1].upper() + self.label[1:]

    def shown(self, value: float, *, signed: bool = False, briefly: bool = False) -> str:
        """A value for people: four decimals, or six significant digits of an error, which has a unit.

        Args:
            signed: with a plus sign where it is positive, as a difference has it.
            briefly: with three decimals instead of four.
        """
        if self.largest is None:
            return readable(value, signed=signed)
        return f"{value:{'+' if signed else ''}{'.3f' if briefly else '.4f'}}"

    def between(self, low: float, high: float, *, signed: bool = False, briefly: bool = False) -> str:
        """The ends of an interval, as :meth:`shown` has them: ``0.8920 to 0.9826``."""
        ends = (self.shown(end, signed=signed, briefly=briefly) for end in (low, high))
        return " to ".join(ends)


_BINARY, _MANY, _REGRESSION = ("binary",), ("multiclass",), ("regression",)
_KINDS = (
    MetricKind("accuracy", "accuracy", (*_BINARY, *_MANY), constant_counts=True),
    MetricKind("auc", "AUC", _BINARY),
    MetricKind("f1", "F1", _BINARY, constant_counts=True),
    MetricKind("recall", "recall", _BINARY),
    MetricKind("precision", "precision", _BINARY),
    MetricKind("weighted_f1", "weighted F1", _MANY, constant_counts=True),
    MetricKind("weighted_recall", "weighted recall", _MANY, constant_counts=True),
    MetricKind("weighted_precision", "weighted precision", _MANY, constant_counts=True),
    MetricKind("f0_5", "F0.5", _BINARY, constant_counts=True),
    MetricKind("f2", "F2", _BINARY, constant_counts=True),
    MetricKind("weighted_f0_5", "weighted F0.5", _MANY, constant_counts=True),
    MetricKind("weighted_f2", "weighted F2", _MANY, constant_counts=True),
    MetricKind("true_positive_rate", "true positive rate", _BINARY),
    MetricKind("true_negative_rate", "true negative rate", _BINARY),
    MetricKind("false_positive_rate", "false positive rate", _BINARY, higher_is_better=False),
    MetricKind("false_negative_rate", "false negative rate", _BINARY, higher_is_better=False),
    MetricKind("rmse", "RMSE", _REGRESSION, higher_is_better=False, constant_counts=True, largest=None),
    MetricKind("r2", "R2", _REGRESSION, constant_counts=True),
    MetricKind("mae", "MAE", _REGRESSION, higher_is_better=False, constant_counts=True, largest=None),
    MetricKind("mse", "MSE", _REGRESSION, higher_is_better=False, constant_counts=True, largest=None),
)

METRICS: dict[str, MetricKind] = {kind.name: kind for kind in _KINDS}
"""By name, the headline of each task first."""

PER_CLASS = ("recall", "precision", "f1")
"""Metrics that each class of a classification has by itself: ``recall.malignant``."""


def metrics_of(task: str) -> dict[str, MetricKind]:
    """The metrics that a task has, by name."""
    return {name: kind for name, kind in METRICS.items() if task in kind.tasks}


def path_of(task: str, name: str) -> str:
    """Where a metric's value stands in ``statistics.json``, as a JSON path."""
    return f"{SECTIONS[task]}.{name}.value"
