"""The training job's rows: Parquet parts in, XGBoost's quantised matrix out, in bounded memory.

XGBoost pulls batches from a :class:`xgboost.DataIter` several times (size, quantiles, bins) and keeps only
the bins, one byte a value. A part of up to 1 GiB of encoded rows is encoded once, kept until the matrix is
complete, and given in an order that follows from what the rows hold (``row_order``). Of a larger part, and of
one that is trained on from the disk, a batch of rows is in memory at a time, in the order of the files. Each
of several workers has files of its own.
"""

from __future__ import annotations

import hashlib
import shutil
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

_SORTED_BYTES = 1 << 30
_BATCH_ROWS = 65_536
_STORED_VALUE_BYTES = 8  # at most, of a matrix on disk: its bins by row (4) and by column (1 to 4)
_STORED_ROW_BYTES = 16


@dataclass(frozen=True)
class Part:
    """The Parquet files of one channel that this worker has."""

    name: str
    paths: tuple[Path, ...]
    groups: tuple[tuple[int, int], ...]  # (place in paths, row group)
    rows: int


def find_part(folder: Path, name: str, schema: Schema) -> Part:
    """Look up the worker's files of a channel, of which there may be none, and check their columns.

    Raises:
        InputError: a file is no Parquet, or lacks a column of the schema.
    """
    paths = tuple(sorted(folder.rglob("*.parquet")))
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
    return Part(name, paths, tuple(groups), rows)


def check_there_are_rows(name: str, folder: Path, files: int, rows: int) -> None:
    """Check what all workers have of a channel together.

    Raises:
        InputError: no file, or no row.
    """
    if not files:
        raise InputError(
            f"channel {name}: no Parquet file in {folder}. Give the output of the preprocessing step"
        )
    if not rows:
        raise InputError(f"channel {name}: there are no rows. Give more data, or a larger part of it")


def can_be_sorted(part: Part, schema: Schema) -> bool:
    """Whether the worker's rows are few enough to be held in memory while the matrix is made."""
    return part.rows * (len(schema.features) + 1) * 4 <= _SORTED_BYTES


def class_counts(part: Part, schema: Schema) -> np.ndarray:
    """How many of the worker's rows each class has (int64, in the schema's order)."""
    counts = np.zeros(len(schema.classes), np.int64)
    for table in _tables(part, [schema.target]):
        counts += np.bincount(_classes(table, schema), minlength=len(schema.classes))
    return counts


@dataclass(frozen=True)
class OnDisk:
    """Where XGBoost keeps a matrix that is not in memory: a folder, and how many rows a file holds."""

    folder: Path
    batch_rows: int

    def check_there_is_room(self, rows: int, features: int) -> None:
        """Check that what XGBoost makes of a batch fits: it aborts the process where a write fails.

        Raises:
            InputError: the disk is all but full.
        """
        needed = 2 * rows * (features * _STORED_VALUE_BYTES + _STORED_ROW_BYTES)  # one may still be written
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise InputError(
                "the rows are trained on from the disk, and it is full:"
                f" {free / 1e6:,.1f} MB are free, and the next {rows:,} rows may need {needed / 1e6:,.1f} MB."
                " Set a larger volume_size_gb, or more instances"
            )


def quantised(
    part: Part,
    schema: Schema,
    names: list[str],
    weights: np.ndarray | None,
    *,
    max_bin: int | None,
    on_disk: OnDisk | None = None,
    reference: xgb.DMatrix | None = None,
) -> tuple[xgb.DMatrix, bytes]:
    """The worker's rows as XGBoost's matrix, and a digest of them in their order.

    Args:
        names: of the features, inside the booster.
        weights: one for each class.
        reference: the matrix whose bins are taken.
    """
    batches = _Batches(part, schema, names, weights, on_disk)
    kind = xgb.ExtMemQuantileDMatrix if on_disk else xgb.QuantileDMatrix
    matrix = kind(batches, max_bin=max_bin, ref=reference, enable_categorical=True)
    if not part.rows:  # XGBoost passes over the names of an empty batch
        matrix.feature_names, matrix.feature_types = names, schema.types
    batches.kept = None
    return matrix, batches.digest.digest()


