"""A registered version of a project, with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

from pipelines.settings.project import Project
from registry import card_pages
from registry.clients import read_document
from registry.deployment_history import deployed_versions
from registry.model_packages import summaries
from registry.verdicts import Measured
from registry.version_details import VersionDetails, read_version
from studio.source import Source
from studio.views.checks import DrawnCheck, drawn_checks
from studio.views.versions_answers import (
    Calibration,
    Curve,
    Thresholds,
    calibration_in,
    curves_in,
    features_in,
    read_answers,
    thresholds_in,
)
from studio.views.versions_classes import Classes, classes_in
from studio.views.versions_columns import Column, columns_in
from studio.views.versions_numbers import Numbers, numbers_in

MOST_COLUMNS = 200
CODE_OF = {
    "PreprocessData": "processing_code",
    "TrainModel": "training_code",
    "EvaluateModel": "evaluation_code",
}
"""Step -> the customer metadata that names its code by content."""
_NEIGHBOURS = 20


@dataclass(frozen=True)
class VersionPage:
    """One version.

    Attributes:
        task: None of a version without statistics.
        other: another version, for a look at both; None where there is none.
        has_report: whether there are numbers of its report.
        card: what people wrote into the model card: names and values.
        features: with their shares of the gain in training, the largest first.
        columns: of the training part; `rows` is how many rows that has.
    """

    version: VersionDetails
    serves: tuple[str, ...]
    other: int | None
    checks: tuple[DrawnCheck, ...]
    measured: Mapping[str, Measured]
    task: str | None
    has_report: bool
    curves: tuple[Curve, ...]
    thresholds: Thresholds | None
    calibration: Calibration | None
    classes: Classes | None
    numbers: Numbers | None
    card: tuple[tuple[str, str], ...]
    features: tuple[tuple[str, float], ...]
    columns: tuple[Column, ...]
    rows: int | None

    @property
    def shown_columns(self) -> tuple[Column, ...]:
        return self.columns[:MOST_COLUMNS]


def read_page(source: Source, project: Project, number: int) -> VersionPage:
    """All of one version.

    Raises:
        GatehouseError: there is no such version.
    """
    listed = islice(summaries(source.target(project), project.name, limit=_NEIGHBOURS), _NEIGHBOURS)
    newest = [one["ModelPackageVersion"] for one in listed if one["ModelPackageVersion"] != number]
    other = next((found for found in newest if found < number), next(iter(newest), None))
    [page] = read_pages(source, project, number)
    return replace(page, other=other)


def read_pages(source: Source, project: Project, *numbers: int) -> list[VersionPage]:
    """All of some versions, without another one to look at.

    Raises:
        GatehouseError: there is no such version.
    """
    serves = deployed_versions(source.environments(project), denied=lambda _environment: None)
    return [_read(source, project, number, serves) for number in numbers]


def _read(
    source: Source, project: Project, number: int, serves: Mapping[str, tuple[str, ...]]
) -> VersionPage:
    target = source.target(project)
    version = read_version(target, project.name, number)
    s3 = target.client("s3")
    answered = read_answers(s3, version.statistics)
    columns, rows = columns_in(read_document(s3, version.data_statistics))
    return VersionPage(
        version=version,
        serves=serves.get(version.arn, ()),
        other=None,
        checks=drawn_checks(version.verdict),
        measured=version.verdict.metrics if version.verdict else {},
        task=answered.task,
        has_report=bool(answered.report),
        curves=curves_in(answered),
        thresholds=thresholds_in(answered),
        calibration=calibration_in(answered),
        classes=classes_in(answered),
        numbers=numbers_in(answered),
        card=tuple(
            fact
            for section in card_pages.sections(version)
            if section.title in card_pages.WRITTEN
            for fact in section.facts
        ),
        features=features_in(answered),
        columns=tuple(columns),
        rows=rows,
    )
