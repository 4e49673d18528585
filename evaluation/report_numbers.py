"""``report.json``: numbers of ``report.html`` from which the pages in the browser draw, and compute on.

The report is finished text; whoever moves a threshold, or lays two versions over each other, needs what it
was made of. All of it is bounded: some hundred thresholds, a sample of the rows of a regression, the first
features. What ``statistics.json`` and ``verdict.json`` say is not repeated here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from curves import Curve
from feature_report import total_gains
from metrics import calibration
from number_report import distances, histogram, some_rows
from operating_points import every_cut, operating_points
from regression_verdict import NumberAnswers
from report import Evaluated
from verdict import Answers

_MOST_ROWS = 500
_MOST_FEATURES = 30
_DIGITS = 7


def report_numbers(found: Evaluated) -> dict[str, Any]:
    """The document: ``task``, ``classes``, ``features``, and by the task

    - of two classes ``thresholds`` (parallel lists: ``cuts``, and how many positive and negative rows are
      above each; ``positives`` and ``negatives`` are how many there are) and ``calibration``;
    - of several classes ``areas``, the AUC of each class against the rest where it has one;
    - of a regression ``sample`` (actual and predicted values of at most 500 rows), ``residuals`` (the counts
      between ``edges``) and ``within`` (shares of the rows, and how far off these are at most).
    """
    schema = found.schema
    return {
        "task": schema["task"],
        "classes": schema["classes"],
        "features": _features(found),
        **_answers(found),
    }


def _answers(found: Evaluated) -> dict[str, Any]:
    answers = found.answers
    if isinstance(answers, NumberAnswers):
        return _numbers(answers)
    if answers.scores is None:
        return {"areas": _areas(answers, found.curves)}
    points = operating_points(answers.actual, answers.scores, every_cut(answers.scores))
    groups = calibration(answers.actual, answers.scores)
    return {
        "thresholds": {
            "cuts": [point.cut for point in points],
            "found": [point.found for point in points],
            "false_alarms": [point.false_alarms for point in points],
            "positives": points[0].found + points[0].missed,
            "negatives": points[0].rows - points[0].found - points[0].missed,
        },
        "calibration": {
            "predicted": _rounded(groups.predicted),
            "observed": _rounded(groups.observed),
            "rows": groups.rows,
            "brier": groups.brier,
        },
    }


def _areas(answers: Answers, curves: Sequence[Curve]) -> dict[str, float]:
    areas = zip(answers.classes, (area for _, area in curves), strict=False)
    return {label: area for label, area in areas if math.isfinite(area)}


def _numbers(answers: NumberAnswers) -> dict[str, Any]:
    residuals = answers.actual - answers.predicted
    counts, edges = histogram(residuals)
    return {
        "sample": {
            "actual": _rounded(some_rows(answers.actual, _MOST_ROWS).tolist()),
            "predicted": _rounded(some_rows(answers.predicted, _MOST_ROWS).tolist()),
        },
        "residuals": {"edges": _rounded(edges.tolist()), "counts": counts.tolist()},
        "within": [[share, distance] for share, distance in distances(residuals)],
    }


def _features(found: Evaluated) -> list[dict[str, Any]]:
    """The features with the largest total gain, and the share of all gain that is theirs."""
    totals = total_gains(found.importance)
    everything = sum(totals.values()) or 1.0
    order = sorted(totals, key=lambda name: (-totals[name], name))[:_MOST_FEATURES]
    return [{"name": name, "gain": totals[name] / everything} for name in order]


def _rounded(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]
