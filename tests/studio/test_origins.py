"""Who or what started an execution, by what SageMaker keeps of it."""

from __future__ import annotations

import pytest

from studio.views.executions_origin import changed_parameters, started_by


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        ("arn:aws:iam::111122223333:user/people/ada", "ada"),
        ("arn:aws:sts::111122223333:assumed-role/build/AWSCodeBuild-0a1b", "CI (CodeBuild)"),
        ("arn:aws:sts::111122223333:assumed-role/gatehouse-p-scheduler/0a1b2c", "schedule"),
        ("arn:aws:sts::000000000000:assumed-role/gatehouse-local/scheduler-p", "schedule"),
        ("arn:aws:sts::000000000000:assumed-role/gatehouse-local/events-retrain", "event"),
        ("arn:aws:sts::111122223333:assumed-role/Admin/ada@example.com", "ada@example.com (Admin)"),
    ],
)
def test_an_identity_is_told_in_words(identity: str, told: str) -> None:
    assert started_by({"CreatedBy": {"IamIdentity": {"Arn": identity}}}) == told


def test_a_profile_of_studio_has_a_name() -> None:
    assert started_by({"CreatedBy": {"UserProfileName": "ada"}}) == "ada"
    assert started_by({}) is None


def test_a_default_written_in_another_way_is_no_difference() -> None:
    """A definition's defaults are JSON values; an execution's parameters are text."""
    declared = [
        {"Name": "Eta", "DefaultValue": 1},
        {"Name": "Again", "DefaultValue": False},
        {"Name": "Data", "DefaultValue": "s3://a"},
        {"Name": "Needed"},
    ]
    given = {"Eta": "1.0", "Again": "false", "Data": "s3://b", "Needed": "x"}
    assert changed_parameters({"Parameters": declared}, given) == {"Data": "s3://b", "Needed": "x"}
