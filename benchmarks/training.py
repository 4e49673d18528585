"""train.py against XGBoost alone on the same Parquet files with the same parameters, in and out of memory.

XGBoost alone is what one would write by hand: a `QuantileDMatrix` of a data frame
(`rivals/bare_xgboost.py`), and an `ExtMemQuantileDMatrix` over batches of the files
(`rivals/bare_external.py`). What it does not do: sort the rows, so that their order does not matter; write
the model, its serving code and what explains it; checkpoints; refuse what is wrong with a reason.

    python -m benchmarks training [--gigabytes 1] [--rounds 3]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks import by_hand, mixed_csv
from benchmarks.measure import Cost, in_turn, process, report
from benchmarks.preprocessing import _DATASET, RIVALS

ROUNDS, DEPTH, ETA = 100, 6, 0.1
BATCH_ROWS = 1 << 19
"""Of a batch from the disk: the most that train.py takes."""

_BARE = {"auto": "bare_xgboost.py", "always": "bare_external.py"}
_OURS = "train.py"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks training", description=__doc__)
    parser.add_argument(
        "--gigabytes", type=float, default=1.0, help="size of the CSV behind the Parquet files"
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each way")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = round(mixed_csv.ROWS_PER_GB * options.gigabytes)
        parts = prepared(folder, rows)
        for external, where in (("auto", "in memory"), ("always", "from the disk")):
            bare = f"xgboost alone, {where}"
            ways = {_OURS: partial(ours, folder, parts, external), bare: partial(alone, parts, external)}
            costs = in_turn(ways, options.rounds)
            title = f"Training on {rows:,} rows, {ROUNDS} rounds, {where}"
            report(title, costs, _OURS, {bare: 1.05} if external == "auto" else {})


def prepared(folder: Path, rows: int) -> Path:
    """Parts of so many rows, as preprocess.py writes them."""
    work = folder / "prepared"
    by_hand.preprocess(work, mixed_csv.write(folder / "mixed.csv", rows), _DATASET)
    return work / "processing/output"


def ours(folder: Path, parts: Path, external: str = "auto", rounds: int = ROUNDS) -> Cost:
    """Run train.py on the parts, to its last round."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(parts, work / "processing/output", copy_function=_link)
    hyperparameters = {
        "num_round": str(rounds),
        "max_depth": str(DEPTH),
        "eta": str(ETA),
        "early_stopping_rounds": str(rounds),
        "external_memory": external,
    }
    return by_hand.train(work, hyperparameters)


def alone(parts: Path, external: str = "auto", rounds: int = ROUNDS) -> Cost:
    """Run XGBoost alone on the parts."""
    command = [sys.executable, str(RIVALS / _BARE[external]), str(parts)]
    more = [str(BATCH_ROWS)] if external == "always" else []
    return process([*command, "label", "yes", str(rounds), str(DEPTH), str(ETA), *more])


def _link(source: str, destination: str) -> None:
    Path(destination).hardlink_to(source)


if __name__ == "__main__":
    main()
