"""What would another version have answered? The captured requests of a window, sent through both.

    python replay.py [--opt-ml /opt/ml]

Reads, below ``processing/input``: ``model/model.tar.gz`` (the version that serves),
``candidate/model.tar.gz`` (the other one), ``window/`` (``window.json``) and ``captures/``. Writes
``replay.json`` and ``report.html`` into ``processing/output/replay``: how many answers flip (of a regression:
how far they move), for whom, and how long each version takes for a request of one row. Nothing is judged
right or wrong: that takes labels.
"""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

if __name__ == "__main__":
    from unneeded_libraries import keep_out, keep_out_parts_of_numpy

    keep_out("pandas")
    keep_out_parts_of_numpy()

import numpy as np
from artifact import unpack
from captures import Requests, read_requests
from documents import in_units, name_of
from input_error import InputError
from job import run_job
from metric_table import readable
from process_exit import run_and_exit
from replay_report import replay_report
from scoring import serving_code
from wilson import wilson

_TIMED_REQUESTS = 200
_FEWEST_ROWS = 30
"""Rows of a slice; fewer say nothing of it."""
_MOST_SLICES = 20
_BINS = 5
_EXAMPLES = 10


@dataclass(frozen=True)
class Version:
    """A version's artifact, loaded."""

    folder: Path
    serving: ModuleType
    model: Any

    @property
    def features(self) -> Sequence[Any]:
        """Those of its schema."""
        found: Sequence[Any] = self.model.schema.features
        return found


@dataclass(frozen=True)
class Answered:
    """What a version answers: the class of each row by name (None for a regression), and a number: of two
    classes the probability of the positive one, of several that of the class, of a regression the answer."""

    classes: np.ndarray | None
    values: np.ndarray


def replay(opt_ml: Path) -> str:
    """Do the whole step and return its message.

    Raises:
        InputError: an artifact is none, was registered before there was monitoring, or is of another task.
    """
    inputs, output = opt_ml / "processing" / "input", opt_ml / "processing" / "output" / "replay"
    named = sorted((inputs / "window").rglob("window.json"))
    if not named:
        raise InputError("there is no window.json: give what names the window")
    window = json.loads(named[0].read_text(encoding="utf-8"))
    start, end = (datetime.fromisoformat(window[key]).timestamp() for key in ("start", "end"))
    with tempfile.TemporaryDirectory(prefix="models-") as folder:
        served, candidate = (
            _load(inputs / name / "model.tar.gz", Path(folder) / name) for name in ("model", "candidate")
        )
        if served.model.schema.task != candidate.model.schema.task:
            raise InputError(
                f"the versions are of different tasks: {served.model.schema.task} and"
                f" {candidate.model.schema.task}"
            )
        asked = [
            read_requests(inputs / "captures", one.folder, one.serving, start, end)
            for one in (served, candidate)
        ]
        rows, refused = _in_common(*asked)
        answers = [
            _answers(one, requests.matrix[places])
            for one, requests, places in zip((served, candidate), asked, rows, strict=True)
        ]
        latencies = [
            _milliseconds(one, requests.matrix[places])
            for one, requests, places in zip((served, candidate), asked, rows, strict=True)
        ]
    document = {
        "version_of_format": 1,
        **{key: window.get(key) for key in ("project", "environment", "version", "candidate")},
        "start": window["start"],
        "end": window["end"],
        "requests": len(asked[0].ids),
        "rows": len(rows[0]),
        "refused_by_candidate": refused,
        "noticed": [f"{reason}: {count:,}" for reason, count in asked[0].noticed.most_common() if count],
        **_compared(answers[0], answers[1]),
        "slices": _slices(served, asked[0], rows[0], *answers),
        "milliseconds": {"served": latencies[0], "candidate": latencies[1]},
    }
    document["sentence"] = _sentence(document)
    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, allow_nan=False)
    (output / "replay.json").write_text(text + "\n", encoding="utf-8")
    (output / "report.html").write_text(replay_report(document), encoding="utf-8")
    return str(document["sentence"])


def _load(archive: Path, folder: Path) -> Version:
    folder.mkdir()
    unpack(archive, folder)
    serving = serving_code(folder / "code")
    if not hasattr(serving, "predict"):
        raise InputError(
            f"{archive.parent.name}: this version was registered before there was monitoring. Register a new"
            " one"
        )
    return Version(folder, serving, serving.model_fn(str(folder)))


def _in_common(served: Requests, candidate: Requests) -> tuple[tuple[np.ndarray, np.ndarray], int]:
    """The places of the rows of requests that both can read, and how many the candidate would refuse."""
    known = {event: number for number, event in enumerate(candidate.events)}
    counts = [np.bincount(one.request, minlength=len(one.events)) for one in (served, candidate)]
    firsts = [np.concatenate([[0], np.cumsum(count)]) for count in counts]
    places: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    refused = 0
    for number, event in enumerate(served.events):
        other = known.get(event)
        if other is None or counts[0][number] != counts[1][other]:
            refused += 1
            continue
        for found, first, at in zip(places, firsts, (number, other), strict=True):
            found.append(np.arange(first[at], first[at + 1]))
    empty = np.empty(0, np.int64)
    return (np.concatenate([empty, *places[0]]), np.concatenate([empty, *places[1]])), refused