@dataclass(frozen=True)
class _Rows:
    """Rows as XGBoost takes them: features (float32, rows x features) and labels (float32)."""

    data: np.ndarray
    label: np.ndarray


class _Batches(xgb.DataIter):  # type: ignore[misc]
    """The worker's rows, batch by batch, as often as XGBoost asks for them."""

    def __init__(
        self,
        part: Part,
        schema: Schema,
        names: list[str],
        weights: np.ndarray | None,
        on_disk: OnDisk | None,
    ) -> None:
        super().__init__(cache_prefix=str(on_disk.folder / part.name) if on_disk else None)
        self.part, self.schema, self.names, self.weights = part, schema, names, weights
        self.on_disk = on_disk
        self.digest = hashlib.blake2b(digest_size=16)
        self.digested = False
        self.kept = None
        if not on_disk and can_be_sorted(part, schema):
            self.kept = _, order, hashes = _all_rows(part, schema)
            self.digest.update(hashes[order])
            self.digested = True
        self.batches: Iterator[_Rows] = iter(())

    def next(self, input_data: Callable[..., Any]) -> bool:
        """Give XGBoost the next batch; False at the end."""
        rows = next(self.batches, None)
        if rows is None:
            self.digested = True
            return False
        if not self.digested:
            self.digest.update(content_hashes(rows.data, rows.label))
        if self.on_disk:
            self.on_disk.check_there_is_room(*rows.data.shape)
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
            rows, order, _ = self.kept
            self.batches = _in_order(rows, order)
        else:
            least_rows = self.on_disk.batch_rows if self.on_disk else 1
            self.batches = _in_order_of_files(self.part, self.schema, least_rows)


def _all_rows(part: Part, schema: Schema) -> tuple[_Rows, np.ndarray, np.ndarray]:
    """The part's rows, the places of them (int64) in the order that follows from what they hold, hashes."""
    found = _Rows(np.empty((part.rows, len(schema.features)), np.float32), np.empty(part.rows, np.float32))
    hashes = np.empty(part.rows, np.uint64)
    done = 0
    for table in _tables(part, [*schema.names, schema.target]):
        rows, end = _encoded(table, schema), done + table.num_rows
        found.data[done:end], found.label[done:end] = rows.data, rows.label
        hashes[done:end] = content_hashes(rows.data, rows.label)
        done = end
    return found, np.argsort(hashes), hashes


def _in_order(rows: _Rows, order: np.ndarray) -> Iterator[_Rows]:
    for start in range(0, max(len(order), 1), _BATCH_ROWS):  # XGBoost needs one batch even of no rows
        places = order[start : start + _BATCH_ROWS]
        yield _Rows(rows.data[places], rows.label[places])


def _in_order_of_files(part: Part, schema: Schema, least_rows: int) -> Iterator[_Rows]:
    """As many row groups at a time as have `least_rows`; at the end as many as are left."""
    columns = [*schema.names, schema.target]
    waiting: list[_Rows] = []
    for table in _tables(part, columns):
        waiting.append(_encoded(table, schema))
        if sum(len(rows.label) for rows in waiting) >= least_rows:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)
    elif not part.rows:
        yield _encoded(pa.table({name: pa.array([], pa.string()) for name in columns}), schema)


def _joined(parts: list[_Rows]) -> _Rows:
    if len(parts) == 1:
        return parts[0]
    return _Rows(
        np.concatenate([rows.data for rows in parts]), np.concatenate([rows.label for rows in parts])
    )


def _encoded(table: pa.Table, schema: Schema) -> _Rows:
    data = encode({name: table[name] for name in schema.names}, schema.features)
    regression = schema.task == "regression"
    label = _numbers(table, schema) if regression else _classes(table, schema).astype(np.float32)
    for numbers in (data, label):
        numbers += np.float32(0)  # -0.0 becomes 0.0: what is equal must not differ in an order or in a model
    return _Rows(data, label)


def _tables(part: Part, columns: list[str]) -> Iterator[pa.Table]:
    """The rows, a row group at a time."""
    place, file = -1, None
    for path, group in part.groups:
        if path != place:
            place, file = path, pq.ParquetFile(part.paths[path], read_dictionary=columns)
        assert file is not None
        table = file.read_row_group(group, columns=columns)
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
