"""What happened by itself lately: a project's rules in EventBridge, and the calls of their functions.

EventBridge keeps no list of what it delivered. Each function's log tells of its calls: Lambda writes a line
where one begins, and the functions of the automation print which event they were given and what they did.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from aws_formats import json_text
from aws_formats.service_errors import is_absent
from pipelines.settings.target import Target

SCHEDULED = "Scheduled Event"
"""The type of the events that a rule with a schedule sends."""

_STREAMS, _LINES = 3, 300
"""Of each function: the streams that were written to last, and the last lines of each that are read."""

_KEPT = 4000
"""Characters of what a call printed."""

_START = re.compile(r"START RequestId: (\S+)")
_EVENT = re.compile(r"Event: (?P<kind>[^;]*); (?P<subject>.*)")
_OF_LAMBDA = re.compile(r"(END|REPORT|INIT_START|INIT_REPORT) ")
_FAILED = re.compile(r"\[ERROR\]|Traceback \(most recent call last\)|.*Task timed out after|.*Runtime exited")
_NAMES_ERROR = re.compile(r"(\[ERROR\] |[A-Za-z_][\w.]*(Error|Exception|Changed|Exit)\b)")


@dataclass(frozen=True)
class Rule:
    """A rule of EventBridge.

    Attributes:
        schedule: its expression; None for a rule that waits for events.
        kinds: the types of the events that it passes on.
        functions: the names of those that it calls.
    """

    name: str
    description: str
    enabled: bool
    schedule: str | None
    kinds: tuple[str, ...]
    functions: tuple[str, ...]


@dataclass(frozen=True)
class FunctionCall:
    """One call of a function, by its log.

    Attributes:
        kind, subject: of the event, the type and what it is about; None where the function did not print it.
        said: the last line that it printed, or the error that it ended with.
        lines: the end of what it printed, at most 4,000 characters.
    """

    function: str
    request: str
    began: datetime
    kind: str | None
    subject: str | None
    failed: bool
    said: str
    lines: tuple[str, ...]


def read_rules(target: Target, project: str, others: Sequence[str]) -> tuple[Rule, ...]:
    """The rules whose names begin with the project's.

    Args:
        others: all projects; a rule of one whose name begins like this one's is left out.
    """
    events = target.client("events")
    longer = tuple(f"{name}-" for name in others if name.startswith(f"{project}-"))
    pages = events.get_paginator("list_rules").paginate(NamePrefix=f"{project}-")
    return tuple(
        _rule(events, found)
        for page in pages
        for found in page["Rules"]
        if not found["Name"].startswith(longer)
    )


def _rule(events: Any, found: dict[str, Any]) -> Rule:
    targets = events.list_targets_by_rule(Rule=found["Name"])["Targets"]
    called = [one["Arn"].split(":")[6] for one in targets if ":lambda:" in one["Arn"]]
    schedule = found.get("ScheduleExpression")
    return Rule(
        name=found["Name"],
        description=found.get("Description", ""),
        enabled=found["State"] != "DISABLED",
        schedule=schedule,
        kinds=((SCHEDULED,) if schedule else ()) + _kinds(found.get("EventPattern")),
        functions=tuple(dict.fromkeys(called)),
    )


def _kinds(pattern: str | None) -> tuple[str, ...]:
    parsed = json_text.parse(pattern) if pattern else {}
    named = parsed.get("detail-type", []) if isinstance(parsed, dict) else []
    return tuple(kind for kind in named if isinstance(kind, str))


def read_calls(target: Target, function: str) -> tuple[FunctionCall, ...]:
    """The last calls of a function, newest first; none before the first."""
    logs, group = target.client("logs"), f"/aws/lambda/{function}"
    try:
        streams = logs.describe_log_streams(
            logGroupName=group, orderBy="LastEventTime", descending=True, limit=_STREAMS
        )["logStreams"]
    except ClientError as error:
        if is_absent(error):
            return ()
        raise
    calls: list[FunctionCall] = []
    for stream in streams:
        lines = logs.get_log_events(
            logGroupName=group, logStreamName=stream["logStreamName"], limit=_LINES, startFromHead=False
        )["events"]
        calls += _calls_in(function, lines)
    return tuple(sorted(calls, key=lambda call: call.began, reverse=True))


def _calls_in(function: str, events: Sequence[dict[str, Any]]) -> Iterator[FunctionCall]:
    """The calls that begin in these lines of one stream, which holds one after the other."""
    begun: tuple[str, int] | None = None
    lines: list[str] = []
    for event in events:
        # Lambda's own lines end with a line feed, and one event may hold several lines.
        text = event["message"].rstrip("\n")
        start = _START.match(text)
        if start is None:
            lines += [] if _OF_LAMBDA.match(text) else text.split("\n")
            continue
        if begun is not None:
            yield _call(function, *begun, lines)
        begun, lines = (start[1], event["timestamp"]), []
    if begun is not None:
        yield _call(function, *begun, lines)


def _call(function: str, request: str, began: int, lines: Sequence[str]) -> FunctionCall:
    given = next(filter(None, map(_EVENT.fullmatch, lines)), None)
    own = [line for line in lines if line.strip() and not _EVENT.fullmatch(line)]
    failed = any(map(_FAILED.match, own))
    errors = [line for line in own if _NAMES_ERROR.match(line)] if failed else []
    return FunctionCall(
        function=function,
        request=request,
        began=datetime.fromtimestamp(began / 1000, UTC),
        kind=given["kind"] if given else None,
        subject=given["subject"] if given else None,
        failed=failed,
        said=(errors or own or [""])[-1][:_KEPT],
        lines=tuple("\n".join(lines)[-_KEPT:].split("\n")) if lines else (),
    )
