"""REST-JSON: the operation in method and path, members in path, query, headers and body.

A body is a JSON object or, where the shape has a payload, that one member as it is. An error is
``{"message": <text>, ...}`` with its name in ``x-amzn-ErrorType``.
"""

from __future__ import annotations

import base64
import functools
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel, ServiceModel, Shape

from aws_formats.service_models import service_model
from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.protocols import json_body, texts
from sagemaker_local.protocols.http import Request, Response

_CONTENT_TYPE = "application/json"


def read(service: ServiceModel, request: Request) -> tuple[str, dict[str, Any]]:
    """The members are JSON values, or bytes where the body is a blob."""
    asked = f"{request.method} {request.raw_path.decode('latin-1')}"
    for operation, pattern in _routes(service.service_name):
        match = pattern.fullmatch(asked)
        if match is not None:
            return operation.name, _members(operation.input_shape, match, request)
    raise not_implemented(asked)


def write(operation: OperationModel, members: Mapping[str, Any], _request: Request) -> Response:
    """Members that are None are left out; a payload is bytes, or base64 as in JSON."""
    shape = operation.output_shape
    status, headers, body = int(operation.http.get("responseCode", 200)), {}, {}
    for name, member in (shape.members if shape is not None else {}).items():
        value, place = members.get(name), member.serialization.get("location")
        if value is None:
            continue
        if place == "header":
            headers[member.serialization["name"].lower()] = str(value)
        elif place == "statusCode":
            status = int(value)
        else:
            body[name] = value
    if status == 204:
        return Response(status, headers)
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload is None:
        headers.setdefault("content-type", _CONTENT_TYPE)
        return Response(status, headers, json_body.render(body))
    value = body.get(payload, b"")
    return Response(status, headers, value if isinstance(value, bytes) else base64.b64decode(value))


def error(_service: ServiceModel | None, failure: AwsError, _request: Request) -> Response:
    headers = {"content-type": _CONTENT_TYPE}
    if failure.code:
        headers["x-amzn-errortype"] = failure.code
    return Response(
        failure.status, headers, json_body.render({"message": failure.message, **failure.members})
    )


def _members(shape: Shape | None, match: re.Match[str], request: Request) -> dict[str, Any]:
    if shape is None:
        return {}
    query = urllib.parse.parse_qs(request.query_string.decode("latin-1"), keep_blank_values=True)
    payload = shape.serialization.get("payload")
    wire: dict[str, Any] = {} if payload else json_body.parse(request.body)
    for name, member in shape.members.items():
        location, key = member.serialization.get("location"), member.serialization.get("name", name)
        if location == "uri":
            wire[name] = urllib.parse.unquote(match[key])
        elif location == "header" and key.lower() in request.headers:
            wire[name] = _value(member, request.headers[key.lower()], key)
        elif location == "querystring" and key in query:
            values = query[key]
            is_list = member.type_name == "list"
            wire[name] = values if is_list else _value(member, values[-1], key)
        elif name == payload:
            most = member.metadata.get("max")
            if most is not None and len(request.body) > most:
                # Without an error's name, as SageMaker's runtime answers: clients show "(413)".
                raise AwsError("", f"HTTP content length exceeded {most} bytes.", 413)
            wire[name] = request.body
    return wire


def _value(shape: Shape, text: str, name: str) -> Any:
    """The JSON value that a text in a header or a URL stands for."""
    try:
        return texts.parse(shape, text)
    except ValueError as failure:
        raise AwsError("SerializationException", f"{name} is no {shape.type_name}: '{text}'.") from failure


@functools.cache
def _routes(service: str) -> list[tuple[OperationModel, re.Pattern[str]]]:
    model = service_model(service)
    routes = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        parts = re.split(r"\{(\w+)\}", operation.http["requestUri"])
        path = "".join(
            f"(?P<{part}>[^/]+)" if place % 2 else re.escape(part) for place, part in enumerate(parts)
        )
        routes.append((operation, re.compile(f"{operation.http['method']} {path}")))
    return routes
