"""The second step: from Parquet parts to a model artifact.

    python train.py [--opt-ml /opt/ml]

Reads the channels ``input/data/{train,validation,schema}`` and ``input/config/hyperparameters.json``, trains
XGBoost (``hist``, native categories and missing values, early stopping on the validation part), prints the
metrics of every round as XGBoost does, and a last line with the best one (in a tuning job, see ``trial``,
each round's line says what models are compared by). Into ``model/`` come ``model.ubj``
(the trees up to the best round), ``schema.json``, ``code/`` (what serves the model, and encoded the rows for
this training; see ``serving_code``) and ``feature_importance.json``. The same rows and hyperparameters give
the same model, whatever the order of the rows and their files, up to the size that ``parts`` names. An error
becomes the job's failure reason, ``output/failure``.

With several instances the hosts of ``resourceconfig.json`` train one model together (``workers``): every
host trains on a part of the rows (``parts``), gradients and metrics are summed over all, so that all stop at
the same round, and the first host writes the model. Another number of hosts is another model, by a little.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from unneeded_libraries import keep_out

    keep_out("pandas", "sklearn")  # before XGBoost is imported

import numpy as np
import xgboost as xgb
from feature_encoding import Schema, read_schema
from hyperparameters import TUNING_METRICS, Hyperparameters, InputError, parse
from parts import Part, class_counts, find_part, quantised
from process_exit import run_and_exit
from serving_code import copy_serving_code
from workers import Worker, connected

_FAILURE_BYTES = 1024
_OBJECTIVES = {
    "binary": ("binary:logistic", "logloss"),
    "multiclass": ("multi:softprob", "mlogloss"),
    "regression": ("reg:squarederror", "rmse"),
}
"""Task -> XGBoost's objective, and the metric that is printed and that stops the training."""
_ONE_THREAD_CELLS = 500_000  # rows times features: 0.1 s faster on a second core, 10 s slower on a busy one


class _Metrics(xgb.callback.TrainingCallback):  # type: ignore[misc]
    """Prints each round's metrics at once, in XGBoost's own form, on the first host.

    Where a tuning job compares models by a metric, the line ends with its value at the round up to which the
    trees would be kept if the training ended now: the best one by the loss, or the last one.
    """

    def __init__(self, prints: bool, compared: str | None, keeps_best: bool) -> None:
        super().__init__()
        self.prints, self.compared, self.keeps_best = prints, compared, keeps_best

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        if self.prints:
            values = [
                f"{data}-{metric}:{history[-1]:.5f}"
                for data, metrics in evals_log.items()
                for metric, history in metrics.items()
            ]
            if self.compared:
                history = evals_log["validation"]
                losses = next(iter(history.values()))
                kept = int(np.argmin(losses)) if self.keeps_best else -1
                values.append(f"best-{self.compared}:{history[self.compared][kept]:.8g}")
            print("\t".join([f"[{epoch}]", *values]), flush=True)
        return False


def train(opt_ml: Path) -> None:
    """Do the whole step.

    Raises:
        InputError: a channel, the schema or a hyperparameter is wrong.
    """
    channels = opt_ml / "input" / "data"
    config = opt_ml / "input" / "config"
    settings = parse(_read_json(config / "hyperparameters.json"))
    schema_path = channels / "schema" / "schema.json"
    if not schema_path.is_file():
        raise InputError(
            f"channel schema: there is no {schema_path}. Give the output of the preprocessing step"
        )
    schema = read_schema(schema_path)
    _check_for_task(settings, schema.task)
    part = find_part(channels / "train", "train", schema)
    validation_part = find_part(channels / "validation", "validation", schema)
    resources = _read_json(config / "resourceconfig.json")
    with connected(resources) as worker, xgb.config_context(nthread=_threads(part, schema)):
        booster, best_round, metric, best = _fit(part, validation_part, schema, settings, worker)
        if worker.rank == 0:
            _save(opt_ml / "model", booster, schema, schema_path)
            print(f"best_iteration={best_round} validation-{metric}={best:.5f}", flush=True)


def _check_for_task(settings: Hyperparameters, task: str) -> None:
    """Raises InputError for a hyperparameter that means nothing, or another thing, for this task."""
    if task == "regression" and settings.class_weights != "none":
        raise InputError(
            "hyperparameters: class_weights is for classes, which a regression has not. Take it out"
        )
    if task != "binary" and "scale_pos_weight" in settings.booster:
        instead = "Take it out" if task == "regression" else "Use class_weights = balanced instead"
        raise InputError(f"hyperparameters: scale_pos_weight is for binary tasks. {instead}")
    if settings.tuning_metric not in (None, *TUNING_METRICS[task]):
        raise InputError(
            f"hyperparameters: a {task} task has no tuning_metric {settings.tuning_metric}. Use one of:"
            f" {', '.join(TUNING_METRICS[task])}"
        )
    base_score = settings.booster.get("base_score")
    if task != "regression" and base_score is not None and not 0 < base_score < 1:
        raise InputError(
            f"hyperparameters: base_score is {base_score}; of classes it is a probability, above 0 and below"
            " 1. Correct it"
        )


