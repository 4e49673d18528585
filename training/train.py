"""The second step: from Parquet parts to a model artifact.

    python train.py [--opt-ml /opt/ml] [--checkpoint-seconds 60]

Reads the channels ``input/data/{train,validation,schema}`` and ``input/config/hyperparameters.json``, trains
XGBoost (``hist``, native categories and missing values, early stopping on the validation part), prints the
metrics of every round as XGBoost does, and a last line with the best one (in a tuning job, see ``trial``,
each round's line says what models are compared by). Into ``model/`` come ``model.ubj``
(the trees up to the best round), ``schema.json``, ``code/`` (what serves the model, and encoded the rows for
this training; see ``serving_code``) and ``feature_importance.json``. The same rows and hyperparameters give
the same model, whatever the order of the rows and their files, up to the size that ``parts`` names, and
whether or not a job before this one left a checkpoint to go on from (``checkpoints``). An error becomes the
job's failure reason, ``output/failure``.

With several instances the hosts of ``resourceconfig.json`` train one model together (``workers``): every
host trains on the files that SageMaker gives it, gradients and metrics are summed over all, so that all stop
at the same round, and the first host writes the model. Another number of hosts is another model, by a little.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from unneeded_libraries import keep_out, keep_out_parts_of_numpy

    keep_out("pandas", "sklearn")  # before XGBoost is imported
    keep_out_parts_of_numpy()

import numpy as np
import xgboost as xgb
from boosting import Boosted, boost
from checkpoints import Checkpoints, origin
from devices import device
from feature_encoding import Schema, read_schema
from hyperparameters import ONLY_ON_THE_PROCESSOR, Hyperparameters, InputError, parse, unfit
from memory import Plan, at_hand, plan
from parts import OnDisk, Part, can_be_sorted, check_there_are_rows, class_counts, find_part, quantised
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


@dataclass(frozen=True)
class _Parts:
    """What this host has of the two channels, and what they hold."""

    schema: Schema
    train: Part
    validation: Part


def train(opt_ml: Path, checkpoint_seconds: float) -> None:
    """Do the whole step.

    Args:
        checkpoint_seconds: between two checkpoints; 0 is one after each round.

    Raises:
        InputError: a channel, the schema or a hyperparameter is wrong.
    """
    channels = opt_ml / "input" / "data"
    config = opt_ml / "input" / "config"
    settings = parse(_read_json(config / "hyperparameters.json"))
    resources = _read_json(config / "resourceconfig.json")
    schema_path = channels / "schema" / "schema.json"
    if not schema_path.is_file():
        raise InputError(
            f"channel schema: there is no {schema_path}. Give the output of the preprocessing step"
        )
    schema = read_schema(schema_path)
    for _, what, remedy in unfit(settings, schema.task):
        raise InputError(f"hyperparameters: {what}. {remedy}")
    _check_distribution(resources, _read_json(config / "inputdataconfig.json"))
    parts = _Parts(schema, *(find_part(channels / name, name, schema) for name in ("train", "validation")))
    chosen, words = device(settings.device, resources.get("current_instance_type", ""))
    with connected(resources, partial(_fail, opt_ml)) as worker, xgb.config_context(nthread=_threads(parts)):
        for part in (parts.train, parts.validation):
            files, rows = worker.sum([len(part.paths), part.rows])
            check_there_are_rows(part.name, channels / part.name, files, rows)
        for line in filter(None, (words, _without_rows(parts, worker, resources))):
            print(line, flush=True)
        done = _fit(parts, settings, worker, chosen, opt_ml / "checkpoints", checkpoint_seconds)
        if worker.rank == 0:
            _save(opt_ml / "model", done.booster, schema, schema_path)
            metric = _OBJECTIVES[schema.task][1]
            print(f"best_iteration={done.best_round} validation-{metric}={done.best:.5f}", flush=True)


def _check_distribution(resources: Mapping[str, Any], channels: Mapping[str, Any]) -> None:
    """Raises InputError where several hosts would each train on the same rows."""
    if len(resources.get("hosts") or ()) < 2:
        return
    for name in ("train", "validation"):
        if channels and name not in channels:
            continue  # that there are no files is said later
        given = channels.get(name, {}).get("S3DistributionType", "FullyReplicated")
        if given != "ShardedByS3Key":
            raise InputError(
                f"channel {name}: each of several instances was given all of its files ({given}). "
                "Set the channel's S3DataDistributionType to ShardedByS3Key"
            )


def _without_rows(parts: _Parts, worker: Worker, resources: Mapping[str, Any]) -> str:
    """A line where SageMaker had too few files for this host to get one of the training part's."""
    if parts.train.rows or worker.world_size == 1:
        return ""
    host = resources["current_host"]
    return f"{host} has no rows of channel train: it has fewer files than there are instances"


