"""The report's parts on a classification: curves, cuts and calibration of two classes, tables of many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import intervals
import numpy as np
import svg
from curves import Curve
from html_page import name, note, section, table, text
from intervals import Interval
from metrics import Calibration
from operating_points import SERVED, operating_points
from svg import SHARES, Axis, Plot
from verdict import Answers, of_class

_MOST_CLASSES = 30
"""Of more, a matrix cannot be read; the tables show those with the most errors."""


def two_classes(
    answers: Answers,
    roc: Curve,
    precision_recall: tuple[Sequence[float], Sequence[float]],
    found: Calibration,
) -> Iterator[str]:
    """The sections of a binary task.

    Args:
        precision_recall: precisions and recalls.
    """
    assert answers.scores is not None
    positive = name(answers.classes[1])
    share = float(np.mean(answers.actual))
    (false_rates, true_rates), area = roc
    rates = Plot(Axis("False positive rate", *SHARES), Axis("True positive rate", *SHARES))
    roc_picture = svg.picture(
        rates,
        [svg.curve(rates, SHARES, SHARES, "guide"), svg.curve(rates, false_rates, true_rates)],
        "ROC curve",
        [(0, f"the model, AUC {area:.4f}"), ("guide", "chance, AUC 0.5")],
    )
    plot = Plot(Axis("Recall", *SHARES), Axis("Precision", *SHARES))
    precisions, recalls = _as_steps(*precision_recall)
    precision_picture = svg.picture(
        plot,
        [svg.curve(plot, SHARES, (share, share), "guide"), svg.curve(plot, recalls, precisions)],
        "Precision and recall",
        [(0, "the model"), ("guide", f"chance, precision {share:.4f}")],
    )
    yield _confusion(answers)
    yield section(
        "At every threshold",
        f'<div class="figures">{roc_picture}{precision_picture}</div>',
        f"<h3>What changes if one cuts elsewhere</h3>{_cuts(answers)}",
        note(
            f"A row is answered with {positive} where its probability is above the cut; the endpoint cuts at"
            f" {SERVED} and gives the probability with each answer. In brackets: 95 % interval. A cut that is"
            " chosen by these rows looks a little better here than it is on others."
        ),
    )
    yield _calibration(answers, found, share)


def _as_steps(
    precisions: Sequence[float], recalls: Sequence[float]
) -> tuple[Sequence[float], Sequence[float]]:
    """Between two points precision is that of the larger recall: a straight line would promise cuts of a
    precision that no cut has (Davis and Goadrich 2006)."""
    return [*precisions[:1], *np.repeat(precisions[1:], 2)], [*np.repeat(recalls[:-1], 2), *recalls[-1:]]


def several_classes(answers: Answers, curves: Sequence[Curve]) -> Iterator[str]:
    """The sections of a task with more than two classes; ``curves`` are those of each class, or none."""
    yield _confusion(answers)
    yield _by_class(answers, [area for _, area in curves])
    if curves:
        plot = Plot(Axis("False positive rate", *SHARES), Axis("True positive rate", *SHARES))
        marks, legend = [svg.curve(plot, SHARES, SHARES, "guide")], []
        for place, ((false_rates, true_rates), area) in enumerate(curves):
            if math.isfinite(area):
                marks.append(svg.curve(plot, false_rates, true_rates, place))
                legend.append((place, f"{name(answers.classes[place], 40)} {area:.4f}"))
        image = svg.picture(plot, marks, "ROC curves, each class against the rest, with the AUC", legend)
        yield section("At every threshold", f'<div class="figures">{image}</div>')


def _cuts(answers: Answers) -> str:
    assert answers.scores is not None
    points = operating_points(answers.actual, answers.scores)
    rows = []
    for point in points:
        positives = point.found + point.missed
        rows.append(
            [
                f"{point.cut:g}",
                f"{100 * point.flagged / point.rows:.1f} %",
                _share(point.found, positives),
                _share(point.found, point.flagged),
                f"{point.flagged:,}",
                f"{point.found:,}",
                f"{point.missed:,}",
                f"{point.false_alarms:,}",
            ]
        )
    head = [
        "Cut",
        "Flagged",
        "Recall",
        "Precision",
        "Rows flagged",
        "Found",
        "Missed",
        "False alarms",
    ]
    now = next(place for place, point in enumerate(points) if point.cut == SERVED)
    return table(head, rows, now=now)


def _share(part: int, whole: int) -> str:
    return _with_interval(part / whole, intervals.proportion(part, whole)) if whole else "-"


def _with_interval(value: float, interval: Interval | None) -> str:
    bounds = f' <span class="whole">({interval.low:.3f} to {interval.high:.3f})</span>' if interval else ""
    return f"{value:.3f}{bounds}"


def _calibration(answers: Answers, found: Calibration, share: float) -> str:
    known = [
        intervals.proportion(round(observed * rows), rows)
        for observed, rows in zip(found.observed, found.rows, strict=True)
    ]
    lows = [interval.low if interval else 0.0 for interval in known]
    highs = [interval.high if interval else 0.0 for interval in known]
    # Of a rare class all scores are low, and on axes up to 1 they would be one dot.
    end = min(1.0, 1.05 * max(*found.predicted, *highs))
    plot = Plot(Axis("Mean probability", 0.0, end), Axis("Share of positive rows", 0.0, end))
    image = svg.picture(
        plot,
        [
            svg.curve(plot, (0.0, end), (0.0, end), "guide"),
            svg.whiskers(plot, found.predicted, lows, highs),
            svg.curve(plot, found.predicted, found.observed),
            svg.dots(plot, found.predicted, found.observed),
        ],
        "Calibration",
        [(0, "the model, with 95 % intervals"), ("guide", "probabilities as they should be")],
    )
    rows = [
        [f"{predicted:.4f}", _with_interval(observed, interval), f"{count:,}"]
        for predicted, observed, interval, count in zip(
            found.predicted, found.observed, known, found.rows, strict=True
        )
    ]
    shown = table(["Mean probability", f"Share of {name(answers.classes[1], 40)}", "Rows"], rows, words=())
    return section(
        "Are the probabilities right?",
        f'<div class="figures">{image}<div>{shown}</div></div>',
        note(
            f"Brier score {found.brier:.4f} (0 is the best); always answering {share:.4f}, the share of"
            f" positive rows, has {share * (1 - share):.4f}."
        ),
    )


def _confusion(answers: Answers) -> str:
    matrix, classes = answers.matrix, answers.classes
    if len(classes) > _MOST_CLASSES:
        return section("Which classes are taken for others", _confusions(answers))
    totals = np.maximum(matrix.sum(axis=1), 1)
    short = [name(label, 40) for label in classes]
    head = "".join(f"<th>{label}</th>" for label in short)
    corner = '<span class="whole">actual ↓</span> <span class="whole">predicted →</span>'
    body = "\n".join(
        f"<tr><th>{label}</th>"
        + "".join(f"<td{_shade(count / total)}>{count:,}</td>" for count in row)
        + "</tr>"
        for label, row, total in zip(short, matrix.tolist(), totals.tolist(), strict=True)
    )
    return section(
        "Confusion matrix",
        f'<div class="wide"><table class="matrix"><thead><tr><th>{corner}</th>{head}</tr></thead>'
        f"\n<tbody>{body}</tbody></table></div>",
        note("Rows of the test part; the darker a cell, the larger its share of the actual class."),
    )


def _shade(share: float) -> str:
    step = math.ceil(10 * share)
    return f" class=h{step}" if step else ""


def _confusions(answers: Answers) -> str:
    """The most frequent wrong answers, where there are too many classes for a matrix."""
    wrong = answers.matrix.copy()
    np.fill_diagonal(wrong, 0)
    actual, predicted = np.nonzero(wrong)
    counts = wrong[actual, predicted]
    order = np.lexsort((predicted, actual, -counts))[:_MOST_CLASSES]
    rows = [
        [
            name(answers.classes[actual[place]]),
            name(answers.classes[predicted[place]]),
            f"{counts[place]:,}",
            f"{100 * counts[place] / answers.matrix[actual[place]].sum():.1f} %",
        ]
        for place in order
    ]
    more = len(counts) - len(rows)
    rest = (
        f" {more:,} more kinds of wrong answers are in confusion_matrix of statistics.json." if more else ""
    )
    return table(["Actual", "Predicted", "Rows", "Of the actual class"], rows, words=(0, 1)) + note(
        f"{len(answers.classes):,} classes: the most frequent wrong answers.{rest}"
    )


def _by_class(answers: Answers, areas: Sequence[float]) -> str:
    matrix = answers.matrix
    rows_of, given, right = matrix.sum(axis=1), matrix.sum(axis=0), np.diagonal(matrix)
    many = len(answers.classes) > _MOST_CLASSES
    errors = rows_of + given - 2 * right
    order = np.argsort(-(errors if many else rows_of), kind="stable")[:_MOST_CLASSES]
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    body = []
    for place in order.tolist():
        cells = [name(answers.classes[place]), f"{rows_of[place]:,}", f"{given[place]:,}"]
        for metric in ("recall", "precision", "f1"):
            value, interval = of_class(metric, place, matrix)
            cells.append(_with_interval(value, interval) if interval else "-")
        if areas:
            cells.append(f"{areas[place]:.4f}" if math.isfinite(areas[place]) else "-")
        other = int(wrong[place].argmax())
        times = int(wrong[place, other])
        cells.append(f"{name(answers.classes[other], 40)} ({times:,})" if times else "-")
        body.append(cells)
    head = ["Class", "Rows", "Answered", "Recall", "Precision", "F1", *(["AUC"] if areas else [])]
    head.append("Most often taken for")
    order_said = "Sorted by wrong answers" if many else "Sorted by rows"
    rest = f"; {len(answers.classes) - len(body):,} classes with fewer of them are not shown" if many else ""
    return section(
        "Each class",
        table(head, body, words=(0, len(head) - 1)),
        note(f"{text(order_said)}{rest}. In brackets: 95 % interval of that class alone."),
    )
