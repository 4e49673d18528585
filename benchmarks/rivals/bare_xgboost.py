"""Training with nothing around it: read the Parquet parts, build the matrices, train.

usage: python bare_xgboost.py FOLDER_WITH_train_AND_validation TARGET POSITIVE ROUNDS MAX_DEPTH ETA
"""

from __future__ import annotations

import sys

import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset
import xgboost

folder, target, positive, rounds, max_depth, eta = sys.argv[1:]


def matrix(part: str, reference: xgboost.DMatrix | None = None) -> xgboost.QuantileDMatrix:
    table = pa.dataset.dataset(f"{folder}/{part}", format="parquet").to_table()
    label = pa.compute.equal(table.column(target).cast(pa.string()), positive)
    features = table.drop([target])
    for i, field in enumerate(features.schema):
        column = features.column(i)
        if pa.types.is_string(field.type):
            features = features.set_column(i, field.name, column.dictionary_encode().combine_chunks())
    frame = features.to_pandas()
    return xgboost.QuantileDMatrix(
        frame, label.to_numpy().astype("float32"), ref=reference, enable_categorical=True
    )


train = matrix("train")
validation = matrix("validation", train)
booster = xgboost.train(
    {"objective": "binary:logistic", "tree_method": "hist", "max_depth": int(max_depth), "eta": float(eta)},
    train,
    int(rounds),
    evals=[(train, "train"), (validation, "validation")],
    verbose_eval=False,
)
booster.save_raw()
