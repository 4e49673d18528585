"""Two versions of a project laid over each other: answers, settings and data.

Whether a difference is more than chance is said by ``registry/comparison.py``: from the intervals of both, or
by the paired tests of `gatehouse compare` once somebody has asked for these. They take seconds and run the
code of both artifacts on this machine, so no page starts them by itself. Where the gate tried one of the two
against the other, its own words say how that went.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipelines.executions.paired_scoring import CannotPair, score_on_same_rows
from pipelines.settings.project import Project
from registry import comparison
from registry.comparison import Comparison, PairedAnswers
from registry.verdicts import Check
from studio.source import Source
from studio.views.known import Known
from studio.views.versions import VersionPage, read_pages
from studio.views.versions_answers import Curve
from studio.views.versions_columns import Bar, Column, bars, span_of

MOST_COLUMNS = 100
"""Of each two distributions are drawn; with more the page would have more than 200 KB."""
_FACTS = {
    "dataset_uri": "Data",
    "dataset_version": "Data version",
    "git_commit": "Commit",
    "algorithm": "Algorithm",
    "processing_code": "Code of preprocessing",
    "training_code": "Code of training",
    "evaluation_code": "Code of evaluation",
    "gate_metric": "The gate's metric",
}


@dataclass(frozen=True)
class ComparedCurve:
    """A curve of both, or of one of them."""

    first: Curve | None
    second: Curve | None

    @property
    def either(self) -> Curve:
        found = self.first or self.second
        assert found is not None
        return found


@dataclass(frozen=True)
class ComparedColumn:
    """A column of the training parts; both distributions are drawn over the same range.

    Attributes:
        differs: in words, what is another in the second; empty where nothing but the counts differ.
    """

    name: str
    first: Column | None
    second: Column | None
    first_bars: tuple[Bar, ...]
    second_bars: tuple[Bar, ...]
    differs: str


@dataclass(frozen=True)
class VersionsCompared:
    """Two versions.

    Attributes:
        tried: the gate's check of one against the other as the champion: the version that was tried, and the
            check.
        is_being_scored: whether both are being scored on the same rows.
        not_scored: why they could not be.
        settings: name, value in the first and value in the second, of what differs.
        same_settings: how many settings are the same in both.
        columns: those that differ first.
    """

    first: VersionPage
    second: VersionPage
    comparison: Comparison
    tried: tuple[tuple[int, Check], ...]
    is_being_scored: bool
    not_scored: str | None
    curves: tuple[ComparedCurve, ...]
    settings: tuple[tuple[str, str | None, str | None], ...]
    same_settings: int
    columns: tuple[ComparedColumn, ...]
    more_columns: int


def compare_versions(source: Source, project: Project, first: int, second: int) -> VersionsCompared:
    """Read both.

    Raises:
        GatehouseError: there is no such version.
    """
    ours, theirs = read_pages(source, project, first, second)
    ours_set, theirs_set = (_settings(page) for page in (ours, theirs))
    names = dict.fromkeys([*ours_set, *theirs_set])
    values = [(name, ours_set.get(name), theirs_set.get(name)) for name in names]
    differing = tuple(one for one in values if one[1] != one[2])
    columns = _columns(ours, theirs)
    scored, is_being_scored = _SCORED.state(_key(source, ours, theirs))
    return VersionsCompared(
        first=ours,
        second=theirs,
        comparison=comparison.compare(
            ours.version, theirs.version, scored if isinstance(scored, PairedAnswers) else None
        ),
        tried=(*_tried(ours, second), *_tried(theirs, first)),
        is_being_scored=is_being_scored,
        not_scored=scored if isinstance(scored, str) else None,
        curves=_curves(ours, theirs),
        settings=differing,
        same_settings=len(values) - len(differing),
        columns=columns[:MOST_COLUMNS],
        more_columns=max(0, len(columns) - MOST_COLUMNS),
    )


def start_scoring(source: Source, project: Project, first: int, second: int) -> None:
    """Begin to score two versions on the same rows, unless that is under way or done.

    Raises:
        GatehouseError: there is no such version.
    """
    ours, theirs = read_pages(source, project, first, second)
    target = source.target(project)

    def score() -> PairedAnswers | str:
        try:
            return score_on_same_rows(target, ours.version, theirs.version)
        except CannotPair as cannot:
            return str(cannot)

    _SCORED.of({_key(source, ours, theirs): score}, patience=0)


_Key = tuple[str, str, str]
_SCORED: Known[_Key, PairedAnswers | str] = Known(
    ThreadPoolExecutor(1, thread_name_prefix="scoring versions"),
    lambda _key, found: float("inf") if isinstance(found, PairedAnswers) else 0.0,
    most=100,
)
"""What two versions answer to the same rows, or why that could not be found out; which is tried again."""


def _key(source: Source, first: VersionPage, second: VersionPage) -> _Key:
    """A version that is deleted and registered again has its ARN, and another time."""
    ours, theirs = (f"{page.version.arn} {page.version.created}" for page in (first, second))
    return source.endpoint_url or source.target_name, ours, theirs


def _tried(page: VersionPage, other: int) -> list[tuple[int, Check]]:
    """The gate's check of a version against another one that served then."""
    checks = page.version.verdict.checks if page.version.verdict else ()
    return [(page.version.version, one) for one in checks if one.champion == other]


def _curves(first: VersionPage, second: VersionPage) -> tuple[ComparedCurve, ...]:
    ours, theirs = ({curve.name: curve for curve in page.curves} for page in (first, second))
    return tuple(ComparedCurve(ours.get(name), theirs.get(name)) for name in dict.fromkeys([*ours, *theirs]))


def _settings(page: VersionPage) -> Mapping[str, str]:
    version = page.version
    facts = {words: version.metadata[key] for key, words in _FACTS.items() if key in version.metadata}
    images = ", ".join(container.image for container in version.containers)
    return {**version.hyperparameters, **facts, "Image": images}


def _columns(first: VersionPage, second: VersionPage) -> tuple[ComparedColumn, ...]:
    ours, theirs = ({column.name: column for column in page.columns} for page in (first, second))
    found = [_column(name, ours.get(name), theirs.get(name)) for name in dict.fromkeys([*ours, *theirs])]
    return tuple(sorted(found, key=lambda column: not column.differs))


def _column(name: str, first: Column | None, second: Column | None) -> ComparedColumn:
    both = [column for column in (first, second) if column is not None]
    span, values = span_of(both), list(dict.fromkeys(value for column in both for value in column.values))
    return ComparedColumn(
        name,
        first,
        second,
        bars(first, span, values) if first else (),
        bars(second, span, values) if second else (),
        _difference(first, second),
    )


def _difference(first: Column | None, second: Column | None) -> str:
    if first is None or second is None:
        return "only in the second" if first is None else "only in the first"
    if first.kind != second.kind:
        return f"{first.kind}, then {second.kind}"
    if bool(first.missing) != bool(second.missing):
        return "missing values in the second only" if second.missing else "missing values in the first only"
    return ""
