"""CloudWatch Logs for jobs and model servers: what they printed, while they run and afterwards.

A group for each kind of job; a stream for each instance, named ``<job>/<host>-<epoch>`` as SageMaker
names them, with the job's creation time in seconds as the epoch. Model servers have theirs from the
``hosting`` package: a group for each endpoint, one for all transform jobs, a stream for each process.
Tokens hold a byte offset of the log, so following a long log costs what is new in it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.home import is_alive
from sagemaker_local.hosting.instance import LOG_STREAM
from sagemaker_local.jobs.job import JobKind
from sagemaker_local.jobs.job_log import Line, LogReader
from sagemaker_local.jobs.phases import TERMINAL
from sagemaker_local.jobs.runner import KINDS
from sagemaker_local.services import paging
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.store import Document

_GROUPS = {kind.log_group: kind for kind in KINDS.values()}
_MOST_EVENTS = 10_000
_MOST_BYTES = 1 << 20
_TOKEN = re.compile(r"(?P<way>[fb])/(?P<offset>\d{1,20})/s")


@dataclass(frozen=True)
class _Stream:
    """One instance's log."""

    name: str
    created: float
    path: Path
    complete: bool

    def open(self) -> LogReader:
        return LogReader(self.path, complete=self.complete)


def _not_there(what: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"The specified log {what} does not exist.")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def _group(call: Call, parameters: dict[str, Any]) -> str:
    name = parameters.get("logGroupName") or parameters.get("logGroupIdentifier", "")
    name = name.rpartition("log-group:")[2].removesuffix(":*")
    if name not in _GROUPS and not call.store.list(LOG_STREAM, call.region, name):
        raise _not_there("group")
    return str(name)


def _streams_of(call: Call, kind: JobKind, document: Document) -> Iterator[_Stream]:
    folder = call.components.jobs.folder(kind, document)
    for host in document["_Hosts"]:
        path = folder / host / "log"
        if path.exists() and path.with_name("log.times").exists():
            name = f"{document[kind.name_member]}/{host}-{int(document['CreationTime'])}"
            complete = document[kind.status_member] in TERMINAL
            yield _Stream(name, document["CreationTime"], path, complete)


def _streams_of_servers(call: Call, group: str) -> Iterator[_Stream]:
    for document in call.store.list(LOG_STREAM, call.region, group):
        path = call.components.home.root / document["Path"]
        if path.exists() and path.with_name("log.times").exists():
            complete = not is_alive(call.components.home, document["_Owner"])
            yield _Stream(document["Name"], document["CreationTime"], path, complete)


def _streams(call: Call, group: str, prefix: str = "") -> list[_Stream]:
    """Streams whose name begins with `prefix`, by name."""
    kind = _GROUPS.get(group)
    found = _streams_of_servers(call, group) if kind is None else _streams_of_jobs(call, kind, prefix)
    return sorted((stream for stream in found if stream.name.startswith(prefix)), key=lambda item: item.name)


def _streams_of_jobs(call: Call, kind: JobKind, prefix: str) -> Iterator[_Stream]:
    job, slash, _ = prefix.partition("/")
    if slash:
        document = call.store.get(kind.kind, call.region, job)
        documents = [document] if document is not None else []
    else:
        documents = call.store.list(kind.kind, call.region)
    for document in documents:
        yield from _streams_of(call, kind, document)


