"""The report's part on features: what the trees gained by each, and by how much each moved the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import svg
from contributions import LEVELS, Contributions
from html_page import name, note, section, table, text
from metric_table import readable

_SHOWN = 30
_DRAWN = 200
_WHERE = {
    "binary": "log-odds of {}",
    "multiclass": "log-odds, summed over the classes",
    "regression": "unit of {}",
}


def features(
    importance: Sequence[Mapping[str, Any]], moved: Contributions | None, schema: Mapping[str, Any]
) -> Iterator[str]:
    """The sections on features: those that the artifact and the model allow.

    Args:
        importance: the entries of the artifact's ``feature_importance.json``.
    """
    if moved is not None:
        yield _contributions(moved, schema)
    if importance:
        yield _importance(importance, schema)


def total_gains(importance: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """By feature. XGBoost's total gain is what all splits by it gained together, its gain is their mean."""
    return {entry["name"]: entry["gain"] * entry["weight"] for entry in importance}


def _importance(importance: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> str:
    kinds = {feature["name"]: feature["kind"] for feature in schema["features"]}
    totals = total_gains(importance)
    everything = sum(totals.values()) or 1.0
    best = max(totals.values()) or 1.0
    order = sorted(importance, key=lambda entry: (-totals[entry["name"]], entry["name"]))
    rows = [
        [
            name(entry["name"]),
            svg.bar(totals[entry["name"]] / best),
            f"{100 * totals[entry['name']] / everything:.1f} %",
            readable(totals[entry["name"]]),
            readable(entry["gain"]),
            f"{entry['weight']:,.0f}",
            text(kinds.get(entry["name"], "")),
        ]
        for entry in order[:_SHOWN]
    ]
    unused = sum(1 for entry in importance if not entry["weight"])
    more = len(importance) - len(rows)
    said = [
        "Gain is how much splits by a feature lowered the loss in training: in total, and for each split in"
        " the mean. It says what the trees used, not what causes the target."
    ]
    if unused:
        said.append(f"{unused:,} {'feature is' if unused == 1 else 'features are'} in no split.")
    if more > 0:
        said.append(f"The artifact's feature_importance.json has {more:,} more.")
    head = ["Feature", "", "Share", "Total gain", "Mean gain", "Splits", "Kind"]
    return section(
        "What the trees gained by each feature", table(head, rows, words=(0, 1, 6)), note(" ".join(said))
    )


def _contributions(moved: Contributions, schema: Mapping[str, Any]) -> str:
    names = [feature["name"] for feature in schema["features"]]
    order = np.argsort(-moved.means, kind="stable")[:_SHOWN].tolist()
    best = float(moved.means.max()) or 1.0
    drawn = slice(0, _DRAWN)  # the rows were drawn at random, and stand in the order of the files
    if moved.rows > _DRAWN:
        drawn = np.linspace(0, moved.rows - 1, _DRAWN).astype(int)
    reach = float(np.abs(moved.values[drawn][:, order]).max()) if moved.values is not None else 0.0
    rows = []
    for place in order:
        size = float(moved.means[place])
        cells = [name(names[place]), svg.bar(size / best), readable(size, 4)]
        if moved.values is not None:
            cells.append(svg.strip(moved.values[drawn, place], moved.levels[drawn, place], reach))
        rows.append(cells)
    whose = schema["target"] if schema["task"] == "regression" else (schema["classes"] or [""])[-1]
    unit = _WHERE[schema["task"]].format(name(whose, 40))
    head = ["Feature", "", "Mean size"]
    said = [
        f"SHAP values of {moved.rows:,} rows of the test part, by XGBoost's pred_contribs: by how much a"
        f" feature's value moved an answer away from the mean answer ({unit})."
    ]
    legend = ""
    if moved.values is not None:
        head.append(f"Lowers ← 0 → raises, up to {readable(reach, 3)}")
        looks = [*((f"v{level}", "") for level in range(LEVELS)), ("v5", "missing, or a category")]
        looks[0], looks[LEVELS - 1] = ("v0", "low value of the feature"), (f"v{LEVELS - 1}", "high value")
        legend = svg.legend_of(looks)
        said.append(f"Each dot is one of {min(moved.rows, _DRAWN):,} rows.")
    more = len(names) - len(rows)
    if more > 0:
        said.append(f"Not shown, since theirs are smaller: {more:,} of {len(names):,} features.")
    return section("What moved the answers", table(head, rows, words=(0, 1, 3)), legend, note(" ".join(said)))
