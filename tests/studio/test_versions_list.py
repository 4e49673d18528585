"""The list of versions: paging over all of them, search, the metric's line, and decisions at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bank_churn import PROJECT, SETTINGS
from wire_clients import client_of, wait_for

from sagemaker_local import endpoint
from studio.source import Source
from studio.views.versions_list import ListedVersions, Search, list_page

COUNT = 12
VALUES = [0.70 + number / 100 for number in range(1, COUNT + 1)]


class Place:
    """A group of versions; number N has the accuracy ``VALUES[N - 1]``."""

    def __init__(self, source: Source, url: str) -> None:
        self.source = source
        self.sagemaker, self.s3 = client_of(url, "sagemaker"), client_of(url, "s3")
        self.s3.create_bucket(
            Bucket="versions", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        self.sagemaker.create_model_package_group(ModelPackageGroupName=PROJECT)
        for value in VALUES:
            self.register(value)

    def register(self, accuracy: float, description: str = "Who leaves") -> None:
        verdict = {
            "verdict": "passed",
            "sentence": "it passes",
            "metric": "accuracy",
            "metrics": {"accuracy": {"value": accuracy, "low": accuracy - 0.1, "high": accuracy + 0.1}},
        }
        self.s3.put_object(Bucket="versions", Key=f"{accuracy}/verdict.json", Body=json.dumps(verdict))
        self.sagemaker.create_model_package(
            ModelPackageGroupName=PROJECT,
            ModelPackageDescription=description,
            ModelApprovalStatus="PendingManualApproval",
            CustomerMetadataProperties={"verdict_uri": f"s3://versions/{accuracy}/verdict.json"},
        )

    def arn(self, number: int) -> str:
        return f"arn:aws:sagemaker:eu-west-1:000000000000:model-package/{PROJECT}/{number}"

    def page(self, size: int = 50, **search: Any) -> ListedVersions:
        return list_page(self.source, self.source.project(PROJECT), Search(**search), size)

    def numbers(self, **search: Any) -> list[int]:
        return [row.number for row in self.page(**search).rows]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    (tmp_path / "projects.toml").write_text(SETTINGS)
    monkeypatch.setenv("GATEHOUSE_HOME", str(tmp_path / "home"))
    with endpoint.start(tmp_path / "home") as started:
        yield Place(Source(tmp_path / "projects.toml", "local", started.url), started.url)


def test_pages_follow_each_other_over_all_versions(place: Place) -> None:
    found, after, pages = [], None, 0
    while pages == 0 or after is not None:
        page = place.page(5, after=after)
        found += [row.number for row in page.rows]
        after, pages = page.next, pages + 1
    assert (found, pages) == (list(range(COUNT, 0, -1)), 3)


def test_versions_are_found_by_decision_environment_and_words(place: Place) -> None:
    place.register(0.99, "The one for Christmas")
    for number, status in ((3, "Approved"), (5, "Approved"), (4, "Rejected")):
        place.sagemaker.update_model_package(ModelPackageArn=place.arn(number), ModelApprovalStatus=status)
    place.sagemaker.update_model_package(
        ModelPackageArn=place.arn(3), ModelLifeCycle={"Stage": "prod", "StageStatus": "RolledBack"}
    )
    environment = place.source.environments(place.source.project(PROJECT))[-1]
    environment.clients.client("ssm").put_parameter(
        Name=environment.parameter, Value=place.arn(5), Type="String"
    )
    assert place.numbers(approval="Approved") == [5, 3]
    assert place.numbers(approval="Approved", after=5) == [3]
    assert place.numbers(serves=environment.name) == [5]
    assert place.numbers(text="christmas ONE") == [COUNT + 1]
    assert place.numbers(text="prod rolledback") == [3]
    assert place.numbers(text="nothing like it") == []


def test_the_line_is_of_every_version_and_a_decision_is_seen_at_once(place: Place) -> None:
    whole = wait_for(lambda: None if (page := place.page(3)).changes_soon else page)
    assert (whole.line_of, len(whole.line.points.split())) == (COUNT, COUNT)
    place.register(0.5)
    longer = wait_for(lambda: None if (page := place.page(3)).changes_soon else page)
    assert (longer.line_of, len(longer.line.points.split())) == (COUNT + 1, COUNT + 1)
    for status in ("Approved", "Rejected"):
        place.sagemaker.update_model_package(ModelPackageArn=place.arn(COUNT), ModelApprovalStatus=status)
        assert place.page(3).rows[1].approval == status


def test_a_group_that_was_made_anew_does_not_show_what_the_old_one_had(place: Place) -> None:
    def value() -> float | None:
        row = place.page(1).rows[0]
        return row.read.verdict.measured.value if row.read else None

    assert wait_for(value) == VALUES[-1]
    for number in range(1, COUNT + 1):
        place.sagemaker.delete_model_package(ModelPackageName=place.arn(number))
    place.sagemaker.delete_model_package_group(ModelPackageGroupName=PROJECT)
    place.sagemaker.create_model_package_group(ModelPackageGroupName=PROJECT)
    place.register(0.42)
    assert place.numbers() == [1]
    assert wait_for(value) == 0.42
