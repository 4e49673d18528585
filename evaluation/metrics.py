"""How good the predictions are, in the form that Model Monitor and Studio read.

The format is Model Monitor's model-quality ``statistics.json``:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html Every metric comes
with the standard deviation over five random samples of 80 % of the rows (drawn without replacement, always
the same ones), the string "NaN" below 200 rows, and, where the format has it, with the value of the best
constant classifier: the highest that predicting one and the same class for every row reaches.

A quotient without a denominator (precision where nothing was predicted positive) is 0, as in scikit-learn
with ``zero_division=0``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_SAMPLES = 5
_SAMPLE_SHARE = 0.8
_FEWEST_ROWS_FOR_DEVIATION = 200
_CURVE_POINTS = 200


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


def confusion(actual: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Rows by actual class (first axis) and predicted class (second axis), int64."""
    return np.bincount(actual * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def roc_curve(actual: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates at every distinct score, from (0, 0) to (1, 1)."""
    hits, misses = _cumulated(actual, scores)
    return misses / max(1, misses[-1]), hits / max(1, hits[-1])


def precision_recall_curve(actual: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precisions and recalls at every distinct score, the highest score first, after the point (1, 0)."""
    hits, misses = _cumulated(actual, scores)
    found = hits[1:] + misses[1:]
    return np.append(1.0, hits[1:] / found), hits / max(1, hits[-1])


def area_under_roc(actual: np.ndarray, scores: np.ndarray) -> float:
    """The area under the ROC curve; NaN where one of the classes is absent."""
    positives = int(actual.sum())
    if positives in (0, len(actual)):
        return math.nan
    false_rates, true_rates = roc_curve(actual, scores)
    return float(np.trapezoid(true_rates, false_rates))


def one_against_rest(actual: np.ndarray, probabilities: np.ndarray) -> list[tuple[list[list[float]], float]]:
    """For each class its probability's ROC curve against all others: thinned false and true positive rates,
    and the area; NaN, and no curve worth the name, for a class without rows.

    Args:
        actual: the class of each row, an index.
        probabilities: rows x classes.
    """
    curves = []
    for place, scores in enumerate(probabilities.T):
        own = (actual == place).astype(np.int64)
        curves.append((thinned(*roc_curve(own, scores)), area_under_roc(own, scores)))
    return curves


def thinned(*curves: np.ndarray, points: int = _CURVE_POINTS) -> list[list[float]]:
    """At most about ``points`` points of each curve, first and last included, the same places in all."""
    count = len(curves[0])
    if count <= points:
        return [curve.tolist() for curve in curves]
    # Evenly along the curve's length, so that steep ends keep their shape.
    steps = sum(np.abs(np.diff(curve)) for curve in curves)
    length = np.append(0.0, np.cumsum(steps))
    places = np.unique(np.searchsorted(length, np.linspace(0.0, length[-1], points)).clip(0, count - 1))
    places = np.unique(np.concatenate(([0], places, [count - 1])))
    return [curve[places].tolist() for curve in curves]


def binary_values(matrix: np.ndarray) -> dict[str, float]:
    """Every metric of a binary task that follows from its confusion matrix (actual, predicted)."""
    (true_negative, false_positive), (false_negative, true_positive) = matrix.tolist()
    positives, negatives = true_positive + false_negative, true_negative + false_positive
    recall = _quotient(true_positive, positives)
    precision = _quotient(true_positive, true_positive + false_positive)
    return {
        "recall": recall,
        "precision": precision,
        "accuracy": _quotient(true_positive + true_negative, positives + negatives),
        "true_positive_rate": recall,
        "true_negative_rate": _quotient(true_negative, negatives),
        "false_positive_rate": _quotient(false_positive, negatives),
        "false_negative_rate": _quotient(false_negative, positives),
        **{name: f_score(precision, recall, beta) for name, beta in _F_SCORES.items()},
    }


def multiclass_values(matrix: np.ndarray) -> dict[str, float]:
    """Every metric of a task with several classes; weighted by the classes' share of the rows."""
    actual, predicted, right = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    weights = actual / max(1, actual.sum())
    recalls = right / np.maximum(1, actual)
    precisions = right / np.maximum(1, predicted)
    values = {
        "accuracy": _quotient(float(right.sum()), float(actual.sum())),
        "weighted_recall": float(weights @ recalls),
        "weighted_precision": float(weights @ precisions),
    }
    for name, beta in _F_SCORES.items():
        scores = [f_score(p, r, beta) for p, r in zip(precisions.tolist(), recalls.tolist(), strict=True)]
        values[f"weighted_{name}"] = float(weights @ np.array(scores))
    return values


def f_score(precision: float, recall: float, beta: float) -> float:
    """The weighted harmonic mean of precision and recall; ``beta`` is how much more recall counts."""
    return _quotient((1 + beta**2) * precision * recall, beta**2 * precision + recall)


_F_SCORES = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
_BINARY_TWINS = ("recall", "precision", "accuracy", *_F_SCORES)


def _binary(actual: np.ndarray, predicted: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    def measure(rows: np.ndarray | slice) -> dict[str, float]:
        matrix = confusion(actual[rows], predicted[rows], 2)
        area = {"auc": area_under_roc(actual[rows], scores[rows])}
        return {**binary_values(matrix), **area, **_constant_twins(matrix, binary_values, _BINARY_TWINS)}

    metrics: dict[str, Any] = {"confusion_matrix": _named(confusion(actual, predicted, 2), ("0", "1"))}
    metrics |= _with_deviations(measure, len(actual))
    false_rates, true_rates = thinned(*roc_curve(actual, scores))
    precisions, recalls = thinned(*precision_recall_curve(actual, scores))
    metrics["receiver_operating_characteristic_curve"] = {
        "false_positive_rates": false_rates,
        "true_positive_rates": true_rates,
    }
    metrics["precision_recall_curve"] = {"precisions": precisions, "recalls": recalls}
    return metrics


def _multiclass(actual: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    def measure(rows: np.ndarray | slice) -> dict[str, float]:
        matrix = confusion(actual[rows], predicted[rows], len(classes))
        values = multiclass_values(matrix)
        return {**values, **_constant_twins(matrix, multiclass_values, tuple(values))}

    matrix = confusion(actual, predicted, len(classes))
    return {"confusion_matrix": _named(matrix, classes), **_with_deviations(measure, len(actual))}


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


def _constant_twins(
    matrix: np.ndarray, measure: Callable[[np.ndarray], dict[str, float]], names: Sequence[str]
) -> dict[str, float]:
    actual = matrix.sum(axis=1)
    constants = []
    for place in range(len(actual)):
        constant = np.zeros_like(matrix)
        constant[:, place] = actual
        constants.append(measure(constant))
    return {f"{name}_best_constant_classifier": max(values[name] for values in constants) for name in names}


def _named(matrix: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, int]]:
    rows = [dict(zip(names, row, strict=True)) for row in matrix.tolist()]
    return dict(zip(names, rows, strict=True))


def _cumulated(actual: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives if everything from a score on is positive, per distinct score, from none
    on."""
    order = np.argsort(-scores, kind="stable")
    sorted_scores, hit = scores[order], actual[order].astype(np.int64)
    ends = np.append(np.flatnonzero(np.diff(sorted_scores)), len(hit) - 1)
    hits = np.cumsum(hit)[ends]
    return np.append(0, hits), np.append(0, ends + 1 - hits)


def _quotient(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else "NaN"
