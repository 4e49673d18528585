"""How good the predictions are, in the form that Model Monitor and Studio read.

The format is Model Monitor's model-quality ``statistics.json``:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html Every metric comes
with the standard deviation over five random samples of 80 % of the rows (drawn without replacement, always
the same ones), the string "NaN" below 200 rows, and, where the format has it, with the value of the best
constant classifier: the highest that predicting one and the same class for every row reaches. The format has
no such value for a regression.

What follows from a confusion matrix is computed for many matrices at once, as resampling needs it; tests hold
it, and the curves, to scikit-learn's values. Classes and scores may be arrays of few bytes a row, of which
there are many millions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from curves import Ranked, area_under_roc, thinned

_SAMPLES = 5
_SAMPLE_SHARE = 0.8
_FEWEST_ROWS_FOR_DEVIATION = 200
_CALIBRATION_GROUPS = 10
_FEWEST_ROWS_IN_A_GROUP = 20
_ROWS_AT_ONCE = 1 << 20


def statistics(
    actual: np.ndarray, predicted: np.ndarray, scores: np.ndarray | None, classes: Sequence[str], time: str
) -> dict[str, Any]:
    """``statistics.json``, of the binary form where there are ``scores``, else of the multiclass form.

    Args:
        actual, predicted: the class of each row, an index into ``classes``.
        scores: for a binary task the probability of the positive class, ``classes[1]``, of each row.
        classes: the names; the binary form writes them as "0" and "1", as Model Monitor does.
        time: when this was evaluated, ISO 8601.
    """
    document: dict[str, Any] = {
        "version": 0.0,
        "dataset": {"item_count": len(actual), "evaluation_time": time},
    }
    if scores is not None:
        document["binary_classification_metrics"] = _binary(actual, predicted, scores)
    else:
        document["multiclass_classification_metrics"] = _multiclass(actual, predicted, classes)
    return document


def regression_statistics(actual: np.ndarray, predicted: np.ndarray, time: str) -> dict[str, Any]:
    """``statistics.json`` of the regression form.

    Args:
        actual, predicted: float64, a number for each row.
        time: when this was evaluated, ISO 8601.
    """
    return {
        "version": 0.0,
        "dataset": {"item_count": len(actual), "evaluation_time": time},
        "regression_metrics": _with_deviations(
            lambda rows: regression_values(actual[rows], predicted[rows]), len(actual)
        ),
    }


def regression_values(actual: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Mean absolute and mean squared error, its root, and R2: the explained share of the actual variance.

    R2 is NaN where all actual values are the same, or there is one row only.
    """
    errors = actual - predicted
    mse = float(np.mean(errors**2))
    variance = float(np.var(actual))
    return {
        "mae": float(np.mean(np.abs(errors))),
        "mse": mse,
        "rmse": math.sqrt(mse),
        "r2": 1 - mse / variance if variance > 0 else math.nan,
    }


