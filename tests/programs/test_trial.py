"""trial.py: a training job of a tuning job trains as any other, and says what models are compared by."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import xgboost as xgb
from program_runs import ROOT, Finished
from sklearn.metrics import roc_auc_score

FIXED = {"num_round": "60", "eta": "0.2", "max_depth": "3", "early_stopping_rounds": "10"}
OF_THE_SERVICE = {
    "sagemaker_program": "trial.py",
    "sagemaker_submit_directory": "/opt/ml/input/data/code",
    "_tuning_objective_metric": "best:auc",
}


def run(folder: Path, tumors: Finished, **hyperparameters: str) -> subprocess.CompletedProcess[str]:
    """As the image's toolkit does, in its folder of code, but for the installation."""
    shutil.copytree(tumors.folder / "input", folder / "input")
    values = {**FIXED, **hyperparameters}
    (folder / "input/config/hyperparameters.json").write_text(json.dumps({**values, **OF_THE_SERVICE}))
    arguments = [word for name, value in sorted(values.items()) for word in (f"--{name}", value)]
    return subprocess.run(
        [sys.executable, "-m", "trial", *arguments],
        cwd=ROOT / "training",
        env={**os.environ, "SM_MODEL_DIR": str(folder / "model"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def compared(printed: str, metric: str) -> list[float]:
    """What SageMaker finds by the metric's definition, the last of which it compares models by."""
    return [float(found) for found in re.findall(rf"best-{metric}:([0-9.eE+-]+)", printed)]


def test_the_model_is_that_of_a_training_step_and_the_last_value_that_of_its_best_round(
    tmp_path: Path, tumors: Finished
) -> None:
    finished = run(tmp_path, tumors, tuning_metric="logloss")
    assert finished.returncode == 0, finished.stderr
    model = (tmp_path / "model/model.ubj").read_bytes()
    assert model == (tumors.folder / "model/model.ubj").read_bytes()
    said = re.search(r"best_iteration=\d+ validation-logloss=([0-9.]+)", finished.stdout)
    values = compared(finished.stdout, "logloss")
    assert said is not None
    assert values[-1] == pytest.approx(float(said[1]), abs=1e-5)
    assert values == sorted(values, reverse=True), "each is the best so far"


@pytest.mark.parametrize("patience", ["10", "0"])
def test_another_metric_is_that_of_the_trees_that_are_kept(
    tmp_path: Path, tumors: Finished, patience: str
) -> None:
    finished = run(tmp_path, tumors, tuning_metric="auc", early_stopping_rounds=patience)
    assert finished.returncode == 0, finished.stderr
    rows = pq.read_table(tmp_path / "input/data/validation")
    booster = xgb.Booster(model_file=tmp_path / "model/model.ubj")
    features = np.column_stack([rows[name].to_numpy() for name in booster.feature_names])
    answers = booster.predict(xgb.DMatrix(features, feature_names=booster.feature_names))
    is_malignant = [value == "malignant" for value in rows["diagnosis"].to_pylist()]
    values = compared(finished.stdout, "auc")
    assert values[-1] == pytest.approx(roc_auc_score(is_malignant, answers), abs=1e-6)
    assert patience != "0" or len(values) == booster.num_boosted_rounds() == 60


def test_a_metric_that_the_task_has_not_is_one_clear_line(tmp_path: Path, tumors: Finished) -> None:
    finished = run(tmp_path, tumors, tuning_metric="rmse")
    assert finished.returncode == 1
    assert (tmp_path / "output/failure").read_text() == (
        "hyperparameters: a binary task has no tuning_metric rmse. Use one of: logloss, error, auc, aucpr"
    )


def test_a_metric_that_is_no_number_ends_the_trial_in_its_first_round(
    tmp_path: Path, tumors: Finished, progression: Finished
) -> None:
    of_one_class, with_a_zero = tmp_path / "of one class", tmp_path / "with a zero"
    for folder, finished in ((of_one_class, tumors), (with_a_zero, progression)):
        shutil.copytree(finished.folder / "input", folder / "all/input")
    (path,) = (of_one_class / "all/input/data/validation").iterdir()
    rows = pq.read_table(path)
    pq.write_table(rows.filter(pc.equal(rows["diagnosis"].cast("string"), "benign")), path)
    (path,) = (with_a_zero / "all/input/data/validation").iterdir()
    rows = pq.read_table(path)
    targets = pa.array([0, *rows["progression"].to_pylist()[1:]], rows["progression"].type)
    pq.write_table(rows.set_column(rows.column_names.index("progression"), "progression", targets), path)
    for folder, metric, reason in (
        (
            of_one_class,
            "auc",
            "nan on the validation part, as where all rows of each instance are of one class",
        ),
        (with_a_zero, "mape", "inf on the validation part, as where the target of a row is 0"),
    ):
        done = run(folder, Finished(folder / "all", tumors.outputs), tuning_metric=metric)
        assert done.returncode == 1
        assert (folder / "output/failure").read_text() == (
            f"models cannot be compared by {metric}: it is {reason}. Choose another metric for the tuning"
        )
        assert "\n[1]" not in done.stdout
