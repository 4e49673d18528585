"""Does a version still fit what it is asked? One window of an endpoint's captured requests, looked at.

    python monitor.py [--opt-ml /opt/ml]

Reads, below ``processing/input``: ``model/model.tar.gz`` (the version's artifact), ``quality/`` and
``evaluation/`` (what it was registered with: statistics and constraints of its training part, its metrics and
predictions on its test part), ``window/`` (``window.json``, which says what window this is; ``past/``,
``answers/`` and ``labels/`` of the windows before), ``captures/`` (the requests).

Writes into ``processing/output``: ``report/`` with ``verdict.json``, ``report.html``, and Model Monitor's
``statistics.json`` and ``constraint_violations.json``; ``past/`` and ``answers/``, what this window leaves
for the next ones. It needs no network, and judges nothing but the requests: what follows from the verdict is
decided by who reads it.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from unneeded_libraries import keep_out, keep_out_parts_of_numpy

    keep_out("pandas")
    keep_out_parts_of_numpy()

import numpy as np
import pyarrow.parquet as pq
from answer_quality import (
    LEAST_LABELS,
    WindowQuality,
    answers_table,
    is_worse,
    quality,
    read_answers,
    read_labels,
)
from artifact import unpack
from baseline import ANSWER, SCORE, Baseline, read_baseline
from captures import Requests, read_requests
from documents import statistics_document, violations_document
from drift import LEAST_ROWS, LEAST_WINDOWS, SPREAD, Answer, Counted, Reference, answers
from input_error import InputError
from job import run_job
from metric_table import METRICS
from monitoring_report import Monitored, monitoring_report
from past_windows import PastWindow, history, read_past, week_before, window_document
from process_exit import run_and_exit
from refused_requests import REFUSED, refused_now, refused_reference
from scoring import serving_code
from sentences import counted_sentences, difference_sentence, quality_sentence

_NOTHING = Counted(np.zeros(1, np.int64), 0)

CHANGED, AS_BEFORE, NOT_ENOUGH_ROWS = "changed", "as before", "not enough rows"
WORSE, NO_LABELS, NOT_ENOUGH_LABELS = "worse", "no labels", "not enough labels"


@dataclass(frozen=True)
class _Window:
    """What a window is, by its ``window.json``; times are ISO 8601."""

    document: Mapping[str, Any]

    @property
    def start(self) -> float:
        return datetime.fromisoformat(self.document["start"]).timestamp()

    @property
    def end(self) -> float:
        return datetime.fromisoformat(self.document["end"]).timestamp()

    @property
    def name(self) -> str:
        """Of the files that it leaves: its end, in order of time."""
        return datetime.fromtimestamp(self.end, UTC).strftime("%Y%m%dT%H%M%SZ")


def monitor(opt_ml: Path) -> str:
    """Do the whole step and return its message.

    Raises:
        InputError: something is not what the version was registered with, or what names the window is not
            there.
    """
    inputs, output = opt_ml / "processing" / "input", opt_ml / "processing" / "output"
    # The manifest keeps its folders: window.json has one of the window's own.
    named = sorted((inputs / "window").rglob("window.json"))
    window = _Window(_read(named[0] if named else inputs / "window" / "window.json"))
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        artifact = Path(folder)
        unpack(inputs / "model" / "model.tar.gz", artifact)
        serving = serving_code(artifact / "code")
        if not hasattr(serving, "predict"):
            raise InputError(
                "this version was registered before there was monitoring, and its code cannot count what it"
                " has not seen. Register a new version"
            )
        schema = _read(artifact / "schema.json")
        features = serving.read_schema(artifact / "schema.json").features
        baseline = read_baseline(
            features,
            _read(inputs / "quality" / "statistics.json"),
            _read(inputs / "quality" / "constraints.json"),
            _read(inputs / "evaluation" / "predictions.json"),
        )
        requests = read_requests(inputs / "captures", artifact, serving, window.start, window.end)
        model = serving.model_fn(str(artifact))
        given = _predictions(requests.matrix, model, serving)
    predicted, values = given
    counted = _counted(baseline, features, requests, predicted, values)
    past = read_past(inputs / "window" / "past", baseline.digest, window.end)
    noticed = Counter(requests.noticed)
    found = _compare(window, baseline, counted, past, len(requests.matrix))

    name = window.name
    (output / "answers").mkdir(parents=True, exist_ok=True)
    ids, events = ([names[place] for place in requests.request] for names in (requests.ids, requests.events))
    table = answers_table(ids, events, predicted, values, schema["classes"], window.document["version"])
    pq.write_table(table, output / "answers" / f"{name}.parquet", compression="zstd")
    kept = {**read_answers(inputs / "window" / "answers"), name: table}
    labels = read_labels(inputs / "window" / "labels", noticed)
    qualities = quality(kept, labels, schema, noticed)
    verdict = _verdict(window, baseline, found, counted, past, requests, noticed)
    verdict["quality"] = _judged(
        window.document, qualities, bool(labels), _read(inputs / "evaluation" / "verdict.json")
    )
    verdict["sentence"] = _sentence(verdict)

    rows = len(requests.matrix)
    differed = verdict["status"] == CHANGED
    left = window_document(window.document, baseline.digest, counted, rows=rows, differed=differed)
    _write(output / "past" / f"{name}.json", left)
    report = output / "report"
    _write(report / "verdict.json", verdict)
    _write(report / "statistics.json", statistics_document(features, requests.matrix, requests.unseen))
    _write(report / "constraint_violations.json", violations_document(verdict["differences"]))
    page = monitoring_report(
        Monitored(verdict, baseline, counted, found, past, qualities, requests, features)
    )
    (report / "report.html").write_text(page, encoding="utf-8")
    return str(verdict["sentence"])


def _predictions(matrix: np.ndarray, model: Any, serving: Any) -> tuple[np.ndarray | None, np.ndarray]:
    """The class of each row (None for a regression), and its number: of two classes the probability of the
    positive one, of several that of the class, of a regression the answer."""
    known = _without_unseen(matrix, model)
    if not len(known):
        return (None if model.schema.task == "regression" else np.empty(0, np.int64)), np.empty(0)
    prediction = serving.predict(known, model)
    if model.schema.task == "regression":
        return None, prediction.values
    if model.schema.task == "binary":
        return prediction.chosen, prediction.probabilities[:, 1]
    return prediction.chosen, prediction.probabilities.max(axis=1)


def _without_unseen(matrix: np.ndarray, model: Any) -> np.ndarray:
    """The matrix as the model is given it: a category that training has not seen is missing."""
    categories = np.array([feature.kind == "category" for feature in model.schema.features], bool)
    return np.where(categories & (matrix < 0), np.float32(np.nan), matrix)


def _counted(
    baseline: Baseline,
    features: Sequence[Any],
    requests: Requests,
    predicted: np.ndarray | None,
    values: np.ndarray,
) -> dict[str, Counted]:
    columns = {feature.name: requests.matrix[:, place] for place, feature in enumerate(features)}
    if predicted is not None:
        columns |= {ANSWER: predicted.astype(np.float32), SCORE: values.astype(np.float32)}
    else:
        columns[ANSWER] = values.astype(np.float32)
    return {name: column.count(columns[name]) for name, column in baseline.columns.items()}


def _compare(
    window: _Window,
    baseline: Baseline,
    counted: Mapping[str, Counted],
    past: Sequence[PastWindow],
    rows: int,
) -> list[Answer]:
    """Every question's answer; none where there are not enough rows."""
    if rows < LEAST_ROWS:
        return []
    earlier = history(past)
    references, now = dict(baseline.references), dict(counted)
    before = [dict(one.columns) for one in earlier]
    reference, refused = refused_reference(earlier), refused_now(window.document)
    if reference is not None and refused is not None:
        references[REFUSED], now[REFUSED] = reference, refused
        for one, columns in zip(earlier, before, strict=True):
            columns[REFUSED] = refused_now(asdict(one)) or Counted(np.zeros(1, np.int64), 0)
    return answers(references, now, before)


