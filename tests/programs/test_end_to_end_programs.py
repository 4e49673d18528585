"""The three programs one after another, as processes of their own."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from program_runs import Finished, run_program
from sklearn import metrics


def test_a_binary_task_goes_from_csv_to_statistics(tumors: Finished) -> None:
    prepared, trained, evaluated = tumors.outputs
    assert re.search(
        r"^569 rows: \d+ train, \d+ validation, \d+ test; 30 features, 2 classes$", prepared, re.MULTILINE
    )
    assert re.search(r"^\[0\]\ttrain-logloss:\d\.\d+\tvalidation-logloss:\d\.\d+$", trained, re.MULTILINE)
    assert re.search(r"^best_iteration=\d+ validation-logloss=\d\.\d+$", trained, re.MULTILINE)
    assert re.search(r"^accuracy 0\.9\d+ on \d+ rows; AUC 0\.9\d+$", evaluated, re.MULTILINE)
    assert (tumors.folder / "output" / "message").read_text() == evaluated.splitlines()[-1]


def test_several_classes_go_from_csv_to_statistics(wines: Finished) -> None:
    found = wines.statistics["multiclass_classification_metrics"]
    assert found["accuracy"]["value"] > 0.85
    assert found["weighted_recall"]["value"] == pytest.approx(found["accuracy"]["value"])
    assert list(found["confusion_matrix"]) == ["0", "1", "2"]
    assert re.search(r"accuracy \d\.\d{4} on \d+ rows; weighted F1 \d\.\d{4}", wines.outputs[2])
    assert "mlogloss" in wines.outputs[1]


def test_every_kind_of_column_is_trained_on(shops: Finished) -> None:
    schema = json.loads((shops.folder / "model" / "schema.json").read_text())
    kinds = {feature["name"]: feature["kind"] for feature in schema["features"]}
    assert kinds == {
        "amount": "number",
        "visits": "number",
        "shop": "category",
        "member": "boolean",
        "day": "timestamp",
    }
    assert shops.statistics["binary_classification_metrics"]["auc"]["value"] > 0.95


def test_the_artifact_holds_all_that_serving_needs(tumors: Finished) -> None:
    model = tumors.folder / "model"
    found = sorted(path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file())
    assert found == [
        "code/code_wheel.py",
        "code/csv_rows.py",
        "code/dates.py",
        "code/explanations.py",
        "code/feature_encoding.py",
        "code/inference.py",
        "code/notation.py",
        "code/pyproject.toml",
        "code/request_rows.py",
        "code/scale.py",
        "feature_importance.json",
        "model.ubj",
        "schema.json",
    ]
    importance = json.loads((model / "feature_importance.json").read_text())["features"]
    assert len(importance) == 30
    assert importance[0]["gain"] >= importance[1]["gain"] > 0


def test_the_written_metrics_are_those_of_scikit_learn(tumors: Finished) -> None:
    import inference

    model = inference.model_fn(str(tumors.folder / "model"))
    path = next((tumors.folder / "processing" / "output" / "test").glob("*.parquet"))
    body = path.read_bytes()
    actual = np.array(pq.read_table(path)["diagnosis"].to_pylist()) == "malignant"
    prediction = inference.predict_fn(inference.input_fn(body, "application/x-parquet"), model)
    scores = prediction.probabilities[:, 1]
    found = tumors.statistics["binary_classification_metrics"]
    assert found["auc"]["value"] == metrics.roc_auc_score(actual, scores)
    assert found["accuracy"]["value"] == metrics.accuracy_score(actual, scores > 0.5)
    assert found["accuracy"]["standard_deviation"] == "NaN"  # fewer than 200 rows


def test_training_twice_gives_the_same_artifact(tumors: Finished, tmp_path: Path) -> None:
    shutil.copytree(tumors.folder / "input", tmp_path / "input")
    assert run_program("training/train.py", tmp_path).returncode == 0
    for path in (tumors.folder / "model").rglob("*"):
        if path.is_file():
            again = tmp_path / "model" / path.relative_to(tumors.folder / "model")
            assert again.read_bytes() == path.read_bytes(), path.name