def confusion(actual: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Rows by actual class (first axis) and predicted class (second axis), int64."""
    return combinations((actual, predicted), classes).reshape(classes, classes)


def combinations(indices: Sequence[np.ndarray], classes: int) -> np.ndarray:
    """How many rows have each combination of classes: classes ** len(indices) counts, int64, the last index
    changing fastest.

    Args:
        indices: of each row a class, of any integer type.
    """
    found = np.zeros(classes ** len(indices), np.int64)
    for begin in range(0, len(indices[0]), _ROWS_AT_ONCE):
        cells = np.zeros(1, np.int64)
        for index in indices:
            cells = cells * classes + index[begin : begin + _ROWS_AT_ONCE]
        found += np.bincount(cells, minlength=len(found))
    return found


@dataclass(frozen=True)
class Calibration:
    """Whether the scores of a binary task are probabilities; a point for each group of rows of like scores.

    Attributes:
        predicted: the mean score of each group, in rising order.
        observed: the share of its rows that are positive.
        rows: how many rows each group has.
        brier: the mean squared distance of score and answer (0 or 1) over all rows; 0 is the best.
    """

    predicted: list[float]
    observed: list[float]
    rows: list[int]
    brier: float


def calibration(actual: np.ndarray, scores: np.ndarray) -> Calibration:
    """Of up to ten groups of about equally many rows; fewer groups where there are few rows or many ties.

    Args:
        actual: 0 or 1 for each row, both of them present.
        scores: of the positive class, 0 to 1.
    """
    scores = scores.astype(np.float64)
    groups = max(1, min(_CALIBRATION_GROUPS, len(actual) // _FEWEST_ROWS_IN_A_GROUP))
    # The groups of scikit-learn's calibration_curve with strategy="quantile", which does not say their sizes.
    edges = np.percentile(scores, np.linspace(0, 100, groups + 1))
    places = np.searchsorted(edges[1:-1], scores)
    rows = np.bincount(places, minlength=groups)
    positives, sums = (np.bincount(places, weights, groups) for weights in (actual, scores))
    some = rows > 0
    del places
    # The mean over both classes, as scikit-learn's brier_score_loss has it to the last digit.
    squares = (1.0 - actual - (1.0 - scores)) ** 2
    squares += (actual - scores) ** 2
    return Calibration(
        (sums[some] / rows[some]).tolist(),
        (positives[some] / rows[some]).tolist(),
        rows[some].tolist(),
        float(squares.mean()) / 2,
    )


@dataclass(frozen=True)
class ClassCounts:
    """What a metric needs of a confusion matrix, or of many at once: ... x classes; the metrics have the
    leading axes. Many matrices themselves would be too large: a thousand classes have a million cells.

    Attributes:
        right: rows of each class that are answered rightly.
        actual: rows of each class.
        predicted: rows that are answered with each class.
    """

    right: np.ndarray
    actual: np.ndarray
    predicted: np.ndarray

    @classmethod
    def of(cls, matrices: np.ndarray) -> ClassCounts:
        """Of confusion matrices, ... x classes x classes, actual by predicted."""
        right = np.diagonal(matrices, axis1=-2, axis2=-1)
        return cls(right, matrices.sum(axis=-1), matrices.sum(axis=-2))


def binary_values(counts: ClassCounts) -> dict[str, np.ndarray]:
    """Every metric of a binary task that follows from a confusion matrix; the second class is the positive
    one."""
    true_negative, true_positive = counts.right[..., 0], counts.right[..., 1]
    negatives, positives = counts.actual[..., 0], counts.actual[..., 1]
    recall = _quotient(true_positive, positives)
    precision = _quotient(true_positive, counts.predicted[..., 1])
    return {
        "recall": recall,
        "precision": precision,
        "accuracy": _quotient(true_positive + true_negative, positives + negatives),
        "true_positive_rate": recall,
        "true_negative_rate": _quotient(true_negative, negatives),
        "false_positive_rate": _quotient(negatives - true_negative, negatives),
        "false_negative_rate": _quotient(positives - true_positive, positives),
        **{name: _f_score(precision, recall, beta) for name, beta in F_SCORES.items()},
    }


def multiclass_values(counts: ClassCounts) -> dict[str, np.ndarray]:
    """The same for several classes; averages are weighted by the classes' share of the rows."""
    rows = counts.actual.sum(axis=-1)
    weights = _quotient(counts.actual, rows[..., np.newaxis])
    recalls = _quotient(counts.right, counts.actual)
    precisions = _quotient(counts.right, counts.predicted)
    values = {
        "accuracy": _quotient(counts.right.sum(axis=-1), rows),
        "weighted_recall": (weights * recalls).sum(axis=-1),
        "weighted_precision": (weights * precisions).sum(axis=-1),
    }
    for name, beta in F_SCORES.items():
        values[f"weighted_{name}"] = (weights * _f_score(precisions, recalls, beta)).sum(axis=-1)
    return values


def _f_score(precision: np.ndarray, recall: np.ndarray, beta: float) -> np.ndarray:
    """The weighted harmonic mean of precision and recall; ``beta`` is how much more recall counts."""
    return _quotient((1 + beta**2) * precision * recall, beta**2 * precision + recall)


F_SCORES = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
_BINARY_TWINS = ("recall", "precision", "accuracy", *F_SCORES)


def _binary(actual: np.ndarray, predicted: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    def measure(rows: np.ndarray | slice) -> dict[str, float]:
        area = {"auc": area_under_roc(actual[rows], scores[rows])}
        return {**with_twins(confusion(actual[rows], predicted[rows], 2), binary=True), **area}

    metrics: dict[str, Any] = {"confusion_matrix": _named(confusion(actual, predicted, 2), ("0", "1"))}
    metrics |= _with_deviations(measure, len(actual))
    ranked = Ranked.of(actual, scores)
    false_rates, true_rates = thinned(*ranked.roc())
    recalls, precisions = thinned(*ranked.recall_precision())
    metrics["receiver_operating_characteristic_curve"] = {
        "false_positive_rates": false_rates,
        "true_positive_rates": true_rates,
    }
    metrics["precision_recall_curve"] = {"precisions": precisions, "recalls": recalls}
    return metrics


def _multiclass(actual: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    def measure(rows: np.ndarray | slice) -> dict[str, float]:
        return with_twins(confusion(actual[rows], predicted[rows], len(classes)), binary=False)

    matrix = confusion(actual, predicted, len(classes))
    return {"confusion_matrix": _named(matrix, classes), **_with_deviations(measure, len(actual))}


def with_twins(matrix: np.ndarray, *, binary: bool) -> dict[str, float]:
    """Every metric that follows from one confusion matrix, and what the best constant answer has of each."""
    measure = binary_values if binary else multiclass_values
    values = _floats(measure(ClassCounts.of(matrix)))
    constants = constant_answers(matrix, binary=binary)
    twins = _BINARY_TWINS if binary else tuple(values)
    return {**values, **{f"{name}_best_constant_classifier": float(constants[name].max()) for name in twins}}


def _floats(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def _with_deviations(
    measure: Callable[[np.ndarray | slice], dict[str, float]], rows: int
) -> dict[str, dict[str, Any]]:
    values = measure(slice(None))
    samples: list[dict[str, float]] = []
    if rows >= _FEWEST_ROWS_FOR_DEVIATION:
        generator = np.random.default_rng(0)
        size = round(rows * _SAMPLE_SHARE)
        samples = [measure(generator.permutation(rows)[:size]) for _ in range(_SAMPLES)]
    return {
        name: {
            "value": _json_number(value),
            "standard_deviation": _json_number(_deviation([sample[name] for sample in samples])),
        }
        for name, value in values.items()
    }


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if values else math.nan


def constant_answers(matrix: np.ndarray, *, binary: bool) -> dict[str, np.ndarray]:
    """What answering one and the same class for every row reaches: of each metric, a value for each class."""
    actual = matrix.sum(axis=1)
    always = np.diag(np.full(len(actual), actual.sum()))
    measure = binary_values if binary else multiclass_values
    return measure(ClassCounts(np.diag(actual), np.broadcast_to(actual, always.shape), always))


def _named(matrix: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, int]]:
    rows = [dict(zip(names, row, strict=True)) for row in matrix.tolist()]
    return dict(zip(names, rows, strict=True))


def _quotient(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """0 where there is no denominator, as in scikit-learn with ``zero_division=0``."""
    some = denominator > 0
    return np.where(some, numerator / np.where(some, denominator, 1), 0.0)


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else "NaN"
