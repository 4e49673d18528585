"""Writes the tables of docs/scaling.md: what to take for how much data, how long it takes, what it costs.

    python -m pipelines.upsert.sizes

They are calculated as `gatehouse plan` calculates (``calculated.py``), with the prices of ``prices.toml`` and
the settings' own defaults for everything else. The rest of the page is written by people; a test fails when
the tables are not what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipelines import ROOT
from pipelines.settings.project import Split, Training
from pipelines.upsert import calculated
from pipelines.upsert.calculated import Data, Job, Program
from pipelines.upsert.prices import FILE as PRICES
from pipelines.upsert.prices import Prices, read_prices
from training.memory import plan

FILE = ROOT / "docs" / "scaling.md"
_BEGIN, _END = "<!-- sizes -->\n", "<!-- end of sizes -->\n"
_ROWS_OF_A_GB, _FEATURES = 4_600_000, 26  # of the benchmarks' data
_MEMORY_OF_A_VCPU = 4e9  # of the ml.m5 family
_OF_THE_SYSTEM = 0.9  # of an instance's memory that a job finds


@dataclass(frozen=True)
class Size:
    """What is taken for so much data.

    Attributes:
        processing, training: a number of instances and their type.
        test: the part of the rows that evaluation reads.
        more: other settings that are needed.
    """

    gigabytes: int
    processing: tuple[int, str]
    training: tuple[int, str]
    test: float = Split().test
    more: str = ""


SIZES = (
    Size(1, (1, "ml.m5.xlarge"), (1, "ml.m5.xlarge"), more="the defaults"),
    Size(10, (1, "ml.m5.xlarge"), (1, "ml.m5.4xlarge")),
    Size(
        100,
        (10, "ml.m5.xlarge"),
        (4, "ml.m5.12xlarge"),
        test=0.05,
        more='`processing = "sharded"`, 10 files or more;'
        " `split = { train = 0.9, validation = 0.05, test = 0.05 }`",
    ),
    Size(
        1000,
        (40, "ml.m5.xlarge"),
        (10, "ml.m5.24xlarge"),
        test=0.01,
        more='`processing = "sharded"`, 40 files or more; `volume_size_gb = 60`; `max_runtime_hours = 24`;'
        " `split = { train = 0.98, validation = 0.01, test = 0.01 }`",
    ),
)


def page(written: str, prices: Prices) -> str:
    """The page with today's tables, given the page as it is."""
    head, _, rest = written.partition(_BEGIN)
    return f"{head}{_BEGIN}{''.join(_tables(prices))}{_END}{rest.partition(_END)[2]}"


def _tables(prices: Prices) -> Iterator[str]:
    yield "| data | preprocessing | training | set besides |\n| --- | --- | --- | --- |\n"
    for size in SIZES:
        yield f"| {size.gigabytes:,} GB | {_set(size.processing)} | {_set(size.training)} | {size.more} |\n"
    yield "\n| data | preprocess | train | evaluate | all with waiting | cost | training in memory |\n"
    yield "| --- | --- | --- | --- | --- | --- | --- |\n"
    for size in SIZES:
        yield _row(size, prices)
    yield f"\nPrices: {prices.region}, {prices.date}, {prices.currency}, on demand.\n"


def _row(size: Size, prices: Prices) -> str:
    sharded = size.processing[0] > 1
    data = Data(size.gigabytes, test=size.test)
    reads = _seconds("preprocess", data, size.processing)
    merges = _seconds("preprocess", Data(0), (1, size.processing[1]))
    trains = _seconds("train", data, size.training, Training())
    tests = _seconds("evaluate", data, (1, size.processing[1]))
    preprocesses = 2 * reads + merges if sharded else reads
    jobs = 5 if sharded else 3
    cost = sum(
        count * seconds / 3600 * prices.per_hour[kind]
        for seconds, (count, kind) in (
            ((2 if sharded else 1) * reads, size.processing),
            (merges if sharded else 0.0, (1, size.processing[1])),
            (trains, size.training),
            (tests, (1, size.processing[1])),
        )
    )
    whole = preprocesses + trains + tests + jobs * calculated.start_seconds()
    cells = (*map(_time, (preprocesses, trains, tests, whole)), f"{cost:,.2f}", _memory(size))
    return f"| {size.gigabytes:,} GB | {' | '.join(cells)} |\n"


def _seconds(
    program: Program, data: Data, instances: tuple[int, str], training: Training | None = None
) -> float:
    """What each instance is billed for."""
    count, kind = instances
    cores = calculated.cores_of(kind)
    assert cores is not None, kind
    job = Job(program, data, cores, count)
    if training is not None:
        job = replace(job, rounds=training.num_round, max_depth=training.max_depth)
    return calculated.working_seconds(job) + calculated.loading_seconds(job)


def _memory(size: Size) -> str:
    """Whether it fits, by the rule of the training program itself."""
    count, kind = size.training
    rows = round(size.gigabytes * _ROWS_OF_A_GB * (1 - size.test) / count)
    at_hand = int((calculated.cores_of(kind) or 0) * _MEMORY_OF_A_VCPU * _OF_THE_SYSTEM)
    return "no" if plan(rows, _FEATURES, 1, 0, at_hand, "auto").external else "yes"


def _set(instances: tuple[int, str]) -> str:
    count, kind = instances
    return f"{count} x `{kind}`"


def _time(seconds: float) -> str:
    if seconds < 5400:
        return f"{max(1, round(seconds / 60))} min"
    return f"{seconds / 3600:.1f} h"


if __name__ == "__main__":
    FILE.write_text(page(FILE.read_text(encoding="utf-8"), read_prices(PRICES.parent)), encoding="utf-8")
