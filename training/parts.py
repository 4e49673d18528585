"""The training job's rows: Parquet parts in, XGBoost's quantised matrix out, in bounded memory.

XGBoost pulls batches from a :class:`xgboost.DataIter` several times (size, quantiles, bins) and keeps only
the bins, one byte a value. So what is in memory is one row group and the bins, not the table; a part that
is small anyway is encoded once and kept until the matrix is complete. With several workers each takes every
n-th row group, or, where there are too few for that, every n-th row of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
from workers import Worker

_KEPT_BYTES = 128 << 20


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


class _Batches(xgb.DataIter):  # type: ignore[misc]
    """Row groups as XGBoost asks for them."""

    def __init__(
        self, part: Part, schema: Schema, names: list[str], worker: Worker, weights: np.ndarray | None
    ) -> None:
        super().__init__()
        self.part, self.schema, self.names, self.worker, self.weights = part, schema, names, worker, weights
        small = part.rows * len(names) * 4 <= _KEPT_BYTES
        self.kept = list(self._encoded()) if small else None
        self.batches: Iterator[Mapping[str, Any]] = iter(())

    def next(self, input_data: Callable[..., Any]) -> bool:
        """Give XGBoost the next batch; False at the end."""
        batch = next(self.batches, None)
        if batch is None:
            return False
        input_data(feature_names=self.names, feature_types=self.schema.types, **batch)
        return True

    def reset(self) -> None:
        """Start from the first batch again."""
        self.batches = iter(self.kept) if self.kept is not None else self._encoded()

    def _encoded(self) -> Iterator[Mapping[str, Any]]:
        empty = True
        for table in _tables(self.part, [*self.schema.names, self.schema.target], self.worker):
            empty = False
            yield self._batch(table)
        if empty:  # XGBoost needs one batch even from a worker without rows
            columns = [*self.schema.names, self.schema.target]
            yield self._batch(pa.table({name: pa.array([], pa.string()) for name in columns}))

    def _batch(self, table: pa.Table) -> Mapping[str, Any]:
        data = encode({name: table[name] for name in self.schema.names}, self.schema.features)
        if self.schema.task == "regression":
            return {"data": data, "label": _numbers(table, self.schema)}
        classes = _classes(table, self.schema)
        batch = {"data": data, "label": classes.astype(np.float32)}
        if self.weights is not None:
            batch["weight"] = self.weights[classes].astype(np.float32)
        return batch


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
