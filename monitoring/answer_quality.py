"""How good the answers were, where labels came: every metric of the gate, with its interval.

What the model answered is kept window by window (a Parquet file each), since labels come late. They are
joined by inference id, and counted to the window of their request. A metric is judged in the newest window
that has enough labels: it is worse if it differs from the test part's by more than both together can do by
chance (one-sided, 1 %, from their 95 % intervals) and by more than a hundredth, of an error more than 5 %.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measured import measured, measured_numbers
from metric_table import METRICS, SECTIONS
from metrics import regression_statistics, statistics
from regression_verdict import NumberAnswers
from scipy import special
from verdict import Answers

LEAST_LABELS = 100
LEVEL = 0.01
_LARGE, _LARGE_ERROR = 0.01, 0.05
_VERSION = "version"

NO_LABEL = "lines that are no labels"
WITHOUT_REQUEST = "labels of no request that was captured"
CONTRADICTED = "requests with two different labels"
SHARED_ID = "inference ids that several requests have"
OTHER_COUNT = "requests with more or fewer labels than rows"
NO_CLASS = "labels that are no class of the model, or no number"


@dataclass(frozen=True)
class WindowQuality:
    """A window's answers against their labels.

    Attributes:
        end: of the window, ISO 8601.
        version: that answered in it; empty where an earlier version of this program did not note it.
        rows: how many answers there are; ``labelled`` of them have a label.
        metrics: by name ``value`` and, where it has an interval, ``low`` and ``high``; none below the least.
    """

    end: str
    version: str
    rows: int
    labelled: int
    metrics: Mapping[str, Mapping[str, float]]


def answers_table(
    ids: Sequence[str],
    events: Sequence[str],
    predicted: np.ndarray | None,
    values: np.ndarray,
    classes: Sequence[str],
    version: int,
) -> pa.Table:
    """What is kept of a window: a row for each answer, with its request's inference id and event.

    The version that answered is in the metadata: labels may come when another one serves.
    """
    columns: dict[str, Any] = {
        "id": pa.array(ids, pa.string()),
        "event": pa.array(events, pa.string()),
        "value": pa.array(values, pa.float64()),
    }
    if predicted is not None:
        columns["class"] = pa.array([classes[place] for place in predicted], pa.string())
    return pa.table(columns, metadata={_VERSION: str(version)})


def read_labels(folder: Path, noticed: Counter[str]) -> dict[str, list[str]]:
    """Labels by inference id, in the order of the request's rows; Model Monitor's form of ground truth.

    A label that is sent again counts once; one that contradicts an earlier one takes both out.
    """
    found: dict[str, list[str]] = {}
    contradicted: set[str] = set()
    for path in sorted(folder.rglob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            if not line.strip():
                continue
            try:
                document = json.loads(line)
                data, event = document["groundTruthData"], document["eventMetadata"]
                text = data["data"]
                if data.get("encoding") == "BASE64":
                    text = base64.b64decode(text, validate=True).decode()
                identity = event.get("inferenceId") or event["eventId"]
                labels = [row[0] for row in csv.reader(io.StringIO(text, newline="")) if row]
            except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, csv.Error):
                noticed[NO_LABEL] += 1
                continue
            if found.setdefault(identity, labels) != labels:
                contradicted.add(identity)
    noticed[CONTRADICTED] += len(contradicted)
    return {identity: labels for identity, labels in found.items() if identity not in contradicted}


def quality(
    answers: Mapping[str, pa.Table],
    labels: Mapping[str, list[str]],
    schema: Mapping[str, Any],
    noticed: Counter[str],
) -> list[WindowQuality]:
    """Of each window, oldest first.

    Args:
        answers: what windows left, by their ends.
        noticed: is given what could not be used.
    """
    # Windows may overlap: the same request in two of them is one.
    sent: dict[str, str] = {}
    shared = set()
    for table in answers.values():
        for identity, event in zip(table["id"].to_pylist(), table["event"].to_pylist(), strict=True):
            if sent.setdefault(identity, event) != event:
                shared.add(identity)
    noticed[SHARED_ID] += len(shared)
    noticed[WITHOUT_REQUEST] += len(labels.keys() - sent.keys())
    return [
        _window_quality(
            end,
            answers[end],
            {key: found for key, found in labels.items() if key not in shared},
            schema,
            noticed,
        )
        for end in sorted(answers)
    ]


def _window_quality(
    end: str,
    table: pa.Table,
    labels: Mapping[str, list[str]],
    schema: Mapping[str, Any],
    noticed: Counter[str],
) -> WindowQuality:
    ids = table["id"].to_pylist()
    actual: list[str | None] = [None] * len(ids)
    for identity, places in _rows_by_id(ids):
        given = labels.get(identity)
        if given is None:
            continue
        if len(given) != len(places):
            noticed[OTHER_COUNT] += 1
            continue
        for place, label in zip(places, given, strict=True):
            actual[place] = label
    read = _numbers if schema["task"] == "regression" else _classes
    labelled, metrics = read(table, actual, schema, noticed)
    version = (table.schema.metadata or {}).get(_VERSION.encode(), b"").decode()
    return WindowQuality(end, version, len(ids), labelled, metrics)


def _rows_by_id(ids: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    places: dict[str, list[int]] = {}
    for place, identity in enumerate(ids):
        places.setdefault(identity, []).append(place)
    yield from places.items()


def _classes(
    table: pa.Table, actual: Sequence[str | None], schema: Mapping[str, Any], noticed: Counter[str]
) -> tuple[int, dict[str, Any]]:
    classes = schema["classes"]
    place_of = {label: place for place, label in enumerate(classes)}
    places = places_of({label for label in actual if label is not None}, classes)
    truth = np.array([-2 if label is None else places[label] for label in actual], np.int64)
    noticed[NO_CLASS] += int(np.count_nonzero(truth == -1))
    known = truth >= 0
    labelled = int(known.sum())
    truth = truth[known]
    if labelled < LEAST_LABELS or len(np.unique(truth)) < 2:
        return labelled, {}
    predicted = np.array([place_of[label] for label in table["class"].to_pylist()], np.int64)[known]
    scores = table["value"].to_numpy()[known] if schema["task"] == "binary" else None
    document = statistics(truth, predicted, scores, classes, "")[SECTIONS[schema["task"]]]
    values = {name: entry["value"] for name, entry in document.items() if "value" in entry}
    usual = int(np.argmax(schema["train_rows"]))
    return labelled, measured(Answers(classes, truth, predicted, scores, values, usual))


def places_of(labels: Iterable[str], classes: Sequence[str]) -> dict[str, int]:
    """Each label's place among the classes, which preprocessing has named: 1.0 is the class "1", and True the
    class "true"; -1 for one that is no class."""
    by_name = {name: place for place, name in enumerate(classes)}
    by_number = {_number(name): place for name, place in by_name.items() if math.isfinite(_number(name))}
    by_boolean = {name: place for name, place in by_name.items() if name in ("true", "false")}
    return {
        label: by_name.get(label, by_number.get(_number(label), by_boolean.get(label.lower(), -1)))
        for label in labels
    }


def _numbers(
    table: pa.Table, actual: Sequence[str | None], schema: Mapping[str, Any], noticed: Counter[str]
) -> tuple[int, dict[str, Any]]:
    truth = np.array([math.nan if label is None else _number(label) for label in actual])
    sent = np.array([label is not None for label in actual], bool)
    noticed[NO_CLASS] += int(np.count_nonzero(sent & ~np.isfinite(truth)))
    known = np.isfinite(truth)
    labelled, truth, predicted = int(known.sum()), truth[known], table["value"].to_numpy()[known]
    if labelled < LEAST_LABELS or truth.min() == truth.max():
        return labelled, {}
    document = regression_statistics(truth, predicted, "")[SECTIONS["regression"]]
    values = {name: entry["value"] for name, entry in document.items() if "value" in entry}
    constant = schema["train_target"]["mean"]
    return labelled, measured_numbers(NumberAnswers(truth, predicted, constant, values))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def is_worse(metric: str, now: Mapping[str, float], test: Mapping[str, float]) -> bool | None:
    """Whether a metric is worse than it was on the test part; None where it has no interval."""
    if not all(end in one for one in (now, test) for end in ("low", "high")):
        return None
    kind = METRICS[metric]
    better, worse = ("low", "high") if kind.higher_is_better else ("high", "low")
    fallen = abs(test["value"] - now["value"])
    if (now["value"] < test["value"]) != kind.higher_is_better:
        return False
    large = _LARGE if kind.largest is not None or metric == "r2" else _LARGE_ERROR * abs(test["value"])
    # Of each interval the side that faces the other value (Newcombe 1998, method 10): a test part that was
    # lucky, near 1, has a short side away from it, and with whole widths up to 5 % of versions looked worse.
    apart = math.hypot(test["value"] - test[better], now[worse] - now["value"])
    return bool(fallen > large and fallen > apart * special.ndtri(LEVEL) / special.ndtri(0.025))


def read_answers(folder: Path) -> dict[str, pa.Table]:
    """What earlier windows left, by their ends; a damaged file is said and left out."""
    found = {}
    for path in sorted(folder.rglob("*.parquet")):
        try:
            table = pq.read_table(path)
        except (pa.ArrowException, OSError):
            table = pa.table({})
        if {"id", "event", "value"} <= set(table.column_names):
            found[path.stem] = table
        else:
            print(f"{path.name} is not what a window leaves; it is not used", flush=True)
    return found
