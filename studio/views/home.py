"""The first page: every project in one look, those that need somebody first."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_denied
from pipelines.executions.dead_letters import queue_name
from pipelines.executions.inbox import queue_url
from pipelines.executions.lifecycle import ExecutionSummary, list_executions
from pipelines.executions.watching import UNDER_WAY
from pipelines.settings.project import Project
from registry.environment_state import State, read_state
from registry.model_packages import PENDING, ModelVersion, list_versions, summaries
from registry.monitored_windows import WORSE, last_windows
from studio.links import page_path
from studio.source import Source
from studio.views.executions_details import ExecutionDetails, details_of
from studio.views.known import Known

_READERS = ThreadPoolExecutor(8, thread_name_prefix="reading a project")
_LOOKED_AT = 20
"""Executions in which the last good one is looked for."""

_PATIENCE = 1.0
"""Seconds for which a project waits for what the gate found in them."""


@dataclass(frozen=True)
class Need:
    """Something that asks for somebody, in a few words, and the path of the page that shows it."""

    words: str
    path: str


@dataclass(frozen=True)
class ProjectSummary:
    """A project as the first page shows it.

    Attributes:
        execution: the newest one; None before the first.
        refusal: what the gate found, where it stayed shut in the newest execution; that is no failure.
        failed: how many executions failed since the last one that succeeded, the newest included.
        last_good: the newest one that succeeded, of those that were looked at; None without one.
        version: the newest one; None before the first.
        waiting: the numbers of the versions that nobody has decided on, newest first.
        environments: those that could be read and to which something was deployed.
        hidden: the names of those that the caller may not look into.
        drifting: the environments whose newest window of requests differs, and how, in words.
        dead_letters: how many events could not be handled; 0 in AWS, where an alarm says it.
        problem: why the project could not be read; then the rest is empty.
    """

    name: str
    execution: ExecutionSummary | None = None
    refusal: str | None = None
    failed: int = 0
    last_good: ExecutionSummary | None = None
    version: ModelVersion | None = None
    waiting: tuple[int, ...] = ()
    environments: tuple[State, ...] = ()
    hidden: tuple[str, ...] = ()
    drifting: tuple[tuple[str, str], ...] = ()
    dead_letters: int = 0
    problem: str | None = None

    @property
    def needs(self) -> tuple[Need, ...]:
        """What asks for somebody, the gravest first."""
        place = page_path(self.name)
        found = [Need("could not be read", place)] if self.problem else []
        for state in self.environments:
            trouble = _trouble(state)
            found += [Need(f"{state.environment.name} {trouble}", f"{place}/environments")] if trouble else []
        for name, words in self.drifting:
            found.append(Need(words, f"{place}/environments/{name}"))
        if self.dead_letters:
            words = "event was" if self.dead_letters == 1 else "events were"
            found.append(Need(f"{self.dead_letters} {words} not handled", f"{place}/automation"))
        if self.execution and (self.refusal is not None or self.execution.status == "Failed"):
            of_it = page_path(self.name, execution=self.execution.id)
            found.append(Need(self._end_in_words, of_it))
        if len(self.waiting) == 1:
            [version] = self.waiting
            found.append(Need(f"version {version} waits for a decision", page_path(self.name, version)))
        elif self.waiting:
            found.append(Need(f"{len(self.waiting)} versions wait for a decision", f"{place}/versions"))
        return tuple(found)

    @property
    def _end_in_words(self) -> str:
        """How the newest execution ended, which did not succeed."""
        if self.refusal is not None:
            return f"its last model is not good enough: {self.refusal}"
        if self.failed < 2:
            return "its last execution failed"
        return f"{self.failed} executions failed" + (" since the last good one" if self.last_good else "")

    @property
    def is_running(self) -> bool:
        return self.execution is not None and self.execution.status in UNDER_WAY


@dataclass(frozen=True)
class Home:
    """The first page.

    Attributes:
        projects: those that need somebody first, then those that run, else in the settings' order.
        unread: the names of those that are still being read for the first time.
    """

    projects: tuple[ProjectSummary, ...]
    unread: tuple[str, ...] = ()

    @property
    def needing(self) -> tuple[ProjectSummary, ...]:
        return tuple(project for project in self.projects if project.needs)

    @property
    def seconds(self) -> int:
        """After which it looks again."""
        if self.unread:
            return 1
        return 2 if any(project.is_running for project in self.projects) else 10


def read_home(source: Source) -> Home:
    """All projects, as far as they are read in time; where that takes longer, as they were before."""
    projects = source.projects
    place = (str(source.file), source.endpoint_url or source.target_name)
    wanted = {(*place, name): partial(_summary, source, one) for name, one in projects.items()}
    read = _SUMMARIES.of(wanted, _FIRST_LOOK * source.patience, renewed=source.patience)
    found = [summary for summary in read if summary is not None]
    return Home(
        tuple(sorted(found, key=lambda summary: (not summary.needs, not summary.is_running))),
        tuple(name for name, summary in zip(projects, read, strict=True) if summary is None),
    )


def _summary(source: Source, project: Project) -> ProjectSummary:
    try:
        target = source.target(project)
        versions = list_versions(target, project.name, limit=1)
        newest = _newest_executions(source, project)
        since_good = list(itertools.takewhile(lambda one: one.status != "Succeeded", newest))
        ended = [one for one in since_good or newest[:1] if one.status in ("Failed", "Succeeded")]
        refusals = [_refusal(details) for details in details_of(target, ended, _PATIENCE)]
        failed = [
            one
            for one, refusal in zip(ended, refusals, strict=True)
            if one.status == "Failed" and refusal is None
        ]
        states, hidden = _states(source, project)
        return ProjectSummary(
            name=project.name,
            execution=newest[0] if newest else None,
            refusal=refusals[0] if ended and ended[0] is newest[0] else None,
            failed=len(failed),
            last_good=next((one for one in newest if one.status == "Succeeded"), None),
            version=versions[0] if versions else None,
            waiting=tuple(
                found["ModelPackageVersion"]
                for found in summaries(target, project.name, approval=PENDING, limit=100)
            ),
            environments=tuple(state for state in states if state.deployed or state.endpoint),
            hidden=tuple(hidden),
            drifting=tuple(_drifting(source, project, states)),
            dead_letters=_dead_letters(source, project),
        )
    except (GatehouseError, ClientError, BotoCoreError) as error:  # the other projects are shown all the same
        return ProjectSummary(project.name, problem=str(error))


_FIRST_LOOK = 5
"""How much longer the page waits for what it knows nothing of yet: an empty page is worse than a slow one."""

_SUMMARIES: Known[tuple[str, str, str], ProjectSummary] = Known(_READERS, lambda _key, _read: 0.0, most=1000)


def _newest_executions(source: Source, project: Project) -> list[ExecutionSummary]:
    try:
        return list_executions(source.target(project), project.name, limit=_LOOKED_AT)
    except GatehouseError:  # there is no such pipeline yet
        return []


def _refusal(details: ExecutionDetails | None) -> str | None:
    """What the gate found where it stayed shut; None for another failure, and while that is being read."""
    if details is None or not details.gate_shut:
        return None
    return details.gate.in_words(passed=False) if details.gate else "the gate stayed shut"


def _dead_letters(source: Source, project: Project) -> int:
    if source.target_name != "local":
        return 0
    sqs = source.target(project).client("sqs")
    url = queue_url(sqs, queue_name(project.name))
    if url is None:
        return 0
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, counted.values()))


def _states(source: Source, project: Project) -> tuple[list[State], list[str]]:
    """The project's environments, and the names of those that the caller may not look into."""
    states, hidden = [], []
    for environment in source.environments(project):
        try:
            states.append(read_state(environment))
        except ClientError as error:
            if not is_denied(error):  # a reader of the projects does not need every environment's account
                raise
            hidden.append(environment.name)
    return states, hidden


def _drifting(source: Source, project: Project, states: list[State]) -> Iterator[tuple[str, str]]:
    target = source.target(project)
    for state in states:
        if state.endpoint is None or state.endpoint.capture is None:
            continue
        name = state.environment.name
        try:
            windows = last_windows(target, target.bucket, project.name, name, 1)
        except ClientError as error:
            if not is_denied(error):
                raise
            continue
        if windows and windows[0].quality == WORSE:
            yield name, f"the model got worse in {name}"
        elif windows and windows[0].asks_for_somebody:
            yield name, f"the traffic changed in {name}"


def _trouble(state: State) -> str | None:
    if state.endpoint is None:
        return None  # promoted, but no endpoint was asked for; what is deployed is known from the history
    if state.endpoint.status == "Failed":
        return "failed"
    if state.deployed is not None and not state.serves and state.endpoint.status == "InService":
        return "serves another version than it should"
    return None
