"""The report's pictures, as PNG. The only module that needs matplotlib, which is imported when it is
called."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from metrics import Calibration
from regression_verdict import NumberAnswers

_BLUE, _GREY, _INK = "#2f6db5", "#9aa3ad", "#1f2933"
_MOST_CLASSES_WITH_NUMBERS = 20
_FEATURES_SHOWN = 20
_POINTS_SHOWN = 5000

Curve = tuple[list[list[float]], float]
"""False and true positive rates, and the area under them."""


def draw(
    folder: Path,
    document: Mapping[str, Any],
    classes: Sequence[str],
    importance: Sequence[Mapping[str, Any]],
    curves: Sequence[Curve] = (),
    numbers: NumberAnswers | None = None,
    calibration: Calibration | None = None,
) -> list[str]:
    """Write the plots and return their file names.

    ``roc.png`` (binary tasks, and others where ``curves`` has one for each class), ``precision_recall.png``
    and ``calibration.png`` (binary tasks), ``confusion_matrix.png`` and ``feature_importance.png`` (where the
    artifact says); for the ``numbers`` of a regression ``predictions.png``, ``residuals.png`` and
    ``residual_histogram.png``.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update(
        {
            "axes.edgecolor": _GREY,
            "axes.labelcolor": _INK,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": 12,
            "axes.titleweight": "bold",
            "font.size": 10,
            "text.color": _INK,
            # A feature called "$x$" is a name, not a formula.
            "text.parse_math": False,
        }
    )
    names = []
    if numbers is not None:
        names += [
            _predictions(pyplot, folder, numbers),
            _residuals(pyplot, folder, numbers),
            _residual_histogram(pyplot, folder, numbers),
        ]
    else:
        binary = document.get("binary_classification_metrics")
        metrics = binary or document["multiclass_classification_metrics"]
        if binary:
            names += [_roc(pyplot, folder, binary), _precision_recall(pyplot, folder, binary)]
        if calibration is not None:
            names.append(_calibration(pyplot, folder, calibration))
        if curves:
            names.append(_roc_of_classes(pyplot, folder, curves, classes))
        names.append(_confusion(pyplot, folder, metrics["confusion_matrix"], classes))
    if importance:
        names.append(_importance(pyplot, folder, importance))
    return names


def _roc(pyplot: Any, folder: Path, metrics: Mapping[str, Any]) -> str:
    curve = metrics["receiver_operating_characteristic_curve"]
    figure, axes = pyplot.subplots(figsize=(5, 4.2))
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1, label="chance")
    label = f"model, AUC {metrics['auc']['value']:.4f}"
    axes.plot(
        curve["false_positive_rates"], curve["true_positive_rates"], color=_BLUE, linewidth=2, label=label
    )
    axes.set(xlabel="False positive rate", ylabel="True positive rate", title="ROC curve")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    axes.legend(loc="lower right", frameon=False)
    return _save(pyplot, figure, folder, "roc.png")


def _roc_of_classes(pyplot: Any, folder: Path, curves: Sequence[Curve], classes: Sequence[str]) -> str:
    figure, axes = pyplot.subplots(figsize=(5, 4.2))
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1, label="chance")
    colors = pyplot.get_cmap("tab10" if len(curves) <= 10 else "tab20")
    for place, (((false_rates, true_rates), area), name) in enumerate(zip(curves, classes, strict=True)):
        if math.isfinite(area):
            label = f"{_short(name, 20)}, AUC {area:.4f}"
            axes.plot(false_rates, true_rates, color=colors(place), linewidth=1.5, label=label)
    axes.set(
        xlabel="False positive rate",
        ylabel="True positive rate",
        title="ROC curves, each class against the rest",
    )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, fontsize=9)
    return _save(pyplot, figure, folder, "roc.png")


def _precision_recall(pyplot: Any, folder: Path, metrics: Mapping[str, Any]) -> str:
    curve = metrics["precision_recall_curve"]
    rows = metrics["confusion_matrix"]
    share = sum(rows["1"].values()) / sum(sum(row.values()) for row in rows.values())
    figure, axes = pyplot.subplots(figsize=(5, 4.2))
    axes.axhline(share, color=_GREY, linestyle="--", linewidth=1, label=f"chance, {share:.3f}")
    axes.plot(curve["recalls"], curve["precisions"], color=_BLUE, linewidth=2, label="model")
    axes.set(xlabel="Recall", ylabel="Precision", title="Precision and recall")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    axes.legend(loc="best", frameon=False)
    return _save(pyplot, figure, folder, "precision_recall.png")


def _calibration(pyplot: Any, folder: Path, calibration: Calibration) -> str:
    figure, axes = pyplot.subplots(figsize=(5, 4.2))
    # Of a rare class all scores are low, and on axes up to 1 they would be one dot.
    end = 1.05 * max(*calibration.predicted, *calibration.observed)
    axes.plot([0, end], [0, end], color=_GREY, linestyle="--", linewidth=1, label="calibrated")
    axes.plot(
        calibration.predicted,
        calibration.observed,
        color=_BLUE,
        linewidth=2,
        marker="o",
        label=f"model, Brier score {calibration.brier:.4f}",
    )
    axes.set(xlabel="Mean predicted probability", ylabel="Share of positives", title="Calibration")
    axes.set(xlim=(-0.01 * end, end), ylim=(-0.01 * end, end))
    axes.legend(loc="best", frameon=False)
    return _save(pyplot, figure, folder, "calibration.png")


