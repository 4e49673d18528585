"""The program for Model Monitor's image takes the baseline that preprocessing writes for every version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from program_runs import Prepared

PROGRAM = Path(__file__).resolve().parents[2] / "sagemaker_local/programs/model_monitor/analyze.py"


def violations(folder: Path, rows: pa.Table, baseline: Path) -> list[dict[str, Any]]:
    """What the analysis finds of rows, against the documents of a baseline."""
    (folder / "data").mkdir(parents=True)
    pyarrow.csv.write_csv(rows, folder / "data" / "rows.csv")
    variables = {
        "dataset_format": '{"csv": {"header": true}}',
        "dataset_source": str(folder / "data"),
        "output_path": str(folder / "out"),
        "baseline_constraints": str(baseline / "constraints.json"),
        "baseline_statistics": str(baseline / "statistics.json"),
    }
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder / "ml")],
        env={**os.environ, **variables},
        cwd=PROGRAM.parent,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    document = json.loads((folder / "out" / "constraint_violations.json").read_text())
    found: list[dict[str, Any]] = document["violations"]
    return found


def test_the_rows_of_the_training_part_keep_to_it_and_others_do_not(
    prepare: Callable[..., Prepared], tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    size = generator.normal(10, 3, 6000).round(3)
    found = prepare(
        pa.table(
            {
                "size": size,
                "rooms": generator.integers(1, 6, 6000),
                "colour": generator.choice(["red", "green", "blue"], 6000),
                "y": np.where(size > 10, "yes", "no"),
            }
        )
    )
    assert found.code == 0, found.message
    baseline = found.output / "quality"
    names = [one["name"] for one in json.loads((baseline / "constraints.json").read_text())["features"]]
    rows = pq.read_table(found.output / "train").select(names)
    rows = rows.cast(pa.schema([(e.name, e.type.value_type if _is_text(e) else e.type) for e in rows.schema]))
    assert violations(tmp_path / "same", rows, baseline) == []
    moved = rows.set_column(names.index("size"), "size", pa.array(rows["size"].to_numpy() + 2))
    colours = pa.array(["violet", *rows["colour"].to_pylist()[1:]])
    moved = moved.set_column(names.index("colour"), "colour", colours)
    assert {
        (one["feature_name"], one["constraint_check_type"])
        for one in violations(tmp_path / "moved", moved, baseline)
    } == {("size", "baseline_drift_check"), ("colour", "categorical_values_check")}


def _is_text(entry: pa.Field) -> bool:
    return pa.types.is_dictionary(entry.type)
