"""When a project starts by itself, what events did lately, and what people were told.

The rules are EventBridge's and the calls are those that the logs of the functions tell of, as anybody on AWS
can read them; what the caller may not read is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from aws_formats.service_errors import is_denied
from pipelines.executions.dead_letters import queue_name
from pipelines.executions.function_calls import FunctionCall, Rule, read_calls, read_rules
from pipelines.executions.inbox import QUEUE, InboxMessage, is_about, queue_url, read_messages
from pipelines.executions.schedule import Schedule, SchedulePlan, next_times, read_schedule
from pipelines.settings.project import Project
from pipelines.settings.target import Target
from studio.source import Source

_NEXT = 5
_READERS = 4
_CALLS = 20
"""Calls that the page shows, the newest ones."""


@dataclass(frozen=True)
class FiredRule:
    """A rule and the last call that it made; None where the logs tell of none."""

    rule: Rule
    last: FunctionCall | None


@dataclass(frozen=True)
class AutomationView:
    """A project's schedule and messages, newest first.

    Attributes:
        fired: its rules; None for who may not list them.
        calls: of their functions, newest first; None for who may not read their logs.
        messages, dead_letters: None in AWS: there messages are mailed, and looking into a queue would hide
            its messages from others for a while.
    """

    schedule: Schedule | None
    next_times: tuple[datetime, ...]
    fired: tuple[FiredRule, ...] | None
    calls: tuple[FunctionCall, ...] | None
    messages: tuple[InboxMessage, ...] | None = None
    dead_letters: tuple[InboxMessage, ...] | None = None


@dataclass(frozen=True)
class Proposal:
    """Other times for the schedule, to be looked at before they count."""

    plan: SchedulePlan
    next_times: tuple[datetime, ...]


def read_automation(source: Source, project: Project) -> AutomationView:
    """Reads the schedule, the rules, the logs of their functions, and on this machine the queues."""
    target = source.target(project)
    schedule = read_schedule(project.name, target)
    times = times_of(schedule) if schedule else ()
    rules = _rules(source, project)
    calls = _calls(target, rules or ())
    fired = None if rules is None else tuple(FiredRule(rule, _last(rule, calls or ())) for rule in rules)
    shown = None if calls is None else calls[:_CALLS]
    if source.target_name != "local":
        return AutomationView(schedule, times, fired, shown)
    told = [message for message in _messages(source, project, QUEUE) if is_about(message, project.name)]
    dead = _messages(source, project, queue_name(project.name))
    return AutomationView(schedule, times, fired, shown, tuple(reversed(told)), tuple(reversed(dead)))


def times_of(schedule: Schedule) -> tuple[datetime, ...]:
    """The next times at which it starts the pipeline."""
    return tuple(next_times(schedule, datetime.now(UTC), _NEXT))


def _rules(source: Source, project: Project) -> tuple[Rule, ...] | None:
    try:
        return read_rules(source.target(project), project.name, tuple(source.projects))
    except ClientError as error:
        if is_denied(error):
            return None
        raise


def _calls(target: Target, rules: Sequence[Rule]) -> tuple[FunctionCall, ...] | None:
    functions = dict.fromkeys(function for rule in rules for function in rule.functions)
    try:
        with ThreadPoolExecutor(_READERS) as readers:
            found = list(readers.map(lambda function: read_calls(target, function), functions))
    except ClientError as error:
        if is_denied(error):
            return None
        raise
    calls = (call for of_function in found for call in of_function)
    return tuple(sorted(calls, key=lambda call: call.began, reverse=True))


def _last(rule: Rule, calls: Sequence[FunctionCall]) -> FunctionCall | None:
    """The newest call with an event of the rule's types; of any type where its pattern names none."""
    return next(
        (
            call
            for call in calls
            if call.function in rule.functions and (not rule.kinds or call.kind in rule.kinds)
        ),
        None,
    )


def _messages(source: Source, project: Project, queue: str) -> list[InboxMessage]:
    sqs = source.target(project).client("sqs")
    url = queue_url(sqs, queue)
    return [] if url is None else read_messages(sqs, url)
