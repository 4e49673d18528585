"""AWS JSON: the operation in a header, members as a JSON object.

``X-Amz-Target: SageMaker.CreatePipeline`` names the service by its target prefix. Versions 1.0 and 1.1 of
the protocol differ in the content type only. An error is status 400 or 500 and
``{"__type": <code>, "message": <text>}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel, ServiceModel

from sagemaker_local.errors import AwsError, method_not_allowed
from sagemaker_local.protocols import json_body
from sagemaker_local.protocols.http import Request, Response

TARGET = "x-amz-target"


def read(_service: ServiceModel, request: Request) -> tuple[str, dict[str, Any]]:
    if request.method != "POST":
        raise method_not_allowed(request.method)
    return request.headers[TARGET].partition(".")[2], json_body.parse(request.body)


def write(operation: OperationModel, members: Mapping[str, Any], _request: Request) -> Response:
    headers = {"content-type": _content_type(operation.service_model)}
    return Response(headers=headers, body=json_body.render(dict(members)))


def error(service: ServiceModel | None, failure: AwsError, _request: Request) -> Response:
    headers = {"content-type": _content_type(service), "x-amzn-errortype": failure.code}
    body = {"__type": failure.code, "message": failure.message, **failure.members}
    return Response(failure.status, headers, json_body.render(body))


def _content_type(service: ServiceModel | None) -> str:
    version = service.metadata["jsonVersion"] if service is not None else "1.1"
    return f"application/x-amz-json-{version}"
