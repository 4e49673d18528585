"""What a version answered on its test part, and what that gives of two classes.

It comes from ``statistics.json`` and, for what that format has no place for, from ``report.json`` beside it.
A version that was evaluated before there was such a file, or by other means, lacks these parts; so does one
whose files hold something else in their places.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evaluation.metric_table import SECTIONS
from registry.clients import read_document
from registry.model_quality import finite_number
from studio import charts
from studio.views import json_values

SERVED = 0.5
"""The threshold of the endpoint."""


@dataclass(frozen=True)
class Answered:
    """The two documents; an empty one where there is none.

    Attributes:
        task: of which ``statistics.json`` has a section; None if it has none.
        metrics: that section.
    """

    task: str | None
    metrics: Mapping[str, Any]
    report: Mapping[str, Any]


def read_answers(s3: Any, statistics_uri: str | None) -> Answered:
    """Those of the version whose statistics are there."""
    statistics = json_values.table(read_document(s3, statistics_uri))
    report_uri = f"{statistics_uri.rpartition('/')[0]}/report.json" if statistics_uri else None
    task = next(
        (task for task, section in SECTIONS.items() if json_values.table(statistics.get(section))), None
    )
    metrics = statistics[SECTIONS[task]] if task else {}
    return Answered(task, metrics, json_values.table(read_document(s3, report_uri)))


@dataclass(frozen=True)
class Curve:
    """A curve; ``points`` are those of an SVG polyline in a square of ``charts.SQUARE``."""

    name: str
    title: str
    across: str
    upwards: str
    points: str


def curves_in(answered: Answered) -> tuple[Curve, ...]:
    """ROC and precision-recall curve of two classes."""
    found = []
    for name, key, title, (x, across), (y, upwards) in _CURVES:
        table = json_values.table(answered.metrics.get(key))
        xs, ys = table.get(x), table.get(y)
        if name == "precision" and isinstance(xs, list) and isinstance(ys, list):
            xs, ys = _in_steps(xs, ys)
        if points := charts.points(xs, ys):
            found.append(Curve(name, title, across, upwards, points))
    return tuple(found)


_CURVES = (
    (
        "roc",
        "receiver_operating_characteristic_curve",
        "ROC curve",
        ("false_positive_rates", "False positive rate"),
        ("true_positive_rates", "True positive rate"),
    ),
    (
        "precision",
        "precision_recall_curve",
        "Precision and recall",
        ("recalls", "Recall"),
        ("precisions", "Precision"),
    ),
)


def _in_steps(recalls: list[Any], precisions: list[Any]) -> tuple[list[Any], list[Any]]:
    """Between two points precision is that of the larger recall, as in the report."""
    xs, ys = recalls[:1], precisions[:1]
    for recall, precision in zip(recalls[1:], precisions[1:], strict=False):
        xs += [xs[-1], recall]
        ys += [precision, precision]
    return xs, ys


@dataclass(frozen=True)
class Thresholds:
    """How many rows of the test part are above each threshold, two classes.

    Attributes:
        cuts: the thresholds, in rising order.
        found, false_alarms: positive and negative rows above each.
        positives, negatives: how many rows there are.
        positive, negative: the classes' names.
    """

    cuts: tuple[float, ...]
    found: tuple[int, ...]
    false_alarms: tuple[int, ...]
    positives: int
    negatives: int
    positive: str
    negative: str

    @property
    def served(self) -> int:
        """The place of the threshold that the endpoint uses, or of the one next to it."""
        return min(range(len(self.cuts)), key=lambda place: abs(self.cuts[place] - SERVED))

    @cached_property
    def at_served(self) -> Operating:
        """What the endpoint's threshold gives."""
        place = self.served
        return Operating(self.found[place], self.false_alarms[place], self.positives, self.negatives)

    @property
    def document(self) -> str:
        """What the page's script computes with, as JSON."""
        return json.dumps(
            {
                "cuts": self.cuts,
                "found": self.found,
                "falseAlarms": self.false_alarms,
                "positives": self.positives,
                "negatives": self.negatives,
                "served": self.served,
            }
        )