def _verdict(
    window: _Window,
    baseline: Baseline,
    found: Sequence[Answer],
    counted: Mapping[str, Counted],
    past: Sequence[PastWindow],
    requests: Requests,
    noticed: Counter[str],
) -> dict[str, Any]:
    rows, windows = len(requests.matrix), len(history(past))
    status = NOT_ENOUGH_ROWS
    if found:
        status = CHANGED if any(one.differs for one in found) else AS_BEFORE
    ordered = sorted((one for one in found if one.differs), key=lambda one: -one.size)
    differences = [
        {
            **{key: value for key, value in asdict(one).items() if key != "differs"},
            "sentence": difference_sentence(one, baseline, counted.get(one.column, _NOTHING), requests),
        }
        for one in ordered
    ]
    before = week_before(past, window.end)
    kept = ("project", "environment", "version", "start", "end", "invocations", "refused")
    return {
        "version_of_format": 1,
        **{key: window.document.get(key) for key in kept},
        "status": status,
        "rows": rows,
        "requests": len(requests.ids),
        "captured": requests.captured,
        "share_used": requests.share,
        "least_rows": LEAST_ROWS,
        "history": {"windows": windows, "needed": LEAST_WINDOWS},
        "differences": differences,
        "week_before": _against_week_before(before, baseline, counted) if before and found else None,
        "noticed": counted_sentences(noticed),
    }


