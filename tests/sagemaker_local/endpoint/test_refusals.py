"""What a request is refused with: the sentences in which AWS's services name what breaks a shape."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from aws_formats.service_models import service_model
from sagemaker_local.errors import AwsError
from sagemaker_local.protocols import requests


def parsed(operation: str, wire: Any, service: str = "sagemaker") -> Any:
    return requests.parse(service_model(service).operation_model(operation).input_shape, wire)


def refusal(operation: str, wire: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        parsed(operation, wire)
    return caught.value


def test_a_value_against_its_pattern_is_refused_in_the_services_words() -> None:
    error = refusal("DescribeModelPackageGroup", {"ModelPackageGroupName": "a_b"})
    assert error.code == "ValidationException"
    assert error.message.startswith(
        "1 validation error detected: Value 'a_b' at 'modelPackageGroupName' failed to satisfy constraint:"
        " Member must satisfy regular expression pattern: "
    )


def test_a_value_outside_an_enum_is_refused_with_the_values_it_may_have() -> None:
    error = refusal("ListPipelines", {"SortOrder": "Sideways"})
    assert error.message == (
        "1 validation error detected: Value 'Sideways' at 'sortOrder' failed to satisfy constraint:"
        " Member must satisfy enum value set: [Ascending, Descending]"
    )


def test_every_problem_of_a_request_is_named_at_once() -> None:
    error = refusal(
        "CreatePipeline", {"PipelineName": "x" * 300, "Tags": [{"Key": "k", "Value": "v"}, {"Key": "k"}]}
    )
    assert error.message.startswith("4 validation errors detected: ")
    assert (
        "at 'pipelineName' failed to satisfy constraint: Member must have length less than" in error.message
    )
    assert (
        "Value null at 'tags.2.member.value' failed to satisfy constraint: Member must not be null"
        in error.message
    )
    assert "Value null at 'roleArn'" in error.message
    assert "Value null at 'clientRequestToken'" in error.message


def test_a_long_value_is_cut_in_the_error() -> None:
    assert len(refusal("DescribePipeline", {"PipelineName": "!" * 100_000}).message) < 1000


@pytest.mark.parametrize(
    ("operation", "wire", "where"),
    [
        ("ListPipelines", {"MaxResults": "5"}, "maxResults"),
        ("ListPipelines", {"MaxResults": True}, "maxResults"),
        ("ListPipelines", {"MaxResults": 1.5}, "maxResults"),
        ("ListPipelines", {"CreatedAfter": "yesterday"}, "createdAfter"),
        ("ListPipelines", {"CreatedAfter": float("nan")}, "createdAfter"),
        ("ListPipelines", {"CreatedAfter": 1e300}, "createdAfter"),
        ("DescribePipeline", {"PipelineName": 7}, "pipelineName"),
        ("CreatePipeline", {"Tags": {}}, "tags"),
        ("CreateModelPackage", {"CustomerMetadataProperties": []}, "customerMetadataProperties"),
    ],
)
def test_a_value_of_the_wrong_json_type_is_a_serialization_error(
    operation: str, wire: Any, where: str
) -> None:
    error = refusal(operation, wire)
    assert error.code == "SerializationException"
    assert f"'{where}'" in error.message


def test_numbers_keep_to_their_range() -> None:
    assert "value less than or equal to 100" in refusal("ListPipelines", {"MaxResults": 101}).message
    assert "value greater than or equal to 1" in refusal("ListPipelines", {"MaxResults": 0}).message


def test_a_member_that_the_service_does_not_have_is_named_with_those_it_has() -> None:
    message = refusal("ListPipelines", {"Nmae": "x"}).message
    assert "has no 'Nmae'" in message
    assert "PipelineNamePrefix" in message


def test_null_members_count_as_absent_and_timestamps_become_datetimes() -> None:
    found = parsed("ListPipelines", {"CreatedAfter": 0.5, "NextToken": None})
    assert found == {"CreatedAfter": datetime.datetime(1970, 1, 1, 0, 0, 0, 500000, datetime.UTC)}


def test_java_character_classes_let_letters_of_any_script_pass() -> None:
    parsed(
        "AddTags",
        {
            "ResourceArn": "arn:aws:sagemaker:eu-west-1:000000000000:pipeline/x",
            "Tags": [{"Key": "größe", "Value": "日本 1.5"}],
        },
    )
    assert (
        "regular expression"
        in refusal(
            "AddTags",
            {
                "ResourceArn": "arn:aws:sagemaker:eu-west-1:000000000000:pipeline/x",
                "Tags": [{"Key": "a;b", "Value": ""}],
            },
        ).message
    )


def test_half_of_a_surrogate_pair_is_no_text() -> None:
    error = refusal("CreateModelPackageGroup", {"ModelPackageGroupName": "x", "Tags": [{"Key": "\ud800"}]})
    assert error.code == "SerializationException"
    assert "'tags.1.member.key'" in error.message


def test_an_integer_of_hundreds_of_digits_is_out_of_range() -> None:
    assert "value less than or equal to 100" in refusal("ListPipelines", {"MaxResults": 10**400}).message
