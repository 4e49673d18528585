"""The same rows give the same model and the same statistics: in any order, any files, any number of
instances."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program_runs import (
    as_csv,
    hand_over_to_evaluation,
    hand_over_to_training,
    lay_out,
    mixed_rows,
)


def run(
    folder: Path,
    rows: Sequence[Sequence[Any]],
    settings: Mapping[str, Any],
    hyperparameters: Mapping[str, str],
    gate: Mapping[str, Any],
    *,
    header: Sequence[str],
    files: int,
    instances: int,
) -> dict[str, Any]:
    """What the three programs make of the rows, spread over files and preprocessing instances."""
    import evaluate
    import preprocess
    import train

    data = {f"{place}.csv": as_csv(header, rows[place::files]) for place in range(files)}
    hosts = [f"algo-{number}" for number in range(1, instances + 1)]
    for host in hosts:
        own = lay_out(folder / host, data, settings)
        config = own / "config" / "resourceconfig.json"
        config.parent.mkdir(exist_ok=True)
        config.write_text(json.dumps({"current_host": host, "hosts": hosts}))
        assert preprocess.main(["--opt-ml", str(own)]) == 0
    first = folder / hosts[0]
    for host in hosts[1:]:  # as SageMaker brings the instances' outputs together
        shutil.copytree(folder / host / "processing/output", first / "processing/output", dirs_exist_ok=True)
    hand_over_to_training(first, hyperparameters)
    assert train.main(["--opt-ml", str(first)]) == 0
    hand_over_to_evaluation(first, gate)
    assert evaluate.main(["--opt-ml", str(first)]) == 0
    evaluation = first / "processing/output/evaluation"
    statistics = json.loads((evaluation / "statistics.json").read_text())
    del statistics["dataset"]["evaluation_time"]
    verdict = json.loads((evaluation / "verdict.json").read_text())
    return {
        "schema": json.loads((first / "model/schema.json").read_text()),
        "quality": json.loads((first / "processing/output/quality/statistics.json").read_text()),
        "model": (first / "model/model.ubj").read_bytes(),
        "importance": (first / "model/feature_importance.json").read_text(),
        "statistics": statistics,
        "test_sha256": verdict["test_sha256"],
        "checks": [(check["passed"], check["sentence"]) for check in verdict["checks"]],
    }


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_same_rows_give_the_same_model_and_statistics(tmp_path: Path, task: str) -> None:
    header, rows = mixed_rows(1500)
    rows = [*rows, *rows[:200]]  # some are there twice
    settings: dict[str, Any] = {"task": task, "target": "y", "slices": ["shop"] if task == "binary" else []}
    gate: dict[str, Any] = {"metric": "accuracy", "threshold": 0.5}
    hyperparameters = {"num_round": "30", "subsample": "0.7", "max_depth": "4", "seed": "3"}
    if task == "binary":
        gate |= {"slices": ["shop"], "slice_floor": 0.1}
    if task == "multiclass":
        rows = [[*row[:-1], f"class {(row[1] + len(row[2])) % 3}"] for row in rows]
        hyperparameters["class_weights"] = "balanced"
    if task == "regression":
        rows = [[*row[:-1], (float(row[0] or 0) + row[1] / 7) / 3] for row in rows]
        gate = {"metric": "rmse", "threshold": 100.0}
    shuffled = list(rows)
    random.Random(1).shuffle(shuffled)
    found = [
        run(
            tmp_path / str(place),
            *how,
            settings,
            hyperparameters,
            gate,
            header=header,
            files=files,
            instances=instances,
        )
        for place, (*how, files, instances) in enumerate(
            [(rows, 1, 1), (shuffled, 1, 1), (shuffled[::-1], 3, 3)]
        )
    ]
    assert found[0] == found[1] == found[2]
    assert len(found[0]["test_sha256"]) == 64


def test_other_rows_or_other_columns_have_another_digest(tmp_path: Path) -> None:
    import evaluate

    def digest(name: str, *tables: dict[str, list[Any]]) -> str:
        (tmp_path / name).mkdir()
        for place, columns in enumerate(tables):
            pq.write_table(pa.table(columns), tmp_path / name / f"part-{place}.parquet")
        return evaluate._digest_of_rows(tmp_path / name)

    same = digest("whole", {"a": [1, 2, 3], "b": ["x", None, "z"]})
    assert digest("cut", {"a": [3, 2], "b": ["z", None]}, {"a": [1], "b": ["x"]}) == same
    others = [
        digest("value", {"a": [1, 2, 3], "b": ["x", None, "y"]}),
        digest("twice", {"a": [1, 2, 3, 3], "b": ["x", None, "z", "z"]}),
        digest("crossed", {"a": [2, 1, 3], "b": ["x", None, "z"]}),
        digest("named", {"a": [1, 2, 3], "c": ["x", None, "z"]}),
    ]
    assert len({same, *others}) == 5


def test_bits_that_mean_the_same_do_not_change_an_order() -> None:
    import content_order
    import row_order

    numbers = np.array([1.5, np.nan, 3.0])
    others = np.array([1.5, -np.nan, 3.0])
    assert numbers.tobytes() != others.tobytes()
    ones = np.ones(3, np.float32)
    ours, theirs = (
        row_order.content_hashes(values[:, None].astype(np.float32), ones) for values in (numbers, others)
    )
    assert ours.tolist() == theirs.tolist()
    tables = [
        pa.table({"a": pa.array([0, None, 3], pa.int64())}),
        pa.table({"a": [-0.0, np.nan, 3.0]}),
        pa.table({"a": [0.0, -np.nan, 3.0]}),
    ]
    ours, *others_ = (content_order.content_hashes(table).tolist() for table in tables)
    assert others_ == [ours, ours]


def test_zero_with_a_minus_is_zero_in_training(tmp_path: Path) -> None:
    import feature_encoding
    import parts

    path = tmp_path / "schema.json"
    feature = {"name": "a", "kind": "number"}
    keys = {"classes": [], "source_columns": ["a", "y"], "delimiter": ",", "missing_values": [""]}
    path.write_text(json.dumps({"task": "regression", "target": "y", "features": [feature], **keys}))
    schema = feature_encoding.read_schema(path)
    rows = parts._encoded(pa.table({"a": [-0.0, 1.0], "y": [-0.0, 2.0]}), schema)
    assert not np.signbit(rows.data).any()
    assert not np.signbit(rows.label).any()


def test_the_sample_that_origins_come_from_does_not_depend_on_the_order() -> None:
    from row_sample import RowSample

    values = np.random.default_rng(1).integers(0, 2**63, 3000).astype(np.uint64)
    values = np.concatenate([values, np.repeat(values[:10], 900)])
    kept = []
    for seed in range(3):
        sample = RowSample(rows=50, distinct=True)
        for part in np.array_split(np.random.default_rng(seed).permutation(values), 7):
            sample.add(pa.record_batch({"a": part}), part, part)
        kept.append(sample.table()["a"].to_pylist())
    assert kept == [np.unique(values)[:50].tolist()] * 3


def test_a_key_that_pandas_wrote_with_a_missing_one_beside_it_is_the_same_key() -> None:
    import splitting

    whole, decimal, padded = splitting.key_hashes(pa.array(["7", "7.0", "007"])).tolist()
    assert whole == decimal != padded
