"""REST-JSON: the operation in method and path, members in path, query, headers and body.

SageMaker's runtime, whose bodies are one blob, and Lambda. An error is ``{"message": <text>, ...}`` with
its name in ``x-amzn-ErrorType``.
"""

from __future__ import annotations

import base64
import datetime
import functools
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.model import OperationModel, Shape

from aws_formats.service_models import service_model
from sagemaker_local.api import Api
from sagemaker_local.context import Call
from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.protocols import requests

CONTENT_TYPE = "application/json"


class RestError(AwsError):
    """An error whose body has more members than a message."""

    def __init__(self, code: str, message: str, status: int, members: Mapping[str, Any]) -> None:
        super().__init__(code, message, status)
        self.members = dict(members)


@dataclass(frozen=True)
class Request:
    """A request as it came; header names are in lower case, the path is percent-encoded."""

    method: str
    raw_path: bytes
    headers: Mapping[str, str]
    body: bytes
    query_string: bytes = b""


@dataclass(frozen=True)
class Message:
    """A response: status, headers and the payload."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def call(api: Api, context: Call, service: str, request: Request) -> Message:
    """Carry out a request. Raises AwsError."""
    operation, wire = _read(service, request)
    return render(service, operation, api.call(context, service, operation, wire))


def parse(
    service: str, method: str, raw_path: bytes, headers: Mapping[str, str], body: bytes
) -> tuple[str, dict[str, Any]]:
    """The operation that a request means, and its checked members.

    Raises:
        AwsError: there is no such operation, or the request does not fit its shape.
    """
    operation, wire = _read(service, Request(method, raw_path, headers, body))
    shape = service_model(service).operation_model(operation).input_shape
    return operation, requests.parse(shape, wire)


def render(service: str, operation: str, members: Mapping[str, Any]) -> Message:
    """A response's members as status, headers and body; those that are None are left out.

    Blobs are bytes, or base64 as in JSON.
    """
    model = service_model(service).operation_model(operation)
    shape = model.output_shape
    status, headers, body = int(model.http.get("responseCode", 200)), {}, {}
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
        return Message(status, headers)
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload is None:
        headers.setdefault("content-type", CONTENT_TYPE)
        return Message(status, headers, json.dumps(body).encode())
    value = body.get(payload, b"")
    return Message(status, headers, value if isinstance(value, bytes) else base64.b64decode(value))


def error(failure: AwsError) -> Message:
    """What a client reads its error from."""
    members = {"message": failure.message}
    if isinstance(failure, RestError):
        members |= failure.members
    headers = {"content-type": CONTENT_TYPE}
    if failure.code:
        headers["x-amzn-errortype"] = failure.code
    return Message(failure.status, headers, json.dumps(members).encode())


def _read(service: str, request: Request) -> tuple[str, dict[str, Any]]:
    """The operation and its members as JSON values, or as bytes where the body is a blob."""
    asked = f"{request.method} {request.raw_path.decode('latin-1')}"
    for operation, pattern in _routes(service):
        match = pattern.fullmatch(asked)
        if match is not None:
            return operation.name, _members(operation.input_shape, match, request)
    raise not_implemented(asked)


def _members(shape: Shape | None, match: re.Match[str], request: Request) -> dict[str, Any]:
    if shape is None:
        return {}
    query = urllib.parse.parse_qs(request.query_string.decode("latin-1"), keep_blank_values=True)
    payload = shape.serialization.get("payload")
    wire: dict[str, Any] = {} if payload else _json(request.body)
    for name, member in shape.members.items():
        location, key = member.serialization.get("location"), member.serialization.get("name", name)
        if location == "uri":
            wire[name] = urllib.parse.unquote(match[key])
        elif location == "header" and key.lower() in request.headers:
            wire[name] = _scalar(member, request.headers[key.lower()], key)
        elif location == "querystring" and key in query:
            values = query[key]
            is_list = member.type_name == "list"
            wire[name] = values if is_list else _scalar(member, values[-1], key)
        elif name == payload:
            wire[name] = request.body
    return wire


def _json(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body or b"{}")
    except (ValueError, RecursionError) as failure:
        raise AwsError("SerializationException", f"The request's body is not JSON: {failure}.") from failure
    if not isinstance(members, dict):
        raise AwsError("SerializationException", "The request's body must be a JSON object.")
    return members


def _scalar(shape: Shape, text: str, name: str) -> Any:
    """The JSON value that a text in a header or a URL stands for."""
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "timestamp":
            return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError as failure:
        raise AwsError("SerializationException", f"{name} is no {kind}: '{text}'.") from failure
    return text == "true" if kind == "boolean" else text


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
