"""The list of a project's executions: which are on a page, and what is told of each.

ListPipelineExecutions alone says which there are, when they started and how they ended. A search for what a
row tells beyond that, such as a parameter, reads the details of one execution after the other: a page does
not wait for them, it shows what was found so far, and asks again.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day

from pipelines.executions import lifecycle
from pipelines.executions.lifecycle import ExecutionSummary
from pipelines.executions.watching import UNDER_WAY
from pipelines.settings.project import Project
from pipelines.settings.target import Target
from studio.source import Source
from studio.views.executions_details import ExecutionDetails, are_being_read, details_of

NOT_GOOD_ENOUGH = "not good enough"
"""How an execution ended whose gate stayed shut; SageMaker says Failed, or Succeeded if nothing follows."""

STATUSES = ("Succeeded", NOT_GOOD_ENOUGH, "Failed", "Executing", "Stopping", "Stopped")
"""What executions can be filtered by: how they ended, or SageMaker's status of those that have not."""

ANY = "any"
"""In place of a version's number: whichever it registered."""

_ENDED = ("Succeeded", "Failed")

_LOOKED_AT_ONCE = 100
"""Executions whose details a search asks for at once."""


@dataclass(frozen=True)
class Search:
    """Which executions are wanted.

    Attributes:
        status: one of ``STATUSES``; empty for any.
        text: words that id, display name or failure reason hold, all of them.
        first, last: the days on which they started, in the time zone of this process.
        version: the number of the version that was registered, or ``ANY``; empty for all executions.
        parameters: words, all of which must fit: ``NAME=VALUE``, or ``NAME`` of one that is not the default.
        by: a part of the name of who or what started them.
        after: the page begins behind the execution of this id; empty for the newest.
    """

    status: str = ""
    text: str = ""
    first: date | None = None
    last: date | None = None
    version: str = ""
    parameters: str = ""
    by: str = ""
    after: str = ""

    @property
    def is_narrow(self) -> bool:
        """Whether executions are left out, apart from newer ones."""
        return bool(self.status or self.text or self.first or self.last or self.needs_details)

    @property
    def needs_details(self) -> bool:
        is_of_an_end = self.status in (*_ENDED, NOT_GOOD_ENOUGH)
        return bool(is_of_an_end or self.version or self.parameters.split() or self.by)

    def wants(self, summary: ExecutionSummary) -> bool:
        """Whether the execution may be one of these, by its summary."""
        statuses = _ENDED if self.status == NOT_GOOD_ENOUGH else (self.status,)
        if self.status and summary.status not in statuses:
            return False
        told = " ".join([summary.id, summary.display_name or "", summary.failure_reason or ""]).casefold()
        return all(word in told for word in self.text.casefold().split())

    def wants_details(self, details: ExecutionDetails) -> bool:
        """Whether it is one of these, by its details as well."""
        if self.status in _ENDED and details.gate_shut:
            return False
        if self.status == NOT_GOOD_ENOUGH and not details.gate_shut:
            return False
        if self.version and (details.version is None or self.version not in (ANY, details.version)):
            return False
        if self.by.casefold() not in (details.by or "").casefold():
            return False
        changed = {name.casefold() for name in details.changed}
        given = {f"{name}={value}".casefold() for name, value in details.parameters.items()}
        return all(word in (given if "=" in word else changed) for word in self.parameters.casefold().split())


@dataclass(frozen=True)
class ExecutionRow:
    """One line of the list; `details` is None while they are being read."""

    summary: ExecutionSummary
    details: ExecutionDetails | None

    @property
    def runs(self) -> bool:
        return self.summary.status in UNDER_WAY


@dataclass(frozen=True)
class ListedExecutions:
    """A page of the list.

    Attributes:
        next: the last row's id where there are more, else None.
        looked_through: how many executions the search has looked at, where it goes on; None once it is done.
    """

    rows: tuple[ExecutionRow, ...]
    next: str | None
    looked_through: int | None = None

    @property
    def changes_soon(self) -> bool:
        """Whether something runs or is still being read."""
        return self.looked_through is not None or any(row.runs or row.details is None for row in self.rows)


def list_page(source: Source, project: Project, search: Search, size: int) -> ListedExecutions:
    """The executions that are wanted, newest first.

    Raises:
        GatehouseError: there is no such pipeline yet, or no execution of the id behind which it begins.
    """
    target = source.target(project)
    wanted = filter(search.wants, _behind(target, project.name, search, size))
    if search.needs_details:
        return _searched(target, wanted, search, size, source.patience)
    found = list(itertools.islice(wanted, size + 1))
    shown = found[:size]
    details = details_of(target, shown, source.patience)
    rows = tuple(ExecutionRow(one, told) for one, told in zip(shown, details, strict=True))
    return ListedExecutions(rows, shown[-1].id if len(found) > size else None)


def _searched(
    target: Target, candidates: Iterator[ExecutionSummary], search: Search, size: int, patience: float
) -> ListedExecutions:
    """Those whose details are wanted, too, as far as they have been read."""
    rows: list[ExecutionRow] = []
    looked, until = 0, time.monotonic() + patience
    while len(rows) <= size and (batch := list(itertools.islice(candidates, _LOOKED_AT_ONCE))):
        details = details_of(target, batch, max(0.0, until - time.monotonic()))
        rows += [
            ExecutionRow(one, told)
            for one, told in zip(batch, details, strict=True)
            if told is not None and search.wants_details(told)
        ]
        looked += len(details) - details.count(None)
        if are_being_read(target, batch):
            return ListedExecutions(tuple(rows[:size]), None, looked)
    return ListedExecutions(tuple(rows[:size]), rows[size - 1].summary.id if len(rows) > size else None)


def _behind(target: Target, name: str, search: Search, size: int) -> Iterator[ExecutionSummary]:
    """The executions of the wanted days behind the one that the search names, newest first."""
    page_size = 100 if search.is_narrow else size + 1
    after = _start_of(search.first) if search.first else None
    before = _start_of(search.last + timedelta(days=1)) if search.last else None
    if search.after:
        arn = lifecycle.find(target, name, search.after)
        described = target.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
        before = min(before or described["CreationTime"], described["CreationTime"])
    yield from lifecycle.each_execution(target, name, page_size, before=before, after=after)


def _start_of(day: date) -> datetime:
    """Its midnight in the time zone of this process, in which the pages show times."""
    return datetime.combine(day, time_of_day()).astimezone()
