"""A tuning job's training job in the image's script mode, without network."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from program_runs import ROOT, as_csv, hand_over_to_training, mixed_rows, run_all
from serving_software import PYTHON, isolated

HYPERPARAMETERS = {"num_round": "20", "max_depth": "4", "eta": "0.3"}


def test_the_toolkit_installs_and_runs_the_training_code_and_the_model_is_the_same(tmp_path: Path) -> None:
    header, rows = mixed_rows(1500)
    settings = {"task": "binary", "target": "y", "positive_class": "yes"}
    run_all(tmp_path, as_csv(header, rows), settings, HYPERPARAMETERS, python=str(PYTHON))
    trained = (tmp_path / "model/model.ubj").read_bytes()
    shutil.rmtree(tmp_path / "model")
    shutil.copytree(ROOT / "training", tmp_path / "input/data/code", ignore=shutil.ignore_patterns("__*__"))
    asked = {
        **HYPERPARAMETERS,
        "tuning_metric": "logloss",
        "sagemaker_program": "trial.py",
        "sagemaker_submit_directory": str(tmp_path / "input/data/code"),
        "_tuning_objective_metric": "best:logloss",
    }
    hand_over_to_training(tmp_path, asked)
    config = tmp_path / "input/config"
    channels = {name: {"TrainingInputMode": "File"} for name in ("train", "validation", "schema", "code")}
    (config / "inputdataconfig.json").write_text(json.dumps(channels))
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))
    before, python, variables = isolated(tmp_path)
    here = Path(__file__).parent
    done = subprocess.run(
        [*before, python, str(here / "script_mode.py")],
        cwd=tmp_path,
        env={
            **variables,
            "PYTHONPATH": str(here),
            "SAGEMAKER_TRAINING_MODULE": "script_mode:main",
            "AWS_DEFAULT_REGION": "eu-west-1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "best-logloss:" in done.stdout
    assert (tmp_path / "model/model.ubj").read_bytes() == trained
    assert (tmp_path / "model/code/inference.py").is_file()
