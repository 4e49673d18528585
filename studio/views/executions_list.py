"""The list of a project's executions: which are on a page, and what is told of each.

Finding those of a page takes ListPipelineExecutions alone, however many there are, and a search goes through
the same list. What a row tells beyond that takes several requests for each execution; they are made in
threads, and the page does not wait for them for long: a row whose details are still being read comes without,
and the page asks again. What has succeeded does not change any more and is read once.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from pipelines.executions import lifecycle
from pipelines.executions.lifecycle import ExecutionSummary
from pipelines.executions.watching import UNDER_WAY, GateReading, Watch, outcome_of
from pipelines.settings.project import Project
from pipelines.settings.target import Target
from studio.source import Source
from studio.views.executions_origin import changed_parameters, started_by
from studio.views.known import Known

STATUSES = ("Succeeded", "Failed", "Executing", "Stopping", "Stopped")
"""What an execution's status can be filtered by."""

_PATIENCE = 0.08
"""Seconds for which a page waits for the details of its rows."""

_RETRIABLE_AGE, _RUNNING_AGE = 60.0, 1.0
"""Seconds for which the details of an execution count that can be retried, or that runs."""


@dataclass(frozen=True)
class Search:
    """Which executions are wanted.

    Attributes:
        status: SageMaker's; empty for any.
        text: words that id, display name or failure reason hold, all of them.
        after: the page begins behind the execution of this id; empty for the newest.
    """

    status: str = ""
    text: str = ""
    after: str = ""

    def wants(self, summary: ExecutionSummary) -> bool:
        """Whether the execution is one of these."""
        if self.status and summary.status != self.status:
            return False
        told = " ".join([summary.id, summary.display_name or "", summary.failure_reason or ""]).casefold()
        return all(word in told for word in self.text.casefold().split())


@dataclass(frozen=True)
class RowDetails:
    """What takes requests for each execution.

    Attributes:
        seconds: how long it took, or has taken.
        changed: its parameters that differ from the defaults of the definition that it ran.
        by: who or what started it.
        version: that it registered, if it did.
    """

    gate: GateReading | None
    gate_shut: bool
    seconds: float
    changed: Mapping[str, str]
    by: str | None
    version: str | None


@dataclass(frozen=True)
class ExecutionRow:
    """One line of the list; `details` is None while they are being read."""

    summary: ExecutionSummary
    details: RowDetails | None

    @property
    def runs(self) -> bool:
        return self.summary.status in UNDER_WAY


@dataclass(frozen=True)
class ListedExecutions:
    """A page of the list; `next` is the last row's id where there are more, else None."""

    rows: tuple[ExecutionRow, ...]
    next: str | None

    @property
    def changes_soon(self) -> bool:
        """Whether something runs or is still being read."""
        return any(row.runs or row.details is None for row in self.rows)


def list_page(source: Source, project: Project, search: Search, size: int) -> ListedExecutions:
    """The executions that are wanted, newest first.

    Raises:
        GatehouseError: there is no such pipeline yet, or no execution of the id behind which it begins.
    """
    target = source.target(project)
    wanted = filter(search.wants, _behind(target, project.name, search, size))
    found = list(itertools.islice(wanted, size + 1))
    shown = found[:size]
    details = _KNOWN.of(
        {(target, one.execution_arn, one.status): partial(_read_details, target, one) for one in shown},
        _PATIENCE,
    )
    rows = tuple(ExecutionRow(one, told) for one, told in zip(shown, details, strict=True))
    return ListedExecutions(rows, shown[-1].id if len(found) > size else None)


def _behind(target: Target, name: str, search: Search, size: int) -> Iterator[ExecutionSummary]:
    """The executions behind the one that the search names, newest first; all of them if it names none."""
    is_narrow = bool(search.status or search.text)
    page_size = 100 if is_narrow else size + 1
    if not search.after:
        yield from lifecycle.each_execution(target, name, page_size)
        return
    arn = lifecycle.find(target, name, search.after)
    described = target.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    yield from lifecycle.each_execution(target, name, page_size, before=described["CreationTime"])


def _age(key: _Key, details: RowDetails | None) -> float:
    """Seconds for which details count; they are None where they could not be read."""
    _, _, status = key
    if status in UNDER_WAY or details is None:
        return _RUNNING_AGE
    return float("inf") if status == "Succeeded" else _RETRIABLE_AGE


_Key = tuple[Target, str, str]
_KNOWN: Known[_Key, RowDetails] = Known(
    ThreadPoolExecutor(4, thread_name_prefix="studio-executions"), _age, most=3000
)
"""Details by where, execution and status."""


def _read_details(target: Target, one: ExecutionSummary) -> RowDetails:
    """What a row tells of an execution beyond its summary."""
    arn = one.execution_arn
    described = target.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    snapshot = Watch(target, arn).look(briefly=True)
    outcome = outcome_of(snapshot)
    ends = [step.ended for step in snapshot.steps if step.ended is not None]
    ended = datetime.fromtimestamp(max(ends), UTC) if ends else described["LastModifiedTime"]
    given = lifecycle.given_parameters(target, arn)
    version = outcome.model_package_arn
    return RowDetails(
        gate=outcome.gate,
        gate_shut=outcome.gate_shut,
        seconds=max(0.0, ((ended if snapshot.ended else datetime.now(UTC)) - one.started).total_seconds()),
        changed=changed_parameters(json.loads(lifecycle.definition_of(target, arn)), given),
        by=started_by(described),
        version=version.rpartition("/")[2] if version else None,
    )
