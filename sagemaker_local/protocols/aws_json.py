"""AWS JSON: the operation in a header, members as a JSON object.

SageMaker, Logs, Parameter Store and EventBridge speak version 1.1, SQS 1.0, which differ in name only.

``X-Amz-Target: SageMaker.CreatePipeline`` names the service by its target prefix. An error is status
400 or 500 and ``{"__type": <code>, "message": <text>}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sagemaker_local.api import Api
from sagemaker_local.context import Call
from sagemaker_local.errors import AwsError

CONTENT_TYPE = "application/x-amz-json-1.1"

_SERVICES = {
    "SageMaker": "sagemaker",
    "Logs_20140328": "logs",
    "AmazonSSM": "ssm",
    "AWSEvents": "events",
    "AmazonSQS": "sqs",
}
"""Target prefix -> botocore's name of the service."""


def call(api: Api, context: Call, headers: Mapping[str, str], body: bytes) -> bytes:
    """The response's body. Raises AwsError."""
    prefix, _, operation = headers["x-amz-target"].partition(".")
    service = _SERVICES.get(prefix)
    if service is None:
        raise AwsError("UnknownOperationException", f"There is no local service behind '{prefix}'.", 404)
    answer = api.call(context, service, operation, _members(body))
    # In ASCII: a step's reason may quote half of a surrogate pair, which must not hide a whole list.
    return json.dumps(answer, allow_nan=False).encode()


def error(failure: AwsError) -> bytes:
    """The body of an error."""
    return json.dumps({"__type": failure.code, "message": failure.message}).encode()


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body or b"{}")
    except (ValueError, RecursionError) as failure:
        raise AwsError("SerializationException", f"The request's body is not JSON: {failure}.") from failure
    if not isinstance(members, dict):
        raise AwsError("SerializationException", "The request's body must be a JSON object.")
    return members
