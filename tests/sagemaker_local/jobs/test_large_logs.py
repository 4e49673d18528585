"""Large logs: pages that end before they are long in coming, memory that stays flat, nothing left out."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sagemaker_local.hosting.instance import LOG_STREAM
from sagemaker_local.jobs.job_log import MAX_LINE, Line, LogReader
from sagemaker_local.jobs.launcher.log import TIMES_RECORD

REGION = "eu-west-1"
GROUP = "/aws/sagemaker/Endpoints/large"
FILLER = b"a line of a model server that nobody looks for, and that is as long as such lines are\n"
MB = 1 << 20


@pytest.fixture
def stream(bench: Any) -> Callable[..., Path]:
    """Makes a stream of a dead model server; its log is as long as its pieces, which are (ms, bytes)."""

    def make(name: str, *pieces: tuple[int, bytes], group: str = GROUP) -> Path:
        folder = bench.home.root / "streams" / group.strip("/") / name
        folder.mkdir(parents=True)
        write(folder / "log", *pieces)
        document = {
            "Group": group,
            "Name": name,
            "Path": str((folder / "log").relative_to(bench.home.root)),
            "CreationTime": 1.0,
            "_Owner": "dead",
        }
        bench.store.put(LOG_STREAM, REGION, f"{group}:{name}", document, group)
        return Path(folder / "log")

    return make


def write(log: Path, *pieces: tuple[int, bytes]) -> None:
    with log.open("wb") as content, log.with_name("log.times").open("wb") as times:
        for when, piece in pieces:
            times.write(TIMES_RECORD.pack(content.tell(), when))
            content.write(piece)


def bytes_read() -> int:
    """What this process has read so far, by the kernel's own count."""
    (line,) = (one for one in Path("/proc/self/io").read_text().splitlines() if one.startswith("rchar:"))
    return int(line.split()[1])


def pages(bench: Any, **wanted: Any) -> list[dict[str, Any]]:
    """FilterLogEvents to its end."""
    found = [bench.call("FilterLogEvents", "logs", logGroupName=GROUP, **wanted)]
    while (token := found[-1].get("nextToken")) is not None:
        found.append(bench.call("FilterLogEvents", "logs", logGroupName=GROUP, nextToken=token, **wanted))
    return found


