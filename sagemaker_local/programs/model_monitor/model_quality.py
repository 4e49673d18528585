"""Model quality: the metrics of answers against their labels, the constraints they suggest, and violations.

Metrics are those of "Model quality metrics" in the SageMaker developer guide, computed by the file by which
this project's evaluation computes them. Each suggests its own value as the threshold; a rate of errors, or an
error, must not be greater, everything else must not be less.

Labels come with the dataset, or as ground truth beside captured requests, by inference id or event id:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-merge.html
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import captures
import datasets
import metrics
import numpy as np
import pyarrow as pa
from input_error import InputError, of_the_form

_NAMES = {
    "BinaryClassification": "binary_classification",
    "MulticlassClassification": "multiclass_classification",
    "Regression": "regression",
}
_RISING = ("false_positive_rate", "false_negative_rate", "mae", "mse", "rmse")
"""Metrics that are worse when they are greater."""

_OF_SCORES = ("auc", "receiver_operating_characteristic_curve", "precision_recall_curve")
_LABEL = "ground truth label"
_THRESHOLD = 0.5
_POSITIVE, _NEGATIVE = ("1", "true", "yes"), ("0", "false", "no")


def statistics(table: pa.Table, variables: Mapping[str, str], time: str) -> dict[str, Any]:
    """``statistics.json``.

    Args:
        table: a row for each answer that has a label, columns of texts.
        variables: ``problem_type`` and the attributes that name columns, by name, number or JSON path.

    Raises:
        InputError: a column is not there, or its values are not what the problem type needs.
    """
    problem = variables.get("problem_type", "")
    if problem not in _NAMES:
        raise InputError(f"problem_type is '{problem}'; there are {', '.join(_NAMES)}")
    actual = _column(table, variables, "ground_truth_attribute")
    if problem == "Regression":
        predicted = _column(table, variables, "inference_attribute")
        return metrics.regression_statistics(
            _floats(actual, "ground truth"), _floats(predicted, "inference"), time
        )
    if problem == "MulticlassClassification":
        return _multiclass(actual, _column(table, variables, "inference_attribute"), time)
    return _binary(actual, table, variables, time)


def suggested_constraints(found: Mapping[str, Any]) -> dict[str, Any]:
    """``constraints.json`` from ``statistics.json``."""
    name = next(name for name in _NAMES.values() if f"{name}_metrics" in found)
    return {
        "version": 0.0,
        f"{name}_constraints": {
            metric: {
                "threshold": value,
                "comparison_operator": "GreaterThanThreshold" if metric in _RISING else "LessThanThreshold",
            }
            for metric, value in values(found).items()
            if not metric.endswith("_best_constant_classifier")
        },
    }


def values(found: Mapping[str, Any]) -> dict[str, float]:
    """Every metric that is one number, of ``statistics.json``."""
    section = next(entry for name, entry in found.items() if name.endswith("_metrics"))
    return {
        name: entry["value"]
        for name, entry in section.items()
        if isinstance(entry.get("value"), int | float) and math.isfinite(entry["value"])
    }


def check(found: Mapping[str, Any], constraints: Mapping[str, Any]) -> list[dict[str, str]]:
    """The violations of a baseline's constraints."""
    section = next((entry for name, entry in constraints.items() if name.endswith("_constraints")), None)
    if section is None:
        raise InputError("the baseline's constraints are none of model quality")
    with of_the_form("the baseline's constraints.json"):
        return list(_violations(found, section))


