"""The test part, scored by the artifact's own serving code: actual and predicted target of every row.

The artifact's ``code/inference.py`` is imported and given each batch as the endpoint would be given it. A
batch has some thousand rows, fewer of many columns; of a row only what the metrics need stays in memory, in
as few bytes as hold it exactly: classes, scores, the codes of slices. So memory grows by some bytes a row,
whatever the number of columns. The rows come in an order that follows from what they hold
(``content_order``).
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from content_order import content_hashes
from input_error import DoesNotFit, InputError
from slices import Slices, as_codes, joined

_BATCH_ROWS, _FEWEST_BATCH_ROWS = 32_768, 1_024
_BATCH_CELLS = 1 << 20
_READ_BYTES = 1 << 16  # at once of each column; else all of it that a group of rows has
_PROGRESS_SECONDS = 2.0
_MOST_CLASSES_DRAWN = 20
PARQUET, _CSV = "application/x-parquet", "text/csv"


@dataclass(frozen=True)
class Scored:
    """The test part of a classification, a row each.

    Attributes:
        actual, predicted: indices of the classes, of the smallest type that holds all of them.
        scores: of a binary task, the probability of the second class; float32 where that is exact, as it is
            of an artifact of this pipeline, else float64.
        probabilities: of another task that of each class: float32, rows x classes; where they are kept.
        groups: the columns of the gate's slices, by name.
    """

    actual: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray | None
    probabilities: np.ndarray | None
    groups: dict[str, Slices]


@dataclass(frozen=True)
class ScoredNumbers:
    """The test part of a regression, a row each: actual and predicted number, float64."""

    actual: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class _Answered:
    """A batch of the test part, its target, and what the serving code answers to the rest of it."""

    table: pa.Table
    target: pa.Array
    prediction: Any
    body: str  # the prediction, as CSV


def score(
    artifact: Path,
    test: Path,
    schema: dict[str, Any],
    slices: Sequence[str],
    *,
    probabilities_too: bool = False,
) -> Scored:
    """Score the test part of a classification.

    Args:
        slices: columns of the test part.
        probabilities_too: keep those of each class where there are a few: four bytes for each in each row.

    Raises:
        InputError: the test part is missing, empty, or does not fit the schema.
    """
    classes = pa.array(schema["classes"], pa.string())
    index = np.min_scalar_type(len(classes))
    binary = schema["task"] == "binary"
    few = probabilities_too and not binary and len(classes) <= _MOST_CLASSES_DRAWN
    actual, predicted, scores, hashes = [], [], [], []
    # At once, since many small pieces that are freed do not leave the process.
    probabilities = np.empty((len(classes), rows_in(test) if few else 0), np.float32)
    done = 0
    groups: dict[str, list[pa.DictionaryArray]] = {column: [] for column in slices}
    for batch in _answered(artifact, test, schema["target"]):
        for column in slices:
            if column not in batch.table.column_names:
                raise InputError(f"the test part lacks the slice column {column!r}. Preprocess it again")
            groups[column].append(as_codes(batch.table[column].combine_chunks()))
        labels = pc.index_in(batch.target, classes)
        if labels.null_count:
            strange = batch.target.filter(labels.is_null())[0]
            raise InputError(
                f"the test part's target {schema['target']!r} holds {strange.as_py()!r}, no class of the "
                f"model. Give test part and model of one run"
            )
        chosen, probability = _read_classes(batch.body, classes)
        actual.append(labels.to_numpy().astype(index))
        predicted.append(chosen.astype(index))
        if binary:
            scores.append(_in_few_bytes(np.where(chosen == 1, probability, 1.0 - probability)))
        if few:  # as exact as XGBoost's own
            probabilities[:, done : done + len(chosen)] = batch.prediction.probabilities.T
            done += len(chosen)
        hashes.append(content_hashes(batch.table))
        del batch  # before the next one is scored
    order = _order(hashes)
    labels = np.concatenate(actual)[order]
    if binary and labels.min() == labels.max():
        raise InputError(
            f"all rows of the test part are of class {schema['classes'][labels[0]]!r}. "
            f"Give rows of both classes"
        )
    for column in probabilities if few else ():
        column[:] = column[order]
    return Scored(
        labels,
        np.concatenate(predicted)[order],
        np.concatenate(scores)[order] if binary else None,
        probabilities.T if few else None,
        {column: joined(batches, order) for column, batches in groups.items()},
    )


def _in_few_bytes(values: np.ndarray) -> np.ndarray:
    """Numbers as float32 where all of them are exact in it, else as they are."""
    short = values.astype(np.float32)
    return short if (short == values).all() else values


def _order(hashes: list[np.ndarray]) -> np.ndarray:
    """The order of all rows, from the hashes of each batch, which it drops: they are as large as the rest."""
    whole = np.concatenate(hashes)
    hashes.clear()
    return np.argsort(whole)


def score_numbers(artifact: Path, test: Path, schema: dict[str, Any]) -> ScoredNumbers:
    """Score the test part of a regression.

    Raises:
        InputError: the test part is missing, empty, or does not fit the schema; all its targets are the same;
            or the model answers something else than a finite number for each row.
    """
    target = schema["target"]
    actual, predicted, hashes = [], [], []
    for batch in _answered(artifact, test, target):
        if not pa.types.is_floating(batch.target.type):
            raise InputError(
                f"the test part's target {target!r} holds no numbers. Give test part and model of one run"
            )
        numbers = batch.target.to_numpy(zero_copy_only=False)
        if not np.isfinite(numbers).all():
            raise InputError(
                f"the test part's target {target!r} holds values that are missing or infinite. "
                f"Give the preprocessing step's output"
            )
        actual.append(numbers)
        predicted.append(_read_numbers(batch.body, batch.table.num_rows))
        hashes.append(content_hashes(batch.table))
        del batch
    order = _order(hashes)
    found = ScoredNumbers(np.concatenate(actual)[order].astype(np.float64), np.concatenate(predicted)[order])
    if found.actual.min() == found.actual.max():
        raise InputError(
            f"the target {target!r} is {found.actual[0]:g} in all rows of the test part. "
            f"Give rows with other values"
        )
    return found


def _answered(artifact: Path, test: Path, target: str) -> Iterator[_Answered]:
    """Send every row of the test part through the artifact's own serving code, batch by batch."""
    serving = serving_code(artifact / "code")
    model = serving.model_fn(str(artifact))
    done, last_said = 0, time.monotonic()
    for table in batches(test):
        if target not in table.column_names:
            raise InputError(
                f"the test part lacks the target column {target!r}. Give the preprocessing step's output"
            )
        yield _answer(serving, model, table, target)
        done += table.num_rows
        if time.monotonic() - last_said >= _PROGRESS_SECONDS:
            last_said = time.monotonic()
            print(f"{done:,} rows scored ...", flush=True)
    if not done:
        raise InputError("the test part has no rows. Give more data, or a larger share for the test part")