def test_a_search_of_a_long_log_ends_early_says_where_it_goes_on_and_finds_everything(
    bench: Any, stream: Any
) -> None:
    filler = FILLER * (40 * MB // len(FILLER))
    stream("one", (1, b"ERROR first\n" + filler + b"ERROR middle\n" + filler + b"ERROR last\n"))
    stream("two", (1, b"ERROR other\n"))
    before, found, largest = bytes_read(), [], 0
    tracemalloc.start()
    wanted: dict[str, Any] = {"logGroupName": GROUP, "filterPattern": "ERROR"}
    answer: dict[str, Any] = {"nextToken": None}
    while "nextToken" in answer:
        token = {"nextToken": answer["nextToken"]} if answer["nextToken"] else {}
        answer = bench.call("FilterLogEvents", "logs", **wanted, **token)
        found.append([event["message"] for event in answer["events"]])
        largest, before = max(largest, bytes_read() - before), bytes_read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [message for page in found for message in page] == [
        "ERROR first",
        "ERROR middle",
        "ERROR last",
        "ERROR other",
    ]
    assert [] in found
    assert largest < 18 * MB
    assert peak < 4 * MB


def test_a_search_by_time_does_not_read_what_came_at_another_time(bench: Any, stream: Any) -> None:
    filler = FILLER * (20 * MB // len(FILLER))
    stream("one", (1000, filler), (2000, b"wanted\n"), (3000, filler))
    before = bytes_read()
    found = pages(bench, startTime=2000, endTime=3000)
    assert [event["message"] for page in found for event in page["events"]] == ["wanted"]
    for way in ({"startFromHead": True}, {"startFromHead": False}):
        answer = bench.call(
            "GetLogEvents",
            "logs",
            logGroupName=GROUP,
            logStreamName="one",
            startTime=2000,
            endTime=3000,
            **way,
        )
        assert [event["message"] for event in answer["events"]] == ["wanted"]
    assert bytes_read() - before < 4 * MB


def test_a_log_without_a_line_break_takes_no_more_memory_than_another(bench: Any, stream: Any) -> None:
    stream("one", (1, b"." * (40 * MB)))
    tracemalloc.start()
    for way in ({"startFromHead": True}, {"startFromHead": False}):
        answer = bench.call("GetLogEvents", "logs", logGroupName=GROUP, logStreamName="one", **way)
        assert {len(event["message"]) for event in answer["events"]} == {MAX_LINE}
    assert tracemalloc.get_traced_memory()[1] < 12 * MB
    tracemalloc.stop()


def random_log(path: Path, choices: random.Random) -> None:
    """Lines of all lengths, in pieces that break anywhere and whose clock is set back now and then."""
    lengths = [choices.choice((0, 1, 30, 5000, MAX_LINE - 1, MAX_LINE, 2 * MAX_LINE + 7)) for _ in range(30)]
    content = b"".join(bytes([choices.choice(b"abc")]) * length + b"\n" for length in lengths)
    breaks = sorted({0, *(choices.randrange(len(content)) for _ in range(12))})
    ends = [*breaks[1:], len(content)]
    write(path, *((choices.randrange(10), content[a:b]) for a, b in zip(breaks, ends, strict=True)))


@pytest.mark.parametrize("seed", range(12))
def test_what_is_skipped_is_exactly_what_was_not_asked_for(tmp_path: Path, seed: int) -> None:
    choices = random.Random(seed)
    random_log(tmp_path / "log", choices)
    with LogReader(tmp_path / "log", complete=True) as log:
        lines = list(log.forward(0))
        assert list(log.backward(log.size)) == lines[::-1]
        for since, until in ((0, 5), (3, 7), (9, 10), (10, 11)):
            within = [line for line in lines if since <= line.timestamp < until]
            assert list(log.forward(0, since=since, until=until)) == within
            assert log.position == log.size
            back = list(log.backward(log.size, until=until))
            assert back == lines[: len(back)][::-1]
            assert all(line.timestamp >= until for line in lines[len(back) :])
            assert not back or back[0].timestamp < until
        holding = list(log.forward(0, holding=b"b"))
        assert [line for line in holding if "b" in line.text] == [line for line in lines if "b" in line.text]
        parts: list[Line] = []
        place = 0
        while place < log.size:
            parts += log.forward(place, stop=place + 100_000)
            assert log.position > place
            place = log.position
        assert parts == lines


@pytest.mark.parametrize("descending", [False, True])
def test_streams_and_groups_are_listed_in_pages_by_name(bench: Any, stream: Any, descending: bool) -> None:
    names = sorted(f"variant-{number}/i-{number % 3}" for number in range(7))
    for name in names:
        stream(name, (1, b"line\n"))
        stream(name, (1, b"line\n"), group=f"{GROUP}-{name[8]}")

    def listed(**wanted: Any) -> list[str]:
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = bench.call(
                "DescribeLogStreams",
                "logs",
                logGroupName=GROUP,
                limit=2,
                descending=descending,
                **wanted,
                **token,
            )
            found += [one["logStreamName"] for one in page["logStreams"]]
            if "nextToken" not in page:
                return found
            token = {"nextToken": page["nextToken"]}

    assert listed() == sorted(names, reverse=descending)
    assert listed(logStreamNamePrefix="variant-3") == ["variant-3/i-0"]
    assert listed(orderBy="LastEventTime") == sorted(names, reverse=descending)
    groups: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = bench.call(
            "DescribeLogGroups",
            "logs",
            logGroupNamePrefix="/aws/sagemaker/E",
            logGroupNamePattern="LARGE-",
            limit=3,
            **token,
        )
        groups += [one["logGroupName"] for one in page["logGroups"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert groups == [f"{GROUP}-{number}" for number in range(7)]