def _violations(found: Mapping[str, Any], section: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    now = values(found)
    document = next(entry for name, entry in found.items() if name.endswith("_metrics"))
    for metric, limit in section.items():
        if metric not in now:
            continue
        operator, threshold = limit["comparison_operator"], float(limit["threshold"])
        if operator not in ("LessThanThreshold", "GreaterThanThreshold"):
            raise InputError(f"the constraint of {metric} has the comparison_operator '{operator}'")
        if now[metric] < threshold if operator == "LessThanThreshold" else now[metric] > threshold:
            deviation = document[metric]["standard_deviation"]
            sentence = f"Metric {metric} with {now[metric]} +/- {deviation} was {operator} '{threshold}'"
            yield {"metric_name": metric, "constraint_check_type": operator, "description": sentence}


def merged(requests: Iterable[captures.Captured], labels: Path) -> tuple[pa.Table, int]:
    """The answers of captured requests with their labels, and how many have none.

    The labels are another column, which :func:`statistics` takes where no ``ground_truth_attribute`` is
    named.
    """
    known = _labels(labels)
    records: list[dict[str, str | None]] = []
    without = 0
    for request in requests:
        answers = captures.rows(request, (captures.OUTPUT,))
        given = known.get(request.identity)
        if given is None:
            without += len(answers)
            continue
        if len(given) != len(answers):
            raise InputError(f"{request.identity} has {len(answers)} answers and {len(given)} labels")
        for answer, label in zip(answers, given, strict=True):
            row = answer if isinstance(answer, dict) else datasets.named(answer)
            records.append({**row, _LABEL: label})
    if not records:
        raise InputError(f"no label belongs to an answer: {without} answers, {len(known)} labelled requests")
    return datasets.of_records(records), without


def _labels(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in datasets.files_below(folder):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    document = json.loads(line)
                    data, event = document["groundTruthData"], document["eventMetadata"]
                    rows = list(csv.reader(str(data["data"]).splitlines()))
                    identity = str(event.get("inferenceId") or event["eventId"])
                except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as problem:
                    raise InputError(
                        f"{file.name}, line {number} is no ground truth: {problem!r}"
                    ) from problem
                found[identity] = [row[0] for row in rows if row]
    return found


def _column(table: pa.Table, variables: Mapping[str, str], attribute: str) -> list[str]:
    """A column by its name, its number or a JSON path of one member."""
    wanted = variables.get(attribute, "")
    if attribute == "ground_truth_attribute" and not wanted:
        wanted = _LABEL
    if not wanted:
        raise InputError(f"{attribute} is missing: it names the column")
    names = table.column_names
    name = next(_meant(wanted, names), None)
    if name is None:
        raise InputError(f"{attribute} is '{wanted}'; the dataset has: {', '.join(names[:20])}")
    column = table.column(name)
    if column.null_count:
        raise InputError(f"{column.null_count} rows have no value in the column '{name}' ({attribute})")
    found: list[str] = column.to_pylist()
    return [value.strip() for value in found]


def _meant(wanted: str, names: list[str]) -> Iterator[str]:
    member = wanted.removeprefix("$").removeprefix(".").removeprefix("['").removesuffix("']")
    for candidate in (wanted, member):
        if candidate in names:
            yield candidate
    if wanted.isdecimal() and int(wanted) < len(names):
        yield names[int(wanted)]


def _floats(texts: list[str], what: str) -> np.ndarray:
    try:
        found = np.array([float(text) for text in texts])
    except ValueError as problem:
        raise InputError(f"the {what} of a regression has to be a number: {problem}") from problem
    if not np.isfinite(found).all():
        raise InputError(f"the {what} of a regression has to be a finite number")
    return found


def _multiclass(actual: list[str], predicted: list[str], time: str) -> dict[str, Any]:
    labels, answers = ([_class(text) for text in texts] for texts in (actual, predicted))
    classes = sorted({*labels, *answers})
    place = {name: number for number, name in enumerate(classes)}
    return metrics.statistics(
        np.array([place[name] for name in labels]),
        np.array([place[name] for name in answers]),
        None,
        classes,
        time,
    )


def _binary(actual: list[str], table: pa.Table, variables: Mapping[str, str], time: str) -> dict[str, Any]:
    labels = _positive(actual, "ground truth")
    scores = None
    if variables.get("probability_attribute"):
        scores = _floats(_column(table, variables, "probability_attribute"), "probability")
    if variables.get("inference_attribute"):
        answers = _positive(_column(table, variables, "inference_attribute"), "inference")
    elif scores is not None:
        threshold = float(variables.get("probability_threshold_attribute") or _THRESHOLD)
        answers = (scores >= threshold).astype(np.int64)
    else:
        raise InputError("inference_attribute or probability_attribute must name a column of the answers")
    found = metrics.statistics(
        labels, answers, answers.astype(float) if scores is None else scores, ("0", "1"), time
    )
    if scores is None:  # answers alone have no curve
        for name in _OF_SCORES:
            del found["binary_classification_metrics"][name]
    return found


def _positive(texts: list[str], what: str) -> np.ndarray:
    named = [_class(text).lower() for text in texts]
    wrong = next((name for name in named if name not in (*_POSITIVE, *_NEGATIVE)), None)
    if wrong is not None:
        raise InputError(f"the {what} of BinaryClassification has to be 0 or 1, not '{wrong}'")
    return np.array([name in _POSITIVE for name in named], np.int64)


def _class(text: str) -> str:
    """``1.0`` and ``1`` are the same class."""
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text
