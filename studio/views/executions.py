"""One execution of a project: its steps with what each is doing, as a graph and along the time."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws_formats.definition_language import all_steps
from aws_formats.times import duration
from pipelines.executions import lifecycle
from pipelines.executions.watching import (
    NOT_STARTED,
    UNDER_WAY,
    ExecutionOutcome,
    Snapshot,
    Step,
    Watch,
    outcome_of,
)
from pipelines.settings.project import Project
from pipelines.settings.target import Target
from registry.verdicts import verdict_in
from studio import charts, graph
from studio.source import Source
from studio.views.checks import DrawnCheck, drawn_checks
from studio.views.executions_origin import changed_parameters, started_by

_WATCHES = 32
_OTHERS = 20
_RAN = ("done", "cached", "reused")


@dataclass(frozen=True)
class DrawnStep:
    """A step in the graph.

    Attributes:
        word: queued, running, done, cached, reused, failed, stopped or skipped.
        caption: the word and what there is to add: how long it took, where it is from, how a condition went.
        told: what came out of it, or why it failed.
    """

    node: graph.Node
    label: str
    kind: str
    word: str
    caption: str
    told: str | None


@dataclass(frozen=True)
class DrawnLine:
    """A line of the graph; `taken` where the execution has gone along it."""

    line: graph.Line
    taken: bool


@dataclass(frozen=True)
class ExecutionPage:
    """One execution.

    Attributes:
        snapshot: the execution now.
        drawn, lines: its steps and what leads from one to the next; `width` and `height` in pixels.
        parameters: every one, and `changed` the names of those that differ from the defaults.
        checks: of the gate's verdict, once there is one.
        others: the newest executions, to be compared with.
    """

    id: str
    arn: str
    snapshot: Snapshot
    outcome: ExecutionOutcome
    drawn: tuple[DrawnStep, ...]
    lines: tuple[DrawnLine, ...]
    width: float
    height: float
    parameters: Mapping[str, str]
    changed: frozenset[str]
    started: datetime
    by: str | None
    display_name: str | None
    checks: tuple[DrawnCheck, ...]
    others: tuple[lifecycle.ExecutionSummary, ...]

    @property
    def steps(self) -> Mapping[str, Step]:
        """By name, in the definition's order."""
        return {step.name: step for step in self.snapshot.steps}

    @property
    def words(self) -> Mapping[str, str]:
        """What each step is doing, by name."""
        return {drawn.node.name: drawn.word for drawn in self.drawn}

    @property
    def span(self) -> tuple[float, float]:
        """When its first step that ran here began and its last one ended, in POSIX seconds."""
        ran = [(step.started, step.started + (step.seconds or 0.0)) for step in self._ran if step.started]
        first = min((start for start, _ in ran), default=0.0)
        return first, max((end for _, end in ran), default=first)

    @property
    def timeline(self) -> tuple[tuple[Step, charts.Bar], ...]:
        """The steps that ran here, each with its span of time between the first and the last moment."""
        first, last = self.span
        return tuple(
            (step, charts.bar(step.started, step.started + (step.seconds or 0.0), first, last))
            for step in self._ran
            if step.started is not None
        )

    @property
    def _ran(self) -> list[Step]:
        return [step for step in self.snapshot.steps if step.started is not None and not step.reused]


