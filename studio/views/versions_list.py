"""The list of a project's versions: which are on a page, what is told of each, and the metric over all.

What ListModelPackages says is asked for at every request, so that a decision is seen at once. The statistics
and the verdict of a version are never written again, so they are read once, in threads, and no page waits for
them for long: a row whose metric is still being read comes without, and the page asks again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from pipelines.settings.project import Project
from pipelines.settings.target import Target
from registry.deployment_history import deployed_versions
from registry.life_cycle import REVIEW
from registry.model_packages import PENDING, ModelVersion, read_listed, summaries
from studio import charts
from studio.source import Source
from studio.views.known import Known

_FAILED_AGE, _BARE_AGE = 1.0, 60.0
"""Seconds for which it counts that a version could not be read, or that it carries no verdict."""

_MOST_IN_LINE = 500
"""Versions in the line of the metric, the newest ones."""

_SUMMARIES_AGE = 30.0
"""Seconds for which the line goes without a version that was deleted."""


@dataclass(frozen=True)
class Search:
    """Which versions are wanted.

    Attributes:
        approval: SageMaker's word; empty for any.
        serves: an environment that serves them; empty for any and none.
        text: words that number, time, description or stage hold, all of them.
        after: the page begins behind the version of this number; None for the newest.
    """

    approval: str = ""
    serves: str = ""
    text: str = ""
    after: int | None = None

    @property
    def is_narrow(self) -> bool:
        return bool(self.approval or self.serves or self.text)


@dataclass(frozen=True)
class VersionRow:
    """One line of the list; `read` is None while its metrics are being read.

    Attributes:
        stage: what last happened to it in an environment, by SageMaker's ModelLifeCycle: ``prod: Deployed``.
        serves: environments.
    """

    number: int
    arn: str
    created: datetime
    status: str
    approval: str
    stage: str | None
    serves: tuple[str, ...]
    read: ModelVersion | None


@dataclass(frozen=True)
class ListedVersions:
    """A page of the list.

    Attributes:
        next: the last row's number where there are more, else None.
        line: the gate's metric from old to new, on the first page of all versions; None with fewer than two.
        line_of: how many versions the line is of.
        unread: how many of these are still being read.
    """

    rows: tuple[VersionRow, ...]
    next: int | None
    line: charts.Sparkline | None
    line_of: int
    unread: int

    @property
    def changes_soon(self) -> bool:
        return self.unread > 0 or any(row.read is None for row in self.rows)


def list_page(source: Source, project: Project, search: Search, size: int) -> ListedVersions:
    """The versions that are wanted, newest first; none before the first."""
    target = source.target(project)
    serves = deployed_versions(source.environments(project), denied=lambda _environment: None)
    listed = _behind(target, project.name, search, size)
    wanted = (one for one in listed if _is_wanted(one, search, serves))
    found = list(itertools.islice(wanted, size + 1))
    shown = found[:size]
    read = _VERSIONS.of(
        {_key(target, one): partial(read_listed, target, one) for one in shown}, source.patience
    )
    whole = not search.is_narrow and search.after is None
    over_all = _over_all(target, project.name, shown, source.patience) if whole else []
    values = [value for version in over_all if version and (value := gate_value(version)) is not None]
    return ListedVersions(
        rows=tuple(_row(one, told, serves) for one, told in zip(shown, read, strict=True)),
        next=shown[-1]["ModelPackageVersion"] if len(found) > size else None,
        line=charts.sparkline(values) if len(values) > 1 else None,
        line_of=len(over_all),
        unread=over_all.count(None),
    )


def gate_value(version: ModelVersion) -> float | None:
    """The gate's metric; accuracy for a version without a verdict."""
    if version.verdict is None:
        return version.accuracy
    measured = version.verdict.measured
    return measured.value if measured else None


def _behind(target: Target, name: str, search: Search, size: int) -> Iterator[Mapping[str, Any]]:
    """ListModelPackages' entries behind the version that the search names, newest first."""
    # A page of the whole list needs no more entries than its rows; a search goes through all of them.
    limit = None if search.is_narrow or search.after is not None else size + 1
    for one in summaries(target, name, approval=search.approval or None, limit=limit):
        if search.after is None or one["ModelPackageVersion"] < search.after:
            yield one


def _is_wanted(one: Mapping[str, Any], search: Search, serves: Mapping[str, tuple[str, ...]]) -> bool:
    if search.serves and search.serves not in serves.get(one["ModelPackageArn"], ()):
        return False
    number, created = one["ModelPackageVersion"], one["CreationTime"]
    told = [str(number), f"version {number}", f"{created:%Y-%m-%d %H:%M}", _stage(one) or ""]
    text = " ".join([*told, one.get("ModelPackageDescription", "")]).casefold()
    return all(word in text for word in search.text.casefold().split())


def _stage(one: Mapping[str, Any]) -> str | None:
    cycle = one.get("ModelLifeCycle") or {}
    is_deployment = cycle.get("Stage", REVIEW) != REVIEW  # the decision stands beside it anyway
    return f"{cycle['Stage']}: {cycle['StageStatus']}" if is_deployment else None


def _row(
    one: Mapping[str, Any], read: ModelVersion | None, serves: Mapping[str, tuple[str, ...]]
) -> VersionRow:
    return VersionRow(
        number=one["ModelPackageVersion"],
        arn=one["ModelPackageArn"],
        created=one["CreationTime"],
        status=one["ModelPackageStatus"],
        approval=one.get("ModelApprovalStatus", PENDING),
        stage=_stage(one),
        serves=serves.get(one["ModelPackageArn"], ()),
        read=read,
    )


_Key = tuple[Target, str, datetime, str]


def _key(target: Target, one: Mapping[str, Any]) -> _Key:
    """A group that is deleted and made again gives its versions the same ARNs at another time."""
    return target, one["ModelPackageArn"], one["CreationTime"], one["ModelPackageStatus"]


def _age(_: _Key, version: ModelVersion | None) -> float:
    if version is None:
        return _FAILED_AGE
    return _BARE_AGE if version.verdict is None else float("inf")


_READERS = ThreadPoolExecutor(4, thread_name_prefix="studio-versions")
_VERSIONS: Known[_Key, ModelVersion] = Known(_READERS, _age, most=3000)
_GROUPS: Known[_Key, list[dict[str, Any]]] = Known(_READERS, lambda _key, _read: _SUMMARIES_AGE, most=100)
"""The newest entries of ListModelPackages, by the newest of them."""


def _over_all(
    target: Target, name: str, shown: Sequence[Mapping[str, Any]], patience: float
) -> list[ModelVersion | None]:
    """The project's versions from old to new, as far as they have been read."""
    if not shown:
        return []

    def read() -> list[dict[str, Any]]:
        return list(itertools.islice(summaries(target, name, limit=_MOST_IN_LINE), _MOST_IN_LINE))

    [listed] = _GROUPS.of({_key(target, shown[0]): read}, patience)
    if listed is None:
        return [None]
    wanted = {_key(target, one): partial(read_listed, target, one) for one in reversed(listed)}
    return _VERSIONS.of(wanted, patience=0)