def _answer(serving: ModuleType, model: Any, table: pa.Table, target: str) -> _Answered:
    try:
        payload = serving.input_fn(as_parquet(table.drop_columns([target])), PARQUET)
        prediction = serving.predict_fn(payload, model)
        answer = serving.output_fn(prediction, _CSV)
        if not isinstance(answer, tuple):
            raise ValueError(answer.reason)
    except ValueError as error:  # which versions raise that know no refusal as a value
        raise DoesNotFit(str(error)) from error
    return _Answered(table, table[target].combine_chunks(), prediction, answer[0])


def serving_code(code: Path) -> ModuleType:
    """The folder's ``inference.py``. What it imports lies beside it, and is this folder's whatever modules of
    the same names are loaded already; those stay what they were for everybody else."""
    names = {path.stem for path in code.glob("*.py")}
    others = {name: sys.modules.pop(name) for name in names & sys.modules.keys()}
    sys.path.insert(0, str(code))
    try:
        return importlib.import_module("inference")
    finally:
        sys.path.remove(str(code))
        for name in names & sys.modules.keys():
            del sys.modules[name]
        sys.modules.update(others)


def batches(test: Path) -> Iterator[pa.Table]:
    """All rows of the test part, some thousand at a time, fewer where there are many columns."""
    paths = sorted(test.rglob("*.parquet"))
    if not paths:
        raise InputError(f"there is no Parquet file in {test}. Give the preprocessing step's test part")
    for path in paths:
        try:
            with pq.ParquetFile(path, buffer_size=_READ_BYTES) as file:
                rows = _BATCH_CELLS // max(1, file.metadata.num_columns)
                for batch in file.iter_batches(min(max(rows, _FEWEST_BATCH_ROWS), _BATCH_ROWS)):
                    yield pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, OSError) as error:
            raise _not_parquet(path, error) from error


def rows_in(test: Path) -> int:
    """How many rows the test part has, by what its files say of themselves."""
    rows = 0
    for path in test.rglob("*.parquet"):
        try:
            rows += pq.read_metadata(path).num_rows
        except (pa.ArrowInvalid, OSError) as error:
            raise _not_parquet(path, error) from error
    return rows


def _not_parquet(path: Path, error: Exception) -> InputError:
    return InputError(f"{path.name} is no Parquet file: {str(error).splitlines()[0]}. Write it again")


def as_parquet(table: pa.Table) -> bytes:
    """A request's body."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression="none", use_dictionary=False, write_statistics=False, store_schema=False
    )
    return sink.getvalue().to_pybytes()


def _read_classes(body: str, classes: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """``(classes as indices, probabilities)`` from the lines ``class,probability``."""
    content = body.encode()
    table = pa_csv.read_csv(
        pa.BufferReader(content),
        # One block: at its end Arrow would lose the \n of a \r\n in a class (apache/arrow#51368).
        pa_csv.ReadOptions(column_names=["class", "probability"], block_size=len(content) + 1),
        pa_csv.ParseOptions(newlines_in_values=True),
        pa_csv.ConvertOptions(column_types={"class": pa.string(), "probability": pa.float64()}),
    )
    chosen = pc.index_in(table["class"].combine_chunks(), classes)
    if chosen.null_count:
        strange = table["class"].combine_chunks().filter(chosen.is_null())[0]
        raise InputError(f"the model answers {strange.as_py()!r}, none of its classes. Train it again")
    return chosen.to_numpy(), table["probability"].to_numpy()


def _read_numbers(body: str, rows: int) -> np.ndarray:
    """The answers of a regression, a number in each line, as float64."""
    try:
        numbers = np.array([float(line) for line in body.splitlines()])
    except ValueError as error:
        raise InputError(f"the model answers no number: {error}. Train it again") from error
    finite = int(np.isfinite(numbers).sum())
    if not len(numbers) == finite == rows:
        raise InputError(f"the model answers {finite} finite numbers to {rows} rows. Train it again")
    return numbers
