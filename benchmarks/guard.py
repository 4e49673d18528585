"""A short run for CI: fails where a ratio is worse than the one in `guard.toml` by more than its slack.

Both sides of each ratio are measured in this run, on one core, in turn, in processor seconds, and the least
of the rounds counts: other work on the machine adds to a run now and then, and takes from none. What is left
of its influence the slack covers: the guard finds what became two or three times as slow, and nothing less.
It takes less than a minute of processor time.

    python -m benchmarks guard [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import mixed_csv, preprocessing, training
from benchmarks.load import FEW_REGION, MANY_REGION, connection
from benchmarks.measure import Cost, in_turn
from benchmarks.object_store import OURS, busy, free_port, get, local_sagemaker, put, server

FILE = Path(__file__).with_name("guard.toml")
_CSV_ROWS, _TRAINED_ROWS, _TREES, _OBJECT_MB = 150_000, 30_000, 60, 64
_FEW, _MANY, _PAGES = 10, 1000, 500
Ways = dict[str, Callable[[], Cost]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks guard", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    bounds = tomllib.loads(FILE.read_text(encoding="utf-8"))
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])  # XGBoost's threads spin where they wait
    worse = []
    with tempfile.TemporaryDirectory() as folder:
        for name, ways in _measured(Path(folder)):
            (mine, theirs) = in_turn(ways, options.rounds).values()
            ratio = min(cost.busy for cost in mine) / min(cost.busy for cost in theirs)
            bound = bounds[name]
            highest = bound["ratio"] * bound["slack"]
            print(
                f"  {' / '.join(ways):<60}{ratio:6.2f}, was {bound['ratio']:g}, at most {highest:.2f}",
                flush=True,
            )
            if ratio > highest:
                worse.append(f"{name} {ratio:.2f}, which is more than {highest:.2f}")
    if worse:
        sys.exit(
            f"benchmarks: worse than before: {'; '.join(worse)}. Find the commit that did it, or, if it is"
            f" worth that, write the new ratio into {FILE.name} and say why"
        )


def _measured(folder: Path) -> Iterator[tuple[str, Ways]]:
    """The name of each ratio, and its two ways: ours, then what it is compared with."""
    source = mixed_csv.write(folder / "rows.csv", _CSV_ROWS)
    yield (
        "preprocess",
        {
            "preprocess.py": partial(preprocessing.ours, folder, source),
            "the pyarrow loop": partial(preprocessing.rival, folder, source, "pyarrow_loop.py"),
        },
    )
    yield (
        "profile",
        {
            "preprocess.py --step profile": partial(preprocessing.ours, folder, source, "--step", "profile"),
            "preprocess.py": partial(preprocessing.ours, folder, source),
        },
    )
    parts = training.prepared(folder, _TRAINED_ROWS)
    yield (
        "train",
        {
            "train.py": partial(training.ours, folder, parts, "auto", _TREES),
            "xgboost alone": partial(training.alone, parts, "auto", _TREES),
        },
    )
    yield from _of_servers(folder)


def _of_servers(folder: Path) -> Iterator[tuple[str, Ways]]:
    source = folder / "object"
    source.write_bytes(os.urandom(_OBJECT_MB << 20))
    ports = free_port(), free_port()
    moto = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(ports[1])]
    with (
        server(local_sagemaker(folder / "home", ports[0]), f"http://127.0.0.1:{ports[0]}") as (ours, pid),
        server(moto, f"http://127.0.0.1:{ports[1]}") as (theirs, moto_pid),
    ):
        for name, transfer in (("s3_put", put), ("s3_get", get)):
            yield (
                name,
                {
                    f"{OURS}'s S3, {name[3:]}": partial(transfer, ours, pid, source),
                    "moto": partial(transfer, theirs, moto_pid, source),
                },
            )
        send = connection(ports[0])
        for region, count in ((FEW_REGION, _FEW), (MANY_REGION, _MANY)):
            for number in range(count):
                send(
                    "AmazonSSM.PutParameter", {"Name": f"/b/{number}", "Value": "v", "Type": "String"}, region
                )
        yield (
            "listing",
            {
                f"a page of ten among {_MANY:,}": partial(_pages, send, pid, MANY_REGION),
                f"among {_FEW}": partial(_pages, send, pid, FEW_REGION),
            },
        )


def _pages(send: Any, pid: int, region: str) -> Cost:
    before = busy(pid)
    for _ in range(_PAGES):
        send("AmazonSSM.DescribeParameters", {"MaxResults": 10}, region)
    return Cost(float("nan"), busy=busy(pid) - before)


if __name__ == "__main__":
    main()
