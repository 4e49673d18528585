"""What a version answered of several classes, by the confusion matrix in its ``statistics.json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.model_quality import finite_number
from studio.views import json_values
from studio.views.versions_answers import Answered, share

MOST_CLASSES = 30
"""Of more, a matrix cannot be read; the table shows those with the most wrong answers."""


@dataclass(frozen=True)
class ClassLine:
    """One class of several; a rate is None where it has no rows.

    Attributes:
        rows: of the test part; `answered` is how often it was the answer.
        area: the AUC of its probability against the rest, where the report has it.
        taken_for: the class that its rows are most often taken for, and how often.
    """

    name: str
    rows: int
    answered: int
    precision: float | None
    recall: float | None
    f1: float | None
    area: float | None
    taken_for: tuple[str, int] | None


@dataclass(frozen=True)
class Classes:
    """A task with several classes.

    Attributes:
        lines: the classes with the most rows first; of very many those with the most wrong answers.
        more: how many classes are not among them.
        matrix: actual class, and for each predicted class rows and tenths of the actual ones; none of very
            many classes.
        confusions: actual class, predicted class and rows of the most frequent wrong answers.
    """

    names: tuple[str, ...]
    lines: tuple[ClassLine, ...]
    more: int
    matrix: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    confusions: tuple[tuple[str, str, int], ...]


def classes_in(answered: Answered) -> Classes | None:
    """Those of the confusion matrix; None of a task with two classes, or without a whole matrix."""
    matrix = json_values.table(answered.metrics.get("confusion_matrix"))
    names = [str(name) for name in matrix]
    rows = [
        json_values.counts([json_values.table(row).get(name) for name in names]) for row in matrix.values()
    ]
    if len(names) < 2 or not all(rows) or answered.task != "multiclass":
        return None
    counts = [row for row in rows if row]
    areas = json_values.table(answered.report.get("areas"))
    answers = [sum(column) for column in zip(*counts, strict=True)]
    lines = [
        _line(names, place, counts[place], answers[place], finite_number(areas.get(name)))
        for place, name in enumerate(names)
    ]
    many = len(names) > MOST_CLASSES
    wrong = {
        line.name: line.rows + line.answered - 2 * counts[place][place] for place, line in enumerate(lines)
    }
    lines.sort(key=lambda line: -(wrong[line.name] if many else line.rows))
    confusions = [
        (actual, predicted, count)
        for actual, row in zip(names, counts, strict=True)
        for predicted, count in zip(names, row, strict=True)
        if count and actual != predicted
    ]
    confusions.sort(key=lambda one: -one[2])
    return Classes(
        tuple(names),
        tuple(lines[:MOST_CLASSES]),
        max(0, len(lines) - MOST_CLASSES),
        ()
        if many
        else tuple(
            (name, tuple((count, -(-10 * count // max(1, sum(row)))) for count in row))
            for name, row in zip(names, counts, strict=True)
        ),
        tuple(confusions[:MOST_CLASSES]),
    )


def _line(
    names: Sequence[str], place: int, row: Sequence[int], answered: int, area: float | None
) -> ClassLine:
    right, rows = row[place], sum(row)
    others = [(count, name) for name, count in zip(names, row, strict=True) if name != names[place]]
    count, other = max(others, key=lambda one: one[0])
    return ClassLine(
        name=names[place],
        rows=rows,
        answered=answered,
        precision=share(right, answered),
        recall=share(right, rows),
        f1=share(2 * right, answered + rows),
        area=area,
        taken_for=(other, count) if count else None,
    )
