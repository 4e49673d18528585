"""The ``tuning`` table: which values of which hyperparameters are tried, and how many trainings it may take.

A pipeline with this table has a tuning step where others have a training step. What a hyperparameter may be
is known to the training program (``training/hyperparameters.py``), so a range that it would refuse is refused
here, before anything runs, and not by every training job by itself.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from pipelines.settings.gate import Problem
from pipelines.settings.hyperparameters import OF_TUNING, Value, as_text, problems_of_value
from pipelines.settings.tables import Listed, Table, Text, which_one
from training.hyperparameters import PARAMETERS, TUNING_METRICS

_MOST_VALUES = 30
"""Of a categorical range: the shape CategoricalParameterRange."""

_NOT_TUNED = {
    "seed": "the best of several seeds is luck, which does not come again",
    OF_TUNING: "it is what models are compared by: tuning.metric",
    "device": "it says where a training runs, not what comes of it",
    "external_memory": "it says where the rows are kept, not what comes of them",
}


def job_prefix(project_name: str) -> str:
    """What the names of a project's tuning jobs and of their training jobs begin with.

    A tuning job's name has at most 32 characters, of which SageMaker Pipelines makes 24, so that a project's
    own name does not fit; policies tell the jobs of different projects apart by these 8.
    """
    return hashlib.sha256(project_name.encode()).hexdigest()[:8]


class Range(Table):
    """Numbers from ``low`` to ``high``, both included, or some values, which may be written as a list."""

    low: float | int | None = None
    high: float | int | None = None
    scale: Literal["linear", "log"] = "linear"
    values: Annotated[tuple[Value, ...], Listed] = ()


def _range(given: object) -> object:
    if isinstance(given, list):
        return {"values": given}
    if not isinstance(given, dict):
        raise ValueError(f"{given!r} is no range: write {{ low = 1, high = 9 }}, or a list of values")
    return given


class Tuning(Table):
    """Which values are tried (docs/tuning.md).

    Attributes:
        jobs: how many trainings at most; without it the strategy grid tries every combination.
        parallel: how many of them at once.
        metric: of the validation part, by which models are compared; by default the loss that stops a
            training.
        max_runtime_hours: after which no training is started, and what runs is stopped.
        stop_early: whether SageMaker may stop a training that will not be the best.
    """

    ranges: dict[Text, Annotated[Range, BeforeValidator(_range)]]
    jobs: Annotated[int, Field(ge=1, le=750)] | None = None
    parallel: Annotated[int, Field(ge=1, le=100)] = 1
    strategy: Literal["bayesian", "random", "grid"] = "bayesian"
    metric: Text | None = None
    max_runtime_hours: Annotated[int, Field(ge=1, le=4380)] | None = None
    stop_early: bool = False
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    def metric_of(self, task: str) -> str:
        """By XGBoost's name."""
        return self.metric or next(iter(TUNING_METRICS[task]))

    def greater_is_better(self, task: str) -> bool:
        """Of the metric's values."""
        return TUNING_METRICS[task][self.metric_of(task)]

    def choices(self, name: str) -> tuple[Value, ...]:
        """The values of a range that can be counted: those that it names, or for a grid its whole numbers."""
        found = self.ranges[name]
        if self.strategy == "grid" and not found.values and is_whole(name):
            assert isinstance(found.low, int)
            assert isinstance(found.high, int)
            return tuple(range(found.low, found.high + 1))
        return found.values

    @property
    def most_jobs(self) -> int:
        """How many trainings there are at most."""
        return self.jobs or math.prod(len(self.choices(name)) for name in self.ranges)


def is_whole(name: str) -> bool:
    """Whether a hyperparameter's numbers are whole."""
    return PARAMETERS[name].number is int


def problems_of_tuning(tuning: Tuning, task: str) -> Iterator[Problem]:
    """What is wrong with the table, all of it."""
    found = [problem for name, one in tuning.ranges.items() for problem in _of_range(name, one, task)]
    yield from found
    if not tuning.ranges:
        yield Problem(("tuning", "ranges"), "there is no range", "Add one, for example max_depth = [3, 6]")
    known = TUNING_METRICS[task]
    if tuning.metric is not None and tuning.metric not in known:
        what = f"{tuning.metric!r} is no metric that models of a {task} task are compared by"
        yield Problem(("tuning", "metric"), what, which_one(tuning.metric, known, "metrics"))
    elif not found and "class_weights" in tuning.ranges and (task, tuning.metric) != ("binary", "auc"):
        what = (
            "a training with class weights weighs the validation part as well, so its"
            f" {tuning.metric_of(task)} says nothing beside one without"
        )
        remedy = "Take its range out" + (
            ', or write metric = "auc", which no weight of a class changes' if task == "binary" else ""
        )
        yield Problem(("tuning", "ranges", "class_weights"), what, remedy)
    if tuning.strategy == "grid":
        if not found and tuning.ranges:
            yield from _of_grid(tuning)
    elif tuning.jobs is None:
        remedy = "Write how many trainings may be tried, for example jobs = 20"
        yield Problem(("tuning", "jobs"), f"the strategy {tuning.strategy} has no end of its own", remedy)
    if tuning.jobs is not None and tuning.parallel > tuning.jobs:
        what = f"{tuning.parallel} trainings at once are more than the {tuning.jobs} of tuning.jobs"
        yield Problem(("tuning", "parallel"), what, f"Write at most parallel = {tuning.jobs}")


