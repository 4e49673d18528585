"""What a tuning step has tried: a table, and the metric against each hyperparameter.

A square is drawn for each range, with a dot for each trial that has trained to its end. The best one differs
in form as well as in colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.metric_table import readable
from pipelines.executions.failure_reasons import in_one_line
from pipelines.executions.trials import Range, Search, Trial, best_of, result_in_words, shown, values_in_words
from pipelines.executions.watching import Step
from studio import charts

_MOST_LABELS = 5


@dataclass(frozen=True)
class Dot:
    """A trial in a square; ``title`` is what it says when it is pointed at."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Square:
    """The metric against one hyperparameter.

    Attributes:
        dots: of all trials but the best one.
        across: texts below the square and where they stand.
        upwards: texts beside it and where they stand, from the top.
    """

    name: str
    is_log: bool
    dots: tuple[Dot, ...]
    best: Dot
    across: tuple[tuple[str, float], ...]
    upwards: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class TrialRow:
    """One trial in the table; ``values`` in the order of the ranges."""

    number: int
    word: str
    result: float | None
    values: tuple[str, ...]
    seconds: float | None
    is_best: bool
    reason: str | None


@dataclass(frozen=True)
class TrialsView:
    """A tuning step's trials; ``of`` is how many there are at most."""

    metric: str
    wanted: str
    of: int | None
    names: tuple[str, ...]
    rows: tuple[TrialRow, ...]
    squares: tuple[Square, ...]


_WORDS = {"Completed": "done", "Failed": "failed", "Stopped": "stopped", "Stopping": "stopped"}


def trials_view(step: Step | None) -> TrialsView | None:
    """Of a step that tunes and has tried something."""
    if step is None or step.search is None or not step.trials:
        return None
    search, best = step.search, best_of(step.trials, step.search)
    known = [trial for trial in step.trials if trial.result is not None and trial.status == "Completed"]
    return TrialsView(
        metric=search.metric,
        wanted="greatest" if search.greater_is_better else "smallest",
        of=search.jobs,
        names=tuple(one.name for one in search.ranges),
        rows=tuple(_row(trial, search, trial is best) for trial in step.trials),
        squares=tuple(_square(one, known, search, best) for one in search.ranges if best is not None),
    )


def _row(trial: Trial, search: Search, is_best: bool) -> TrialRow:
    return TrialRow(
        number=trial.number,
        word=_WORDS.get(trial.status, "running"),
        result=trial.result,
        values=tuple(shown(trial.values.get(one.name, "")) for one in search.ranges),
        seconds=trial.seconds,
        is_best=is_best,
        reason=in_one_line(trial.failure_reason) or None,
    )


def _square(one: Range, known: Sequence[Trial], search: Search, best: Trial) -> Square:
    """`known`: the trials that have a result, `best` among them."""
    results = [trial.result for trial in known if trial.result is not None]
    marks = charts.ticks(min(results), max(results))
    upwards = charts.Scale(marks[0], marks[-1], charts.SQUARE)
    places, across = _across(one, [trial.values.get(one.name, "") for trial in known])
    dots = {
        trial.number: Dot(
            places[trial.values.get(one.name, "")],
            round(charts.SQUARE - upwards(trial.result or 0.0), 1),
            f"trial {trial.number}: {result_in_words(trial, search)} with {values_in_words(trial)}",
        )
        for trial in known
    }
    return Square(
        name=one.name,
        is_log=one.is_log,
        dots=tuple(dot for number, dot in dots.items() if number != best.number),
        best=dots[best.number],
        across=across,
        upwards=tuple((f"{mark:g}", round(charts.SQUARE - upwards(mark), 1)) for mark in marks),
    )


def _across(one: Range, values: Sequence[str]) -> tuple[Mapping[str, float], tuple[tuple[str, float], ...]]:
    """Where each value stands, and what is written below: the ends of numbers, or the values themselves."""
    if one.values or one.low is None or one.high is None:
        names = one.values or tuple(dict.fromkeys(values))
        step = charts.SQUARE / len(names)
        places = {name: round((place + 0.5) * step, 1) for place, name in enumerate(names)}
        every = math.ceil(len(names) / _MOST_LABELS)
        return places, tuple((shown(name), places[name]) for name in names[::every])
    scaled = math.log if one.is_log else float
    scale = charts.Scale(scaled(one.low), scaled(one.high), charts.SQUARE)
    return (
        {value: scale(scaled(float(value))) for value in values},
        ((readable(one.low, 4), 0.0), (readable(one.high, 4), float(charts.SQUARE))),
    )
