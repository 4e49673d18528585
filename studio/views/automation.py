"""When a project starts by itself, what people were told, and which events could not be handled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pipelines.executions.dead_letters import queue_name
from pipelines.executions.inbox import QUEUE, InboxMessage, is_about, queue_url, read_messages
from pipelines.executions.schedule import Schedule, next_times, read_schedule
from pipelines.settings.project import Project
from studio.source import Source

_NEXT = 5


@dataclass(frozen=True)
class AutomationView:
    """A project's schedule and messages, newest first.

    Attributes:
        messages, dead_letters: None in AWS: there messages are mailed, and looking into a queue would hide
            its messages from others for a while.
    """

    schedule: Schedule | None
    next_times: tuple[datetime, ...]
    messages: tuple[InboxMessage, ...] | None = None
    dead_letters: tuple[InboxMessage, ...] | None = None


def read_automation(source: Source, project: Project) -> AutomationView:
    """Reads the schedule, and on this machine the queues."""
    target = source.target(project)
    schedule = read_schedule(project.name, target)
    times = tuple(next_times(schedule, datetime.now(UTC), _NEXT)) if schedule else ()
    if source.target_name != "local":
        return AutomationView(schedule, times)
    told = [message for message in _messages(source, project, QUEUE) if is_about(message, project.name)]
    dead = _messages(source, project, queue_name(project.name))
    return AutomationView(schedule, times, tuple(reversed(told)), tuple(reversed(dead)))


def _messages(source: Source, project: Project, queue: str) -> list[InboxMessage]:
    sqs = source.target(project).client("sqs")
    url = queue_url(sqs, queue)
    return [] if url is None else read_messages(sqs, url)