def _of_grid(tuning: Tuning) -> Iterator[Problem]:
    for name in tuning.ranges:
        values = tuning.choices(name)
        path = ("tuning", "ranges", name)
        if not values:
            what = f"a grid tries every value, and {name} has no end of them between low and high"
            yield Problem(path, what, "Give a list of values, or take another strategy")
            return
        if tuning.ranges[name].scale != "linear":
            what = f"a grid tries every value, so the scale {tuning.ranges[name].scale!r} says nothing"
            yield Problem(path, what, "Take scale out")
            return
        if len(values) > _MOST_VALUES:
            what = f"a grid tries every value, and these are {len(values)}, of {_MOST_VALUES} that AWS allows"
            yield Problem(path, what, "Give a list of fewer values, or take another strategy")
            return
    total = math.prod(len(tuning.choices(name)) for name in tuning.ranges)
    if tuning.jobs not in (None, total):
        what = f"a grid tries every combination, which are {total}, not {tuning.jobs}"
        yield Problem(("tuning", "jobs"), what, f"Leave jobs out, or write jobs = {total}")
    elif tuning.jobs is None and total > 750:
        what = f"a grid tries every combination, and these are {total:,}, of 750 that AWS allows"
        yield Problem(("tuning", "ranges"), what, "Give fewer values, or take another strategy")
    elif tuning.parallel > total:
        what = f"{tuning.parallel} trainings at once are more than the grid's {total}"
        yield Problem(("tuning", "parallel"), what, f"Write at most parallel = {total}")


def _of_range(name: str, given: Range, task: str) -> Iterator[Problem]:
    path = ("tuning", "ranges", name)
    if name in _NOT_TUNED:
        yield Problem(path, f"{name} is not tuned: {_NOT_TUNED[name]}", "Take its range out")
    elif name not in PARAMETERS:
        remedy = which_one(name, PARAMETERS.keys() - _NOT_TUNED.keys(), "hyperparameters")
        yield Problem(path, f"there is no hyperparameter {name!r}", remedy)
    elif given.values or (given.low is None and given.high is None):
        yield from _of_values(path, given, task)
    else:
        yield from _of_numbers(path, given, task)


def _of_values(path: tuple[str, ...], given: Range, task: str) -> Iterator[Problem]:
    texts = [as_text(value) for value in given.values]
    meant = [_meant(path[-1], text) for text in texts]
    twice = next((value for value in meant if meant.count(value) > 1), None)
    if given.low is not None or given.high is not None:
        yield Problem(path, "it has values, and low or high as well", "Give the one or the other")
    elif given.scale != "linear":
        yield Problem(path, f"a list of values has no scale, and it says {given.scale!r}", "Take scale out")
    elif not texts:
        remedy = "Write { low = 1, high = 9 }, or a list of values"
        yield Problem(path, "the range is empty", remedy)
    elif twice is not None:
        first, *others = dict.fromkeys(
            text for text, value in zip(texts, meant, strict=True) if value == twice
        )
        what = (
            f"{' and '.join([first, *others])} are the same value"
            if others
            else f"it names {first} more than once"
        )
        yield Problem(path, what, "Name each value once")
    elif len(texts) == 1:
        remedy = f"Add another, or write {path[-1]} in the table training"
        yield Problem(path, f"{texts[0]} is its only value", remedy)
    elif len(texts) > _MOST_VALUES:
        yield Problem(path, f"it has {len(texts)} values, of {_MOST_VALUES} that AWS allows", "Give fewer")
    yield from _of_texts(path, texts, task)


def _meant(name: str, text: str) -> object:
    """What the training program makes of a text: 1 and 1.0 may be the same."""
    try:
        return PARAMETERS[name].check(text)
    except ValueError:
        return text


def _of_numbers(path: tuple[str, ...], given: Range, task: str) -> Iterator[Problem]:
    name, low, high = path[-1], given.low, given.high
    if PARAMETERS[name].number is None:
        yield Problem(path, f"{name} is a word and has no range of numbers", "Give a list of values")
    elif low is None or high is None:
        absent = "low" if low is None else "high"
        yield Problem(path, f"the range has no {absent}", f"Add {absent}")
    else:
        wrong = _of_texts(path, [as_text(low), as_text(high)], task)
        yield from wrong
        if not wrong and low >= high:
            yield Problem(path, f"low = {low:g} is not below high = {high:g}", "Write the smaller one as low")
        if not wrong and given.scale == "log" and low <= 0:
            what = f"a range on a log scale begins above 0, not at {low:g}"
            yield Problem(path, what, 'Raise low, or write scale = "linear"')


def _of_texts(path: tuple[str, ...], texts: Iterable[str], task: str) -> list[Problem]:
    """What is wrong with the values; once, where it is the same of several."""
    return list(dict.fromkeys(found for text in texts for found in problems_of_value(path, text, task)))
