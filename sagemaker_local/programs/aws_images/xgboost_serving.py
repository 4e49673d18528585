"""Serves what the built-in XGBoost has trained, as the XGBoost image does without a script.

The model server loads it in place of a user's script. Rows come as CSV or libsvm without the label; answers
go as CSV, JSON or JSON lines. The container's environment decides more: ``SAGEMAKER_INFERENCE_OUTPUT``
selects what an answer holds, ``SAGEMAKER_BATCH`` means a transform job, and ``XGBOOST_IMAGE_VERSION`` is the
image's version: before 1.5 all answers of a request are on one line of CSV.
"""

from __future__ import annotations

import json
import math
import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xgboost as xgb

from . import encodings

_CSV, _JSON, _JSON_LINES = encodings.CSV, encodings.JSON, "application/jsonlines"
_FIRST_WITH_LINES = (1, 5)
_BATCH = bool(os.environ.get("SAGEMAKER_BATCH"))
_SELECTED = os.environ.get("SAGEMAKER_INFERENCE_OUTPUT", "").replace(" ", "").lower()


class Refusal(Exception):
    """An answer other than 200: the status with its reason, and what is wrong."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.refusal = status


def model_fn(folder: str) -> xgb.Booster:
    """The model ``xgboost-model``, or the one file of another name: a pickle, or XGBoost's own format.

    Raises:
        FileNotFoundError: there is no such file, or there are several.
        ValueError: this XGBoost cannot read it.
    """
    files = [path for path in Path(folder).iterdir() if path.is_file() and not path.name.startswith(".")]
    path = next((one for one in files if one.name == "xgboost-model"), files[0] if len(files) == 1 else None)
    if path is None:
        names = ", ".join(sorted(one.name for one in files)) or "no file"
        raise FileNotFoundError(
            f"the artifact holds {names}; it has to hold xgboost-model, or one file alone"
        )
    try:
        with path.open("rb") as content:
            booster: xgb.Booster = pickle.load(content)
    except Exception:  # whatever unpickling of another format raises
        booster = xgb.Booster()
        try:
            booster.load_model(bytearray(path.read_bytes()))
        except xgb.core.XGBoostError as problem:
            raise ValueError(
                f"{path.name} is no model that XGBoost {xgb.__version__} reads. A pickle needs the version"
                " that wrote it, and the binary format of versions before 1.0 was dropped in 3.1"
            ) from problem
    booster.set_param({"nthread": 1})
    return booster


def transform_fn(
    model: xgb.Booster, body: str | bytes, content_type: str, accept: str
) -> tuple[str | bytes, str]:
    """Predict the rows of a request."""
    text = encodings.text_of(body).strip()
    if not text:
        raise Refusal("204 No Content", "")
    matrix = _matrix(text, content_type)
    try:
        answers = model.predict(matrix, validate_features=False)
    except (xgb.core.XGBoostError, ValueError) as problem:
        said = next((line for line in str(problem).splitlines() if line.strip()), "")
        raise Refusal("400 Bad Request", f"Unable to evaluate payload provided: {said}") from problem
    form = encodings.media_type(accept)
    if form not in (_CSV, _JSON, _JSON_LINES):
        raise Refusal(
            "406 Not Acceptable",
            f"Accept type {accept} is not supported. Please use {_CSV}, {_JSON} or {_JSON_LINES}.",
        )
    if _SELECTED:
        return _selected(model, answers, _SELECTED.split(","), form), form
    return _plain(answers.tolist(), form), form


def _matrix(text: str, content_type: str) -> xgb.DMatrix:
    form = encodings.media_type(content_type)
    read: Callable[[str], Any]
    if form in ("csv", _CSV):
        read = encodings.csv_rows
    elif form in ("libsvm", *encodings.LIBSVM):
        read = encodings.libsvm_rows
    else:
        raise Refusal("415 Unsupported Media Type", f"Content-type {content_type} is not supported.")
    try:
        return xgb.DMatrix(read(text))
    except (ValueError, xgb.core.XGBoostError) as problem:
        raise Refusal(
            "415 Unsupported Media Type",
            f"Loading {form} data failed, please ensure that it is {form} of numbers without a header:"
            f" {problem}",
        ) from problem


def _plain(answers: Sequence[Any], form: str) -> str:
    """The model's own answers: a number for each row, or one for each class of each row."""
    if _BATCH:
        return "".join(f"{answer}\n" for answer in answers)
    if form == _JSON:
        return json.dumps({"predictions": [{"score": answer} for answer in answers]})
    if form == _JSON_LINES:
        return "".join(f"{json.dumps({'score': answer})}\n" for answer in answers)
    version = os.environ.get("XGBOOST_IMAGE_VERSION", "1.5").split(".")
    if (int(version[0]), int(version[1])) < _FIRST_WITH_LINES:
        return ",".join(map(str, answers))
    return str(encodings.encoded(answers, _CSV))


def _selected(model: xgb.Booster, answers: Any, keys: Sequence[str], form: str) -> str:
    """What ``SAGEMAKER_INFERENCE_OUTPUT`` names, of each row; NaN for what the objective does not give."""
    learner = json.loads(model.save_config())["learner"]
    objective = learner["objective"]["name"]
    classes = int(learner["learner_model_param"].get("num_class", 0))
    rows = []
    for answer in answers:
        known = _contents(objective, classes, answer)
        rows.append({key: known.get(key, math.nan) for key in keys})
    if form == _JSON:
        return json.dumps({"predictions": rows})
    if form == _JSON_LINES:
        return "".join(f"{json.dumps(row)}\n" for row in rows)
    lines = (
        ",".join(f'"{value}"' if isinstance(value, list) else str(value) for value in row.values())
        for row in rows
    )
    return "\n".join(lines) + ("\n" if _BATCH else "")


def _contents(objective: str, classes: int, answer: Any) -> Mapping[str, Any]:
    """Everything that can be selected of one row, by "XGBoost: selectable inference" of the image.

    Raises:
        Refusal: the objective has nothing to select.
    """
    if objective in (*("reg:squarederror", "reg:logistic", "reg:gamma", "reg:absoluteerror", "reg:tweedie"),):
        return {"predicted_score": answer.item()}
    if objective == "multi:softprob":
        shares = answer.tolist()
        best = max(shares)
        return {
            "predicted_label": shares.index(best),
            "labels": list(range(classes)),
            "probability": best,
            "probabilities": shares,
            "raw_score": best,
            "raw_scores": shares,
        }
    if objective not in ("binary:logistic", "binary:logitraw", "binary:hinge", "multi:softmax"):
        raise Refusal(
            "500 INTERNAL SERVER ERROR",
            f"Objective `{objective}` unsupported for selectable inference predictions.",
        )
    score = answer.item()
    thresholds = {"binary:logistic": 0.5, "binary:logitraw": 0.0}
    scores = [1.0 - score, score]
    contents: dict[str, Any] = {
        "predicted_label": int(score > thresholds[objective]) if objective in thresholds else score,
        "labels": [0, 1] if objective.startswith("binary:") else list(range(classes)),
        "raw_score": score,
        "raw_scores": scores,
    }
    if objective == "binary:logistic":
        contents |= {"probability": score, "probabilities": scores}
    return contents
