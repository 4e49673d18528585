"""The third step: is the model good enough? The artifact is scored as it will be served.

    python evaluate.py [--threshold 0.9] [--champion-version 4 --champion-sha256 ...] [--opt-ml /opt/ml]

Unpacks ``processing/input/model/model.tar.gz``, imports the ``code/inference.py`` inside it, and sends the
test part (``processing/input/test/``) through its ``model_fn``, ``input_fn``, ``predict_fn`` and
``output_fn``, as the endpoint would, in batches (``scoring``). Into ``processing/output/evaluation/`` come
``statistics.json`` (Model Monitor's format, which Studio draws), ``verdict.json`` (what the gate in
``processing/input/gate/gate.json`` says of them, which the condition step reads), ``report.html``, one file
for people that holds everything, ``report.json``, numbers of it that the pages in the browser draw from, and
``predictions.json``, which a monitor compares later answers with.
What preprocessing noticed of the data comes in as ``processing/input/quality/findings.json`` (without it the
report has no such section).

If the gate names a champion, the artifact of the version that serves there is
``processing/input/champion/model.tar.gz``, and ``--champion-version`` says which one it is, or ``none``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from unneeded_libraries import keep_out, keep_out_parts_of_numpy

    keep_out("pandas", "sklearn")  # before Arrow makes an array and the artifact's code imports XGBoost
    keep_out_parts_of_numpy()

import numpy as np
from artifact import unpack
from champion import Champion, Tested, check_classes, check_numbers
from content_order import content_hashes
from contributions import contributions
from curves import one_against_rest
from input_error import InputError
from measured import measured, measured_numbers
from metric_table import METRICS, SECTIONS
from metrics import regression_statistics, statistics
from predictions import predictions_document
from process_exit import run_and_exit
from regression_verdict import NumberAnswers, judge_numbers
from report import Evaluated, report
from report_numbers import report_numbers
from scoring import Scored, batches, score, score_numbers
from verdict import PASSED, Answers, Gate, judge, read_gate

_MESSAGE_BYTES = 1024


def evaluate(
    opt_ml: Path,
    threshold: float | None = None,
    champion_version: str = "",
    champion_sha256: str = "",
    about: Mapping[str, str] | None = None,
) -> str:
    """Do the whole step and return its message, which says why if the gate stays shut.

    Args:
        threshold: of the gate's metric, which each start can set; without it, the one in ``gate.json``.
        champion_version: the version that serves, or ``none``; needed if the gate has a champion.
        champion_sha256: of its artifact; empty where it is not known.
        about: what the report says of the project and its data, by name.

    Raises:
        InputError: the artifact or the test part is not what the steps before this one write.
    """
    inputs = opt_ml / "processing" / "input"
    output = opt_ml / "processing" / "output" / "evaluation"
    output.mkdir(parents=True, exist_ok=True)
    gate = _gate(inputs / "gate" / "gate.json", threshold)
    champion = None
    if gate.champion:
        if not champion_version:
            raise InputError("the gate has a champion. Say which version it is with --champion-version")
        archive = inputs / "champion" / "model.tar.gz"
        champion = Champion(gate.champion, champion_version, champion_sha256, archive)
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        artifact = Path(folder)
        origin = unpack(inputs / "model" / "model.tar.gz", artifact)
        for name in ("schema.json", "code/inference.py"):
            if not (artifact / name).is_file():
                raise InputError(f"model.tar.gz holds no {name}. Give an artifact that train.py wrote")
        schema = json.loads((artifact / "schema.json").read_text(encoding="utf-8"))
        judged = _judged_numbers if schema["task"] == "regression" else _judged_classes
        test = Tested(inputs / "test", schema, origin)
        found = judged(artifact, test, gate, champion)
        found = replace(
            found,
            importance=_importance(artifact / "feature_importance.json"),
            contributions=contributions(artifact, test.folder, schema),
            origin=_origin(opt_ml, about or {}),
            findings=_findings(inputs / "quality" / "findings.json"),
        )
    _write(output / "statistics.json", found.document)
    digests = {
        "artifact_sha256": origin.sha256,
        "artifact_bytes": origin.bytes,
        "test_sha256": _digest_of_rows(inputs / "test"),
    }
    found = replace(found, verdict={**found.verdict, **digests})
    _write(output / "verdict.json", found.verdict)
    (output / "report.html").write_text(report(found), encoding="utf-8")
    _write(output / "report.json", report_numbers(found))
    _write(output / "predictions.json", found.predictions)
    for check in found.verdict["checks"]:
        print(f"{'passed' if check['passed'] else 'REFUSED'}: {check['sentence']}", flush=True)
    message = _headline(_values(found.document, schema), found.document["dataset"]["item_count"])
    return message if found.verdict["verdict"] == PASSED else f"{message}: {found.verdict['sentence']}"


def _judged_classes(artifact: Path, test: Tested, gate: Gate, champion: Champion | None) -> Evaluated:
    schema = test.schema
    for name in gate.floors:
        label = name.partition(".")[2]
        if label and label not in schema["classes"]:
            raise InputError(f"the gate has a floor {name!r}, but {label!r} is no class. Preprocess again")
    scored = score(artifact, test.folder, schema, gate.slices, probabilities_too=True)
    document = statistics(scored.actual, scored.predicted, scored.scores, schema["classes"], _now())
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
    spread = _spread_of(scored, schema)
    del scored  # with its probabilities, before the champion's rows are scored
    more = [check_classes(champion, gate, answers, test)] if champion else []
    verdict = {**judge(gate, answers, more), "metrics": measured(answers)}
    return Evaluated(document, verdict, schema, answers, curves, predictions=spread)


def _judged_numbers(artifact: Path, test: Tested, gate: Gate, champion: Champion | None) -> Evaluated:
    schema = test.schema
    scored = score_numbers(artifact, test.folder, schema)
    document = regression_statistics(scored.actual, scored.predicted, _now())
    answers = NumberAnswers(
        actual=scored.actual,
        predicted=scored.predicted,
        constant=schema["train_target"]["mean"],
        metrics=_values(document, schema),
    )
    more = [check_numbers(champion, gate, answers, test)] if champion else []
    verdict = {**judge_numbers(gate, answers, more), "metrics": measured_numbers(answers)}
    spread = predictions_document(len(scored.actual), (), None, scored.predicted)
    return Evaluated(document, verdict, schema, answers, predictions=spread)


def _spread_of(scored: Scored, schema: Mapping[str, Any]) -> dict[str, Any]:
    values = scored.scores
    if values is None and scored.probabilities is not None:
        values = scored.probabilities.max(axis=1)
    return predictions_document(len(scored.actual), schema["classes"], scored.predicted, values)


def _importance(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["features"]
    return entries


def _findings(path: Path) -> dict[str, Any]:
    """What preprocessing noticed of the data: ``findings`` and the number of ``more`` of each kind."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _origin(opt_ml: Path, about: Mapping[str, str]) -> list[tuple[str, str]]:
    """What the arguments say, and what SageMaker tells the container of its job.

    The job's name must not be an argument: those belong to the step cache's key.
    """
    found = [(key, value) for key, value in about.items() if value]
    path = opt_ml / "config" / "processingjobconfig.json"
    if not path.is_file():
        return found
    config = json.loads(path.read_text(encoding="utf-8"))
    inputs = {
        item.get("InputName"): item.get("S3Input") or {} for item in config.get("ProcessingInputs") or ()
    }
    outputs = (config.get("ProcessingOutputConfig") or {}).get("Outputs") or ()
    places = [(item.get("S3Output") or {}).get("S3Uri") for item in outputs]
    told = {
        "Report's place": next((place for place in places if place), None),
        "Artifact's place": inputs.get("model", {}).get("S3Uri"),
        "Test part's place": inputs.get("test", {}).get("S3Uri"),
        "Evaluation job": config.get("ProcessingJobArn"),
    }
    return found + [(key, value) for key, value in told.items() if value]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest_of_rows(folder: Path) -> str:
    """Of the test part's rows, in whatever order and files: whether two evaluations are of the same rows."""
    names: list[str] = []
    hashes = []
    for table in batches(folder):
        names = table.column_names
        hashes.append(content_hashes(table))
    ordered = np.sort(np.concatenate(hashes)).astype("<u8")
    return hashlib.sha256(json.dumps(names).encode() + ordered.tobytes()).hexdigest()


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


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step; 0, or 1 after an error that its input caused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--opt-ml", type=Path, default=Path("/opt/ml"), help="the container's folder")
    parser.add_argument("--threshold", type=float, help="of the gate's metric; else the one in gate.json")
    parser.add_argument("--champion-version", default="", help="the version that serves, or none")
    parser.add_argument("--champion-sha256", default="", help="of its artifact")
    parser.add_argument("--project", default="", help="for the report: whose model it is")
    parser.add_argument("--data-source", default="", help="for the report: where the data came from")
    parser.add_argument("--data-version", default="", help="for the report: which version of the data")
    options = parser.parse_args(arguments)
    about = {
        "Project": options.project,
        "Data": options.data_source,
        "Version of the data": options.data_version,
    }
    opt_ml = options.opt_ml
    message = opt_ml / "output" / "message"
    message.parent.mkdir(parents=True, exist_ok=True)
    try:
        text = evaluate(opt_ml, options.threshold, options.champion_version, options.champion_sha256, about)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        message.write_text(str(error).encode()[:_MESSAGE_BYTES].decode(errors="ignore"), encoding="utf-8")
        return 1
    print(text, flush=True)
    message.write_text(text.encode()[:_MESSAGE_BYTES].decode(errors="ignore"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_and_exit(main)
