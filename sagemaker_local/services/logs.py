"""CloudWatch Logs for jobs and model servers: what they printed, while they run and afterwards.

A group for each kind of job; a stream for each instance, named ``<job>/<host>-<epoch>`` as SageMaker
names them, with the job's creation time in seconds as the epoch. Model servers have theirs from the
``hosting`` package: a group for each endpoint, one for all transform jobs, a stream for each process.
Tokens hold a byte offset of the log, so following a long log costs what is new in it.
"""

from __future__ import annotations

import heapq
import itertools
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
from sagemaker_local.jobs.job_log import END_OF_TIME, Line, LogReader
from sagemaker_local.jobs.phases import TERMINAL
from sagemaker_local.jobs.runner import KINDS
from sagemaker_local.services import paging
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.store import Document
from sagemaker_local.store.listing import (
    NAME,
    Column,
    Condition,
    Listing,
    Place,
    begins_with,
    equal,
    member,
)

_GROUPS = {kind.log_group: kind for kind in KINDS.values()}
_MOST_EVENTS = 10_000
_MOST_BYTES = 1 << 20
_MOST_SEARCHED = 16 << 20
"""Bytes of logs that one FilterLogEvents looks through."""

_LEAST_SEARCHED = 16 << 10
"""What opening a log counts as, however short it is."""

_PAGE = 50
_STREAM = member("Name")
_OF_SERVERS = Listing(LOG_STREAM, {"Name": (_STREAM,)}, of_parent=True)
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


def _by_stream(kind: JobKind) -> Listing:
    """Jobs in the order of their streams' names, each of which begins with the job's and a slash."""
    return Listing(kind.kind, {"Stream": (Column("name || '/'"),)})


def _not_there(what: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"The specified log {what} does not exist.")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def _group(call: Call, parameters: dict[str, Any]) -> str:
    name = parameters.get("logGroupName") or parameters.get("logGroupIdentifier", "")
    name = name.rpartition("log-group:")[2].removesuffix(":*")
    if name not in _GROUPS and not call.store.count(LOG_STREAM, call.region, name):
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


def _streams(
    call: Call, group: str, prefix: str = "", *, after: str | None = None, descending: bool = False
) -> Iterator[_Stream]:
    """Streams whose name begins with `prefix` and comes after `after`, by name; only those taken are read."""
    kind = _GROUPS.get(group)
    if kind is None:
        found = _streams_of_servers(call, group, prefix, after, descending)
    else:
        found = _streams_of_jobs(call, kind, prefix, after, descending)
    for stream in found:
        if stream.name.startswith(prefix):
            yield stream


def _streams_of_servers(
    call: Call, group: str, prefix: str, after: str | None, descending: bool
) -> Iterator[_Stream]:
    place = None if after is None else (after,)
    for document in _all(call, _OF_SERVERS, group, begins_with(_STREAM, prefix), place, descending):
        path = call.components.home.root / document["Path"]
        if path.exists() and path.with_name("log.times").exists():
            complete = not is_alive(call.components.home, document["_Owner"])
            yield _Stream(document["Name"], document["CreationTime"], path, complete)


def _streams_of_jobs(
    call: Call, kind: JobKind, prefix: str, after: str | None, descending: bool
) -> Iterator[_Stream]:
    job, slash, _ = prefix.partition("/")
    conditions = [equal(NAME, job)] if slash else begins_with(NAME, prefix)
    place = None
    if after is not None:
        # The streams of the job in which the last page ended come first: some may be left.
        place = (f"{after.partition('/')[0]}/",)
        document = call.store.get(kind.kind, call.region, place[0][:-1])
        for stream in _streams_of_job(call, kind, document, descending) if document else ():
            if (stream.name < after) if descending else (stream.name > after):
                yield stream
    for document in _all(call, _by_stream(kind), "", conditions, place, descending):
        yield from _streams_of_job(call, kind, document, descending)


def _streams_of_job(call: Call, kind: JobKind, document: Document, descending: bool) -> list[_Stream]:
    found = _streams_of(call, kind, document)
    return sorted(found, key=lambda stream: stream.name, reverse=descending)


def _all(
    call: Call,
    listing: Listing,
    parent: str,
    conditions: list[Condition],
    after: Place | None,
    descending: bool,
) -> Iterator[Document]:
    """Documents in a listing's order, read in pages as they are taken."""
    order = listing.order(None)
    while found := call.store.page(
        listing,
        order,
        call.region,
        parent=parent,
        conditions=conditions,
        after=after,
        descending=descending,
        most=_PAGE,
    ):
        for _, document in found:
            yield document
        after = found[-1][0]
        if len(found) < _PAGE:
            return


