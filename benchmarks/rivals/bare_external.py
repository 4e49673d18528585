"""Training from the disk with nothing around it: batches of rows, which XGBoost keeps in files of its own.

usage: python bare_external.py FOLDER TARGET POSITIVE ROUNDS MAX_DEPTH ETA BATCH_ROWS

FOLDER holds the Parquet files of `train` and `validation`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset
import xgboost

folder, target, positive, rounds, max_depth, eta, batch_rows = sys.argv[1:]
parts = {name: pa.dataset.dataset(f"{folder}/{name}", format="parquet") for name in ("train", "validation")}
schema = parts["train"].schema
# Codes have to be the same in every batch: a first pass over the columns of texts collects their values.
values = {
    field.name: pa.compute.unique(
        pa.chunked_array(
            [
                pa.compute.unique(pa.compute.drop_null(column))
                for part in parts.values()
                for column in part.to_table(columns=[field.name]).column(0).chunks
            ]
        )
    )
    for field in schema
    if pa.types.is_string(field.type) and field.name != target
}


class Batches(xgboost.DataIter):
    """The batches of a part, each a matrix of float32 in which texts are codes."""

    def __init__(self, part: str, cache: str) -> None:
        self._part = parts[part]
        self.reset()
        super().__init__(cache_prefix=cache)

    def reset(self) -> None:
        self._batches: Iterator[pa.RecordBatch] = self._read()

    def _read(self) -> Iterator[pa.RecordBatch]:
        waiting: list[pa.RecordBatch] = []
        for batch in self._part.to_batches(batch_size=int(batch_rows)):  # a row group at most
            if waiting and sum(map(len, waiting)) + len(batch) > int(batch_rows):
                yield pa.concat_batches(waiting)
                waiting = []
            waiting.append(batch)
        yield pa.concat_batches(waiting)

    def next(self, input_data: Callable[..., None]) -> bool:
        batch = next(self._batches, None)
        if batch is None:
            return False
        names = [name for name in batch.schema.names if name != target]
        rows = np.empty((len(batch), len(names)), np.float32)
        for i, name in enumerate(names):
            column = batch.column(name)
            if name in values:
                column = pa.compute.index_in(column, value_set=values[name])
            rows[:, i] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        label = pa.compute.equal(batch.column(target).cast(pa.string()), positive)
        kinds = ["c" if name in values else "q" for name in names]
        input_data(
            data=rows,
            label=label.to_numpy(zero_copy_only=False).astype(np.float32),
            feature_names=names,
            feature_types=kinds,
        )
        return True


with tempfile.TemporaryDirectory() as cache:
    train = xgboost.ExtMemQuantileDMatrix(Batches("train", f"{cache}/train"), enable_categorical=True)
    validation = xgboost.ExtMemQuantileDMatrix(
        Batches("validation", f"{cache}/validation"), ref=train, enable_categorical=True
    )
    booster = xgboost.train(
        {
            "objective": "binary:logistic",
            "tree_method": "hist",
            "max_depth": int(max_depth),
            "eta": float(eta),
        },
        train,
        int(rounds),
        evals=[(train, "train"), (validation, "validation")],
        verbose_eval=False,
    )
    booster.save_raw()
