"""How long each program takes for a GB of CSV on one core and on all: what `gatehouse plan` calculates with.

Each program runs on two sizes, which tells what it costs at any size from what it costs a GB, and on one
core and on all that there are, which tells the share of its work that more cores make faster (Amdahl's law:
``time(n) = time(1) * (1 - share + share / n)``). Processor seconds count, to which other work on the machine
adds little: those of the process on one core, and on all cores those of its first thread, for which the
others work. XGBoost's threads spin while they wait for each other, so on a busy machine its share comes out
too small. The least of the rounds counts. The last lines are what belongs into
`pipelines/upsert/throughput.toml`.

    python -m benchmarks throughput [--gigabytes 1] [--rounds 3] [--trees 100]
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import by_hand, mixed_csv
from benchmarks.measure import Cost
from benchmarks.preprocessing import _DATASET

TREES, DEPTH = 100, 6
_PART = 5
"""The small set is this part of the large one."""

_PROGRAMS = ("preprocess", "train", "evaluate")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks throughput", description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the larger CSV")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trees", type=int, default=TREES, help="of a training")
    options = parser.parse_args(arguments)
    every = sorted(os.sched_getaffinity(0))
    least: dict[tuple[str, float, int], Cost] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sizes = (options.gigabytes / _PART, options.gigabytes)
        sources = {
            size: mixed_csv.write(folder / f"{size}.csv", round(mixed_csv.ROWS_PER_GB * size))
            for size in sizes
        }
        for number in range(options.rounds):
            for size, source in sources.items():
                for cores in {1, len(every)}:
                    with _on(every[:cores]):
                        costs = [*_run(folder / "work", source, options.trees)]
                    for program, cost in zip(_PROGRAMS, costs, strict=True):
                        key = (program, size, cores)
                        before = least.get(key, cost)
                        least[key] = Cost(
                            min(cost.seconds, before.seconds),
                            cost.peak_mb,
                            min(cost.busy, before.busy),
                            min(cost.main, before.main),
                        )
                        print(
                            f"  round {number + 1}  {program:<11}{source.stat().st_size / 1e9:5.2f} GB"
                            f" {cores} cores {cost.seconds:8.2f} s, busy {cost.busy:8.2f} s,"
                            f" the first thread {cost.main:8.2f} s,"
                            f" {cost.peak_mb:7,.0f} MB",
                            flush=True,
                        )
        gigabytes = {size: source.stat().st_size / 1e9 for size, source in sources.items()}
    for program in _PROGRAMS:
        small, large = (least[program, size, 1].busy for size in sizes)
        apiece = (large - small) / (gigabytes[sizes[1]] - gigabytes[sizes[0]])
        ratio = least[program, sizes[1], len(every)].main / large
        share = min(1.0, max(0.0, (1 - ratio) / (1 - 1 / len(every)))) if len(every) > 1 else float("nan")
        print(f"\n[{program}]")
        print(f"seconds = {max(0.0, small - apiece * gigabytes[sizes[0]]):.1f}")
        print(f"seconds_per_gb = {apiece:.1f}")
        print(f"parallel = {share:.2f}")


def _run(work: Path, source: Path, trees: int) -> Iterator[Cost]:
    shutil.rmtree(work, ignore_errors=True)
    yield by_hand.preprocess(work, source, _DATASET)
    hyperparameters = {"num_round": trees, "max_depth": DEPTH, "early_stopping_rounds": 0}
    yield by_hand.train(work, {name: str(value) for name, value in hyperparameters.items()})
    yield by_hand.evaluate(work)


@contextmanager
def _on(cores: list[int]) -> Iterator[None]:
    """Processes started within use these cores alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


if __name__ == "__main__":
    main()
