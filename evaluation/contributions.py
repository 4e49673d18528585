"""How much each feature moved the answers: SHAP values of some rows of the test part, by XGBoost itself.

XGBoost's ``pred_contribs`` gives the exact SHAP values of its trees (Lundberg and others 2020): for each row
and feature by how much that feature's value moved the answer away from the mean answer, in the model's own
scale (log-odds of a class; of a regression the target's unit). A row's contributions and the mean answer sum
to the row's answer. Their cost grows with rows, trees and depth, so a bounded number of rows is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost as xgb
from scoring import PARQUET, as_parquet, batches, rows_in, serving_code

_MOST_ROWS, _FEWEST_ROWS = 500, 20
_MOST_WORK = 5e8
"""Rows times bytes of the model: about two seconds on one core."""
_MOST_CELLS = 20_000_000
"""Rows times classes times features: 80 MB."""
LEVELS = 5


@dataclass(frozen=True)
class Contributions:
    """Of ``rows`` rows, in the order of the schema's features.

    Attributes:
        means: float64, one for each feature: the mean size of its contributions; summed over the classes
            where there are several.
        values: float64, rows x features; None of several classes, of which each has its own.
        levels: int64, rows x features: how large the feature's value is among these rows, 0 (low) to 4
            (high); 5 where it is missing or is a category.
    """

    rows: int
    means: np.ndarray
    values: np.ndarray | None
    levels: np.ndarray


def contributions(artifact: Path, test: Path, schema: dict[str, Any]) -> Contributions | None:
    """Of an artifact that :mod:`scoring` could score, on its test part; None of a model without trees."""
    serving = serving_code(artifact / "code")
    model = serving.model_fn(str(artifact))
    features, groups = len(schema["features"]), max(1, len(schema["classes"]))
    affordable = max(_FEWEST_ROWS, _MOST_WORK / (artifact / "model.ubj").stat().st_size)
    rows = max(1, int(min(_MOST_ROWS, affordable, _MOST_CELLS / ((features + 1) * groups))))
    table = _sample(test, rows)
    payload = serving.input_fn(as_parquet(table.drop_columns([schema["target"]])), PARQUET)
    matrix = np.asarray(serving.to_matrix(payload, model.schema), dtype=np.float32)
    booster = model.one_thread_booster
    data = xgb.DMatrix(
        matrix,
        feature_names=booster.feature_names,
        feature_types=booster.feature_types,
        enable_categorical=True,
        nthread=1,
    )
    try:
        found = booster.predict(data, pred_contribs=True)[..., :-1].astype(np.float64)
    except xgb.core.XGBoostError:  # trees with a vector in each leaf have none
        return None
    sizes = np.abs(found).mean(axis=0)
    several = found.ndim == 3
    kinds = [feature["kind"] for feature in schema["features"]]
    return Contributions(
        rows=len(matrix),
        means=sizes.sum(axis=0) if several else sizes,
        values=None if several else found,
        levels=np.column_stack([_levels(matrix[:, place], kind) for place, kind in enumerate(kinds)]),
    )


def _sample(test: Path, most: int) -> pa.Table:
    """At most so many rows, drawn without replacement; the same rows of the same files each time."""
    total = rows_in(test)
    chosen = np.sort(np.random.default_rng(0).choice(total, min(most, total), replace=False))
    parts, begin = [], 0
    for table in batches(test):
        end = begin + table.num_rows
        own = chosen[(chosen >= begin) & (chosen < end)] - begin
        if len(own):
            parts.append(table.take(pa.array(own)))
        begin = end
    return pa.concat_tables(parts, promote_options="permissive")


def _levels(column: np.ndarray, kind: str) -> np.ndarray:
    """Of each value its place among the others, equal ones the same: 0 to 4, 5 without one."""
    known = np.isfinite(column)
    levels = np.full(len(column), LEVELS)
    if kind == "category" or not known.any():
        return levels
    values = np.sort(column[known])
    below = np.searchsorted(values, column[known], side="left")
    upto = np.searchsorted(values, column[known], side="right")
    levels[known] = np.minimum((below + upto) * LEVELS // (2 * len(values)), LEVELS - 1)
    return levels
