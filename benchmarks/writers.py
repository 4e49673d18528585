"""Acknowledged writes in a second, of 32 writers and of one, against the least that a durable write costs.

Each write is a CreateModelPackageGroup, answered when it is on the disk. The floor is a commit to SQLite of
the same size and as durable, without HTTP. With `--against` another checkout of this repository is measured,
too, round by round with this one, so that both meet the same machine. A first round is not counted: until
SQLite uses its log's pages again, each commit makes the file longer, which takes ten times as long.

    python -m benchmarks writers [--against FOLDER] [--rounds 5] [--seconds 3]
"""

from __future__ import annotations

import argparse
import itertools
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.object_store import free_port, server
from benchmarks.raw_clients import Taken, drive, for_seconds, operation

WRITERS = 32
GOAL = 2.0
"""Times the writes of the commit before group commit (6317961^)."""

MOST_SPREAD = 10.0
"""The highest acceptable p99 / p50."""

_OURS, _OTHER, _FLOOR = "this checkout", "the other checkout", "SQLite alone, 1 writer"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks writers", description=__doc__)
    parser.add_argument("--against", type=Path, help="a checkout of another commit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="for which the writers of a round write")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        trees = {_OURS: Path.cwd()} | ({_OTHER: options.against.absolute()} if options.against else {})
        ports = {name: _started(stack, folder / name, tree) for name, tree in trees.items()}
        numbers = itertools.count()

        def request() -> bytes:
            return operation(
                "SageMaker.CreateModelPackageGroup", {"ModelPackageGroupName": f"g-{next(numbers)}"}
            )

        for writers in (WRITERS, 1):
            ways: dict[str, Callable[[], Taken]] = {
                name: lambda server=one, writers=writers: _measured(server, writers, request, options.seconds)
                for name, one in ports.items()
            }
            if writers == 1:
                ways[_FLOOR] = lambda: _commits(folder, numbers, options.seconds)
            print(f"\n{writers} writers at once, {options.rounds} rounds of {options.seconds:g} s")
            _compare(ways, options.rounds, writers)


@dataclass(frozen=True)
class _Server:
    port: int
    pid: int


def _started(stack: ExitStack, home: Path, tree: Path) -> _Server:
    port = free_port()
    command = ["env", f"--chdir={tree}", f"PYTHONPATH={tree}", sys.executable, "-m", "sagemaker_local"]
    command += ["--home", str(home), "--port", str(port)]
    _, pid = stack.enter_context(server(command, f"http://127.0.0.1:{port}"))
    return _Server(port, pid)


@dataclass(frozen=True)
class _Measured(Taken):
    """With the server's CPU seconds."""

    cpu: float = float("nan")


def _measured(one: _Server, writers: int, request: Callable[[], bytes], seconds: float) -> Taken:
    before = _cpu(one.pid)
    taken = drive(one.port, writers, for_seconds(seconds, request))
    return _Measured(taken.each, taken.seconds, _cpu(one.pid) - before)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _commits(folder: Path, numbers: Iterator[int], seconds: float) -> Taken:
    database = sqlite3.connect(folder / "floor.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS resource (name TEXT PRIMARY KEY, doc TEXT)")
    each: list[float] = []
    begin = now = time.perf_counter()
    while now < begin + seconds:
        database.execute("INSERT INTO resource VALUES (?, ?)", (f"g-{next(numbers)}", "x" * 400))
        each.append(time.perf_counter() - now)
        now = time.perf_counter()
    database.close()
    return Taken(each, now - begin)


def _compare(ways: dict[str, Callable[[], Taken]], rounds: int, writers: int) -> None:
    """Round by round; the medians of each way, and ours against each of the others."""
    taken: dict[str, list[Taken]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            one = way()
            if number:
                taken[name].append(one)
    rates = {name: [len(one.each) / one.seconds for one in runs] for name, runs in taken.items()}
    for name, runs in taken.items():
        p50 = statistics.median(statistics.median(one.each) for one in runs)
        p99 = statistics.median(statistics.quantiles(one.each, n=100)[98] for one in runs)
        line = f"  {name:<26}{statistics.median(rates[name]):8,.0f}/s   p50 {p50 * 1000:6.1f} ms"
        line += f"   p99 {p99 * 1000:7.1f} ms   p99 / p50 {p99 / p50:6.1f}"
        line += f", goal below {MOST_SPREAD:g}" if writers > 1 and name == _OURS else ""
        cpu = [one.cpu / len(one.each) * 1e6 for one in runs if isinstance(one, _Measured)]
        line += f"   the server's CPU {statistics.median(cpu):5.0f} us a write" if cpu else ""
        print(line, flush=True)
    for name in ways.keys() - {_OURS}:
        ratios = [ours / theirs for ours, theirs in zip(rates[_OURS], rates[name], strict=True)]
        goal = f", goal {GOAL:g}" if writers > 1 else ""
        print(
            f"  {_OURS} / {name}: {statistics.median(ratios):.2f} times the writes"
            f" ({min(ratios):.2f} to {max(ratios):.2f}){goal}"
        )


if __name__ == "__main__":
    main()
