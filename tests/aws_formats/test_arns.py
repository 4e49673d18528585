"""What an ARN says: its parts, a model package's version, an execution's pipeline."""

from __future__ import annotations

import pytest

from aws_formats.arns import (
    Arn,
    group_and_version,
    package_version_arn,
    parse_arn,
    parse_execution,
    parse_package_version,
)

VERSION = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/rc-churn/12"
EXECUTION = "arn:aws:sagemaker:eu-west-1:111122223333:pipeline/rc-churn/execution/abc123def456"


def test_an_arn_has_five_parts() -> None:
    assert parse_arn(VERSION) == Arn(
        "aws", "sagemaker", "eu-west-1", "111122223333", "model-package/rc-churn/12"
    )
    role = parse_arn("arn:aws-cn:iam::111122223333:role/service-role/Pipelines")
    assert (role.partition, role.region, role.account) == ("aws-cn", "", "111122223333")
    assert role.name == "Pipelines"
    assert parse_arn("arn:aws:logs:eu-west-1:111122223333:log-group:/g:*").resource == "log-group:/g:*"


@pytest.mark.parametrize("text", ["", "7", "arn:aws:s3", "urn:aws:s3:::bucket/key", "s3://bucket/a:b:c:d:e"])
def test_what_is_no_arn_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no ARN"):
        parse_arn(text)


def test_a_version_is_read_from_its_arn_and_made_from_its_groups() -> None:
    assert parse_package_version(VERSION) == group_and_version(VERSION) == ("rc-churn", 12)
    group = "arn:aws:sagemaker:eu-west-1:111122223333:model-package-group/rc-churn"
    assert package_version_arn(group, 12) == VERSION
    assert package_version_arn(group, "*") == VERSION.replace("/12", "/*")


@pytest.mark.parametrize(
    "text",
    [
        "7",
        "newest",
        "arn:aws:sagemaker:eu-west-1:111122223333:model-package/without-a-group",
        f"{VERSION}/more",
        f"s3://bucket/{VERSION}",
        EXECUTION,
    ],
)
def test_any_other_text_names_no_version(text: str) -> None:
    assert parse_package_version(text) is None
    with pytest.raises(ValueError, match="no ARN of a model package's version"):
        group_and_version(text)


def test_an_execution_is_read_from_its_arn() -> None:
    assert parse_execution(EXECUTION) == ("rc-churn", "abc123def456")
    for text in ("abc123def456", VERSION, f"{EXECUTION}/more", f"see {EXECUTION}"):
        assert parse_execution(text) is None