def read_execution(source: Source, project: Project, execution: str) -> ExecutionPage:
    """One execution as it is now.

    Raises:
        GatehouseError: there is no such execution.
    """
    target = source.target(project)
    arn = lifecycle.find(target, project.name, execution)
    described = target.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    definition = read_definition(target, arn)
    snapshot = watch(target, arn).look()
    given = lifecycle.given_parameters(target, arn)
    names = [step["Name"] for step in all_steps(definition["Steps"])]
    placed = graph.place(names, graph.edges_of(definition["Steps"]))
    words = step_words(definition, snapshot)
    gate = snapshot.gate
    return ExecutionPage(
        id=arn.rpartition("/")[2],
        arn=arn,
        snapshot=snapshot,
        outcome=outcome_of(snapshot),
        drawn=tuple(_drawn(placed, definition, snapshot, words)),
        lines=tuple(
            DrawnLine(
                line, words[line.edge.start] in _RAN and words[line.edge.end] not in ("queued", "skipped")
            )
            for line in placed.lines
        ),
        width=placed.width,
        height=placed.height,
        parameters=given,
        changed=frozenset(changed_parameters(definition, given)),
        started=described["CreationTime"],
        by=started_by(described),
        display_name=_display_name(described),
        checks=drawn_checks(verdict_in(gate.verdict)) if gate else (),
        others=tuple(
            one
            for one in lifecycle.list_executions(target, project.name, _OTHERS)
            if one.execution_arn != arn
        ),
    )


@functools.lru_cache(maxsize=_WATCHES)
def watch(target: Target, arn: str) -> Watch:
    """One that remembers what does not change between two looks at an execution."""
    return Watch(target, arn)


@functools.lru_cache(maxsize=_WATCHES)
def read_definition(target: Target, arn: str) -> Any:
    """The definition that an execution runs, parsed."""
    return json.loads(lifecycle.definition_of(target, arn))


def step_words(definition: Mapping[str, Any], snapshot: Snapshot) -> dict[str, str]:
    """What each step of the definition is doing: one of the words of :class:`DrawnStep`."""
    known = {step.name: step for step in snapshot.steps}
    skipped = set(_not_taken(definition, known))
    return {
        name: "skipped" if name in skipped else _word(known.get(name), snapshot)
        for name in (step["Name"] for step in all_steps(definition["Steps"]))
    }


def _word(step: Step | None, snapshot: Snapshot) -> str:
    if step is None or step.status == NOT_STARTED:
        return "skipped" if snapshot.ended else "queued"
    if step.status == "Succeeded":
        return "cached" if step.cached else "reused" if step.reused else "done"
    if step.status in UNDER_WAY:
        return "running"
    return "failed" if step.status == "Failed" else "stopped"


def _not_taken(definition: Mapping[str, Any], known: Mapping[str, Step]) -> Iterator[str]:
    """The steps in the branches that were not taken, those of conditions in such a branch included."""
    for step in all_steps(definition["Steps"]):
        condition = known.get(step["Name"])
        if step["Type"] != "Condition" or condition is None or condition.condition_held is None:
            continue
        branch = "ElseSteps" if condition.condition_held else "IfSteps"
        yield from (inner["Name"] for inner in all_steps(step["Arguments"].get(branch, ())))


def _drawn(
    placed: graph.Graph, definition: Mapping[str, Any], snapshot: Snapshot, words: Mapping[str, str]
) -> Iterator[DrawnStep]:
    written = {step["Name"]: step for step in all_steps(definition["Steps"])}
    known = {step.name: step for step in snapshot.steps}
    for node in placed.nodes:
        step, word = known.get(node.name), words[node.name]
        label = step.display_name if step else written[node.name].get("DisplayName") or node.name
        told = (step.failure_reason or step.produced or step.latest) if step else None
        yield DrawnStep(node, label, written[node.name]["Type"], word, _caption(step, word), told)


def _caption(step: Step | None, word: str) -> str:
    if step is None or word in ("queued", "skipped"):
        return word
    if step.condition_held is not None:
        return "yes" if step.condition_held else "no"
    source = step.cached_from or step.taken_from
    if source is not None:
        return f"{word} from {source.rpartition('/')[2]}"
    return f"{word} · {duration(step.seconds)}"


def _display_name(described: Mapping[str, Any]) -> str | None:
    """The name that somebody gave; SageMaker makes one of the time where nobody did."""
    name = described.get("PipelineExecutionDisplayName")
    return None if name is None or str(name).startswith("execution-") else str(name)
