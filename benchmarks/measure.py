"""Timing whole processes, and printing what came out as ratios.

A process is measured by the kernel's own accounting (`wait4`), so that a program's children and its
interpreter's start count. Two ways are run in turn (A B A B), so that a machine that slows down
halfway slows both.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one run took.

    Attributes:
        seconds: by the clock on the wall.
        peak_mb: the largest resident set of any of its processes.
        busy: processor seconds of all of its processes; other work on the machine hardly changes them.
    """

    seconds: float
    peak_mb: float = float("nan")
    busy: float = float("nan")


def process(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, expected: Sequence[int] = (0,)
) -> Cost:
    """Run a command to its end; its output is shown only if it ends in an unexpected way."""
    started = time.perf_counter()
    child = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert child.stdout is not None
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in expected:
        sys.stdout.buffer.write(output)
        raise SystemExit(f"benchmark: `{' '.join(command)}` ended with {child.returncode}")
    return Cost(time.perf_counter() - started, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)


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


def report(title: str, costs: Mapping[str, Sequence[Cost]], ours: str, goals: Mapping[str, float]) -> None:
    """Print a table: every way's medians, and ours against each of the others.

    Args:
        title: what was done.
        costs: the costs of each way, round by round.
        ours: which way is Gatehouse's.
        goals: the highest acceptable ratio of time against a way, where there is one.
    """
    print(f"\n{title}")
    for name, runs in costs.items():
        seconds = statistics.median(run.seconds for run in runs)
        peak = statistics.median(run.peak_mb for run in runs)
        memory = f"{peak:9,.0f} MB" if peak == peak else " " * 12
        worked = statistics.median(run.busy for run in runs)
        line = f"  {name:<52}{seconds:10.3f} s {memory}"
        line += f"{worked:9.2f} s of processors" if worked == worked else ""
        if name != ours:
            pairs = list(zip(costs[ours], runs, strict=True))
            ratios = [mine.seconds / theirs.seconds for mine, theirs in pairs]
            line += f"   ours / this: {statistics.median(ratios):.2f}"
            line += f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
            if worked == worked:
                of_work = [mine.busy / theirs.busy for mine, theirs in pairs]
                line += f", of processors {statistics.median(of_work):.2f}"
            if name in goals:
                line += f", goal {goals[name]:g}"
        print(line, flush=True)
