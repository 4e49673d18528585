"""What serves the model, inside its artifact: from a request to a class and its probability, or to a number.

The endpoint's XGBoost container calls, for every request, :func:`input_fn` (what was sent),
:func:`predict_fn` (with what :func:`model_fn` loaded once) and :func:`output_fn` (what goes back). The forms
of a request are those of ``request_rows``; ``feature_encoding`` turns its rows into the numbers that the
model was trained on. ``serving_code`` names all files that serve; their folder is on ``sys.path``.

A request that cannot be answered is refused with status 400. An exception would not do: the container answers
500 to it, with a page that does not say why, and alarms on such answers would hold a client's mistake against
the model. So a :class:`Refusal` is passed on as a value, and :func:`output_fn` returns it as the response.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from csv_rows import cut, part_matrices, rows_about
from feature_encoding import Schema, read_schema
from request_rows import CSV, JSON, BadRequest, Payload, parse, to_matrix

try:
    _names = np.__all__
    sys.modules.setdefault("sklearn", None)  # XGBoost would import it, which takes a second and 80 MB
    np.__all__ = [name for name in _names if name in vars(np)]  # SciPy would import all parts of NumPy
    import xgboost as xgb
finally:
    np.__all__ = _names
    if sys.modules["sklearn"] is None:
        del sys.modules["sklearn"]

import explanations

_SHARED_WORK = 1_000_000  # rows times trees, about 50 ms on one core: for more, waits no longer matter
_LEAST_WORK = 50_000  # rows times trees, 1 to 3 ms: for less, another core saves nothing
_WRITTEN_BY_ARROW = 200  # numbers: for fewer, Python is as fast
_LONGEST_REASON = 2000  # characters: a message may hold a value of the request, which may be long


@dataclass(frozen=True)
class Model:
    """What :func:`model_fn` loads: the booster and the schema it was trained with.

    ``one_thread_booster`` is the same booster on the thread that calls it, for up to ``shared_rows`` rows: on
    busy cores XGBoost's own threads, which wait for each other actively, take several times as long as the
    trees. ``threads`` and the calling one share the rows of such a request, ``least_rows`` each or more.
    """

    booster: xgb.Booster
    schema: Schema
    one_thread_booster: xgb.Booster
    shared_rows: int
    least_rows: int
    cores: int
    threads: ThreadPoolExecutor
    explained_rows: int
    """For how many rows of one request contributions are computed."""


@dataclass(frozen=True)
class Scored:
    """The rows that were scored, and by what: enough to say afterwards what moved each answer."""

    matrix: np.ndarray
    model: Model


@dataclass(frozen=True)
class Prediction:
    """Of a classification, one row each: ``chosen`` (int, an index into ``classes``), ``probabilities``
    (float64, rows x classes)."""

    classes: tuple[str, ...]
    chosen: np.ndarray
    probabilities: np.ndarray
    scored: Scored


@dataclass(frozen=True)
class NumberPrediction:
    """Of a regression: ``values``, one number a row (float64)."""

    values: np.ndarray
    scored: Scored


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered, and the response that says so.

    It is a WSGI application: Flask, which the container serves with, takes one as a response
    (``Flask.make_response``).
    """

    reason: str

    def __call__(self, environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:  # noqa: ARG002
        body = self.reason[:_LONGEST_REASON].encode("utf-8", "backslashreplace")
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response("400 Bad Request", headers)
        return [body]


def model_fn(model_dir: str) -> Model:
    """Load ``model.ubj`` and ``schema.json`` from the unpacked artifact.

    Raises:
        ValueError: one of the two is not there.
    """
    folder = Path(model_dir)
    for name in ("model.ubj", "schema.json"):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: no {name}; this is not an artifact of this pipeline")
    booster = xgb.Booster(model_file=folder / "model.ubj")
    one_thread_booster = xgb.Booster({"nthread": 1}, model_file=folder / "model.ubj")
    schema = read_schema(folder / "schema.json")
    trees = booster.num_boosted_rounds() * (len(schema.classes) if schema.task == "multiclass" else 1)
    cores = _cores()
    return Model(
        booster,
        schema,
        one_thread_booster,
        shared_rows=_SHARED_WORK // max(trees, 1),
        least_rows=max(_LEAST_WORK // max(trees, 1), 1),
        cores=cores,
        threads=ThreadPoolExecutor(max(cores - 1, 1), "predicting"),  # its threads begin with their work
        explained_rows=explanations.rows_for((folder / "model.ubj").stat().st_size),
    )


def input_fn(body: str | bytes, content_type: str) -> Payload | Refusal:
    """Parse a request's body."""
    try:
        return parse(body, content_type)
    except BadRequest as error:
        return Refusal(str(error))


def predict_fn(data: Payload | Refusal, model: Model) -> Prediction | NumberPrediction | Refusal:
    """Score every row of a request. The reason of a refusal names row (from 1) and column."""
    if isinstance(data, Refusal):
        return data
    in_parts = _by_parts(data, model)
    if in_parts is not None:
        return _prediction(*in_parts, model)
    try:
        matrix = to_matrix(data, model.schema)
    except BadRequest as error:
        return Refusal(str(error))
    return predict(matrix, model)


def predict(matrix: np.ndarray, model: Model) -> Prediction | NumberPrediction:
    """Score the rows of a matrix that is encoded already."""
    return _prediction(matrix, _scores(matrix, model), model)


def _prediction(matrix: np.ndarray, scores: np.ndarray, model: Model) -> Prediction | NumberPrediction:
    scores = np.asarray(scores, dtype=np.float64)
    if model.schema.task == "regression":
        return NumberPrediction(scores.reshape(-1), Scored(matrix, model))
    if model.schema.task == "binary":
        scores = scores.reshape(-1)
        chosen = (scores > 0.5).astype(np.int64)
        probabilities = np.column_stack((1.0 - scores, scores))
    else:
        probabilities = scores.reshape(len(matrix), len(model.schema.classes))
        chosen = probabilities.argmax(axis=1)
    return Prediction(model.schema.classes, chosen, probabilities, Scored(matrix, model))


def _by_parts(data: Payload, model: Model) -> tuple[np.ndarray, np.ndarray] | None:
    """Matrix and scores of many rows in CSV, a part of which is scored while the next one is encoded.

    None where the body is not to be cut, and where a part of it cannot be read: read as a whole, it gives the
    error that names the row.
    """
    if data.content_type != CSV:
        return None
    parts = cut(data.content, model.schema, _parts(rows_about(data.content), model))
    if not parts:
        return None
    matrices: list[np.ndarray] = []
    under_way = []
    try:
        for matrix in part_matrices(parts, model.schema, model.threads):
            matrices.append(matrix)
            if len(matrices) < len(parts):
                under_way.append(model.threads.submit(_on_this_thread, matrix, model))
    except BadRequest:
        return None
    own = _on_this_thread(matrices[-1], model)
    return np.concatenate(matrices), np.concatenate([*(part.result() for part in under_way), own])


def _scores(matrix: np.ndarray, model: Model) -> np.ndarray:
    """What the booster answers to each row."""
    if len(matrix) > model.shared_rows:
        found: np.ndarray = model.booster.inplace_predict(matrix, validate_features=False)
        return found
    parts = _parts(len(matrix), model)
    if parts < 2:
        return _on_this_thread(matrix, model)
    own, *others = np.array_split(matrix, parts)
    under_way = [model.threads.submit(_on_this_thread, rows, model) for rows in others]
    return np.concatenate([_on_this_thread(own, model), *(part.result() for part in under_way)])


def _parts(rows: int, model: Model) -> int:
    """How many threads share so many rows; 1 where XGBoost's own threads do."""
    return 1 if rows > model.shared_rows else min(model.cores, rows // model.least_rows)


def _on_this_thread(rows: np.ndarray, model: Model) -> np.ndarray:
    found: np.ndarray = model.one_thread_booster.inplace_predict(rows, validate_features=False)
    return found


def _cores() -> int:
    """Those that the process may use, or fewer where OpenMP, whose threads XGBoost's are, is told so."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0))
    return min(cores, int(told)) if told.isdecimal() and int(told) else cores


def output_fn(prediction: Prediction | NumberPrediction | Refusal, accept: str) -> tuple[str, str] | Refusal:
    """Write the answer: ``(body, content type)``; or the refusal, also where neither form is accepted.

    ``text/csv``: a line ``class,probability`` a row, the probability being that class's; of a regression a
    line with the number. JSON (also for ``*/*`` and for no ``accept`` at all):
    ``{"predictions": [{"class", "probability", "probabilities": {class: p}}]}``, of a regression
    ``{"predictions": [{"value"}]}``. For ``application/json; contributions=true`` each of them also holds
    ``"explanation": {"of": class or null, "base", "contributions": {feature: number}, "margin"}``: of two
    classes that of the positive one, of several that of the row's own class; see ``explanations``.
    """
    if isinstance(prediction, Refusal):
        return prediction
    form, parameters = _wanted(accept or JSON)
    if form == CSV:
        return "\n".join([*_csv_answers(prediction), ""]), CSV
    if form is None:
        return Refusal(f"cannot answer as {accept!r}; accept {JSON} or {CSV}")
    answers = _json_answers(prediction)
    if "contributions=true" in parameters:
        rows, most = len(answers), prediction.scored.model.explained_rows
        if rows > most:
            return Refusal(f"contributions are computed for {most} rows at most; {rows} were sent")
        try:
            explained = _explained(prediction)
        except explanations.NoContributions as error:
            return Refusal(str(error))
        answers = [{**one, "explanation": why} for one, why in zip(answers, explained, strict=True)]
    return json.dumps({"predictions": answers}), JSON


def _wanted(accept: str) -> tuple[str | None, Sequence[str]]:
    """The form that a client likes best by its ``q`` (RFC 9110, 12.5.1), the earlier of two, with the
    parameters that it gave; None where it takes neither."""
    ranges: dict[str, tuple[float, int, Sequence[str]]] = {}
    for place, entry in enumerate(accept.split(",")):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        ranges.setdefault(kind or "*/*", (_quality(parameters), -place, parameters))
    liked = []
    for form, general in ((JSON, "application/*"), (CSV, "text/*")):
        found = ranges.get(form) or ranges.get(general) or ranges.get("*/*")
        if found and found[0] > 0:
            liked.append((*found[:2], form == JSON, form, found[2]))
    return max(liked)[-2:] if liked else (None, ())


def _quality(parameters: Sequence[str]) -> float:
    """How much a client likes what it names, from 0 (not at all) to 1."""
    said = next((one[2:] for one in parameters if one.startswith("q=")), "1")
    try:
        return float(said)
    except ValueError:
        return 1.0


def _explained(prediction: Prediction | NumberPrediction) -> list[dict[str, Any]]:
    """What moved each answer."""
    model, schema = prediction.scored.model, prediction.scored.model.schema
    names: list[str | None] = [None] * len(prediction.scored.matrix)
    outputs = None
    if isinstance(prediction, Prediction):
        outputs = prediction.chosen if schema.task == "multiclass" else None
        chosen = prediction.chosen.tolist() if outputs is not None else [1] * len(names)
        names = [schema.classes[place] for place in chosen]
    found = explanations.explain(model.one_thread_booster, prediction.scored.matrix, outputs)
    return [
        {
            "of": name,
            "base": one.base,
            "contributions": dict(zip(schema.names, one.contributions, strict=True)),
            "margin": one.margin,
        }
        for name, one in zip(names, found, strict=True)
    ]


def _csv_answers(prediction: Prediction | NumberPrediction) -> list[str]:
    if isinstance(prediction, NumberPrediction):
        return _texts(prediction.values)
    names = [_csv_field(name) for name in prediction.classes]
    texts = _texts(_of_chosen(prediction))
    return [f"{names[c]},{text}" for c, text in zip(prediction.chosen.tolist(), texts, strict=True)]


def _texts(numbers: np.ndarray) -> list[str]:
    """Each number as ``repr`` writes it. Arrow writes most of them alike, in a fifth of the time."""
    if len(numbers) < _WRITTEN_BY_ARROW:
        return list(map(repr, numbers.tolist()))
    texts = pa.array(numbers).cast(pa.string())
    size = np.abs(numbers)
    other = ~((size >= 1e-4) & (size < 1e10) & (size != np.floor(size)))  # such as 1e-05, 1e+16, 1.0 and nan
    if other.any():
        texts = pc.replace_with_mask(texts, other, list(map(repr, numbers[other].tolist())))
    whole: str = pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "\n")[0].as_py()
    return whole.split("\n")  # ten times as fast as Arrow's own way to a list


def _json_answers(prediction: Prediction | NumberPrediction) -> list[dict[str, Any]]:
    if isinstance(prediction, NumberPrediction):
        return [{"value": value} for value in prediction.values.tolist()]
    names, chosen = prediction.classes, prediction.chosen.tolist()
    return [
        {"class": names[c], "probability": p, "probabilities": dict(zip(names, row, strict=True))}
        for c, p, row in zip(
            chosen, _of_chosen(prediction).tolist(), prediction.probabilities.tolist(), strict=True
        )
    ]


def _of_chosen(prediction: Prediction) -> np.ndarray:
    """The probability of each row's class."""
    found: np.ndarray = prediction.probabilities[np.arange(len(prediction.chosen)), prediction.chosen]
    return found


def _csv_field(text: str) -> str:
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
