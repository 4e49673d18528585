"""What the registry asks of its caller: boto3 clients. And the few answers of AWS it has to understand.

SageMaker has no error code of its own for "not there": it answers ValidationException, and only the
text tells. That reading is done here and nowhere else.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

from botocore.exceptions import ClientError, ParamValidationError

_ABSENT_CODES = frozenset(
    {
        "ResourceNotFound",
        "ResourceNotFoundException",
        "ParameterNotFound",
        "NoSuchKey",
        "NoSuchBucket",
        "404",
    }
)
_ABSENT_TEXT = re.compile(r"does not exist|could not find|cannot find", re.IGNORECASE)
_PRESENT_TEXT = re.compile(r"already exist", re.IGNORECASE)
_BUSY_TEXT = re.compile(r"in-progress endpoint", re.IGNORECASE)


class Clients(Protocol):
    """Somewhere in AWS, or the SageMaker on this machine."""

    def client(self, service: str) -> Any:
        """A boto3 client of that service; the same one at each call."""


def is_absent(error: ClientError) -> bool:
    """Whether AWS says that what was asked for does not exist."""
    answer = error.response["Error"]
    if answer["Code"] in _ABSENT_CODES:
        return True
    return answer["Code"] == "ValidationException" and bool(_ABSENT_TEXT.search(answer["Message"]))


def is_present(error: ClientError) -> bool:
    """Whether AWS says that what was to be made exists: somebody else was faster."""
    answer = error.response["Error"]
    return answer["Code"] == "ValidationException" and bool(_PRESENT_TEXT.search(answer["Message"]))


def is_busy(error: ClientError) -> bool:
    """Whether AWS says that somebody else is changing the endpoint."""
    answer = error.response["Error"]
    return answer["Code"] == "ValidationException" and bool(_BUSY_TEXT.search(answer["Message"]))


def caller_arn(clients: Clients) -> str:
    """Who acts, as STS knows them."""
    return str(clients.client("sts").get_caller_identity()["Arn"])


def read_object(s3: Any, uri: str) -> bytes | None:
    """A small S3 object's content; None if it is not there, or if the URI is none that S3 could hold."""
    bucket, key = bucket_and_key(uri)
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    except ParamValidationError:  # `https://...`, which AWS takes for an artifact too, or no key
        return None
    return content


def bucket_and_key(uri: str) -> tuple[str, str]:
    """``s3://bucket/some/key`` in its two parts."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