def _against_week_before(before: PastWindow, baseline: Baseline, counted: Mapping[str, Counted]) -> list[str]:
    """The columns that are spread otherwise than in the window a week earlier; for people, no alarm."""
    references = {
        name: Reference(one.counts, one.present, one.missing)
        for name, one in before.columns.items()
        if name in baseline.columns
    }
    return [one.column for one in answers(references, counted) if one.differs and one.question == SPREAD]


def _judged(
    window: Mapping[str, Any], qualities: Sequence[WindowQuality], labels: bool, verdict: Mapping[str, Any]
) -> dict[str, Any]:
    """The gate's metric in the newest window of this version with enough labels, against the test part's."""
    metric, version = window["metric"], str(window["version"])
    own = [one for one in qualities if one.version in (version, "")]
    judged = next((one for one in reversed(own) if metric in one.metrics), None)
    found: dict[str, Any] = {
        "metric": metric,
        "least_labels": LEAST_LABELS,
        "windows": [
            {"end": one.end, "rows": one.rows, "labelled": one.labelled, "metrics": one.metrics}
            for one in qualities
        ],
    }
    if judged is None:
        return {**found, "status": NOT_ENOUGH_LABELS if labels else NO_LABELS}
    test = verdict.get("metrics", {}).get(metric, {})
    worse = is_worse(metric, judged.metrics[metric], test)
    status = WORSE if worse else AS_BEFORE if worse is not None else NOT_ENOUGH_LABELS
    sentence = quality_sentence(METRICS[metric], judged, test)
    return {**found, "status": status, "window": judged.end, "test": dict(test), "sentence": sentence}


def _sentence(verdict: Mapping[str, Any]) -> str:
    """The whole verdict in a line."""
    about = f"version {verdict['version']} in {verdict['environment']}, {verdict['rows']:,} rows"
    if verdict["status"] == NOT_ENOUGH_ROWS:
        said = f"not enough rows to compare ({verdict['least_rows']} are needed)"
    elif verdict["status"] == AS_BEFORE:
        said = "the traffic is as it was in training"
    else:
        first, more = verdict["differences"][0]["sentence"], len(verdict["differences"]) - 1
        said = f"the traffic changed: {first}" + (f"; and {more} more" if more else "")
    if verdict["history"]["windows"] < verdict["history"]["needed"] and verdict["status"] == CHANGED:
        said += "; there is no history yet to compare with what such windows always show"
    quality_said = verdict["quality"]
    if quality_said["status"] == WORSE:
        said += f"; the model got worse: {quality_said['sentence']}"
    elif quality_said["status"] == AS_BEFORE:
        said += f"; {quality_said['sentence']}"
    return f"{about}: {said}"


def _read(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"there is no {path.name}: give what the version was registered with ({path})")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}") from error


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step; 0, or 1 after an error that its input caused."""
    return run_job("monitor.py", __doc__, monitor, arguments)


if __name__ == "__main__":
    run_and_exit(main)
