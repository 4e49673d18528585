"""The first page: every project in one look, those that need somebody first."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

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
from studio.links import page_path
from studio.source import Source

_READERS = 8


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
        version: the newest one; None before the first.
        waiting: the numbers of the versions that nobody has decided on, newest first.
        environments: those that could be read and to which something was deployed.
        dead_letters: how many events could not be handled; 0 in AWS, where an alarm says it.
        problem: why the project could not be read; then the rest is empty.
    """

    name: str
    execution: ExecutionSummary | None = None
    version: ModelVersion | None = None
    waiting: tuple[int, ...] = ()
    environments: tuple[State, ...] = ()
    dead_letters: int = 0
    problem: str | None = None

    @property
    def needs(self) -> tuple[Need, ...]:
        """What asks for somebody, the gravest first."""
        place = page_path(self.name)
        found = [Need(self.problem, place)] if self.problem else []
        for state in self.environments:
            trouble = _trouble(state)
            found += [Need(f"{state.environment.name} {trouble}", f"{place}/environments")] if trouble else []
        if self.dead_letters:
            words = "event was" if self.dead_letters == 1 else "events were"
            found.append(Need(f"{self.dead_letters} {words} not handled", f"{place}/automation"))
        if self.execution and self.execution.status == "Failed":
            of_it = page_path(self.name, execution=self.execution.id)
            found.append(Need("its last execution failed", of_it))
        if len(self.waiting) == 1:
            [version] = self.waiting
            found.append(Need(f"version {version} waits for a decision", page_path(self.name, version)))
        elif self.waiting:
            found.append(Need(f"{len(self.waiting)} versions wait for a decision", f"{place}/versions"))
        return tuple(found)

    @property
    def is_running(self) -> bool:
        return self.execution is not None and self.execution.status in UNDER_WAY


def read_home(source: Source) -> tuple[ProjectSummary, ...]:
    """All projects; those that need somebody first, else in the settings' order."""
    with ThreadPoolExecutor(_READERS) as readers:
        found = list(readers.map(lambda project: _summary(source, project), source.projects.values()))
    return tuple(sorted(found, key=lambda summary: (not summary.needs, not summary.is_running)))


def _summary(source: Source, project: Project) -> ProjectSummary:
    try:
        target = source.target(project)
        versions = list_versions(target, project.name, limit=1)
        return ProjectSummary(
            name=project.name,
            execution=_newest_execution(source, project),
            version=versions[0] if versions else None,
            waiting=tuple(
                found["ModelPackageVersion"]
                for found in summaries(target, project.name, approval=PENDING, limit=100)
            ),
            environments=tuple(
                state for state in _states(source, project) if state.deployed or state.endpoint
            ),
            dead_letters=_dead_letters(source, project),
        )
    except (GatehouseError, ClientError, BotoCoreError) as error:  # the other projects are shown all the same
        return ProjectSummary(project.name, problem=str(error))


def _newest_execution(source: Source, project: Project) -> ExecutionSummary | None:
    try:
        found = list_executions(source.target(project), project.name, limit=1)
    except GatehouseError:  # there is no such pipeline yet
        return None
    return found[0] if found else None


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


def _states(source: Source, project: Project) -> Sequence[State]:
    states = []
    for environment in source.environments(project):
        try:
            states.append(read_state(environment))
        except ClientError as error:
            if not is_denied(error):  # a reader of the projects does not need every environment's account
                raise
    return states


def _trouble(state: State) -> str | None:
    if state.endpoint is None:
        return None  # promoted, but no endpoint was asked for; what is deployed is known from the history
    if state.endpoint.status == "Failed":
        return "failed"
    if state.deployed is not None and not state.serves and state.endpoint.status == "InService":
        return "serves another version than it should"
    return None
