"""Runs benchmarks, each in a process of its own, and writes `results.md`: figures and their circumstances.

The page has what a figure needs to be believed or repeated: the day, the commit, the machine, the versions,
the command of each benchmark and all that it printed, and in one table every comparison with another way of
doing the work, those that are worse for us among them. `--short` runs all of them small: the page then says
so.

    python -m benchmarks results [--short] [--only NAME,NAME]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measure import RESULTS

FILE = Path(__file__).with_name("results.md")
_SHORT = {
    "listing": "--versions 100",
    "writers": "--rounds 2 --seconds 1",
    "load": "--objects 1000 --log-mb 50",
    "object_store": "--megabytes 50 --rounds 2",
    "preprocessing": "--gigabytes 0.1 --rounds 2",
    "training": "--gigabytes 0.005 --rounds 2",
    "throughput": "--gigabytes 0.02 --rounds 1",
    "serving": "--requests 80",
    "capture": "--pairs 1000",
    "studio": "--executions 50 --versions 20",
    "whole_run": "--gigabytes 0",
    "scale": "--executions 50 --steps 20 --objects 1000 --megabytes 200",
}
_VERSIONS = (
    "duckdb",
    "polars",
    "pandas",
    "pyarrow",
    "numpy",
    "scikit-learn",
    "xgboost",
    "moto",
    "localbucket",
    "boto3",
)
_EVEN = 0.05
"""A ratio this close to 1 is neither better nor worse."""


def main(names: Sequence[str], arguments: list[str] | None = None) -> None:
    """Run the benchmarks of these names and write the page.

    Args:
        names: all that there are, in order.
    """
    parser = argparse.ArgumentParser(prog="benchmarks results", description=__doc__)
    parser.add_argument("--short", action="store_true", help="each as small as it still says something")
    parser.add_argument("--only", help="names, with commas between them")
    options = parser.parse_args(arguments)
    chosen = options.only.split(",") if options.only else list(names)
    printed: dict[str, str] = {}
    failed = []
    begin, busy = datetime.now(UTC), os.getloadavg()
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "comparisons"
        found.touch()
        for name in chosen:
            command = f"python -m benchmarks {name} {_SHORT.get(name, '') if options.short else ''}".strip()
            printed[command], code = _run(command.split()[1:], found)
            if code:
                failed.append(name)
            comparisons = [json.loads(line) for line in found.read_text(encoding="utf-8").splitlines()]
            loads = busy, os.getloadavg()
            page = _page(printed, comparisons, begin, loads, failed, options.short)
            FILE.write_text("".join(f"{line}\n" for line in page), encoding="utf-8")
    print(f"\nWritten: {FILE}")
    if failed:
        sys.exit(f"benchmarks: {', '.join(failed)} ended with an error")


def _run(arguments: list[str], comparisons: Path) -> tuple[str, int]:
    """Run Python with these arguments; what it printed, shown as it comes, and its exit code."""
    print(f"\n$ python {' '.join(arguments)}", flush=True)
    child = subprocess.Popen(
        [sys.executable, "-u", *arguments],
        env={**os.environ, RESULTS: str(comparisons)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdout is not None
    lines = []
    for line in child.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    return "".join(lines), child.wait()


Load = tuple[float, float, float]


def _page(
    printed: Mapping[str, str],
    comparisons: Sequence[Mapping[str, Any]],
    begin: datetime,
    loads: tuple[Load, Load],
    failed: Sequence[str],
    short: bool,
) -> Iterator[str]:
    whole = "python -m benchmarks results --short" if short else "make bench"
    yield "# Results"
    yield ""
    yield f"Written by `{whole}`; do not edit. A ratio is ours / the other way, in the same run: below 1 is"
    yield "better for us. Ratios of time are medians of runs in turn; those of processor time and of peak"
    yield "memory compare the least of the runs. We are better or worse by processor time, where it is known."
    yield ""
    yield "| | |"
    yield "| --- | --- |"
    for key, value in _circumstances(begin, loads):
        yield f"| {key} | {value} |"
    yield ""
    if short:
        yield "A short run: small data, few rounds. It shows that everything runs, and the order of things."
        yield ""
    if failed:
        yield f"**Ended with an error: {', '.join(failed)}.**"
        yield ""
    yield "| work | ours | against | time | lowest to highest | processor | memory | we are |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for one in comparisons:
        median, lowest, highest = one["seconds"]
        cells = (
            one["title"],
            one["ours"],
            one["other"],
            f"{median:.2f}" + (f", goal {one['goal']:g}" if one["goal"] is not None else ""),
            f"{lowest:.2f} to {highest:.2f}",
            _ratio(one["busy"]),
            _ratio(one["peak"]),
            _word(one["busy"] if one["busy"] is not None else median),
        )
        yield f"| {' | '.join(cells)} |"
    for command, text in printed.items():
        yield ""
        yield f"## {command}"
        yield ""
        yield "```"
        yield from (line.rstrip() for line in text.strip("\n").splitlines())
        yield "```"


def _circumstances(begin: datetime, loads: tuple[Load, Load]) -> Iterator[tuple[str, str]]:
    yield "begun", f"{begin:%Y-%m-%d %H:%M} UTC"
    yield (
        "commit",
        _git("rev-parse", "--short=12", "HEAD")
        + (" and changes" if _git("status", "-s", "--", ":/", ":(exclude)results.md") else ""),
    )
    yield (
        "machine",
        f"{platform.machine()}, {_processor()}, {len(os.sched_getaffinity(0))} cores, {_memory()}",
    )
    first, last = (f"{load[0]:.1f}" for load in loads)
    yield (
        "load of the machine",
        f"{first} before, {last} at the end (processes that wanted a core, of a minute)",
    )
    yield "system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    yield "versions", ", ".join(f"{name} {_version(name)}" for name in _VERSIONS)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _word(ratio: float) -> str:
    if abs(ratio - 1) <= _EVEN:
        return "even"
    return "better" if ratio < 1 else "worse"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=FILE.parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "processor unknown"


def _memory() -> str:
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.0f} GB of memory"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
