"""How much each feature moved an answer: XGBoost's own contributions, for a request that asks for them.

A client asks by a parameter of the Accept header, which every container passes on as it came:
``application/json; contributions=true``. Serving code that knows nothing of it answers as to
``application/json``, so that a client sees from the answer whether contributions could be had.

XGBoost's ``pred_contribs`` gives the exact SHAP values of its trees (Lundberg and others 2020), in the
model's own scale: log-odds of the positive class, of several classes each one's score before softmax, of a
regression the target's unit. The base value and a row's contributions sum to the row's margin. They cost many
times what an answer costs, so one request gets them for a bounded number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xgboost as xgb

MOST_ROWS = 100
_MOST_WORK = 1_000_000_000  # rows times bytes of the model: some seconds on one core; a container has 60


class NoContributions(Exception):
    """The model has none; the text says why."""


@dataclass(frozen=True)
class Explanation:
    """Of one row, for one output of the model.

    Attributes:
        base: what the model answers on the average of its training rows, in its own scale.
        contributions: one for each feature, in the schema's order.
        margin: the answer in the model's own scale; the sum of the two above.
    """

    base: float
    contributions: list[float]
    margin: float


def rows_for(model_bytes: int) -> int:
    """For how many rows of one request contributions are computed."""
    return max(1, min(MOST_ROWS, _MOST_WORK // max(model_bytes, 1)))


def explain(booster: xgb.Booster, matrix: np.ndarray, outputs: np.ndarray | None) -> list[Explanation]:
    """The explanation of each row of a matrix.

    Args:
        matrix: float32, rows x features.
        outputs: int, for each row the class that is explained; None of a model with one output.

    Raises:
        NoContributions: a leaf of the model's trees holds several values.
    """
    data = xgb.DMatrix(
        matrix,
        feature_names=booster.feature_names,
        feature_types=booster.feature_types,
        enable_categorical=True,
        nthread=1,
    )
    try:
        found = booster.predict(data, pred_contribs=True).astype(np.float64)
    except xgb.core.XGBoostError as error:
        raise NoContributions(
            "this model has no contributions: a leaf of its trees holds several values"
        ) from error
    margins = booster.predict(data, output_margin=True).astype(np.float64)
    if outputs is not None:
        rows = np.arange(len(matrix))
        found, margins = found[rows, outputs], margins[rows, outputs]
    return [
        Explanation(row[-1], row[:-1], margin)
        for row, margin in zip(found.tolist(), margins.reshape(-1).tolist(), strict=True)
    ]
