"""The third step: is the model good enough? The artifact is scored as it will be served.

    python evaluate.py [--threshold 0.9] [--opt-ml /opt/ml]

Unpacks ``processing/input/model/model.tar.gz``, imports the ``code/inference.py`` inside it, and sends the
test part (``processing/input/test/``) through its ``model_fn``, ``input_fn``, ``predict_fn`` and
``output_fn``, as the endpoint would, in batches; per row only its classes and its scores stay in memory. Into
``processing/output/evaluation/`` come ``statistics.json`` (Model Monitor's format, which Studio draws),
``verdict.json`` (what the gate in ``processing/input/gate/gate.json`` says of them, which the condition step
reads), the plots as PNG, and ``report.html``, one file that holds everything.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from artifact import unpack
from input_error import InputError
from measured import measured
from metric_table import METRICS, SECTIONS
from metrics import one_against_rest, statistics
from process_exit import run_and_exit
from report import write_report
from verdict import PASSED, Answers, Gate, judge, read_gate

_BATCH_ROWS = 32_768
_PROGRESS_SECONDS = 2.0
_MESSAGE_BYTES = 1024
_MOST_CLASSES_DRAWN = 20
_PARQUET, _CSV = "application/x-parquet", "text/csv"


@dataclass(frozen=True)
class Scored:
    """The test part, a row each: actual and predicted class (indices), the score of a binary task, and of
    another, if it has few classes, the probability of each (rows x classes); by column of the gate's slices,
    each row's value as text."""

    actual: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray | None
    probabilities: np.ndarray | None
    groups: dict[str, np.ndarray]


def evaluate(opt_ml: Path, threshold: float | None = None) -> str:
    """Do the whole step and return its message, which says why if the gate stays shut.

    Args:
        threshold: of the gate's metric, which each start can set; without it, the one in ``gate.json``.

    Raises:
        InputError: the artifact or the test part is not what the steps before this one write.
    """
    inputs = opt_ml / "processing" / "input"
    output = opt_ml / "processing" / "output" / "evaluation"
    output.mkdir(parents=True, exist_ok=True)
    gate = _gate(inputs / "gate" / "gate.json", threshold)
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        artifact = Path(folder)
        origin = unpack(inputs / "model" / "model.tar.gz", artifact)
        for name in ("schema.json", "code/inference.py"):
            if not (artifact / name).is_file():
                raise InputError(f"model.tar.gz holds no {name}. Give an artifact that train.py wrote")
        schema = json.loads((artifact / "schema.json").read_text(encoding="utf-8"))
        scored = score(artifact, inputs / "test", schema, gate.slices)
        importance_file = artifact / "feature_importance.json"
        importance = (
            json.loads(importance_file.read_text(encoding="utf-8"))["features"]
            if importance_file.is_file()
            else []
        )
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    classes: list[str] = schema["classes"]
    document = statistics(scored.actual, scored.predicted, scored.scores, classes, now)
    _write(output / "statistics.json", document)
    answers = Answers(
        classes=classes,
        actual=scored.actual,
        predicted=scored.predicted,
        scores=scored.scores,
        metrics=_values(document, schema["task"]),
        usual=int(np.argmax(schema["train_rows"])),
        groups=scored.groups,
    )
    verdict = {
        **judge(gate, answers),
        "metrics": measured(answers),
        "artifact_sha256": origin.sha256,
        "artifact_bytes": origin.bytes,
    }
    _write(output / "verdict.json", verdict)
    curves = one_against_rest(scored.actual, scored.probabilities) if scored.probabilities is not None else []
    skipped = write_report(output, document, schema, importance, curves, verdict)
    if skipped:
        print(skipped, flush=True)
    for check in verdict["checks"]:
        print(f"{'passed' if check['passed'] else 'REFUSED'}: {check['sentence']}", flush=True)
    message = _headline(answers.metrics, len(scored.actual))
    return message if verdict["verdict"] == PASSED else f"{message}: {verdict['sentence']}"


def _headline(metrics: dict[str, float], rows: int) -> str:
    """The first two metrics of the task in a line."""
    first, second = [kind for name, kind in METRICS.items() if name in metrics][:2]
    return (
        f"{first.label} {metrics[first.name]:.4f} on {rows} rows; {second.label} {metrics[second.name]:.4f}"
    )


def _gate(path: Path, threshold: float | None) -> Gate:
    if not path.is_file():
        raise InputError(f"there is no {path}. Give the gate's settings")
    return read_gate(path, threshold)


