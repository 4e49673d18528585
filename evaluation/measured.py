"""Every metric of a test part with how exactly it is known and what a constant answer reaches.

It stands in ``verdict.json`` as ``metrics``: the report, the registry and the comparison of two versions show
each metric with its 95 % interval and with the best constant answer's value beside it.
"""

from __future__ import annotations

from metric_table import METRICS
from regression_verdict import NumberAnswers
from verdict import Answers, interval_of

_MOST_CLASSES_RESAMPLED = 50
_PROPORTIONS = ("accuracy", "weighted_recall")


def measured(answers: Answers) -> dict[str, dict[str, float]]:
    """By metric: ``value``, ``low`` and ``high`` of its 95 % interval, and ``constant``, where it has them.

    Averages over more than 50 classes have no interval: resampling them would take longer than scoring.
    """
    found = {}
    for name in METRICS:
        if name not in answers.metrics:
            continue
        interval = None if _too_many(name, answers) else interval_of(name, answers)
        found[name] = {"value": answers.metrics[name]}
        if interval:
            found[name] |= {"low": interval.low, "high": interval.high}
        constant = answers.metrics.get(f"{name}_best_constant_classifier")
        if METRICS[name].constant_counts and constant is not None:
            found[name]["constant"] = constant
    return found


def measured_numbers(answers: NumberAnswers) -> dict[str, dict[str, float]]:
    """The same of a regression, whose constant is the mean of the target over the training part."""
    found = {}
    for name in METRICS:
        if name not in answers.metrics:
            continue
        interval = answers.interval(name)
        found[name] = {"value": answers.metrics[name], "constant": answers.of_constant[name]}
        if interval:
            found[name] |= {"low": interval.low, "high": interval.high}
    return found


def _too_many(name: str, answers: Answers) -> bool:
    return len(answers.classes) > _MOST_CLASSES_RESAMPLED and name not in _PROPORTIONS
