"""The ``gate`` table: what a model must show before it is registered, and what of it a task cannot have.

Bounds belong to metrics, metrics to tasks, and classes to some of the metrics, so most mistakes in this table
show only when several keys are read together. They are found here, all of them, before anything runs.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from evaluation.metric_table import METRICS, PER_CLASS, metrics_of
from pipelines.settings.tables import Names, Table, Text, which_one

ACCURACY = "accuracy"


@dataclass(frozen=True)
class Problem:
    """Keys that do not go together.

    Attributes:
        path: of the key to correct, from the project's table on: ``("gate", "floors", "recall")``.
        what: what is wrong, a phrase without a full stop.
        remedy: what to do, a sentence without a full stop.
    """

    path: tuple[str, ...]
    what: str
    remedy: str


def _flat(floors: object) -> object:
    """By ``metric`` or ``metric.class``; a table of no classes stays, and is no number."""
    if not isinstance(floors, dict):
        return floors
    found: dict[str, Any] = {}
    for name, floor in floors.items():
        if isinstance(floor, dict) and floor:
            found |= {f"{name}.{label}": bound for label, bound in floor.items()}
        else:
            found[name] = floor
    return found


class Gate(Table):
    """What a model must show before it is registered (docs/gate.md).

    ``floors`` are by ``metric`` or ``metric.class``, in the order of the settings, where they are written as
    ``recall = 0.9`` or ``recall.malignant = 0.9``.
    """

    metric: Text = ACCURACY
    threshold: float | None = None
    floors: Annotated[dict[str, float], BeforeValidator(_flat)] = Field(default_factory=dict)
    worth: bool = True
    evidence: Literal["estimate", "bound"] = "estimate"
    slices: Names = ()
    slice_floor: Annotated[float, Field(gt=0, lt=1)] | None = None
    champion: Text | None = None
    register_again: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that have floors of their own."""
        return tuple(dict.fromkeys(label for name in self.floors if (label := name.partition(".")[2])))


def problems(
    gate: Gate, task: str, target: str, columns: Iterable[str] | None, accuracy_threshold: float | None
) -> Iterator[Problem]:
    """What is wrong with a gate, all of it.

    Args:
        task, target, columns: of the project and its data; the latter where the settings name them.
        accuracy_threshold: the project's short form of a threshold for accuracy.
    """
    yield from _of_threshold(gate, task, accuracy_threshold)
    for name, bound in gate.floors.items():
        yield from _of_floor(name, bound, task)
    yield from _of_slices(gate, task, target, columns)


def _of_threshold(gate: Gate, task: str, accuracy_threshold: float | None) -> Iterator[Problem]:
    known, path = metrics_of(task), ("gate", "threshold")
    if gate.metric not in known:
        what = f"{gate.metric!r} is no metric of a {task} task"
        yield Problem(("gate", "metric"), what, which_one(gate.metric, known, f"metrics of a {task} task"))
        return
    if gate.threshold is not None:
        yield from _out_of_range(path, gate.metric, gate.threshold)
    if gate.metric == ACCURACY:
        if gate.threshold is None and accuracy_threshold is None:
            yield Problem(path, "the gate has no threshold for accuracy", "Give it, or accuracy_threshold")
        if gate.threshold is not None and accuracy_threshold is not None:
            yield Problem(path, "accuracy_threshold says the same", "Give one of them")
        return
    if gate.threshold is None:
        yield Problem(path, f"the gate has no threshold for {gate.metric}", "Give gate.threshold")
    if accuracy_threshold is not None:
        also = f", or write gate.floors.accuracy = {accuracy_threshold:g}" if ACCURACY in known else ""
        what = f"it is the threshold of the metric accuracy, but gate.metric is {gate.metric!r}"
        yield Problem(("accuracy_threshold",), what, f"Take it out{also}")


def _of_floor(name: str, bound: float, task: str) -> Iterator[Problem]:
    metric, _, label = name.partition(".")
    known: Iterable[str] = PER_CLASS if label else metrics_of(task)
    path = ("gate", "floors", metric, *([label] if label else []))
    if label and task == "regression":
        yield Problem(path, "a regression task has no classes", "Give a floor for the metric itself")
    elif metric in known:
        yield from _out_of_range(path, metric, bound)
    elif label:
        what = f"a single class has no metric {metric!r}"
        yield Problem(path, what, which_one(metric, known, "metrics of a class"))
    else:
        remedy = which_one(metric, known, f"metrics of a {task} task")
        if metric in PER_CLASS and task == "multiclass":
            remedy = f"Each class has its own: write gate.floors.{metric}.<class>"
        yield Problem(path, f"{metric!r} is no metric of a {task} task", remedy)


def _of_slices(gate: Gate, task: str, target: str, columns: Iterable[str] | None) -> Iterator[Problem]:
    path = ("gate", "slices")
    if bool(gate.slices) != (gate.slice_floor is not None):
        absent = "slices" if gate.slice_floor is not None else "slice_floor"
        yield Problem(("gate", absent), "slices and slice_floor belong together", "Give both or neither")
    if gate.slices and task == "regression":
        what = "slices are judged by their share of right answers, which a regression task has not"
        yield Problem(path, what, "Take slices and slice_floor out")
    for column in gate.slices:
        if column == target:
            what = f"{column!r} is the target, whose values are the classes"
            yield Problem(path, what, "Give the classes floors instead, such as gate.floors.recall.<class>")
        elif columns is not None and column not in columns:
            yield Problem(path, f"{column!r} is not in data.columns", which_one(column, columns, "columns"))


def _out_of_range(path: tuple[str, ...], metric: str, bound: float) -> Iterator[Problem]:
    largest = METRICS[metric].largest
    if not (0 <= bound <= (largest or math.inf) and math.isfinite(bound)):
        label = METRICS[metric].label
        remedy = "It must be from 0 to 1" if largest else "It must be a number from 0 on"
        yield Problem(path, f"{bound:g} is no possible value of {label}", remedy)