def _values(document: dict[str, Any], task: str) -> dict[str, float]:
    """The metrics of ``statistics.json`` that are one number."""
    found = document[SECTIONS[task]]
    return {name: entry["value"] for name, entry in found.items() if "value" in entry}


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def score(artifact: Path, test: Path, schema: dict[str, Any], slices: Sequence[str]) -> Scored:
    """Send every row of the test part through the artifact's own serving code.

    Raises:
        InputError: the test part is missing, empty, or does not fit the schema.
    """
    serving = _import(artifact / "code" / "inference.py")
    model = serving.model_fn(str(artifact))
    target, classes = schema["target"], pa.array(schema["classes"], pa.string())
    binary = schema["task"] == "binary"
    few = not binary and len(classes) <= _MOST_CLASSES_DRAWN
    actual, predicted, scores, probabilities = [], [], [], []
    groups: dict[str, list[np.ndarray]] = {column: [] for column in slices}
    done, last_said = 0, time.monotonic()
    for table in _batches(test):
        if target not in table.column_names:
            raise InputError(
                f"the test part lacks the target column {target!r}. Give the preprocessing step's output"
            )
        for column in slices:
            if column not in table.column_names:
                raise InputError(f"the test part lacks the slice column {column!r}. Preprocess it again")
            texts = table[column].combine_chunks().cast(pa.string()).fill_null("(missing)")
            groups[column].append(texts.to_numpy(zero_copy_only=False))
        labels = pc.index_in(table[target].combine_chunks(), classes)
        if labels.null_count:
            strange = table[target].filter(labels.is_null())[0]
            raise InputError(
                f"the test part's target {target!r} holds {strange.as_py()!r}, no class of the model. "
                f"Give test part and model of one run"
            )
        try:
            payload = serving.input_fn(_as_parquet(table.drop_columns([target])), _PARQUET)
            prediction = serving.predict_fn(payload, model)
            body, _ = serving.output_fn(prediction, _CSV)
        except ValueError as error:
            raise InputError(
                f"the test part does not fit the model: {error}. Give both from one run"
            ) from error
        chosen, probability = _read_answer(body, classes)
        actual.append(labels.to_numpy(zero_copy_only=False))
        predicted.append(chosen)
        if binary:
            scores.append(np.where(chosen == 1, probability, 1.0 - probability))
        if few:
            probabilities.append(prediction.probabilities.astype(np.float32))  # as exact as XGBoost's own
        done += table.num_rows
        if time.monotonic() - last_said >= _PROGRESS_SECONDS:
            last_said = time.monotonic()
            print(f"{done:,} rows scored ...", flush=True)
    if not done:
        raise InputError("the test part has no rows. Give more data, or a larger share for the test part")
    labels = np.concatenate(actual).astype(np.int64)
    if binary and labels.min() == labels.max():
        raise InputError(
            f"all rows of the test part are of class {schema['classes'][labels[0]]!r}. "
            f"Give rows of both classes"
        )
    return Scored(
        labels,
        np.concatenate(predicted),
        np.concatenate(scores) if binary else None,
        np.concatenate(probabilities) if few else None,
        {column: np.concatenate(parts) for column, parts in groups.items()},
    )


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("artifact_inference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _batches(test: Path) -> Iterator[pa.Table]:
    paths = sorted(test.rglob("*.parquet"))
    if not paths:
        raise InputError(f"there is no Parquet file in {test}. Give the preprocessing step's test part")
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_BATCH_ROWS):
                    yield pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(
                f"{path.name} is no Parquet file: {str(error).splitlines()[0]}. Write it again"
            ) from error


def _as_parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="none", store_schema=False)
    return sink.getvalue().to_pybytes()


def _read_answer(body: str, classes: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """``(classes as indices, probabilities)`` from the lines ``class,probability``."""
    table = pa_csv.read_csv(
        pa.BufferReader(body.encode()),
        pa_csv.ReadOptions(column_names=["class", "probability"]),
        pa_csv.ParseOptions(newlines_in_values=True),
        pa_csv.ConvertOptions(column_types={"class": pa.string(), "probability": pa.float64()}),
    )
    chosen = pc.index_in(table["class"].combine_chunks(), classes)
    return chosen.to_numpy(zero_copy_only=False).astype(np.int64), table["probability"].to_numpy()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step; 0, or 1 after an error that its input caused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--opt-ml", type=Path, default=Path("/opt/ml"), help="the container's folder")
    parser.add_argument("--threshold", type=float, help="of the gate's metric; else the one in gate.json")
    options = parser.parse_args(arguments)
    opt_ml = options.opt_ml
    message = opt_ml / "output" / "message"
    message.parent.mkdir(parents=True, exist_ok=True)
    try:
        text = evaluate(opt_ml, options.threshold)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        message.write_text(str(error).encode()[:_MESSAGE_BYTES].decode(errors="ignore"), encoding="utf-8")
        return 1
    print(text, flush=True)
    message.write_text(text.encode()[:_MESSAGE_BYTES].decode(errors="ignore"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_and_exit(main)