def describe_groups(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeLogGroups"""
    prefix, part = parameters.get("logGroupNamePrefix", ""), parameters.get("logGroupNamePattern", "")
    limits = _limits(parameters)
    after = paging.last_name(limits, descending=False) or ""
    hosted = call.store.parents(LOG_STREAM, call.region, max(after, prefix[:-1]))
    names = heapq.merge(hosted, sorted(name for name in _GROUPS if name > after))
    groups = (
        {"logGroupName": name, "arn": f"{_arn(call, name)}:*", "logGroupArn": _arn(call, name)}
        for name in itertools.takewhile(lambda name: name.startswith(prefix) or name < prefix, names)
        if name.startswith(prefix) and part.lower() in name.lower()
    )
    page, token = paging.sorted_page(groups, limits, "logGroupName", descending=False, size=50)
    return {"logGroups": page, "nextToken": token}


def _limits(parameters: dict[str, Any]) -> Document:
    return {"MaxResults": parameters.get("limit", 50), "NextToken": parameters.get("nextToken")}


def _arn(call: Call, group: str) -> str:
    return call.arn(f"log-group:{group}", "logs")


def describe_streams(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeLogStreams; only by name is it done without a look into every log of the group."""
    group, limits = _group(call, parameters), _limits(parameters)
    prefix, descending = parameters.get("logStreamNamePrefix", ""), parameters.get("descending", False)
    if parameters.get("orderBy") == "LastEventTime":
        shown = [_shown(call, group, stream) for stream in _streams(call, group, prefix)]
        page, token = paging.page(
            shown,
            limits,
            lambda item: (item.get("lastEventTimestamp", 0), item["logStreamName"]),
            descending=descending,
        )
    else:
        after = paging.last_name(limits, descending=descending)
        streams = _streams(call, group, prefix, after=after, descending=descending)
        page, token = paging.sorted_page(
            (_shown(call, group, stream) for stream in streams),
            limits,
            "logStreamName",
            descending=descending,
            size=50,
        )
    return {"logStreams": page, "nextToken": token}


def _shown(call: Call, group: str, stream: _Stream) -> Document:
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
    return item


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
        since, until = _times(parameters)
        found = log.forward(start, since=since) if ahead else log.backward(start, until=until)
        lines = _chosen(found, parameters, ahead)
        if not ahead:
            lines.reverse()
    first = lines[0].start if lines else start
    end = lines[-1].end if lines else start
    return {
        "events": [_event(line) for line in lines],
        "nextForwardToken": f"f/{end:020d}/s",
        "nextBackwardToken": f"b/{first:020d}/s",
    }


def _times(parameters: dict[str, Any]) -> tuple[int, int]:
    """The times asked for; the end is exclusive."""
    return parameters.get("startTime", 0), parameters.get("endTime", END_OF_TIME)


def _chosen(lines: Iterator[Line], parameters: dict[str, Any], ahead: bool) -> list[Line]:
    """As many as fit into an answer, within the times asked for."""
    since, until = _times(parameters)
    most = parameters.get("limit", _MOST_EVENTS)
    chosen: list[Line] = []
    size = 0
    for line in lines:
        early, late = line.timestamp < since, line.timestamp >= until
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
    """FilterLogEvents: stream after stream, those lines that hold the pattern's terms.

    One request looks through so many bytes at most. Its answer then may hold few events or none, and its
    token leads on, as on AWS.
    """
    group = _group(call, parameters)
    names, prefix = parameters.get("logStreamNames"), parameters.get("logStreamNamePrefix", "")
    if names and prefix:
        raise _invalid("logStreamNames and logStreamNamePrefix exclude each other.")
    matches, term = _pattern(parameters.get("filterPattern", ""))
    since, until = _times(parameters)
    last, offset = _filter_place(parameters.get("nextToken"))
    most, left, size = parameters.get("limit", _MOST_EVENTS), _MOST_SEARCHED, 0
    events: list[Document] = []
    searched: list[Document] = []

    def page(place: int, stream: _Stream) -> dict[str, Any]:
        return {
            "events": events,
            "nextToken": f"{place}:{stream.name}",
            "searchedLogStreams": searched,
        }

    for stream in _searched(call, group, names, prefix, last):
        begin = offset if stream.name == last else 0
        if left <= 0:
            return page(begin, stream)
        with stream.open() as log:
            for line in log.forward(begin, since=since, until=until, holding=term, stop=begin + left):
                if not since <= line.timestamp < until or not matches(line.text):
                    continue
                size += line.end - line.start
                if len(events) == most or (events and size > _MOST_BYTES):
                    return page(line.start, stream)
                event_id = f"{line.start:020d}{stream.name}"
                events.append({**_event(line), "logStreamName": stream.name, "eventId": event_id})
            if log.position < log.size:
                return page(log.position, stream)
            left -= max(log.position - begin, _LEAST_SEARCHED)
        searched.append({"logStreamName": stream.name, "searchedCompletely": True})
    return {"events": events, "searchedLogStreams": searched}


def _searched(call: Call, group: str, names: list[str] | None, prefix: str, first: str) -> Iterator[_Stream]:
    """The streams that are looked through, from `first` on, by name."""
    if names is not None:
        for name in sorted(name for name in set(names) if name >= first):
            yield from (stream for stream in _streams(call, group, name) if stream.name == name)
        return
    if first:
        yield from (stream for stream in _streams(call, group, first) if stream.name == first)
    yield from _streams(call, group, prefix, after=first or None)


def _filter_place(token: str | None) -> tuple[str, int]:
    if token is None:
        return "", 0
    offset, _, name = token.partition(":")
    if not re.fullmatch(r"[0-9]{1,18}", offset):
        raise _invalid("The specified nextToken is invalid.")
    return name, int(offset)


def _pattern(pattern: str) -> tuple[Callable[[str], bool], bytes]:
    """CloudWatch's plain patterns: all terms, ``-`` none of these, ``?`` any of these, ``"a phrase"``.

    Returns:
        Whether a line matches, and bytes that every line which does holds.
    """
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

    # What is no UTF-8 in a log is read as U+FFFD, so the log does not hold that character's own bytes.
    sure = [term.encode("utf-8", "ignore") for term in needed if "\ufffd" not in term]
    return matches, max(sure, key=len, default=b"")


SERVICE = "logs"
LISTINGS = (_OF_SERVERS, *(_by_stream(kind) for kind in KINDS.values()))
OPERATIONS: dict[str, Handler] = {
    "DescribeLogGroups": describe_groups,
    "DescribeLogStreams": describe_streams,
    "GetLogEvents": get_events,
    "FilterLogEvents": filter_events,
}