@dataclass(frozen=True)
class Operating:
    """Two classes at one threshold; a rate is None where it has no rows. ``threshold.js`` has the same."""

    found: int
    false_alarms: int
    positives: int
    negatives: int

    @property
    def missed(self) -> int:
        return self.positives - self.found

    @property
    def right_negatives(self) -> int:
        return self.negatives - self.false_alarms

    @property
    def rates(self) -> Mapping[str, float | None]:
        """By what people call them."""
        flagged = self.found + self.false_alarms
        return {
            "Precision": share(self.found, flagged),
            "Recall": share(self.found, self.positives),
            "Specificity": share(self.right_negatives, self.negatives),
            "F1": share(2 * self.found, flagged + self.positives),
            "Accuracy": share(self.found + self.right_negatives, self.positives + self.negatives),
            "Answered positive": share(flagged, self.positives + self.negatives),
        }

    def place(self, curve: str) -> tuple[float, float] | None:
        """Where this threshold lies on a curve, in pixels; None where it has no precision or no rate."""
        rates = self.rates
        specificity = rates["Specificity"]
        across = rates["Recall"] if curve == "precision" else None if specificity is None else 1 - specificity
        upwards = rates["Precision" if curve == "precision" else "Recall"]
        if across is None or upwards is None:
            return None
        return round(across * charts.SQUARE, 1), round((1 - upwards) * charts.SQUARE, 1)


def share(part: int, whole: int) -> float | None:
    """None of nothing."""
    return part / whole if whole else None


def thresholds_in(answered: Answered) -> Thresholds | None:
    """Those of ``report.json``; None where it holds none that belong together."""
    table, classes = json_values.table(answered.report.get("thresholds")), answered.report.get("classes")
    cuts = json_values.numbers(table.get("cuts"))
    found, false_alarms = (json_values.counts(table.get(name)) for name in ("found", "false_alarms"))
    [positives, negatives] = json_values.counts([table.get("positives"), table.get("negatives")]) or (0, 0)
    if not cuts or not found or not false_alarms or not len(cuts) == len(found) == len(false_alarms):
        return None
    if max(found) > positives or max(false_alarms) > negatives or list(cuts) != sorted(cuts):
        return None
    names = [str(name) for name in classes] if isinstance(classes, list) and len(classes) == 2 else ["0", "1"]
    return Thresholds(cuts, found, false_alarms, positives, negatives, names[1], names[0])


@dataclass(frozen=True)
class Calibration:
    """Groups of rows of like scores: mean score, share of positive rows, rows; and where each is drawn."""

    groups: tuple[tuple[float, float, int], ...]
    points: tuple[tuple[float, float], ...]
    brier: float | None

    @property
    def line(self) -> str:
        return " ".join(f"{x},{y}" for x, y in self.points)


def calibration_in(answered: Answered) -> Calibration | None:
    """That of ``report.json``; None where there is none."""
    table = json_values.table(answered.report.get("calibration"))
    predicted, observed = (
        json_values.numbers(table.get("predicted")),
        json_values.numbers(table.get("observed")),
    )
    rows = json_values.counts(table.get("rows"))
    if not predicted or not observed or not rows or not len(predicted) == len(observed) == len(rows):
        return None
    scale = charts.Scale(0, 1, charts.SQUARE)
    places = tuple(
        (scale(x), round(charts.SQUARE - scale(y), 2)) for x, y in zip(predicted, observed, strict=True)
    )
    groups = tuple(zip(predicted, observed, rows, strict=True))
    return Calibration(groups, places, finite_number(table.get("brier")))


def features_in(answered: Answered) -> tuple[tuple[str, float], ...]:
    """Features and their shares of the gain in training, the largest first."""
    entries = [json_values.table(one) for one in json_values.items(answered.report.get("features"))]
    found = [(str(one.get("name", "")), finite_number(one.get("gain"))) for one in entries]
    return tuple((name, gain) for name, gain in found if gain is not None and 0 < gain <= 1)
