"""Trains a model as the XGBoost image does without a script: XGBoost as a built-in algorithm.

    python -m aws_images.xgboost_training /opt/ml 1.7

The second argument is the image's version. Channels, hyperparameters, the lines of the log and the artifact
``xgboost-model`` are those of "XGBoost algorithm" in the SageMaker developer guide. What is wrong with the
data or the hyperparameters goes to the failure file, which becomes the job's FailureReason.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import xgboost as xgb

from . import xgboost_datasets, xgboost_hyperparameters
from .xgboost_hyperparameters import InputError
from .xgboost_metrics import TO_MAXIMIZE

MODEL = "xgboost-model"
_FIRST_WITH_OWN_FORMAT = (1, 3)
"""Images before it pickle the Booster."""

_OF_THE_IMAGE = {
    *("accuracy", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "mse", "precision"),
    *("precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro"),
}
"""Metrics that XGBoost does not have, and the image computes."""


def main(arguments: Sequence[str]) -> None:
    root, version = Path(arguments[0]), arguments[1].split(".")
    try:
        train(root, (int(version[0]), int(version[1])))
    except InputError as problem:
        failure = root / "output" / "failure"
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(str(problem))
        sys.exit(f"{problem}.")


def train(root: Path, version: tuple[int, int]) -> None:
    """Train on ``input/data/train`` below `root`, watch ``validation`` if there is one, write the model."""
    config = root / "input" / "config"
    given = json.loads((config / "hyperparameters.json").read_text())
    channels = json.loads((config / "inputdataconfig.json").read_text())
    values = xgboost_hyperparameters.parsed(given, version)
    if "train" not in channels:
        raise InputError("Missing required channel: train")
    unknown = sorted(channels.keys() - {"train", "validation", "code"})
    if unknown:
        raise InputError(f"Extraneous channel found: {unknown[0]}. There are train and validation")
    weights = values.pop("csv_weights", 0) == 1
    matrices = {
        name: xgboost_datasets.read(
            root / "input" / "data" / name, channels[name].get("ContentType"), weights=weights
        )
        for name in ("train", "validation")
        if name in channels
    }
    for name, matrix in matrices.items():
        print(f"{name}: {matrix.num_row()} rows, {matrix.num_col()} columns", flush=True)
    folder = root / "model"
    folder.mkdir(parents=True, exist_ok=True)
    pickled = version < _FIRST_WITH_OWN_FORMAT
    booster = fit(values, matrices, lambda model: save(model, folder / MODEL, pickled))
    save(booster, folder / MODEL, pickled)
    form = "a pickled Booster" if pickled else "for Booster.load_model"
    print(f"{MODEL} is {form}, written by xgboost {xgb.__version__}", flush=True)


def fit(
    values: dict[str, Any], matrices: dict[str, xgb.DMatrix], keep: Callable[[xgb.Booster], None]
) -> xgb.Booster:
    """Boost on the matrix ``train``, with a line of metrics of every matrix for each round.

    Args:
        values: hyperparameters; what is left after those of the image goes to XGBoost.
        keep: saves the model of a round, for ``save_model_on_termination``.

    Raises:
        InputError: XGBoost refuses the data or the hyperparameters.
    """
    for ignored in {"silent", "use_dask_gpu_training"} & values.keys():
        print(f"The hyperparameter {ignored} has no effect here", flush=True)
        del values[ignored]
    rounds = values.pop("num_round")
    stopping = values.pop("early_stopping_rounds", None)
    keeps = values.pop("save_model_on_termination", "false") == "true"
    tuned = values.pop("_tuning_objective_metric", None)
    wanted: list[str] = values.pop("eval_metric", [])
    stopping_metric = tuned or (wanted[-1] if wanted else None)
    metrics = wanted if tuned in (None, *wanted) else sorted([*wanted, tuned])
    computed = [name for name in metrics if name in _OF_THE_IMAGE]
    own = [name for name in metrics if name not in _OF_THE_IMAGE]
    callbacks: list[Any] = [xgb.callback.EvaluationMonitor()]
    if keeps:
        callbacks.append(_Keep(keep))
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if stopping is not None and stopping_metric is not None and "validation" in matrices:
        callbacks.append(
            xgb.callback.EarlyStopping(
                stopping,
                metric_name=stopping_metric,
                data_name="validation",
                maximize=stopping_metric.partition("@")[0] in TO_MAXIMIZE,
                save_best=True,
            )
        )
    elif stopping is not None:
        print("early_stopping_rounds has no effect without eval_metric and validation data", flush=True)
    try:
        return xgb.train(
            {**values, **({"eval_metric": own} if own else {})},
            matrices["train"],
            num_boost_round=rounds,
            evals=[(matrix, name) for name, matrix in matrices.items()],
            custom_metric=_computing(computed) if computed else None,
            callbacks=callbacks,
            verbose_eval=False,
        )
    except (xgb.core.XGBoostError, ValueError) as problem:
        said = next((line for line in str(problem).splitlines() if line.strip()), "")
        raise InputError(f"XGB train call failed with exception: {said.strip()}") from problem


class _Keep(xgb.callback.TrainingCallback):
    """Saves the model after each round, so that a job that is stopped has one."""

    def __init__(self, keep: Callable[[xgb.Booster], None]) -> None:
        super().__init__()
        self._keep = keep

    def after_iteration(self, model: xgb.Booster, *_: Any) -> bool:
        self._keep(model)
        return False


def _computing(names: Sequence[str]) -> Callable[[Any, xgb.DMatrix], list[tuple[str, float]]]:
    """The image's own metrics, of margins as XGBoost gives them: positive means the second class."""
    from sklearn import metrics

    def compute(margins: Any, matrix: xgb.DMatrix) -> list[tuple[str, float]]:
        labels = matrix.get_label()
        answers = margins.argmax(axis=1) if margins.ndim > 1 else (margins > 0).astype(int)
        scores: dict[str, Callable[[], float]] = {
            "accuracy": lambda: metrics.accuracy_score(labels, answers),
            "balanced_accuracy": lambda: metrics.balanced_accuracy_score(labels, answers),
            "f1": lambda: metrics.f1_score(labels, answers, average="macro"),
            "f1_binary": lambda: metrics.f1_score(labels, answers),
            "f1_macro": lambda: metrics.f1_score(labels, answers, average="macro"),
            "mse": lambda: metrics.mean_squared_error(labels, margins),
            "precision": lambda: metrics.precision_score(labels, answers),
            "precision_macro": lambda: metrics.precision_score(labels, answers, average="macro"),
            "precision_micro": lambda: metrics.precision_score(labels, answers, average="micro"),
            "r2": lambda: metrics.r2_score(labels, margins),
            "recall": lambda: metrics.recall_score(labels, answers),
            "recall_macro": lambda: metrics.recall_score(labels, answers, average="macro"),
            "recall_micro": lambda: metrics.recall_score(labels, answers, average="micro"),
        }
        return [(name, scores[name]()) for name in names]

    return compute


def save(booster: xgb.Booster, path: Path, pickled: bool) -> None:
    """Write the model whole or not at all: a stop may come at any moment."""
    unfinished = path.parents[1] / f".{path.name}"
    # UBJSON is what XGBoost itself writes to a file whose name says no format.
    unfinished.write_bytes(pickle.dumps(booster) if pickled else booster.save_raw("ubj"))
    unfinished.replace(path)


if __name__ == "__main__":
    main(sys.argv[1:])
