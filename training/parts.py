"""The training job's rows: Parquet parts in, XGBoost's quantised matrix out, in bounded memory.

XGBoost pulls batches from a :class:`xgboost.DataIter` several times (size, quantiles, bins) and keeps only
the bins, one byte a value. A part of up to 1 GiB of encoded rows is encoded once, kept until the matrix is
complete, and given in an order that follows from what the rows hold (``row_order``); with several workers
each takes every n-th row of that order. Of a larger part one row group is in memory at a time, in the order
of the files; each of several workers takes every n-th row group, or, where there are too few for that, every
n-th row of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xgboost as xgb
from feature_encoding import Schema, encode
from hyperparameters import InputError
from row_order import content_hashes
from workers import Worker

_SORTED_BYTES = 1 << 30
_BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Part:
    """One channel's Parquet files."""

    name: str
    paths: tuple[Path, ...]
    groups: tuple[tuple[int, int], ...]  # (place in paths, row group)
    rows: int


def find_part(folder: Path, name: str, schema: Schema) -> Part:
    """Look up the channel's files and check that they hold the schema's columns.

    Raises:
        InputError: there is no file, one is no Parquet, lacks a column, or there are no rows at all.
    """
    paths = tuple(sorted(folder.rglob("*.parquet")))
    if not paths:
        raise InputError(
            f"channel {name}: no Parquet file in {folder}. Give the output of the preprocessing step"
        )
    groups: list[tuple[int, int]] = []
    rows = 0
    for place, path in enumerate(paths):
        try:
            metadata = pq.read_metadata(path)
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"channel {name}: {path.name} is no Parquet file: {reason}. Write it again"
            ) from None
        lacking = {*schema.names, schema.target} - set(metadata.schema.to_arrow_schema().names)
        if lacking:
            raise InputError(
                f"channel {name}: {path.name} lacks the column {sorted(lacking)[0]!r} of schema.json. "
                f"Give parts and schema of one preprocessing run"
            )
        groups += [(place, group) for group in range(metadata.num_row_groups)]
        rows += metadata.num_rows
    if not rows:
        raise InputError(f"channel {name}: there are no rows. Give more data, or a larger part of it")
    return Part(name, paths, tuple(groups), rows)


def class_counts(part: Part, schema: Schema) -> np.ndarray:
    """How many rows each class has in the whole part, for all workers (int64, in the schema's order)."""
    counts = np.zeros(len(schema.classes), np.int64)
    for table in _tables(part, [schema.target], Worker(0, 1)):
        counts += np.bincount(_classes(table, schema), minlength=len(schema.classes))
    return counts


def quantised(
    part: Part,
    schema: Schema,
    names: list[str],
    worker: Worker,
    weights: np.ndarray | None,
    *,
    max_bin: int | None,
    reference: xgb.QuantileDMatrix | None = None,
) -> xgb.QuantileDMatrix:
    """The worker's rows as XGBoost's matrix; ``weights`` holds one for each class."""
    batches = _Batches(part, schema, names, worker, weights)
    return xgb.QuantileDMatrix(batches, max_bin=max_bin, ref=reference, enable_categorical=True)


@dataclass(frozen=True)
class _Rows:
    """Rows as XGBoost takes them: features (float32, rows x features) and labels (float32)."""

    data: np.ndarray
    label: np.ndarray


class _Batches(xgb.DataIter):  # type: ignore[misc]
    """The worker's rows, batch by batch, as often as XGBoost asks for them."""

    def __init__(
        self, part: Part, schema: Schema, names: list[str], worker: Worker, weights: np.ndarray | None
    ) -> None:
        super().__init__()
        self.part, self.schema, self.names, self.worker, self.weights = part, schema, names, worker, weights
        sortable = part.rows * (len(names) + 1) * 4 <= _SORTED_BYTES
        self.kept = _all_rows(part, schema) if sortable else None
        self.batches: Iterator[_Rows] = iter(())
        if not sortable and worker.rank == 0:
            print(
                f"{part.name}: {part.rows:,} rows are too many to be sorted in memory; with them in another"
                " order the model may differ a little",
                flush=True,
            )

    def next(self, input_data: Callable[..., Any]) -> bool:
        """Give XGBoost the next batch; False at the end."""
        rows = next(self.batches, None)
        if rows is None:
            return False
        weight = None if self.weights is None else self.weights[rows.label.astype(np.int64)]
        input_data(
            data=rows.data,
            label=rows.label,
            weight=weight,
            feature_names=self.names,
            feature_types=self.schema.types,
        )
        return True

    def reset(self) -> None:
        """Start from the first batch again."""
        if self.kept is not None:
            self.batches = _in_order(*self.kept, self.worker)
        else:
            self.batches = _in_order_of_files(self.part, self.schema, self.worker)


