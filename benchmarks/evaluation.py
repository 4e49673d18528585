"""evaluate.py on test parts of different size: what does a row cost, in memory and in time?

Every run has two slices, a champion that is scored on the same rows, and all that a report holds. The test
part has the benchmark's mixed columns (26 features) and no row twice; the model has 50 trees.

    python -m benchmarks evaluation [--millions 0.1 1 10] [--task binary] [--against HEAD~1]

With ``--against`` the program of that commit runs in turn with this one.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks import by_hand, mixed_csv
from benchmarks.measure import Cost, in_turn, process, report
from benchmarks.preprocessing import _DATASET

_TARGETS = {"binary": "label", "multiclass": "c2", "regression": "n4"}
_ROWS_OF_A_FILE = 262_144  # as preprocessing writes them
_TRAINED_ON = 100_000
_FIRST_SEED = 1_000_000_000  # no block of the rows that were trained on
_ROUNDS = {"binary": 50, "multiclass": 5, "regression": 50}  # five rounds of twelve classes are 60 trees


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks evaluation", description=__doc__)
    parser.add_argument("--millions", type=float, nargs="+", default=[0.1, 1.0, 10.0], help="of rows")
    parser.add_argument("--task", choices=sorted(_TARGETS), default="binary")
    parser.add_argument("--against", help="a commit, whose program is measured too")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        programs = {"evaluate.py": by_hand.ROOT / "evaluation"}
        if options.against:
            programs[f"that of {options.against}"] = _program_of(options.against, folder / "before")
        _prepare(folder, options.task)
        for millions in options.millions:
            rows = round(1_000_000 * millions)
            _write_test_part(folder, rows)
            ways = {name: _evaluation(folder, program) for name, program in programs.items()}
            report(f"{options.task}, {rows:,} rows", in_turn(ways, options.rounds), "evaluate.py", {})


def _prepare(folder: Path, task: str) -> None:
    """A model, a champion that is a little worse, and the gate, laid out as the step is given them."""
    made = folder / "made"
    regression = task == "regression"
    dataset = {**_DATASET, "task": task, "target": _TARGETS[task]}
    if task != "binary":
        del dataset["positive_class"]
    by_hand.preprocess(made, mixed_csv.write(folder / "mixed.csv", _TRAINED_ON), dataset)
    inputs = folder / "processing/input"
    for name, rounds in (("champion", _ROUNDS[task] // 2), ("model", _ROUNDS[task])):
        work = folder / f"train-{name}"
        shutil.copytree(made, work)
        by_hand.train(work, {"num_round": str(rounds), "max_depth": "6", "eta": "0.1"})
        (inputs / name).mkdir(parents=True)
        with tarfile.open(inputs / name / "model.tar.gz", "w:gz") as archive:
            archive.add(work / "model", arcname=".")
    metric, threshold = {"binary": ("auc", 0.5), "multiclass": ("weighted_f1", 0.0)}.get(task, ("rmse", 1e9))
    gate = {"metric": metric, "threshold": threshold, "champion": "production"}
    if not regression:
        gate |= {"slices": ["c3", "c5"], "slice_floor": 0.01}
    (inputs / "gate").mkdir()
    (inputs / "gate" / "gate.json").write_text(json.dumps(gate))


def _write_test_part(folder: Path, rows: int) -> None:
    """Files as preprocessing writes them, of rows that it has not seen."""
    schema = pq.read_schema(next((folder / "made/processing/output/test").glob("*.parquet")))
    part = folder / "processing/input/test"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    names = mixed_csv.category_names()
    for number, start in enumerate(range(0, rows, _ROWS_OF_A_FILE)):
        generator = np.random.default_rng(_FIRST_SEED + start)
        block = mixed_csv.block(generator, min(_ROWS_OF_A_FILE, rows - start), names)
        pq.write_table(block.select(schema.names).cast(schema), part / f"part-{number:05}.parquet")


def _evaluation(folder: Path, program: Path) -> Callable[[], Cost]:
    command = [sys.executable, str(program / "evaluate.py"), "--opt-ml", str(folder)]
    return lambda: process([*command, "--champion-version", "1"])


def _program_of(commit: str, folder: Path) -> Path:
    """The folder ``evaluation`` of a commit."""
    command = ["git", "-C", str(by_hand.ROOT), "archive", commit, "evaluation"]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        found.extractall(folder, filter="data")
    return folder / "evaluation"


if __name__ == "__main__":
    main()
