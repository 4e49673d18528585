"""The executions of a project: the list, and one of them with its steps."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.executions import lifecycle
from pipelines.executions.job_records import LogTail, StepJob
from pipelines.executions.outline import read_outline
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
from studio import charts, graph
from studio.source import Source

_WATCHES = 32
_READERS = 8


@dataclass(frozen=True)
class ExecutionRow:
    """One line of the list.

    Attributes:
        started: when it was started.
        seconds: how long it took, or has taken.
        changed: its parameters that differ from the defaults of the definition that it ran.
        outcome: what came of it, for those on the page.
    """

    id: str
    status: str
    started: datetime
    seconds: float | None
    changed: Mapping[str, str]
    outcome: ExecutionOutcome | None
    by: str | None


@dataclass(frozen=True)
class ExecutionPage:
    """One execution."""

    id: str
    arn: str
    snapshot: Snapshot
    outcome: ExecutionOutcome
    graph: graph.Graph
    parameters: Mapping[str, str]
    changed: frozenset[str]
    started: datetime
    ended: datetime | None
    by: str | None
    display_name: str | None

    @property
    def steps(self) -> Mapping[str, Step]:
        """By name, in the definition's order."""
        return {step.name: step for step in self.snapshot.steps}

    @property
    def timeline(self) -> tuple[tuple[Step, charts.Bar], ...]:
        """The steps that ran here, each with its span of time between the first and the last moment."""
        ran = [step for step in self.snapshot.steps if step.started is not None and not step.reused]
        spans = [(step.started or 0.0, (step.started or 0.0) + (step.seconds or 0.0)) for step in ran]
        first, last = (
            min((start for start, _ in spans), default=0.0),
            max((end for _, end in spans), default=1.0),
        )
        return tuple(
            (step, charts.bar(start, end, first, last)) for step, (start, end) in zip(ran, spans, strict=True)
        )


def list_rows(source: Source, project: Project, limit: int) -> list[ExecutionRow]:
    """The newest executions, each with what came of it.

    Raises:
        GatehouseError: there is no such pipeline yet.
    """
    target = source.target(project)
    found = lifecycle.list_executions(target, project.name, limit)
    with ThreadPoolExecutor(_READERS) as readers:
        return list(readers.map(lambda one: _row(target, one), found))


def read_execution(source: Source, project: Project, execution: str) -> ExecutionPage:
    """One execution as it is now.

    Raises:
        GatehouseError: there is no such execution.
    """
    target = source.target(project)
    arn = lifecycle.find(target, project.name, execution)
    described = target.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    definition = _definition(target, arn)
    snapshot = _watch(target, arn).look()
    names = _drawn(definition)
    edges = [edge for edge in graph.edges_of(definition["Steps"]) if {edge.start, edge.end} <= set(names)]
    ended = described.get("LastModifiedTime") if snapshot.ended else None
    given = lifecycle.given_parameters(target, arn)
    return ExecutionPage(
        id=arn.rpartition("/")[2],
        arn=arn,
        snapshot=snapshot,
        outcome=outcome_of(snapshot),
        graph=graph.place(names, edges),
        parameters=given,
        changed=frozenset(_changed(definition, given)),
        started=described["CreationTime"],
        ended=ended,
        by=_by(described),
        display_name=described.get("PipelineExecutionDisplayName"),
    )


def read_log(target: Target, job: StepJob, search: str = "", most: int = 2000) -> tuple[list[str], int]:
    """The newest lines of a job's log that hold ``search``, and how many there were before them."""
    lines = [line.message for line in LogTail(target, job).new_lines()]
    if search:
        lines = [line for line in lines if search.casefold() in line.casefold()]
    return lines[-most:], max(0, len(lines) - most)


def _row(target: Target, summary: lifecycle.ExecutionSummary) -> ExecutionRow:
    arn = summary.execution_arn
    if summary.status in UNDER_WAY:
        return _row_now(target, arn, summary.status, summary.started)
    return _ended_row(target, arn, summary.status, summary.started)


@functools.lru_cache(maxsize=2000)
def _ended_row(target: Target, arn: str, status: str, started: datetime) -> ExecutionRow:
    """What has ended does not change any more; a retry gives it another status first."""
    return _row_now(target, arn, status, started)


def _row_now(target: Target, arn: str, status: str, started: datetime) -> ExecutionRow:
    described = target.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    outcome = outcome_of(Watch(target, arn).look())
    ended = described.get("LastModifiedTime") if status not in UNDER_WAY else datetime.now(started.tzinfo)
    given = lifecycle.given_parameters(target, arn)
    return ExecutionRow(
        id=arn.rpartition("/")[2],
        status=status,
        started=started,
        seconds=None if ended is None else max(0.0, (ended - started).total_seconds()),
        changed=_changed(_definition(target, arn), given),
        outcome=outcome,
        by=_by(described),
    )


@functools.lru_cache(maxsize=_WATCHES)
def _watch(target: Target, arn: str) -> Watch:
    """One that remembers what does not change between two looks at an execution."""
    return Watch(target, arn)


@functools.lru_cache(maxsize=500)
def _definition(target: Target, arn: str) -> Any:
    return json.loads(lifecycle.definition_of(target, arn))


def _drawn(definition: Any) -> list[str]:
    """The steps that are drawn: all of them, the ones that fail an execution included."""
    return [step.name for step in read_outline(json.dumps(definition)).steps]


def _changed(definition: Any, given: Mapping[str, str]) -> dict[str, str]:
    defaults = {one["Name"]: one.get("DefaultValue") for one in definition.get("Parameters", ())}
    return {name: value for name, value in given.items() if str(defaults.get(name)) != value}


def _by(described: Mapping[str, Any]) -> str | None:
    identity = described.get("CreatedBy", {})
    arn = identity.get("IamIdentity", {}).get("Arn")
    return identity.get("UserProfileName") or (arn.rpartition("/")[2] if arn else None)


def status_word(step: Step, snapshot: Snapshot) -> str:
    """One of: queued, running, done, cached, reused, failed, stopped, skipped."""
    if step.status == "Succeeded":
        return "cached" if step.cached else "reused" if step.reused else "done"
    if step.status == NOT_STARTED:
        return "skipped" if snapshot.ended else "queued"
    if step.status in UNDER_WAY:
        return "running"
    return "failed" if step.status == "Failed" else "stopped"
