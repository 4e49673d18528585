"""``constraints.json``: what a monitor may expect of each column, from the training part.

Model Monitor's form (https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-constraints.html), in
which each column has its type, the share of rows that have a value, and what values there are. Of a category
it also says how many of its values stand for texts that the model does not know (``unseen``, of ``values``):
by Good and Turing, the share of values that were seen once is the share of new ones to expect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quality import NumberColumn, Quality, TextColumn

_THRESHOLDS = {
    "evaluate_constraints": "Enabled",
    "emit_metrics": "Enabled",
    "datatype_check_threshold": 1.0,
    "domain_content_threshold": 1.0,
    "distribution_constraints": {
        "perform_comparison": "Enabled",
        "comparison_threshold": 0.1,
        "comparison_method": "Robust",
        "categorical_comparison_threshold": 0.1,
        "categorical_drift_method": "LInfinity",
    },
}
"""Model Monitor's own defaults, for its analyzer; this project's monitor has tests of its own.

The local SageMaker's analyzer, which cannot import this, suggests the same (``MONITORING_CONFIG`` of its
``data_quality.py``).
"""


def constraints(quality: Quality, categories: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The document.

    Args:
        categories: of each category among the features, those that the model knows.
    """
    features = [_feature(name, quality, categories.get(name)) for name in quality.names]
    return {"version": 0.0, "features": features, "monitoring_config": _THRESHOLDS}


def _feature(name: str, quality: Quality, categories: Sequence[str] | None) -> dict[str, Any]:
    column = quality.texts[name] if name in quality.texts else quality.numbers[name]
    rows = column.present + column.missing
    entry = {"name": name, "completeness": column.present / rows if rows else 0.0}
    if isinstance(column, NumberColumn):
        negative = bool(column.present) and column.lowest < 0
        kind = "Integral" if column.integral else "Fractional"
        return {**entry, "inferred_type": kind, "num_constraints": {"is_non_negative": not negative}}
    entry["inferred_type"] = "String"
    return entry if categories is None else {**entry, "string_constraints": _texts(column, categories)}


def _texts(column: TextColumn, categories: Sequence[str]) -> dict[str, Any]:
    return {
        "domains": list(categories),
        "values": column.present,
        "unseen": column.unseen(len(categories)),
    }
