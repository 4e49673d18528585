"""A registered version of a project, with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.settings.project import Project
from registry.clients import read_document
from registry.deployment_history import deployed_versions
from registry.model_quality import finite_number
from registry.verdicts import Measured
from registry.version_details import VersionDetails, read_version
from studio import charts
from studio.source import Source
from studio.views.checks import DrawnCheck, drawn_checks

_CURVES = {
    "receiver_operating_characteristic_curve": (
        "ROC curve",
        ("false_positive_rates", "False positive rate"),
        ("true_positive_rates", "True positive rate"),
    ),
    "precision_recall_curve": ("Precision and recall", ("recalls", "Recall"), ("precisions", "Precision")),
}
"""By their names in statistics.json: what each is called, and which lists are its axes."""

_MOST_COLUMNS = 200


@dataclass(frozen=True)
class Curve:
    """A curve of the test part; ``points`` are those of an SVG polyline in a square of ``charts.SQUARE``."""

    title: str
    across: str
    upwards: str
    points: str


@dataclass(frozen=True)
class Column:
    """A column of the training part, by the data-quality report.

    Attributes:
        bars: the heights of its histogram, or of its most frequent values, from 0 to 1.
        words: mean and range, or the most frequent values.
    """

    name: str
    kind: str
    present: int
    missing: int
    distinct: int | None
    bars: tuple[float, ...]
    words: str


@dataclass(frozen=True)
class VersionPage:
    """One version."""

    version: VersionDetails
    serves: tuple[str, ...]
    checks: tuple[DrawnCheck, ...]
    measured: Mapping[str, Measured]
    curves: tuple[Curve, ...]
    columns: tuple[Column, ...]
    more_columns: int
    rows: int | None


def read_page(source: Source, project: Project, number: int) -> VersionPage:
    """All of one version.

    Raises:
        GatehouseError: there is no such version.
    """
    target = source.target(project)
    version = read_version(target, project.name, number)
    s3 = target.client("s3")
    statistics = read_document(s3, version.statistics)
    columns, rows = _columns(read_document(s3, version.data_statistics))
    serves = deployed_versions(source.environments(project), denied=lambda _environment: None)
    return VersionPage(
        version=version,
        serves=serves.get(version.arn, ()),
        checks=drawn_checks(version.verdict),
        measured=version.verdict.metrics if version.verdict else {},
        curves=tuple(_curves(statistics)),
        columns=tuple(columns[:_MOST_COLUMNS]),
        more_columns=max(0, len(columns) - _MOST_COLUMNS),
        rows=rows,
    )


def _curves(statistics: Any) -> Sequence[Curve]:
    section = statistics.get("binary_classification_metrics") if isinstance(statistics, dict) else None
    found = []
    for name, (title, (x, across), (y, upwards)) in _CURVES.items():
        table = section.get(name) if isinstance(section, dict) else None
        points = charts.points(table.get(x), table.get(y)) if isinstance(table, dict) else None
        if points:
            found.append(Curve(title, across, upwards, points))
    return found


def _columns(document: Any) -> tuple[list[Column], int | None]:
    """The columns of a data-quality report in Model Monitor's format; none if it is none."""
    if not isinstance(document, dict) or not isinstance(document.get("features"), list):
        return [], None
    found = [_column(feature) for feature in document["features"] if isinstance(feature, dict)]
    dataset = document.get("dataset")
    rows = finite_number(dataset.get("item_count")) if isinstance(dataset, dict) else None
    return found, None if rows is None else int(rows)


def _column(feature: Mapping[str, Any]) -> Column:
    numbers = feature.get("numerical_statistics", {})
    texts = feature.get("string_statistics", {})
    common = (numbers or texts).get("common", {})
    distribution = (numbers or texts).get("distribution", {})
    buckets = (distribution.get("kll") or distribution.get("categorical") or {}).get("buckets", [])
    counts = [float(bucket.get("count", 0)) for bucket in buckets]
    highest = max(counts, default=0) or 1.0
    if numbers:
        words = (
            f"mean {numbers.get('mean', 0):.4g}, {numbers.get('min', 0):.4g} to {numbers.get('max', 0):.4g}"
        )
    else:
        words = ", ".join(str(bucket.get("value", "")) for bucket in buckets[:3])
    distinct = texts.get("distinct_count")
    return Column(
        name=str(feature.get("name", "")),
        kind={"Integral": "whole number", "Fractional": "number", "String": "category"}.get(
            str(feature.get("inferred_type")), "unknown"
        ),
        present=int(common.get("num_present", 0)),
        missing=int(common.get("num_missing", 0)),
        distinct=None if distinct is None else int(distinct),
        bars=tuple(round(count / highest, 3) for count in counts[:20]),
        words=words,
    )
