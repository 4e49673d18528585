"""train.py: hyperparameters, its errors, class weights, odd column names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost as xgb
from program_runs import Finished, as_csv, hand_over_to_training, lay_out


def check_failure(folder: Path, capsys: pytest.CaptureFixture[str], *texts: str) -> None:
    import train

    assert train.main(["--opt-ml", str(folder)]) == 1
    failure = (folder / "output" / "failure").read_text()
    assert capsys.readouterr().err == f"error: {failure}\n"
    assert "\n" not in failure
    for text in texts:
        assert text in failure


@pytest.fixture
def folder(tmp_path: Path, tumors: Finished) -> Path:
    """The training step's input, to be spoilt."""
    shutil.copytree(tumors.folder / "input", tmp_path / "input")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "texts"),
    [
        ("max_dept", "3", ["there is no hyperparameter 'max_dept'", "Did you mean 'max_depth'?"]),
        ("max_depth", "3.5", ["max_depth is '3.5'; it must be a whole number at least 1 and at most 64"]),
        ("max_depth", "0", ["max_depth is '0'"]),
        ("eta", "0", ["eta is '0'; it must be a number above 0 and at most 1"]),
        ("eta", "nan", ["eta is 'nan'"]),
        ("subsample", "half", ["subsample is 'half'"]),
        ("num_round", "-1", ["num_round is '-1'; it must be a whole number at least 1"]),
        ("class_weights", "all", ["it must be none or balanced"]),
        ("grow_policy", "x", ["it must be depthwise or lossguide"]),
        ("lambda", "inf", ["lambda is 'inf'"]),
        ("base_score", "1.5", ["base_score is 1.5; of classes it is a probability, above 0 and below 1"]),
        ("base_score", "inf", ["base_score is 'inf'"]),
        ("gamma", "1e300", ["gamma is '1e300'; it is too far from 0 for XGBoost"]),
        ("eta", "1e-46", ["eta is '1e-46'; it is too near to 0 for XGBoost"]),
    ],
)
def test_a_wrong_hyperparameter_is_one_clear_line(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, value: str, texts: list[str]
) -> None:
    (folder / "input/config/hyperparameters.json").write_text(json.dumps({name: value}))
    check_failure(folder, capsys, *texts)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("class_weights", "balanced", "class_weights is for classes, which a regression has not"),
        ("scale_pos_weight", "2", "scale_pos_weight is for binary tasks. Take it out"),
    ],
)
def test_a_regression_has_no_class_weights(
    tmp_path: Path,
    progression: Finished,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    text: str,
) -> None:
    shutil.copytree(progression.folder / "input", tmp_path / "input")
    (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps({name: value}))
    check_failure(tmp_path, capsys, text)


def test_the_base_score_of_a_regression_is_a_number_on_the_target_s_scale(
    tmp_path: Path, progression: Finished
) -> None:
    import train

    shutil.copytree(progression.folder / "input", tmp_path / "input")
    given = {"base_score": "152.5", "num_round": "1"}
    (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps(given))
    assert train.main(["--opt-ml", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (pa.array(["high", "low"]), "the target 'progression' of a regression must be a number"),
        (pa.array([1.5, None]), "the target 'progression' holds values that are missing or infinite"),
        (pa.array([1.5, 1e39]), "the target 'progression' holds values that are missing or infinite"),
    ],
    ids=["texts", "missing", "beyond float32"],
)
def test_a_spoilt_target_of_a_regression_is_one_clear_line(
    tmp_path: Path, progression: Finished, capsys: pytest.CaptureFixture[str], target: pa.Array, text: str
) -> None:
    shutil.copytree(progression.folder / "input", tmp_path / "input")
    path = next((tmp_path / "input" / "data" / "train").glob("*.parquet"))
    table = pq.read_table(path).slice(0, 2).drop_columns(["progression"])
    pq.write_table(table.append_column("progression", target), path)
    check_failure(tmp_path, capsys, text)


def test_a_long_failure_reason_is_cut_between_characters(folder: Path) -> None:
    import train

    for name in ("\u00fc" * 700, "x" + "\u00fc" * 700):
        (folder / "input/config/hyperparameters.json").write_text(json.dumps({name: "1"}))
        assert train.main(["--opt-ml", str(folder)]) == 1
        assert 1020 < len((folder / "output" / "failure").read_bytes().decode().encode()) <= 1024


