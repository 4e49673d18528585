"""What AWS answers to a request that it refuses, and what that means."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from aws_formats.service_errors import is_absent, is_busy, is_denied, is_present


def refused(operation: str, code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


ABSENT = [
    refused("DescribeModel", "ValidationException", 'Could not find model "arn:aws:sagemaker:...:model/m".'),
    refused("DescribeEndpoint", "ValidationException", 'Could not find endpoint "e".'),
    refused("DescribeModelPackage", "ValidationException", "ModelPackage arn:aws:... does not exist."),
    refused("GetModelPackageGroupPolicy", "ValidationException", "Cannot find Model Package Group Policy."),
    refused("DescribePipeline", "ResourceNotFound", "Pipeline 'p' does not exist."),
    refused("GetSchedule", "ResourceNotFoundException", "Schedule p does not exist."),
    refused("GetParameter", "ParameterNotFound"),
    refused("GetParameter", "ParameterVersionNotFound", "Systems Manager could not find a version of /p."),
    refused("HeadObject", "404", "Not Found"),
    refused("PutObject", "NoSuchBucket", "The specified bucket does not exist"),
    refused("GetObject", "NoSuchKey", "The specified key does not exist."),
    refused("DescribeStacks", "ValidationError", "Stack with id s does not exist"),
]
OTHERS = [
    refused("DescribeModel", "ValidationException", "1 validation error detected: Value at 'modelName'"),
    refused("DescribeModel", "AccessDeniedException", "the role does not exist or may not do this"),
    # What is not there is not what the request names.
    refused("CreateEndpointConfig", "ValidationException", 'Could not find model "m".'),
    refused("StartPipelineExecution", "ValidationException", "The S3 object s3://b/k does not exist."),
    refused("InvokeEndpoint", "ValidationError", "Endpoint e of account 1 does not exist."),
]


@pytest.mark.parametrize("error", ABSENT, ids=str)
def test_what_does_not_exist_is_absent(error: ClientError) -> None:
    assert is_absent(error)


@pytest.mark.parametrize("error", OTHERS, ids=str)
def test_other_answers_say_nothing_of_absence(error: ClientError) -> None:
    assert not is_absent(error)


def test_somebody_else_was_faster() -> None:
    exists = 'Cannot create already existing model "arn:aws:sagemaker:...:model/m".'
    assert is_present(refused("CreateModel", "ValidationException", exists))
    assert is_present(refused("PutParameter", "ParameterAlreadyExists"))
    assert not is_present(refused("CreateModel", "ValidationException", "The name is too long."))
    updating = "Cannot update in-progress endpoint e."
    assert is_busy(refused("UpdateEndpoint", "ValidationException", updating))
    assert not is_busy(refused("UpdateEndpoint", "ValidationException", exists))


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "403"])
def test_denied_is_not_absent(code: str) -> None:
    assert is_denied(refused("GetParameter", code))
    assert not is_absent(refused("GetParameter", code))
    assert not is_denied(refused("GetParameter", "ParameterNotFound"))