def _answers(version: Version, matrix: np.ndarray) -> Answered:
    schema = version.model.schema
    categories = np.array([feature.kind == "category" for feature in schema.features], bool)
    known = np.where(categories & (matrix < 0), np.float32(np.nan), matrix)
    if not len(known):
        return Answered(None if schema.task == "regression" else np.empty(0, object), np.empty(0))
    prediction = version.serving.predict(known, version.model)
    if schema.task == "regression":
        return Answered(None, prediction.values)
    chosen = np.array(schema.classes, object)[prediction.chosen]
    if schema.task == "binary":
        return Answered(chosen, prediction.probabilities[:, 1])
    return Answered(chosen, prediction.probabilities.max(axis=1))


def _milliseconds(version: Version, matrix: np.ndarray) -> float | None:
    """The median time that the model takes for one row, as an endpoint asks for it; None without rows."""
    known = _one_row_each(matrix[:_TIMED_REQUESTS])
    if not known:
        return None
    version.serving.predict(known[0], version.model)  # the first one sets things up
    taken = []
    for row in known:
        begun = time.perf_counter()
        version.serving.predict(row, version.model)
        taken.append(time.perf_counter() - begun)
    return round(float(np.median(taken)) * 1000, 4)


def _one_row_each(matrix: np.ndarray) -> list[np.ndarray]:
    known = np.where(matrix < 0, np.float32(np.nan), matrix)
    return [known[place : place + 1] for place in range(len(known))]


def _compared(served: Answered, candidate: Answered) -> dict[str, Any]:
    """How the answers differ: of classes which become which, of numbers how far they move."""
    if served.classes is None or candidate.classes is None:
        moved = np.abs(candidate.values - served.values)
        shares = (0.5, 0.9, 0.99)
        quantiles = [[share, float(np.quantile(moved, share))] for share in shares] if len(moved) else []
        mean = float((candidate.values - served.values).mean()) if len(moved) else 0.0
        return {"moved": {"mean": mean, "quantiles": quantiles}}
    flips = served.classes != candidate.classes
    pairs: dict[tuple[str, str], int] = {}
    for before, after in zip(served.classes[flips], candidate.classes[flips], strict=True):
        pairs[before, after] = pairs.get((before, after), 0) + 1
    ordered = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "flips": int(flips.sum()),
        "becomes": [{"from": one, "to": other, "rows": rows} for (one, other), rows in ordered[:_EXAMPLES]],
    }


def _slices(
    version: Version, requests: Requests, rows: np.ndarray, served: Answered, candidate: Answered
) -> list[dict[str, Any]]:
    """For whom answers flip most: values of a column, or fifths of its numbers, by the lower end of the
    share's 95 % interval. Of a regression there are none."""
    if served.classes is None or candidate.classes is None or not len(rows):
        return []
    flips = served.classes != candidate.classes
    found = []
    for place, feature in enumerate(version.features):
        values = requests.matrix[rows, place]
        for label, chosen in _groups(feature, values, requests.unseen.get(feature.name, [])):
            count = int(chosen.sum())
            if count < _FEWEST_ROWS:
                continue
            flipped = int(flips[chosen].sum())
            low, high = wilson(flipped / count, count)
            one = {"column": feature.name, "value": label, "rows": count, "flips": flipped}
            found.append({**one, "low": low, "high": high})
    usual = float(flips.mean())
    above = [one for one in found if one["low"] > usual]
    return sorted(above, key=lambda one: -one["low"])[:_MOST_SLICES]


def _groups(feature: Any, values: np.ndarray, unseen: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    missing = np.isnan(values)
    found = [("(missing)", missing)] if missing.any() else []
    present = values[~missing]
    if not len(present) or feature.kind == "timestamp":
        return found
    if feature.kind in ("category", "boolean"):
        for code in np.unique(present).astype(int).tolist():
            label = ("false", "true")[code] if feature.kind == "boolean" else name_of(code, feature, unseen)
            found.append((label, values == code))
        return found
    edges = np.unique(np.quantile(present, np.arange(1, _BINS) / _BINS))
    shown = [readable(float(edge), 4) for edge in in_units(edges.astype(np.float32), feature)]
    bins = np.searchsorted(edges, values, side="right")
    labels = [f"below {shown[0]}", *(f"{a} to {b}" for a, b in itertools.pairwise(shown))]
    labels.append(f"{shown[-1]} and more")
    return found + [(label, (bins == place) & ~missing) for place, label in enumerate(labels)]


def _sentence(document: Mapping[str, Any]) -> str:
    rows = document["rows"]
    about = f"version {document['candidate']} on {rows:,} rows that version {document['version']} answered"
    if not rows:
        return f"{about}: there is nothing to compare"
    if "moved" in document:
        shown = ", ".join(
            f"{readable(100 * share, 3)} % by at most {readable(by)}"
            for share, by in document["moved"]["quantiles"]
        )
        said = f"answers move: {shown}"
    else:
        said = f"{document['flips']:,} answers flip ({readable(100 * document['flips'] / rows, 2)} %)"
    if document["refused_by_candidate"]:
        said += f"; it would refuse {document['refused_by_candidate']:,} requests"
    times = document["milliseconds"]
    if times["served"] and times["candidate"]:
        said += f"; a row takes it {times['candidate'] / times['served']:.2f} times as long"
    return f"{about}: {said}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step; 0, or 1 after an error that its input caused."""
    return run_job("replay.py", __doc__, replay, arguments)


if __name__ == "__main__":
    run_and_exit(main)
