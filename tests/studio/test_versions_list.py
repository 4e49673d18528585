"""The list of versions: paging over all of them, search, the metric's line, and decisions at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bank_churn import PROJECT
from studio_versions import Registered, registered, verdict
from wire_clients import wait_for

from studio.views.versions_list import ListedVersions, Search, list_page

COUNT = 12
VALUES = [0.70 + number / 100 for number in range(1, COUNT + 1)]


def page(place: Registered, size: int = 50, **search: Any) -> ListedVersions:
    return list_page(place.source, place.source.project(PROJECT), Search(**search), size)


def numbers(place: Registered, **search: Any) -> list[int]:
    return [row.number for row in page(place, **search).rows]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Registered]:
    """A group of versions; number N has the accuracy ``VALUES[N - 1]``."""
    with registered(tmp_path) as made:
        for value in VALUES:
            made.register(verdict=verdict(value))
        yield made


def test_pages_follow_each_other_over_all_versions(place: Registered) -> None:
    found, after, pages = [], None, 0
    while pages == 0 or after is not None:
        shown = page(place, 5, after=after)
        found += [row.number for row in shown.rows]
        after, pages = shown.next, pages + 1
    assert (found, pages) == (list(range(COUNT, 0, -1)), 3)


def test_versions_are_found_by_decision_environment_and_words(place: Registered) -> None:
    place.register(verdict=verdict(0.99), ModelPackageDescription="The one for Christmas")
    for number, status in ((3, "Approved"), (5, "Approved"), (4, "Rejected")):
        place.sagemaker.update_model_package(ModelPackageArn=place.arn(number), ModelApprovalStatus=status)
    place.sagemaker.update_model_package(
        ModelPackageArn=place.arn(3), ModelLifeCycle={"Stage": "prod", "StageStatus": "RolledBack"}
    )
    environment = place.source.environments(place.source.project(PROJECT))[-1]
    environment.clients.client("ssm").put_parameter(
        Name=environment.parameter, Value=place.arn(5), Type="String"
    )
    assert numbers(place, approval="Approved") == [5, 3]
    assert numbers(place, approval="Approved", after=5) == [3]
    assert numbers(place, serves=environment.name) == [5]
    assert numbers(place, text="christmas ONE") == [COUNT + 1]
    assert numbers(place, text="prod rolledback") == [3]
    assert numbers(place, text="nothing like it") == []


def test_the_line_is_of_every_version_and_a_decision_is_seen_at_once(place: Registered) -> None:
    whole = wait_for(lambda: None if (shown := page(place, 3)).changes_soon else shown)
    assert (whole.line_of, len(whole.line.points.split())) == (COUNT, COUNT)
    place.register(verdict=verdict(0.5))
    longer = wait_for(lambda: None if (shown := page(place, 3)).changes_soon else shown)
    assert (longer.line_of, len(longer.line.points.split())) == (COUNT + 1, COUNT + 1)
    for status in ("Approved", "Rejected"):
        place.sagemaker.update_model_package(ModelPackageArn=place.arn(COUNT), ModelApprovalStatus=status)
        assert page(place, 3).rows[1].approval == status


def test_a_group_that_was_made_anew_does_not_show_what_the_old_one_had(place: Registered) -> None:
    def value() -> float | None:
        row = page(place, 1).rows[0]
        return row.read.verdict.measured.value if row.read else None

    assert wait_for(value) == VALUES[-1]
    for number in range(1, COUNT + 1):
        place.sagemaker.delete_model_package(ModelPackageName=place.arn(number))
    place.sagemaker.delete_model_package_group(ModelPackageGroupName=PROJECT)
    place.sagemaker.create_model_package_group(ModelPackageGroupName=PROJECT)
    place.register(verdict=verdict(0.42))
    assert numbers(place) == [1]
    assert wait_for(value) == 0.42
