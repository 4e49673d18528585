"""Of a row the evaluation keeps what its metrics need, and none of its columns."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program_runs import ROOT, Finished, hand_over_to_evaluation, run_program

COUNTED = """
import sys, tracemalloc
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import evaluate, pyarrow
tracemalloc.start()
evaluate.evaluate(Path(sys.argv[2]))
print(tracemalloc.get_traced_memory()[1] + pyarrow.default_memory_pool().max_memory())
"""
"""The most bytes that Python and NumPy had at once, and those that Arrow had."""

ALONE = os.environ | {"OMP_NUM_THREADS": "1"}
"""Threads of Arrow's hold a batch for a moment longer or less: up to fifty bytes a row of this difference."""

GATE = {"threshold": 0.0, "slices": ["shop"], "slice_floor": 0.01}


def write(part: Path, rows: int, columns: int, classes: int) -> None:
    """Rows of numbers, a class that goes with the first, and a column that is no feature."""
    draw = np.random.default_rng(rows)
    values = draw.normal(size=(columns, rows))
    place = np.argsort(np.argsort(values[0] + draw.logistic(size=rows))) * classes // rows
    label = np.array(names_of(classes))[place]
    shop = draw.integers(0, 9, rows).astype(str)
    table = pa.table(
        [*values, label, shop], names=[*(f"n{number}" for number in range(columns)), "y", "shop"]
    )
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    pq.write_table(table, part / "part.parquet", row_group_size=4_096, use_dictionary=False)


def names_of(classes: int) -> list[str]:
    return [f"class {number:02}" for number in range(classes)]


@pytest.mark.parametrize(("columns", "classes", "bytes_a_row"), [(5, 2, 60), (100, 2, 60), (5, 12, 95)])
def test_memory_grows_by_some_bytes_a_row_whatever_the_number_of_columns(
    columns: int, classes: int, bytes_a_row: int, tmp_path: Path, tumors: Finished
) -> None:
    schema = json.loads((tumors.folder / "input/data/schema/schema.json").read_text())
    names = [f"n{number}" for number in range(columns)]
    schema |= {"target": "y", "classes": names_of(classes), "source_columns": [*names, "shop", "y"]}
    schema |= {"task": "binary" if classes == 2 else "multiclass", "train_rows": [600 // classes] * classes}
    schema["features"] = [{"name": name, "kind": "number"} for name in names]
    (tmp_path / "input/data/schema").mkdir(parents=True)
    (tmp_path / "input/data/schema/schema.json").write_text(json.dumps(schema))
    (tmp_path / "input/config").mkdir()
    (tmp_path / "input/config/hyperparameters.json").write_text('{"num_round": "20", "max_depth": "3"}')
    write(tmp_path / "input/data/train", 600, columns, classes)
    write(tmp_path / "input/data/validation", 200, columns, classes)
    finished = run_program("training/train.py", tmp_path)
    assert finished.returncode == 0, finished.stderr
    shutil.copytree(tumors.folder / "processing/output/quality", tmp_path / "processing/output/quality")
    few, many = 66_000, 99_000  # more than two batches have, and than three
    peaks = []
    for rows in (few, many):
        write(tmp_path / "processing/output/test", rows, columns, classes)
        (tmp_path / "processing/input").mkdir(exist_ok=True)
        hand_over_to_evaluation(tmp_path, {**GATE, "metric": "auc" if classes == 2 else "weighted_f1"})
        command = [sys.executable, "-c", COUNTED, str(ROOT / "evaluation"), str(tmp_path)]
        counted = subprocess.run(command, env=ALONE, capture_output=True, text=True, timeout=300, check=False)
        assert counted.returncode == 0, counted.stderr
        peaks.append(int(counted.stdout.splitlines()[-1]))
    grown = (peaks[1] - peaks[0]) / (many - few)
    assert grown < bytes_a_row, f"{grown:.0f} bytes a row, of which the features alone have {8 * columns}"
