"""A slice column need not be a feature: the test part keeps it, and the verdict names its worst value."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from program_runs import (
    as_csv,
    hand_over_to_evaluation,
    hand_over_to_training,
    lay_out,
    run_program,
)


def rows(bad_clinic: str, count: int = 3000) -> str:
    """Clinic decides nothing but how good the measurement is: in one of them it is noise."""
    generator = random.Random(7)
    lines = []
    for number in range(count):
        clinic = f"clinic {number % 5}"
        ill = generator.random() < 0.5
        measured = generator.gauss(3.0 if ill else 0.0, 1.0)
        if clinic == bad_clinic:
            measured = generator.gauss(1.5, 1.8)
        lines.append([f"{measured:.4f}", f"{generator.random():.4f}", clinic, "ill" if ill else "well"])
    return as_csv(["measured", "other", "clinic", "y"], lines)


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[str, Mapping[str, Any]], dict[str, Any]]:
    """All three programs over the rows; the verdict for the gate's settings."""

    def run(bad_clinic: str, gate: Mapping[str, Any]) -> dict[str, Any]:
        settings = {"task": "binary", "target": "y", "drop": ["clinic"], "slices": ["clinic"]}
        folder = lay_out(tmp_path, {"data.csv": rows(bad_clinic)}, settings)
        for program, next_one in (
            ("processing/preprocess.py", lambda: hand_over_to_training(folder, {"num_round": "20"})),
            ("training/train.py", lambda: hand_over_to_evaluation(folder, gate)),
            ("evaluation/evaluate.py", lambda: None),
        ):
            finished = run_program(program, folder)
            assert finished.returncode == 0, finished.stderr
            next_one()
        found: dict[str, Any] = json.loads(
            (folder / "processing/output/evaluation/verdict.json").read_text(encoding="utf-8")
        )
        return found

    return run


GATE = {"metric": "accuracy", "threshold": 0.7, "slices": ["clinic"], "slice_floor": 0.8}


def test_the_worst_value_of_a_slice_is_named_and_refuses_the_model(
    judged: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    verdict = judged("clinic 3", GATE)
    assert verdict["verdict"] == "refused"
    (check,) = [check for check in verdict["checks"] if check["name"] == "slices clinic"]
    assert not check["passed"]
    assert "where clinic = clinic 3" in check["sentence"]
    assert check["value"] < 0.8
    output = tmp_path / "processing/output"
    assert "clinic" in pq.read_table(output / "test").column_names
    assert "clinic" not in pq.read_table(output / "train").column_names


def test_a_model_that_is_good_everywhere_passes(judged: Callable[..., dict[str, Any]]) -> None:
    verdict = judged("none", GATE)
    assert verdict["verdict"] == "passed", verdict
    (check,) = [check for check in verdict["checks"] if check["name"] == "slices clinic"]
    assert "nowhere shown to be below 0.8" in check["sentence"]