def test_hyperparameters_are_texts_and_sagemakers_own_are_passed_over() -> None:
    import hyperparameters

    found = hyperparameters.parse(
        {"eta": "0.05", "class_weights": '"balanced"', "lambda": "2", "sagemaker_region": "x", "max_bin": 64}
    )
    assert found.booster["eta"] == 0.05
    assert found.booster["lambda"] == 2.0
    assert found.booster["max_bin"] == 64
    assert found.class_weights == "balanced"
    assert found.num_round == 100


def test_a_missing_channel_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(folder / "input/data/validation")
    check_failure(folder, capsys, "channel validation: no Parquet file")
    shutil.rmtree(folder / "input/data/schema")
    check_failure(folder, capsys, "channel schema: there is no")


def test_a_part_that_is_no_parquet_or_of_another_schema_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next((folder / "input/data/train").glob("*.parquet"))
    table = pq.read_table(path)
    pq.write_table(
        table.drop_columns(["mean_radius"] if "mean_radius" in table.column_names else ["mean radius"]), path
    )
    check_failure(folder, capsys, "channel train:", "lacks the column 'mean")
    pq.write_table(table.set_column(30, "diagnosis", pa.array(["odd"] * table.num_rows)), path)
    check_failure(folder, capsys, "holds 'odd', which is no class of schema.json")
    pq.write_table(table.slice(0, 0), path)
    check_failure(folder, capsys, "channel train: there are no rows")
    path.write_bytes(b"nothing")
    check_failure(folder, capsys, "is no Parquet file")


def test_balanced_class_weights_raise_the_recall_of_a_rare_class(tmp_path: Path) -> None:
    import inference
    import preprocess
    import train

    generator = np.random.default_rng(1)
    values = generator.normal(size=2000)
    rare = values + generator.normal(size=2000) > 2.2
    rows = [[value, "rare" if one else "usual"] for value, one in zip(values, rare, strict=True)]
    lay_out(
        tmp_path,
        {"a.csv": as_csv(["x", "y"], rows)},
        {"task": "binary", "target": "y", "positive_class": "rare"},
    )
    assert preprocess.main(["--opt-ml", str(tmp_path)]) == 0
    recalls = []
    for weights in ("none", "balanced"):
        hand_over_to_training(tmp_path, {"num_round": "20", "class_weights": weights})
        assert train.main(["--opt-ml", str(tmp_path)]) == 0
        model = inference.model_fn(str(tmp_path / "model"))
        table = pq.read_table(next((tmp_path / "processing/output/test").glob("*.parquet")))
        payload = inference.input_fn(as_csv(None, [[x] for x in table["x"].to_pylist()]), "text/csv")
        found = inference.predict_fn(payload, model).chosen
        actual = np.array(table["y"].to_pylist()) == "rare"
        recalls.append(found[actual].mean())
    assert recalls[1] > recalls[0]


def test_column_names_that_xgboost_forbids_are_kept_outside_of_it(tmp_path: Path) -> None:
    import inference
    import preprocess
    import train

    rows = [[n % 10, n % 7, "a" if n % 10 < 5 else "b"] for n in range(300)]
    text = as_csv(["size [cm]", "f0", "y < 3"], rows)
    lay_out(tmp_path, {"a.csv": text}, {"task": "binary", "target": "y < 3"})
    assert preprocess.main(["--opt-ml", str(tmp_path)]) == 0
    hand_over_to_training(tmp_path, {"num_round": "3"})
    assert train.main(["--opt-ml", str(tmp_path)]) == 0
    importance = json.loads((tmp_path / "model/feature_importance.json").read_text())["features"]
    assert importance[0]["name"] == "size [cm]"
    model = inference.model_fn(str(tmp_path / "model"))
    record = json.dumps([{"size [cm]": 2, "f0": 1}])
    assert inference.predict_fn(inference.input_fn(record, "application/json"), model).chosen.tolist() == [0]


def test_the_saved_model_ends_with_its_best_round(tumors: Finished) -> None:
    line = tumors.outputs[1].strip().splitlines()[-1]
    booster = xgb.Booster()
    booster.load_model(tumors.folder / "model" / "model.ubj")
    assert line.startswith(f"best_iteration={booster.num_boosted_rounds() - 1} ")


def test_batches_read_again_and_batches_kept_give_the_same_matrix(
    tumors: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    import parts
    from feature_encoding import read_schema

    channels = tumors.folder / "input" / "data"
    schema = read_schema(channels / "schema" / "schema.json")
    part = parts.find_part(channels / "train", "train", schema)

    def cuts() -> Any:
        matrix, _ = parts.quantised(part, schema, schema.names, None, max_bin=16)
        return [array.tolist() for array in matrix.get_quantile_cut()]

    kept = cuts()
    monkeypatch.setattr(parts, "_SORTED_BYTES", 0)
    assert cuts() == kept