def _confusion(
    pyplot: Any, folder: Path, matrix: Mapping[str, Mapping[str, int]], names: Sequence[str]
) -> str:
    counts = [list(row.values()) for row in matrix.values()]
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    side = min(12.0, max(4.2, 0.55 * len(names) + 2))
    figure, axes = pyplot.subplots(figsize=(side + 0.8, side))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(names))
    short = [_short(name, 20) for name in names]
    axes.set_xticks(
        ticks, short, rotation=45 if len(names) > 2 else 0, ha="right" if len(names) > 2 else "center"
    )
    axes.set_yticks(ticks, short)
    if len(names) <= _MOST_CLASSES_WITH_NUMBERS:
        for row in ticks:
            for column in ticks:
                color = "white" if shares[row][column] > 0.5 else _INK
                axes.text(column, row, f"{counts[row][column]:,}", ha="center", va="center", color=color)
    axes.set(xlabel="Predicted class", ylabel="Actual class", title="Confusion matrix")
    axes.spines[:].set_visible(False)
    return _save(pyplot, figure, folder, "confusion_matrix.png")


def _predictions(pyplot: Any, folder: Path, numbers: NumberAnswers) -> str:
    actual, predicted = _some(numbers.actual), _some(numbers.predicted)
    figure, axes = pyplot.subplots(figsize=(5, 4.2))
    ends = [
        min(numbers.actual.min(), numbers.predicted.min()),
        max(numbers.actual.max(), numbers.predicted.max()),
    ]
    axes.plot(ends, ends, color=_GREY, linestyle="--", linewidth=1, label="exactly right")
    axes.axhline(
        numbers.constant,
        color=_GREY,
        linestyle=":",
        linewidth=1,
        label=f"mean of the training part, {numbers.constant:.4g}",
    )
    _points(axes, actual, predicted)
    axes.set(xlabel="Actual value", ylabel="Predicted value", title="Actual and predicted values")
    axes.legend(loc="best", frameon=False, fontsize=9)
    return _save(pyplot, figure, folder, "predictions.png")


def _residuals(pyplot: Any, folder: Path, numbers: NumberAnswers) -> str:
    figure, axes = pyplot.subplots(figsize=(5, 4.2))
    axes.axhline(0, color=_GREY, linestyle="--", linewidth=1)
    _points(axes, _some(numbers.predicted), _some(numbers.actual - numbers.predicted))
    axes.set(xlabel="Predicted value", ylabel="Actual less predicted value", title="Residuals")
    return _save(pyplot, figure, folder, "residuals.png")


def _residual_histogram(pyplot: Any, folder: Path, numbers: NumberAnswers) -> str:
    residuals = numbers.actual - numbers.predicted
    figure, axes = pyplot.subplots(figsize=(5, 4.2))
    axes.hist(residuals, bins=min(40, max(8, round(math.sqrt(len(residuals))))), color=_BLUE)
    axes.axvline(0, color=_GREY, linestyle="--", linewidth=1)
    axes.set(xlabel="Actual less predicted value", ylabel="Rows", title="Distribution of the residuals")
    return _save(pyplot, figure, folder, "residual_histogram.png")


def _points(axes: Any, x: np.ndarray, y: np.ndarray) -> None:
    """A dot for each row; the more rows, the more transparent."""
    axes.scatter(x, y, s=14, color=_BLUE, alpha=min(0.8, 10 / math.sqrt(len(x))), linewidths=0)


def _some(values: np.ndarray) -> np.ndarray:
    """At most :data:`_POINTS_SHOWN` of the rows, the same ones of every array of as many rows."""
    if len(values) <= _POINTS_SHOWN:
        return values
    return values[np.random.default_rng(0).choice(len(values), _POINTS_SHOWN, replace=False)]


def _importance(pyplot: Any, folder: Path, importance: Sequence[Mapping[str, Any]]) -> str:
    shown = list(importance[:_FEATURES_SHOWN])[::-1]
    total = sum(entry["gain"] for entry in importance) or 1.0
    figure, axes = pyplot.subplots(figsize=(6.4, 0.28 * len(shown) + 1.4))
    names = [_short(entry["name"], 32) for entry in shown]
    axes.barh(range(len(shown)), [100 * entry["gain"] / total for entry in shown], color=_BLUE)
    axes.set_yticks(range(len(shown)), names)
    axes.set(xlabel="Share of the mean gain, %", title="Feature importance")
    return _save(pyplot, figure, folder, "feature_importance.png")


def _short(name: str, most: int) -> str:
    line = " ".join(name.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _save(pyplot: Any, figure: Any, folder: Path, name: str) -> str:
    figure.savefig(folder / name, dpi=120, bbox_inches="tight")
    pyplot.close(figure)
    return name
