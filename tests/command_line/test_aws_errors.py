"""What AWS says turns into one line with a remedy."""

from __future__ import annotations

import socket

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

from pipelines.commands.aws_errors import explain


def refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreatePipeline")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            refused(
                "AccessDeniedException",
                "User: arn:aws:iam::111122223333:user/ana is not authorized to perform: "
                "sagemaker:CreatePipeline on resource: arn:aws:sagemaker:eu-west-1:111122223333:pipeline/x "
                "because no identity-based policy allows it",
            ),
            [
                "permission sagemaker:CreatePipeline on arn:aws:sagemaker:eu-west-1:111122223333:pipeline/x",
                "is missing",
                "the policy of arn:aws:iam::111122223333:user/ana",
            ],
        ),
        (
            refused(
                "AccessDeniedException",
                "User: arn:aws:sts::111122223333:assumed-role/gatehouse-ci/AWSCodeBuild-1 is not authorized "
                "to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/x because no "
                "identity-based policy allows the iam:PassRole action",
            ),
            [
                "permission iam:PassRole on arn:aws:iam::111122223333:role/x is missing",
                "the policy of role gatehouse-ci in account 111122223333",
            ],
        ),
        (
            refused(
                "AccessDeniedException",
                "User: arn:aws:iam::111122223333:user/ana is not authorized to perform: s3:PutObject on "
                "resource: arn:aws:s3:::b/k with an explicit deny in a service control policy",
            ),
            ["s3:PutObject on arn:aws:s3:::b/k is denied to", "user/ana", "explicit Deny", "does not help"],
        ),
        (refused("AccessDenied", "Access Denied"), ["CreatePipeline", "is missing"]),
        (refused("ExpiredTokenException", "The security token expired"), ["expired", "Log in"]),
        (refused("UnrecognizedClientException", "bad"), ["does not accept the credentials"]),
        (refused("ThrottlingException", "Rate exceeded"), ["throttles", "try again"]),
        (
            refused("ValidationException", "1 error:\nmore"),
            ["1 error: (ValidationException)", "CreatePipeline"],
        ),
        (NoCredentialsError(), ["no AWS credentials", "aws sso login", "gatehouse doctor"]),
        (ProfileNotFound(profile="gone"), ["gone", "AWS_PROFILE"]),
    ],
)
def test_an_answer_of_aws_is_one_line_that_says_what_to_do(error: Exception, said: list[str]) -> None:
    explained = explain(error)
    assert explained is not None
    assert "\n" not in str(explained)
    for words in said:
        assert words in str(explained)


def test_an_endpoint_that_does_not_answer_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        client = boto3.client(
            "sts",
            endpoint_url=url,
            region_name="eu-west-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(BotoCoreError) as failed:
            client.get_caller_identity()
    explained = explain(failed.value)
    assert explained is not None
    assert url in str(explained)
    assert "could not be reached. The local SageMaker behind it has ended" in str(explained)


def test_an_error_of_the_program_is_not_explained_away() -> None:
    assert explain(KeyError("x")) is None
