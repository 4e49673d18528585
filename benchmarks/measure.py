"""Timing whole processes, and printing what came out as ratios.

A process is measured by the kernel's own accounting (`wait4`), so that a program's children and its
interpreter's start count. Two ways are run in turn (A B A B), so that a machine that slows down
halfway slows both. Processor seconds are shown beside those on the wall: on a machine that does other work as
well, the former hardly change and the latter say little.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_STARTER = Path(__file__).with_name("starter.py")
RESULTS = "GATEHOUSE_BENCHMARK_RESULTS"
"""The environment variable that names the file for comparisons."""


@dataclass(frozen=True)
class Cost:
    """What one run took.

    Attributes:
        seconds: by the clock on the wall.
        peak_mb: the largest resident set of any of its processes.
        busy: processor seconds of all of its processes; other work on the machine hardly changes them.
        main: those of the first process's first thread alone.
    """

    seconds: float
    peak_mb: float = float("nan")
    busy: float = float("nan")
    main: float = float("nan")


def process(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, expected: Sequence[int] = (0,)
) -> Cost:
    """Run a command to its end; its output is shown only if it ends in an unexpected way."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as found:
        try:
            starter = subprocess.run(
                [sys.executable, "-I", "-S", str(_STARTER), str(writing), *command],
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[writing],
                check=False,
            )
        finally:
            os.close(writing)
        cost = json.loads(found.read() or b'{"code": null}')
    code = cost.pop("code")
    if code not in expected:
        sys.stdout.buffer.write(starter.stdout)
        raise SystemExit(f"benchmark: `{' '.join(command)}` ended with {code}")
    return Cost(**cost)


def timed(work: Callable[[], object]) -> Cost:
    """Time a call inside this process."""
    started = time.perf_counter()
    work()
    return Cost(time.perf_counter() - started)


def in_turn(ways: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Run every way once a round, in the order given; the costs of each, in rounds."""
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            costs[name].append(way())
    return costs


@dataclass(frozen=True)
class Comparison:
    """Ours against one other way, as ratios of pairs of runs: below 1 is better.

    Attributes:
        title: what was done.
        seconds: by the clock on the wall: median, lowest, highest.
        busy: of processor seconds, the least of all rounds against the least; None where it is not known.
        peak: of the largest resident sets, likewise.
        goal: the highest acceptable ratio of seconds, where there is one.
    """

    title: str
    ours: str
    other: str
    seconds: tuple[float, float, float]
    busy: float | None
    peak: float | None
    goal: float | None


def compare(
    title: str, costs: Mapping[str, Sequence[Cost]], ours: str, goals: Mapping[str, float]
) -> list[Comparison]:
    """Ours against each of the others; see :func:`report`."""
    found = []
    for name, runs in costs.items():
        if name == ours:
            continue
        ratios = [mine.seconds / theirs.seconds for mine, theirs in zip(costs[ours], runs, strict=True)]
        seconds = statistics.median(ratios), min(ratios), max(ratios)
        busy = _ratio([run.busy for run in costs[ours]], [run.busy for run in runs])
        peak = _ratio([run.peak_mb for run in costs[ours]], [run.peak_mb for run in runs])
        found.append(Comparison(title, ours, name, seconds, busy, peak, goals.get(name)))
    return found


def _ratio(mine: Sequence[float], theirs: Sequence[float]) -> float | None:
    ratio = min(mine) / min(theirs) if min(theirs) else float("nan")
    return ratio if ratio == ratio else None


def report(title: str, costs: Mapping[str, Sequence[Cost]], ours: str, goals: Mapping[str, float]) -> None:
    """Print a table: every way's medians, and ours against each of the others.

    The comparisons are added to the file that the environment names in RESULTS, too, a line of JSON each.

    Args:
        title: what was done.
        costs: the costs of each way, round by round.
        ours: which way is Gatehouse's.
        goals: the highest acceptable ratio of time against a way, where there is one.
    """
    against = {found.other: found for found in compare(title, costs, ours, goals)}
    print(f"\n{title}")
    for name, runs in costs.items():
        seconds = statistics.median(run.seconds for run in runs)
        peak = statistics.median(run.peak_mb for run in runs)
        busy = min(run.busy for run in runs)
        line = f"  {name:<52}{seconds:10.3f} s" + (f" {busy:9.3f} busy" if busy == busy else " " * 15)
        line += f"{peak:9,.0f} MB" if peak == peak else " " * 12
        if name in against:
            one = against[name]
            median, lowest, highest = one.seconds
            line += f"   ours / this: {median:.2f}"
            line += f" ({lowest:.2f} to {highest:.2f})" if len(runs) > 1 else ""
            line += f", busy {one.busy:.2f}" if one.busy is not None else ""
            line += f", goal {one.goal:g}" if one.goal is not None else ""
        print(line, flush=True)
    if place := os.environ.get(RESULTS):
        with Path(place).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(one)) + "\n" for one in against.values())
