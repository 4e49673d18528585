"""Where a rollback goes, by the deployment history alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from registry.deployment_history import DeploymentRecord, rollback_target
from registry.environment_state import Endpoint


def history(words: str) -> list[DeploymentRecord]:
    """``1 2 r1``: version 1 deployed, then 2, then back to 1."""
    return [
        DeploymentRecord(
            number=number,
            arn=f"arn:aws:sagemaker:eu-west-1:000000000000:model-package/g/{word.lstrip('r')}",
            action="rollback" if word.startswith("r") else "deploy",
            note="",
            when=datetime(2026, 11, 21, tzinfo=UTC),
            by="arn:aws:iam::000000000000:user/local",
        )
        for number, word in enumerate(words.split(), 1)
    ]


@pytest.mark.parametrize(
    ("words", "goes_to"),
    [
        ("1", None),
        ("1 1", None),
        ("1 2", 1),
        ("1 2 2", 1),
        ("1 2 3", 2),
        ("1 2 3 r2", 1),
        ("1 2 3 r2 r1", None),
        ("1 2 3 r2 4", 2),
        ("1 2 3 r1", None),
        ("1 2 1", 2),
        ("3 r1 2", 1),
    ],
)
def test_a_rollback_goes_to_what_served_before_and_never_forth_again(words: str, goes_to: int | None) -> None:
    found = rollback_target(history(words))
    assert (found.version if found else None) == goes_to


def test_a_value_that_is_no_version_is_passed_over_and_nothing_is_lost_for_it() -> None:
    spoilt = history("1 2 newest")
    assert (found := rollback_target(spoilt)) is not None
    assert found.version == 2
    assert (found := rollback_target([*spoilt, *history("1 2 newest 2")[3:]])) is not None
    assert found.version == 1


def test_an_endpoint_of_a_package_without_a_group_serves_no_version() -> None:
    package = "arn:aws:sagemaker:eu-west-1:000000000000:model-package/plain"
    assert Endpoint("e", "InService", "c", (package,), None).version is None
