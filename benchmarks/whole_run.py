"""What the local SageMaker costs: `gatehouse run` with a cold cache against its three programs run by hand.

The SageMaker SDK's import (about a second that the real SageMaker costs as well) is measured in
the same round and taken off; everything else counts: interpreter, endpoint, upload, upsert, staging,
gate, registration.

    python -m benchmarks whole_run                  the example project, and a CSV of 1 GB
    python -m benchmarks whole_run --gigabytes 0    the example project alone
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import by_hand, mixed_csv
from benchmarks.measure import Cost, in_turn, process, report

GATEHOUSE = str(Path(sys.executable).parent / "gatehouse")
_LEAVE = "import os; os._exit(0)"
_DEFAULTS: dict[str, Any] = {
    "task": "binary",
    "features": None,
    "drop": [],
    "columns": None,
    "header": True,
    "delimiter": ",",
    "missing_values": ["", "NA", "NaN", "null"],
    "kinds": {},
    "key": None,
    "split": {"train": 0.70, "validation": 0.15, "test": 0.15},
    "seed": 0,
    "max_categories": 1000,
}
_PROJECT = """
[projects.bench.run]
description = "A benchmark"
owner = "nobody"
region = "eu-west-1"
task = "binary"
accuracy_threshold = 0.5
[projects.bench.run.data]
source = "{source}"
target = "{target}"
positive_class = "{positive}"
[projects.bench.run.training]
{training}
"""


def compare(
    title: str,
    source: Path,
    target: str,
    positive: str,
    training: Mapping[str, Any],
    rounds: int,
    goal: float,
) -> None:
    """Run both ways over `source` in turn and print the ratio."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        settings = folder / "projects.toml"
        lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in training.items())
        settings.write_text(_PROJECT.format(source=source, target=target, positive=positive, training=lines))

        def ours() -> Cost:
            home = folder / "home"
            shutil.rmtree(home, ignore_errors=True)
            environment = {"GATEHOUSE_HOME": str(home), "GATEHOUSE_SETTINGS": str(settings)}
            whole = process([GATEHOUSE, "run", "bench-run", "--json"], environment=environment)
            # Both leave without clearing up: what the import adds to a program's end is not its import.
            sdk = process([sys.executable, "-c", f"import pipelines.definition.sagemaker_sdk; {_LEAVE}"])
            bare = process([sys.executable, "-c", _LEAVE])
            return Cost(
                whole.seconds - (sdk.seconds - bare.seconds),
                whole.peak_mb,
                whole.busy - (sdk.busy - bare.busy),
            )

        def hand() -> Cost:
            work = folder / "work"
            shutil.rmtree(work, ignore_errors=True)
            dataset = {**_DEFAULTS, "target": target, "positive_class": positive}
            parts = [
                by_hand.preprocess(work, source, dataset),
                by_hand.train(work, {name: str(value) for name, value in training.items()}),
                by_hand.evaluate(work),
            ]
            return Cost(
                sum(part.seconds for part in parts),
                max(part.peak_mb for part in parts),
                sum(part.busy for part in parts),
            )

        name = "gatehouse run, without the SDK's import"
        costs = in_turn({name: ours, "the three programs by hand": hand}, rounds)
        report(title, costs, name, {"the three programs by hand": goal})
        extra = [
            mine.seconds - theirs.seconds
            for mine, theirs in zip(costs[name], costs["the three programs by hand"], strict=True)
        ]
        print(f"  what the command adds: {statistics.median(extra):.2f} s")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks whole_run", description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the large set; 0 leaves it out")
    options = parser.parse_args(arguments)
    training = {"max_depth": 4, "eta": 0.1, "num_round": 300, "subsample": 0.9, "early_stopping_rounds": 20}
    small = by_hand.ROOT / "examples" / "tumor-diagnosis" / "wdbc.csv"
    compare("The example project, 569 rows", small, "diagnosis", "malignant", training, 5, 1.2)
    if options.gigabytes:
        rows = round(mixed_csv.ROWS_PER_GB * options.gigabytes)
        with tempfile.TemporaryDirectory() as temporary:
            source = mixed_csv.write(Path(temporary) / "mixed.csv", rows)
            size = f"{source.stat().st_size / 1e9:.2f} GB"
            training = {"max_depth": 6, "eta": 0.1, "num_round": 200, "early_stopping_rounds": 20}
            compare(f"A CSV of {size}, {rows:,} rows", source, "label", "yes", training, 1, 1.05)


if __name__ == "__main__":
    main()
