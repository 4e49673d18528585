"""The gate's verdict on a regression: the same checks as ``verdict`` makes of a classification.

The threshold is an upper limit for errors (RMSE, MAE, MSE) and a lower one for R2. The constant answer that
a model has to beat is the mean of the target over the training part, which has the smallest squared error of
all constants there. A model has learnt something if its squared errors on the test part are smaller, by a
paired t test, and its answers rise with the actual values, by their correlation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import intervals
import numpy as np
import significance
from intervals import Interval
from metric_table import METRICS, readable
from metrics import regression_values
from verdict import Check, Gate, against_floor, against_threshold, document


@dataclass(frozen=True)
class NumberAnswers:
    """What a model of a regression answered on the test part.

    Attributes:
        actual, predicted: float64, a number for each row.
        constant: the mean of the target over the training part.
        metrics: those of ``statistics.json``, by name.
    """

    actual: np.ndarray
    predicted: np.ndarray
    constant: float
    metrics: Mapping[str, float]

    @cached_property
    def of_constant(self) -> Mapping[str, float]:
        """The metrics of always answering :attr:`constant`."""
        return regression_values(self.actual, np.full(len(self.actual), self.constant))

    @cached_property
    def chance_of_errors(self) -> float:
        """How often squared errors that are smaller than the constant's by as much come about by chance."""
        ours, constants = ((self.actual - answer) ** 2 for answer in (self.predicted, self.constant))
        return significance.smaller_errors(ours, constants)

    @cached_property
    def _of_squares(self) -> Interval | None:
        return intervals.mean_error((self.actual - self.predicted) ** 2)

    @cached_property
    def _of_r2(self) -> Interval | None:
        return intervals.r2(self.actual, self.predicted)

    @cached_property
    def _of_distances(self) -> Interval | None:
        return intervals.mean_error(np.abs(self.actual - self.predicted))

    def value(self, metric: str) -> float:
        """The metric; NaN, which no bound lets pass, where it is absent."""
        return self.metrics.get(metric, math.nan)

    def interval(self, metric: str) -> Interval | None:
        """The 95 % interval of a metric, by the method that suits it; None of one that a regression lacks."""
        if metric == "r2":
            return self._of_r2
        if metric == "mae":
            return self._of_distances
        if metric == "rmse":
            return intervals.root(self._of_squares)
        return self._of_squares if metric == "mse" else None


def judge_numbers(gate: Gate, answers: NumberAnswers, more: Sequence[Check] = ()) -> dict[str, Any]:
    """The verdict on a regression, as ``verdict.json`` holds it; ``more`` as in ``verdict.judge``."""
    rows, value = len(answers.actual), answers.value(gate.metric)
    checks = [against_threshold(gate, value, answers.interval(gate.metric), rows)]
    if gate.worth:
        checks.append(worth(gate, answers))
    for name, least in gate.floors.items():
        called = METRICS[name].label
        checks.append(against_floor(name, called, answers.value(name), answers.interval(name), least))
    return document(gate, rows, [*checks, *more], answers.of_constant.get(gate.metric))


def worth(gate: Gate, answers: NumberAnswers) -> Check:
    """Has it learnt something, and is the metric better than the constant's?"""
    kind, value = gate.kind, answers.value(gate.metric)
    constant = answers.of_constant.get(gate.metric, math.nan)
    always = f"always answering {readable(answers.constant)}, the mean of the training part"
    reason = _nothing_learnt(answers)
    better = value > constant if kind.higher_is_better else value < constant
    if reason:
        values = f"{kind.label} {kind.shown(value)}; {always}, has {kind.shown(constant)}"
        sentence = f"the model has not learnt anything{reason} ({values})"
    elif better:
        sentence = f"better than {always}, whose {kind.label} is {kind.shown(constant)}"
        sentence += f" (p {answers.chance_of_errors:.2g})"
    else:
        sentence = (
            f"{kind.label} {kind.shown(value)} is no better than the {kind.shown(constant)} of {always},"
            " though the squared errors are smaller"
        )
    return Check("worth", better and not reason, sentence, gate.metric, value, constant)


def _nothing_learnt(answers: NumberAnswers) -> str | None:
    """Why the answers show nothing learnt; None where they do."""
    rows = f"{len(answers.actual):,} rows"
    if len(answers.predicted) and not np.ptp(answers.predicted):
        return f": it answers {readable(answers.predicted[0])} to all {rows}"
    if answers.chance_of_errors > significance.LEVEL:
        chance = f"{100 * answers.chance_of_errors:.0f} % of cases"
        return f" that {rows} can show: squared errors as small as these come about by chance in {chance}"
    chance = significance.rises_with(answers.actual, answers.predicted)
    if chance > significance.LEVEL:
        return (
            f" that {rows} can show: its answers rise with the actual values as much as this by chance in"
            f" {100 * chance:.0f} % of cases"
        )
    return None
