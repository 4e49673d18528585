"""Two versions of a project laid over each other: answers, settings and data.

Whether a difference is more than chance is said by ``registry/comparison.py`` from the intervals of both, and
where one of them was tried against the other by the gate, in the gate's own words. A page does not score
anything anew: `gatehouse compare` does that, with both on the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.settings.project import Project
from registry import comparison
from registry.comparison import Comparison
from registry.verdicts import Check
from studio.source import Source
from studio.views.versions import VersionPage, read_page
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
        paired: the gate's check of one against the other as the champion: the version that was tried, and
            the check.
        settings: name, value in the first and value in the second, of what differs.
        same_settings: how many settings are the same in both.
        columns: those that differ first.
    """

    first: VersionPage
    second: VersionPage
    comparison: Comparison
    paired: tuple[tuple[int, Check], ...]
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
    ours, theirs = (read_page(source, project, number) for number in (first, second))
    ours_set, theirs_set = (_settings(page) for page in (ours, theirs))
    names = dict.fromkeys([*ours_set, *theirs_set])
    values = [(name, ours_set.get(name), theirs_set.get(name)) for name in names]
    differing = tuple(one for one in values if one[1] != one[2])
    columns = _columns(ours, theirs)
    return VersionsCompared(
        first=ours,
        second=theirs,
        comparison=comparison.compare(ours.version, theirs.version),
        paired=(*_paired(ours, second), *_paired(theirs, first)),
        curves=_curves(ours, theirs),
        settings=differing,
        same_settings=len(values) - len(differing),
        columns=columns[:MOST_COLUMNS],
        more_columns=max(0, len(columns) - MOST_COLUMNS),
    )


def _paired(page: VersionPage, other: int) -> list[tuple[int, Check]]:
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