def describe_groups(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeLogGroups"""
    prefix, part = parameters.get("logGroupNamePrefix", ""), parameters.get("logGroupNamePattern", "")
    hosted = {document["Group"] for document in call.store.list(LOG_STREAM, call.region)}
    names = [
        name
        for name in sorted(hosted | _GROUPS.keys())
        if name.startswith(prefix) and part.lower() in name.lower()
    ]
    groups: list[Document] = [
        {"logGroupName": name, "arn": f"{_arn(call, name)}:*", "logGroupArn": _arn(call, name)}
        for name in names
    ]
    page, token = _page(groups, parameters, lambda item: (item["logGroupName"],), parameters.get("limit", 50))
    return {"logGroups": page, "nextToken": token}


def _arn(call: Call, group: str) -> str:
    return call.arn(f"log-group:{group}", "logs")


def describe_streams(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeLogStreams"""
    group = _group(call, parameters)
    prefix = parameters.get("logStreamNamePrefix", "")
    shown = []
    for stream in _streams(call, group, prefix):
        with stream.open() as log:
            first = next(log.forward(0), None)
            last = next(log.backward(log.size), None)
            item = {
                "logStreamName": stream.name,
                "creationTime": int(stream.created * 1000),
                "arn": f"{_arn(call, group)}:log-stream:{stream.name}",
                "storedBytes": log.size,
            }
        if first is not None and last is not None:
            item |= {"firstEventTimestamp": first.timestamp, "lastEventTimestamp": last.timestamp}
            item["lastIngestionTime"] = last.timestamp
        shown.append(item)
    by_time = parameters.get("orderBy") == "LastEventTime"

    def place(item: Document) -> tuple[str | float, ...]:
        name = item["logStreamName"]
        return (item.get("lastEventTimestamp", 0), name) if by_time else (name,)

    page, token = _page(shown, parameters, place, parameters.get("limit", 50))
    return {"logStreams": page, "nextToken": token}


def _page(
    items: list[Document],
    parameters: dict[str, Any],
    place: Callable[[Document], tuple[str | float, ...]],
    size: int,
) -> tuple[list[Document], str | None]:
    wanted = {"MaxResults": size}
    if "nextToken" in parameters:
        wanted["NextToken"] = parameters["nextToken"]
    return paging.page(items, wanted, place, descending=parameters.get("descending", False))


def get_events(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetLogEvents: the log's end, or from its head or a token on; the same token again at either end."""
    name = parameters["logStreamName"]
    stream = next(
        (item for item in _streams(call, _group(call, parameters), name) if item.name == name), None
    )
    if stream is None:
        raise _not_there("stream")
    with stream.open() as log:
        ahead = parameters.get("startFromHead", False)
        start = 0 if ahead else log.size
        if "nextToken" in parameters:
            match = _TOKEN.fullmatch(parameters["nextToken"])
            if match is None:
                raise _invalid("The specified nextToken is invalid.")
            ahead, start = match["way"] == "f", min(int(match["offset"]), log.size)
        lines = _chosen(log.forward(start) if ahead else log.backward(start), parameters, ahead)
        if not ahead:
            lines.reverse()
    first = lines[0].start if lines else start
    end = lines[-1].end if lines else start
    return {
        "events": [_event(line) for line in lines],
        "nextForwardToken": f"f/{end:020d}/s",
        "nextBackwardToken": f"b/{first:020d}/s",
    }


def _chosen(lines: Iterator[Line], parameters: dict[str, Any], ahead: bool) -> list[Line]:
    """As many as fit into an answer, within the times asked for (the end time is exclusive)."""
    since, until = parameters.get("startTime", 0), parameters.get("endTime")
    most = parameters.get("limit", _MOST_EVENTS)
    chosen: list[Line] = []
    size = 0
    for line in lines:
        early, late = line.timestamp < since, until is not None and line.timestamp >= until
        if (late and ahead) or (early and not ahead):
            break
        if early or late:
            continue
        size += line.end - line.start
        if chosen and size > _MOST_BYTES:
            break
        chosen.append(line)
        if len(chosen) == most:
            break
    return chosen


def _event(line: Line) -> Document:
    return {"timestamp": line.timestamp, "ingestionTime": line.timestamp, "message": line.text}


def filter_events(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """FilterLogEvents: stream after stream, those lines that hold the pattern's terms."""
    group = _group(call, parameters)
    names, prefix = parameters.get("logStreamNames"), parameters.get("logStreamNamePrefix", "")
    if names and prefix:
        raise _invalid("logStreamNames and logStreamNamePrefix exclude each other.")
    matches = _pattern(parameters.get("filterPattern", ""))
    streams = _streams(call, group, prefix)
    if names is not None:
        streams = [stream for stream in streams if stream.name in names]
    after, offset = _filter_place(parameters.get("nextToken"))
    most = parameters.get("limit", _MOST_EVENTS)
    events: list[Document] = []
    size = 0
    for stream in streams:
        if stream.name < after:
            continue
        with stream.open() as log:
            for line in log.forward(offset if stream.name == after else 0):
                if not _within(line, parameters) or not matches(line.text):
                    continue
                size += line.end - line.start
                if len(events) == most or (events and size > _MOST_BYTES):
                    return {"events": events, "nextToken": f"{line.start}:{stream.name}"}
                event_id = f"{line.start:020d}{stream.name}"
                events.append({**_event(line), "logStreamName": stream.name, "eventId": event_id})
    searched = [{"logStreamName": stream.name, "searchedCompletely": True} for stream in streams]
    return {"events": events, "searchedLogStreams": searched}


def _within(line: Line, parameters: dict[str, Any]) -> bool:
    return bool(parameters.get("startTime", 0) <= line.timestamp < parameters.get("endTime", 1 << 62))


def _filter_place(token: str | None) -> tuple[str, int]:
    if token is None:
        return "", 0
    offset, _, name = token.partition(":")
    if not offset.isdigit():
        raise _invalid("The specified nextToken is invalid.")
    return name, int(offset)


def _pattern(pattern: str) -> Callable[[str], bool]:
    """CloudWatch's plain patterns: all terms, ``-`` none of these, ``?`` any of these, ``"a phrase"``."""
    pattern = pattern.strip()
    if pattern[:1] in ("{", "[", "%"):
        raise not_implemented("A filter pattern for JSON, for columns or with a regular expression")
    try:
        terms = shlex.split(pattern)
    except ValueError as problem:
        raise _invalid(f"Invalid filter pattern: {problem}.") from problem
    banned = [term[1:] for term in terms if term.startswith("-")]
    some = [term[1:] for term in terms if term.startswith("?")]
    needed = [term for term in terms if term[:1] not in ("-", "?")]

    def matches(text: str) -> bool:
        return (
            all(term in text for term in needed)
            and not any(term in text for term in banned)
            and (not some or any(term in text for term in some))
        )

    return matches


SERVICE = "logs"
OPERATIONS: dict[str, Handler] = {
    "DescribeLogGroups": describe_groups,
    "DescribeLogStreams": describe_streams,
    "GetLogEvents": get_events,
    "FilterLogEvents": filter_events,
}
