"""XGBoost as a built-in algorithm: its channels, hyperparameters, metrics and artifact, by real XGBoost."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from sagemaker_local.errors import AwsError
from sagemaker_local.programs.aws_images import xgboost_datasets
from sagemaker_local.programs.aws_images.xgboost_hyperparameters import InputError, parsed

pytestmark = pytest.mark.filterwarnings("ignore:.*Unknown file format")  # xgboost-model says none
IMAGE = "1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost"
HYPERPARAMETERS = {"objective": "reg:squarederror", "num_round": "5", "max_depth": "3", "nthread": "1"}
TABLE = np.random.default_rng(1).normal(size=(60, 4)).astype(np.float32)
TABLE[:, 0] = TABLE[:, 1] * 2 + TABLE[:, 2]


def csv(rows: Any) -> str:
    return "".join(",".join("" if np.isnan(x) else repr(float(x)) for x in row) + "\n" for row in rows)


def libsvm(rows: Any) -> str:
    lines = (
        " ".join([repr(float(row[0])), *(f"{i}:{float(x)!r}" for i, x in enumerate(row[1:]))]) for row in rows
    )
    return "\n".join(lines) + "\n"


def parquet(rows: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table({f"c{i}": rows[:, i] for i in range(rows.shape[1])}), sink)
    return sink.getvalue()


def fitted(rounds: int = 5, **parameters: Any) -> xgb.Booster:
    matrix = xgb.DMatrix(TABLE[:40, 1:], label=TABLE[:40, 0])
    return xgb.train(
        {"objective": "reg:squarederror", "max_depth": 3, "nthread": 1, **parameters}, matrix, rounds
    )


def train(bench: Any, content_type: str | None = "text/csv", tag: str = ":1.7-1", **members: Any) -> str:
    """A job on what lies under ``data/train`` and, if there is something, ``data/validation``."""
    channels = [
        {
            "ChannelName": name,
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/data/{name}"}},
            **({"ContentType": content_type} if content_type else {}),
        }
        for name in ("train", "validation")
        if bench.keys(f"data/{name}")
    ]
    members = {"hyperparameters": HYPERPARAMETERS, "image": IMAGE + tag, **members}
    job: str = bench.training(None, InputDataConfig=channels, **members)
    return job


def model(bench: Any, job: str, tmp_path: Path) -> Path:
    ended = bench.trained(job)
    assert ended["TrainingJobStatus"] == "Completed", bench.log(job, "training-job")
    with tarfile.open(bench.objects.stat("bucket", f"models/{job}/output/model.tar.gz").path) as tar:
        assert tar.getnames() == ["xgboost-model"]
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # since 3.11.4
        tar.extractall(tmp_path)
    return tmp_path / "xgboost-model"


def loaded(path: Path) -> xgb.Booster:
    booster = xgb.Booster()
    booster.load_model(path)
    return booster


def test_csv_of_several_files_and_folders_trains_the_model_that_xgboost_trains(
    bench: Any, tmp_path: Path
) -> None:
    bench.put("data/train/a.csv", csv(TABLE[:10]))
    bench.put("data/train/deep/b.csv", csv(TABLE[10:40]))
    bench.put("data/train/_SUCCESS", "")
    bench.put("data/validation/c.csv", csv(TABLE[40:]))
    job = train(bench)
    booster = loaded(model(bench, job, tmp_path))
    rows = xgb.DMatrix(TABLE[:, 1:])
    assert np.array_equal(booster.predict(rows), fitted().predict(rows))
    described = bench.call("DescribeTrainingJob", TrainingJobName=job)
    metrics = {one["MetricName"]: one["Value"] for one in described["FinalMetricDataList"]}
    assert metrics.keys() == {"train:rmse", "validation:rmse"}
    error = np.sqrt(np.mean((fitted().predict(xgb.DMatrix(TABLE[40:, 1:])) - TABLE[40:, 0]) ** 2))
    assert metrics["validation:rmse"] == pytest.approx(error, abs=1e-5)
    names = {one["Name"] for one in described["AlgorithmSpecification"]["MetricDefinitions"]}
    assert {"train:rmse", "validation:auc"} <= names
    log = bench.log(job, "training-job")
    assert "[0]\ttrain-rmse:" in log
    assert "\tvalidation-rmse:" in log


@pytest.mark.parametrize(
    ("content_type", "write"),
    [("text/libsvm", libsvm), (None, libsvm), ("application/x-parquet", parquet)],
)
def test_the_same_rows_give_the_same_model_in_any_form(
    bench: Any, tmp_path: Path, content_type: str | None, write: Any
) -> None:
    bench.put("data/train/rows", write(TABLE[:40]))
    booster = loaded(model(bench, train(bench, content_type), tmp_path))
    rows = xgb.DMatrix(TABLE[:, 1:])
    assert np.array_equal(booster.predict(rows), fitted().predict(rows))


@pytest.mark.parametrize("tag", [":1.0-1", ":1.2-1-cpu-py3"])
def test_an_image_before_1_3_leaves_a_pickle(bench: Any, tmp_path: Path, tag: str) -> None:
    bench.put("data/train/a.csv", csv(TABLE[:40]))
    silent = {"silent": "0"} if tag == ":1.0-1" else {}
    job = train(bench, tag=tag, hyperparameters={**HYPERPARAMETERS, "objective": "reg:linear", **silent})
    with model(bench, job, tmp_path).open("rb") as content:
        booster = pickle.load(content)
    rows = xgb.DMatrix(TABLE[:, 1:])
    assert np.array_equal(booster.predict(rows), fitted().predict(rows))
    assert "is a pickled Booster" in bench.log(job, "training-job")


def test_weights_missing_values_and_a_stop_without_progress(bench: Any, tmp_path: Path) -> None:
    weights = np.linspace(0.1, 2, 60, dtype=np.float32)
    rows = np.column_stack((TABLE[:, 0], weights, TABLE[:, 1:]))
    rows[::7, 3] = np.nan
    bench.put("data/train/a.csv", csv(rows[:40]))
    bench.put("data/validation/a.csv", csv(rows[40:]))
    given = {
        **HYPERPARAMETERS,
        "num_round": "200",
        "eta": "0.9",
        "csv_weights": "1",
        "eval_metric": "mae,rmse",
        "early_stopping_rounds": "3",
    }
    job = train(bench, hyperparameters=given)
    booster = loaded(model(bench, job, tmp_path))
    rounds = booster.num_boosted_rounds()
    assert rounds < 200
    matrix = xgb.DMatrix(rows[:40, 2:], label=rows[:40, 0], weight=rows[:40, 1])
    expected = xgb.train({"max_depth": 3, "eta": 0.9, "nthread": 1}, matrix, rounds)
    assert np.array_equal(booster.predict(matrix), expected.predict(matrix))


def test_classes_are_trained_and_measured_by_the_images_own_metrics(bench: Any, tmp_path: Path) -> None:
    table = TABLE.copy()
    table[:, 0] = (table[:, 1] > 0).astype(int) + (table[:, 2] > 0)
    bench.put("data/train/a.csv", csv(table))
    given = {
        "num_round": "3",
        "objective": "multi:softprob",
        "num_class": "3",
        "eval_metric": "merror,accuracy",
    }
    job = train(bench, hyperparameters=given)
    booster = loaded(model(bench, job, tmp_path))
    answers = booster.predict(xgb.DMatrix(table[:, 1:])).argmax(axis=1)
    metrics = {one["MetricName"]: one["Value"] for one in bench.trained(job)["FinalMetricDataList"]}
    assert metrics["train:accuracy"] == pytest.approx(np.mean(answers == table[:, 0]), abs=1e-5)
    assert metrics["train:merror"] == pytest.approx(1 - metrics["train:accuracy"], abs=1e-5)


def test_a_mistake_in_the_hyperparameters_is_the_failure_reason(bench: Any) -> None:
    bench.put("data/train/a.csv", csv(TABLE[:40]))
    ended = bench.trained(train(bench, hyperparameters={**HYPERPARAMETERS, "max_depth": "deep"}))
    assert ended["FailureReason"] == (
        "AlgorithmError: Hyperparameter max_depth: 'deep' is not a whole number of at least 0, exit code: 1"
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"num_round": None}, "Missing required hyperparameter: num_round"),
        ({"max_depht": "3"}, "found: max_depht (its value: '3'). Did you mean max_depth?"),
        ({"silent": "0"}, "Extraneous hyperparameter found: silent"),
        ({"subsample": "0"}, "Hyperparameter subsample: '0' is not a number above 0 and at most 1"),
        ({"eta": "nan"}, "Hyperparameter eta: 'nan' is not a number of at least 0 and at most 1"),
        ({"objective": "reg:cube"}, "Hyperparameter objective: 'reg:cube' is not one of binary:logistic"),
        ({"objective": "multi:softmax"}, "'multi:softmax' needs the hyperparameter num_class"),
        ({"eval_metric": "rmse,better"}, "Hyperparameter eval_metric: 'rmse,better' is not a list"),
        ({"eval_metric": "auc"}, "'auc' needs an objective binary:... or rank:..."),
        ({"monotone_constraints": "(1,2)"}, "'(1,2)' is not a tuple of -1, 0 and 1"),
        ({"_kfold": "5"}, "Hyperparameter _kfold: cross-validation is not implemented here"),
    ],
)
def test_a_wrong_hyperparameter_is_named_with_its_value(given: Any, says: str) -> None:
    hyperparameters = {name: v for name, v in {**HYPERPARAMETERS, **given}.items() if v is not None}
    with pytest.raises(InputError) as wrong:
        parsed(hyperparameters, (1, 7))
    assert says in str(wrong.value)


def test_hyperparameters_are_parsed_as_the_sdk_writes_them() -> None:
    given = {
        "sagemaker_region": '"eu-west-1"',
        "num_round": "10",
        "objective": '"binary:logistic"',
        "learning_rate": "0.5",
        "eval_metric": "auc,error@0.7",
        "monotone_constraints": "(1, -1)",
        "tree_method": "hist",
        "_tuning_objective_metric": "validation:auc",
    }
    assert parsed(given, (1, 7)) == {
        "num_round": 10,
        "objective": "binary:logistic",
        "eta": 0.5,
        "eval_metric": ["auc", "error@0.7"],
        "monotone_constraints": "(1,-1)",
        "tree_method": "hist",
        "_tuning_objective_metric": "auc",
    }


@pytest.mark.parametrize(
    ("content_type", "content", "says"),
    [
        ("text/csv", "rings,length\n1,2\n", "file a: could not convert string to float"),
        ("text/csv", "", "No data in train channel path"),
        ("text/csv", "1\n2\n", "Could not determine delimiter on line '1' of file a"),
        ("text/csv", "1,2\n1,2,3\n", "file a: Error tokenizing data"),
        (None, "1,2,3\n", "First line '1,2,3' of file a is not 'LIBSVM' format"),
        ("application/x-parquet", "1,2,3\n", "Failed to load parquet data of channel train"),
        ("image/png", "x", "image/png is not an accepted ContentType"),
        ("text/csv;label_size=0", "1,2\n", "label_size must be 1"),
    ],
)
def test_data_that_is_not_what_its_type_says_is_named(
    tmp_path: Path, content_type: str | None, content: str, says: str
) -> None:
    file = tmp_path / "train" / "a"
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(InputError) as wrong:
        xgboost_datasets.read(file.parent, content_type, weights=False)
    assert says in str(wrong.value)


def test_what_the_algorithm_does_not_take_is_refused_at_creation(bench: Any) -> None:
    bench.put("data/train/a.csv", csv(TABLE[:40]))
    with pytest.raises(AwsError, match="can't override the metric definitions"):
        train(bench, algorithm={"MetricDefinitions": [{"Name": "m", "Regex": "x"}]})
    with pytest.raises(AwsError, match="ContentType application/x-recordio-protobuf of channel 'train'"):
        train(bench, "application/x-recordio-protobuf")
    with pytest.raises(AwsError, match="InstanceCount 2 of XGBoost as a built-in algorithm"):
        train(bench, instances=2)


def test_a_stop_keeps_the_model_of_the_last_round_if_it_is_asked_for(
    bench: Any, tmp_path: Path, wait_until: Any
) -> None:
    bench.put("data/train/a.csv", csv(TABLE[:40]))
    given = {**HYPERPARAMETERS, "num_round": "1000000", "save_model_on_termination": "true"}
    job = train(bench, tag=":3.2-0", hyperparameters=given)
    log = bench.home.jobs / "training-job" / job / "algo-1" / "log"
    wait_until(lambda: log.exists() and "[20]\t" in log.read_text(), "some rounds")
    bench.call("StopTrainingJob", TrainingJobName=job)
    assert bench.trained(job)["TrainingJobStatus"] == "Stopped"
    with tarfile.open(bench.objects.stat("bucket", f"models/{job}/output/model.tar.gz").path) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # since 3.11.4
        tar.extractall(tmp_path)
    booster = loaded(tmp_path / "xgboost-model")
    assert booster.num_boosted_rounds() > 20
