"""Values against botocore's shapes: patterns as Java reads them, and what a response may hold."""

from __future__ import annotations

import datetime

import pytest

from aws_formats import shapes
from aws_formats.service_models import service_model

SERVICES = ["events", "iam", "lambda", "logs", "s3", "sagemaker", "sagemaker-runtime"]
SERVICES += ["scheduler", "sns", "sqs", "ssm", "sts"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_pattern_of_a_service_model_is_checked_and_none_takes_exponential_time(service: str) -> None:
    model = service_model(service)
    for shape_name in model.shape_names:
        shape = model.shape_for(shape_name)
        if shape.type_name == "string" and "pattern" in shape.metadata:
            longest = min(shape.metadata.get("max", 2000), 2000)
            shapes.check(shape, ("probe \u2028-:/" * 200)[:longest])


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("CustomerMetadataKey", "größe", "a;b"),
        ("CustomerMetadataValue", "日本 1.5", "a;b"),
        ("EntityDescription", "हिन्दी, ½ €", "a\x00b"),
        ("ModelPackageSourceUri", "s3://ü/ा", "€"),
        ("CognitoUserGroup", "reviewers", "two words"),
        ("Catalog", "a\U0001f600", "\x01"),
    ],
)
def test_patterns_with_unicode_classes_and_quirks_take_and_refuse_as_java_does(
    name: str, taken: str, refused: str
) -> None:
    shape = service_model("sagemaker").shape_for(name)
    assert shapes.check(shape, taken)[1] == []
    assert [problem.constraint for problem in shapes.check(shape, refused)[1]] == ["pattern"]


def test_a_response_holds_only_what_the_service_declares() -> None:
    shape = service_model("sagemaker").operation_model("DescribePipeline").output_shape
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    document = {
        "PipelineName": "x",
        "_Version": 3,
        "RoleArn": None,
        "CreationTime": moment,
        "LastRunTime": 5.0,
    }
    assert shapes.render(shape, document) == {
        "PipelineName": "x",
        "CreationTime": 1767225600.0,
        "LastRunTime": 5.0,
    }
