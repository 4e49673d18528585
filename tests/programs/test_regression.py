"""A task whose target is a number: what preprocessing writes of it, and what is trained and served."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program_runs import PARTS, Finished, Prepared, as_csv


def test_the_schema_holds_the_mean_of_the_training_part_and_no_classes(
    prepare: Callable[..., Prepared],
) -> None:
    rows = [[n, n % 7, "" if n % 10 == 0 else n * 0.25 - 3] for n in range(400)]
    prepared = prepare(as_csv(["a", "b", "y"], rows), task="regression")
    assert prepared.code == 0, prepared.err
    assert "40 rows have no value in the target 'y' and were left out" in prepared.out
    assert re.fullmatch(
        r"360 rows: \d+ train, \d+ validation, \d+ test; 2 features, a number as the target", prepared.message
    )
    train = prepared.part("train")["y"]
    assert train.type == pa.float64()
    schema = prepared.schema
    assert schema["train_target"] == {
        "mean": pytest.approx(np.mean(train.to_numpy()), rel=1e-10),
        "count": train.length(),
    }
    assert (schema["classes"], schema["positive_class"]) == ([], None)
    assert "train_rows" not in schema
    assert schema["rows"] == {part: prepared.part(part).num_rows for part in PARTS}
    (target,) = (entry for entry in prepared.statistics["features"] if entry["name"] == "y")
    assert target["inferred_type"] == "Fractional"
    assert target["numerical_statistics"]["common"]["num_present"] == train.length()


def test_the_part_of_a_row_does_not_depend_on_the_task(prepare: Callable[..., Prepared]) -> None:
    data = as_csv(["a", "y"], [[n, n % 3] for n in range(300)])
    by_number, by_class = (prepare(data, task=task, folder=task) for task in ("regression", "multiclass"))
    for part in PARTS:
        assert sorted(by_number.part(part)["a"].to_pylist()) == sorted(by_class.part(part)["a"].to_pylist())


def test_training_prints_the_error_of_every_round_and_stops_early(progression: Finished) -> None:
    trained = progression.outputs[1]
    rounds = re.findall(r"^\[\d+\]\ttrain-rmse:\d+\.\d+\tvalidation-rmse:(\d+\.\d+)$", trained, re.MULTILINE)
    best = re.search(r"^best_iteration=(\d+) validation-rmse=(\d+\.\d+)$", trained, re.MULTILINE)
    assert best is not None
    assert len(rounds) < 200
    assert best[2] == min(rounds, key=float) == rounds[int(best[1])]


def test_a_number_a_row_is_answered_as_csv_and_as_json(progression: Finished) -> None:
    import inference

    model = inference.model_fn(str(progression.folder / "model"))
    path = next((progression.folder / "processing/output/test").glob("*.parquet"))
    table = pq.read_table(path)
    rows = as_csv(
        model.schema.names, [list(row.values()) for row in table.select(model.schema.names).to_pylist()]
    )
    prediction = inference.predict_fn(inference.input_fn(rows, "text/csv"), model)
    body, kind = inference.output_fn(prediction, "text/csv")
    numbers = [float(line) for line in body.splitlines()]
    assert (kind, len(numbers)) == ("text/csv", table.num_rows)
    body, kind = inference.output_fn(prediction, "*/*")
    assert kind == "application/json"
    assert json.loads(body) == {"predictions": [{"value": number} for number in numbers]}
    by_parquet = inference.predict_fn(inference.input_fn(path.read_bytes(), "application/x-parquet"), model)
    assert by_parquet.values.tolist() == numbers
    assert np.std(numbers) > 20
    assert "cannot answer as 'image/png'" in inference.output_fn(prediction, "image/png").reason
    record = json.dumps({**dict.fromkeys(model.schema.names, 1), "bmi": "heavy"})
    refusal = inference.predict_fn(inference.input_fn(record, "application/json"), model)
    assert refusal == inference.Refusal("row 1, column 'bmi': 'heavy' is not a number")