def _fit(
    parts: _Parts,
    settings: Hyperparameters,
    worker: Worker,
    device: str,
    checkpoint_folder: Path,
    checkpoint_seconds: float,
) -> Boosted:
    schema, own = parts.schema, (parts.train, parts.validation)
    weights = None
    if settings.class_weights == "balanced":
        counts = worker.sum(class_counts(parts.train, schema))
        weights = counts.sum() / (len(schema.classes) * np.maximum(counts, 1))
    names = _booster_names(schema.names)
    max_bin = settings.booster.get("max_bin")
    with tempfile.TemporaryDirectory(prefix="matrices-") as folder:
        on_disk = _on_disk(_plan(parts, settings, device), Path(folder), worker)
        matrices: dict[str, xgb.DMatrix] = {}
        digests = []
        for part in own:
            matrices[part.name], digest = quantised(
                part,
                schema,
                names,
                weights,
                max_bin=max_bin,
                on_disk=on_disk,
                reference=matrices.get("train"),
            )
            digests.append(np.frombuffer(digest, np.int64))
            if worker.rank == 0 and not (on_disk is None and can_be_sorted(part, schema)):
                why = "too many to be sorted in memory" if on_disk is None else "kept on disk and not sorted"
                print(
                    f"{part.name}: {part.rows:,} rows are {why}; with them in another order the model may"
                    " differ a little",
                    flush=True,
                )
        data = worker.gather(np.concatenate(digests)).tobytes().hex()
        made_from = origin(data, settings, device, worker.world_size)
        checkpoints = Checkpoints(checkpoint_folder, made_from, checkpoint_seconds)
        found = worker.from_first(checkpoints.find() if worker.rank == 0 else None)
        objective, loss = _OBJECTIVES[schema.task]
        classes = {"num_class": len(schema.classes)} if schema.task == "multiclass" else {}
        task = {"objective": objective, "tree_method": "hist", "device": device}
        done = boost(
            {**settings.booster, **task, **classes},
            matrices,
            settings.num_round,
            loss=loss,
            compared=settings.tuning_metric,
            early_stopping_rounds=settings.early_stopping_rounds,
            found=found,
            checkpoints=checkpoints if worker.rank == 0 else None,
            prints=worker.rank == 0,
        )
        matrices.clear()  # while their files are there: XGBoost removes them, and warns of each that is not
        return done


def _plan(parts: _Parts, settings: Hyperparameters, device: str) -> Plan:
    """How this host would keep its matrices.

    Raises:
        InputError: they are to be on disk, and the GPU is to train on them.
    """
    if device != "cpu" and settings.external_memory == "always":
        raise InputError(f"hyperparameters: {'. '.join(ONLY_ON_THE_PROCESSOR)}")
    schema, own = parts.schema, (parts.train, parts.validation)
    return plan(
        sum(part.rows for part in own),
        len(schema.features),
        len(schema.classes) if schema.task == "multiclass" else 1,
        max((part.rows for part in own if can_be_sorted(part, schema)), default=0),
        at_hand(),
        settings.external_memory if device == "cpu" else "never",
    )


def _on_disk(own: Plan, folder: Path, worker: Worker) -> OnDisk | None:
    """All hosts keep their matrices alike, because XGBoost's hosts then wait for each other alike."""
    external = bool(worker.sum([own.external])[0])
    if worker.rank == 0:
        words = own.words if external == own.external else "another instance has too little memory"
        print(
            f"memory: {words}{'' if external == own.external else ': trained on from the disk'}", flush=True
        )
    return OnDisk(folder, own.batch_rows) if external else None


def _threads(parts: _Parts) -> int:
    """How many threads XGBoost uses; 0 is one for each core.

    Its threads wait for each other by spinning at every node of a tree. With a few hundred rows, on cores
    that are busy with something else, that takes far longer than the work.
    """
    return 1 if parts.train.rows * len(parts.schema.features) < _ONE_THREAD_CELLS else 0


def _save(folder: Path, booster: xgb.Booster, schema: Schema, schema_path: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # Not save_model: it does not notice where the end of the file cannot be written.
    (folder / "model.ubj").write_bytes(booster.save_raw("ubj"))
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
    parser.add_argument(
        "--checkpoint-seconds", type=float, default=60.0, help="between two checkpoints; 0: one each round"
    )
    options = parser.parse_args(arguments)
    opt_ml = options.opt_ml
    try:
        train(opt_ml, options.checkpoint_seconds)
    except InputError as error:
        _fail(opt_ml, str(error))
        return 1
    except Exception as error:  # unexpected: it keeps its traceback, and the job says its name
        _write_failure(opt_ml, f"{type(error).__name__}: {error}")
        raise
    return 0


def _fail(opt_ml: Path, reason: str) -> None:
    print(f"error: {reason}", file=sys.stderr, flush=True)
    _write_failure(opt_ml, reason)


def _write_failure(opt_ml: Path, text: str) -> None:
    path = opt_ml / "output" / "failure"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.encode()[:_FAILURE_BYTES].decode(errors="ignore"), encoding="utf-8")


if __name__ == "__main__":
    run_and_exit(main)