def _all_rows(part: Part, schema: Schema) -> tuple[_Rows, np.ndarray]:
    """The part's rows, and the places of them (int64) in the order that follows from what they hold."""
    found = _Rows(np.empty((part.rows, len(schema.features)), np.float32), np.empty(part.rows, np.float32))
    hashes = np.empty(part.rows, np.uint64)
    done = 0
    for table in _tables(part, [*schema.names, schema.target], Worker(0, 1)):
        rows, end = _encoded(table, schema), done + table.num_rows
        found.data[done:end], found.label[done:end] = rows.data, rows.label
        hashes[done:end] = content_hashes(rows.data, rows.label)
        done = end
    return found, np.argsort(hashes)


def _in_order(rows: _Rows, order: np.ndarray, worker: Worker) -> Iterator[_Rows]:
    own = order[worker.rank :: worker.world_size]
    for start in range(0, max(len(own), 1), _BATCH_ROWS):  # XGBoost needs one batch even of no rows
        places = own[start : start + _BATCH_ROWS]
        yield _Rows(rows.data[places], rows.label[places])


def _in_order_of_files(part: Part, schema: Schema, worker: Worker) -> Iterator[_Rows]:
    columns = [*schema.names, schema.target]
    empty = True
    for table in _tables(part, columns, worker):
        empty = False
        yield _encoded(table, schema)
    if empty:
        yield _encoded(pa.table({name: pa.array([], pa.string()) for name in columns}), schema)


def _encoded(table: pa.Table, schema: Schema) -> _Rows:
    data = encode({name: table[name] for name in schema.names}, schema.features)
    regression = schema.task == "regression"
    label = _numbers(table, schema) if regression else _classes(table, schema).astype(np.float32)
    for numbers in (data, label):
        numbers += np.float32(0)  # -0.0 becomes 0.0: what is equal must not differ in an order or in a model
    return _Rows(data, label)


def _tables(part: Part, columns: list[str], worker: Worker) -> Iterator[pa.Table]:
    by_group = len(part.groups) >= 2 * worker.world_size
    place, file = -1, None
    for number, (path, group) in enumerate(part.groups):
        if by_group and number % worker.world_size != worker.rank:
            continue
        if path != place:
            place, file = path, pq.ParquetFile(part.paths[path], read_dictionary=columns)
        assert file is not None
        table = file.read_row_group(group, columns=columns)
        if not by_group and worker.world_size > 1:
            table = table.take(pa.array(np.arange(worker.rank, table.num_rows, worker.world_size)))
        if table.num_rows:
            yield table


def _numbers(table: pa.Table, schema: Schema) -> np.ndarray:
    """The targets of a regression, float32."""
    try:
        numbers = table[schema.target].combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"the target {schema.target!r} of a regression must be a number: {error}. "
            f"Give parts and schema of one preprocessing run"
        ) from None
    with np.errstate(over="ignore"):
        labels: np.ndarray = numbers.astype(np.float32)
    if not np.isfinite(labels).all():
        raise InputError(
            f"the target {schema.target!r} holds values that are missing or infinite. "
            f"Give the output of the preprocessing step"
        )
    return labels


def _classes(table: pa.Table, schema: Schema) -> np.ndarray:
    """The targets of a classification as indices into the schema's classes, int64."""
    column = table[schema.target].combine_chunks()
    known = pa.array(schema.classes, pa.string())
    if pa.types.is_dictionary(column.type):
        found = pc.index_in(column.dictionary, known).take(column.indices)
    else:
        found = pc.index_in(column, known)
    if found.null_count:
        unknown = pc.filter(column, found.is_null())[0]
        raise InputError(
            f"the target {schema.target!r} holds {unknown.as_py()!r}, which is no class of schema.json. "
            f"Give parts and schema of one preprocessing run"
        )
    return found.to_numpy(zero_copy_only=False).astype(np.int64)
