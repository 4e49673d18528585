"""The third step: is the model good enough? The artifact is scored as it will be served.

    python evaluate.py [--threshold 0.9] [--opt-ml /opt/ml]

Unpacks ``processing/input/model/model.tar.gz``, imports the ``code/inference.py`` inside it, and sends the
test part (``processing/input/test/``) through its ``model_fn``, ``input_fn``, ``predict_fn`` and
``output_fn``, as the endpoint would, in batches (``scoring``). Into ``processing/output/evaluation/`` come
``statistics.json`` (Model Monitor's format, which Studio draws), ``verdict.json`` (what the gate in
``processing/input/gate/gate.json`` says of them, which the condition step reads), the plots as PNG, and
``report.html``, one file that holds everything.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from artifact import unpack
from input_error import InputError
from measured import measured, measured_numbers
from metric_table import METRICS, SECTIONS
from metrics import one_against_rest, regression_statistics, statistics
from plots import Curve
from process_exit import run_and_exit
from regression_verdict import NumberAnswers, judge_numbers
from report import write_report
from scoring import score, score_numbers
from verdict import PASSED, Answers, Gate, judge, read_gate

_MESSAGE_BYTES = 1024


@dataclass(frozen=True)
class _Evaluated:
    """What is written: ``document`` is ``statistics.json``, ``verdict`` is ``verdict.json``; the report draws
    the ``curves`` of several classes, or the ``numbers`` of a regression."""

    document: dict[str, Any]
    verdict: dict[str, Any]
    curves: Sequence[Curve] = ()
    numbers: NumberAnswers | None = None


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
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        judged = _judged_numbers if schema["task"] == "regression" else _judged_classes
        found = judged(artifact, inputs / "test", schema, gate, now)
        importance_file = artifact / "feature_importance.json"
        importance = (
            json.loads(importance_file.read_text(encoding="utf-8"))["features"]
            if importance_file.is_file()
            else []
        )
    _write(output / "statistics.json", found.document)
    about = {"artifact_sha256": origin.sha256, "artifact_bytes": origin.bytes}
    _write(output / "verdict.json", {**found.verdict, **about})
    skipped = write_report(
        output, found.document, schema, importance, found.curves, found.verdict, found.numbers
    )
    if skipped:
        print(skipped, flush=True)
    for check in found.verdict["checks"]:
        print(f"{'passed' if check['passed'] else 'REFUSED'}: {check['sentence']}", flush=True)
    message = _headline(_values(found.document, schema), found.document["dataset"]["item_count"])
    return message if found.verdict["verdict"] == PASSED else f"{message}: {found.verdict['sentence']}"


def _judged_classes(artifact: Path, test: Path, schema: dict[str, Any], gate: Gate, now: str) -> _Evaluated:
    scored = score(artifact, test, schema, gate.slices)
    document = statistics(scored.actual, scored.predicted, scored.scores, schema["classes"], now)
    answers = Answers(
        classes=schema["classes"],
        actual=scored.actual,
        predicted=scored.predicted,
        scores=scored.scores,
        metrics=_values(document, schema),
        usual=int(np.argmax(schema["train_rows"])),
        groups=scored.groups,
    )
    curves = one_against_rest(scored.actual, scored.probabilities) if scored.probabilities is not None else []
    verdict = {**judge(gate, answers), "metrics": measured(answers)}
    return _Evaluated(document, verdict, curves=curves)


def _judged_numbers(artifact: Path, test: Path, schema: dict[str, Any], gate: Gate, now: str) -> _Evaluated:
    scored = score_numbers(artifact, test, schema)
    document = regression_statistics(scored.actual, scored.predicted, now)
    answers = NumberAnswers(
        actual=scored.actual,
        predicted=scored.predicted,
        constant=schema["train_target"]["mean"],
        metrics=_values(document, schema),
    )
    verdict = {**judge_numbers(gate, answers), "metrics": measured_numbers(answers)}
    return _Evaluated(document, verdict, numbers=answers)


def _headline(metrics: dict[str, float], rows: int) -> str:
    """The first two metrics of the task in a line."""
    first, second = [kind for name, kind in METRICS.items() if name in metrics][:2]
    return (
        f"{first.label} {first.shown(metrics[first.name])} on {rows} rows; "
        f"{second.label} {second.shown(metrics[second.name])}"
    )


def _gate(path: Path, threshold: float | None) -> Gate:
    if not path.is_file():
        raise InputError(f"there is no {path}. Give the gate's settings")
    return read_gate(path, threshold)


def _values(document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of ``statistics.json`` that are one number."""
    found = document[SECTIONS[schema["task"]]]
    return {name: entry["value"] for name, entry in found.items() if "value" in entry}


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


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
