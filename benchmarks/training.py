"""train.py against a bare `xgboost.train` on the same Parquet files with the same parameters.

python -m benchmarks training [--gigabytes 1]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks import by_hand, mixed_csv
from benchmarks.measure import Cost, in_turn, process, report
from benchmarks.preprocessing import _DATASET, RIVALS

ROUNDS, DEPTH, ETA = 100, 6, 0.1


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks training", description=__doc__)
    parser.add_argument(
        "--gigabytes", type=float, default=1.0, help="size of the CSV behind the Parquet files"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = round(mixed_csv.ROWS_PER_GB * options.gigabytes)
        prepared = folder / "prepared"
        by_hand.preprocess(prepared, mixed_csv.write(folder / "mixed.csv", rows), _DATASET)

        def ours() -> Cost:
            work = folder / "work"
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(prepared / "processing/output", work / "processing/output", copy_function=_link)
            hyperparameters = {
                "num_round": str(ROUNDS),
                "max_depth": str(DEPTH),
                "eta": str(ETA),
                "early_stopping_rounds": str(ROUNDS),
            }
            return by_hand.train(work, hyperparameters)

        def bare() -> Cost:
            command = [sys.executable, str(RIVALS / "bare_xgboost.py"), str(prepared / "processing/output")]
            return process([*command, "label", "yes", str(ROUNDS), str(DEPTH), str(ETA)])

        costs = in_turn({"train.py": ours, "xgboost.train alone": bare}, 3)
        report(
            f"Training on {rows:,} rows, {ROUNDS} rounds", costs, "train.py", {"xgboost.train alone": 1.05}
        )


def _link(source: str, destination: str) -> None:
    Path(destination).hardlink_to(source)


if __name__ == "__main__":
    main()