def _fit(
    part: Part, validation_part: Part, schema: Schema, settings: Hyperparameters, worker: Worker
) -> tuple[xgb.Booster, int, str, float]:
    """The booster up to its best round, that round, and the validation metric there."""
    weights = None
    if settings.class_weights == "balanced":
        counts = class_counts(part, schema)
        weights = part.rows / (len(schema.classes) * np.maximum(counts, 1))
    names = _booster_names(schema.names)
    max_bin = settings.booster.get("max_bin")
    matrix = quantised(part, schema, names, worker, weights, max_bin=max_bin)
    validation = quantised(validation_part, schema, names, worker, weights, max_bin=max_bin, reference=matrix)
    objective, metric = _OBJECTIVES[schema.task]
    parameters = {
        **settings.booster,
        "objective": objective,
        "eval_metric": list(dict.fromkeys([metric, settings.tuning_metric or metric])),
        "tree_method": "hist",
        "device": "cpu",
    }
    if schema.task == "multiclass":
        parameters["num_class"] = len(schema.classes)
    callbacks: list[Any] = [
        _Metrics(worker.rank == 0, settings.tuning_metric, settings.early_stopping_rounds > 0)
    ]
    if settings.early_stopping_rounds:
        callbacks.append(
            xgb.callback.EarlyStopping(
                rounds=settings.early_stopping_rounds, metric_name=metric, data_name="validation"
            )
        )
    history: dict[str, Any] = {}
    booster = xgb.train(
        parameters,
        matrix,
        settings.num_round,
        evals=[(matrix, "train"), (validation, "validation")],
        evals_result=history,
        verbose_eval=False,
        callbacks=callbacks,
    )
    scores = [float(value) for value in history["validation"][metric]]
    best_round = int(np.argmin(scores)) if settings.early_stopping_rounds else len(scores) - 1
    return booster[: best_round + 1], best_round, metric, scores[best_round]


def _threads(part: Part, schema: Schema) -> int:
    """How many threads XGBoost uses; 0 is one for each core.

    Its threads wait for each other by spinning at every node of a tree. With a few hundred rows, on cores
    that are busy with something else, that takes far longer than the work.
    """
    return 1 if part.rows * len(schema.features) < _ONE_THREAD_CELLS else 0


def _save(folder: Path, booster: xgb.Booster, schema: Schema, schema_path: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    booster.save_model(folder / "model.ubj")
    shutil.copyfile(schema_path, folder / "schema.json")
    copy_serving_code(folder / "code")
    names = _booster_names(schema.names)
    scores: dict[str, Any] = {
        kind: booster.get_score(importance_type=kind) for kind in ("gain", "weight", "cover")
    }
    features: list[dict[str, Any]] = [
        {"name": name, **{kind: float(scores[kind].get(inner, 0.0)) for kind in scores}}
        for name, inner in zip(schema.names, names, strict=True)
    ]
    features.sort(key=lambda entry: (-entry["gain"], entry["name"]))
    text = json.dumps({"version": 1, "sorted_by": "gain", "features": features}, indent=1)
    (folder / "feature_importance.json").write_text(text + "\n", encoding="utf-8")


def _booster_names(names: Sequence[str]) -> list[str]:
    """The names inside the booster: XGBoost forbids three characters, so such columns are numbered there."""
    forbidden = set("[]<")
    taken = set(names)
    return [
        name if forbidden.isdisjoint(name) else next(n for n in _numbered(place) if n not in taken)
        for place, name in enumerate(names)
    ]


def _numbered(place: int) -> Iterator[str]:
    name = f"f{place}"
    while True:
        yield name
        name += "_"


def _read_json(path: Path) -> Any:
    """The document; an empty one where SageMaker wrote none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step; 0, or 1 after an error that the input caused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--opt-ml", type=Path, default=Path("/opt/ml"), help="the container's folder")
    opt_ml = parser.parse_args(arguments).opt_ml
    try:
        train(opt_ml)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        _write_failure(opt_ml, str(error))
        return 1
    except Exception as error:  # unexpected: it keeps its traceback, and the job says its name
        _write_failure(opt_ml, f"{type(error).__name__}: {error}")
        raise
    return 0


def _write_failure(opt_ml: Path, text: str) -> None:
    path = opt_ml / "output" / "failure"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.encode()[:_FAILURE_BYTES].decode(errors="ignore"), encoding="utf-8")


if __name__ == "__main__":
    run_and_exit(main)
