"""Smithy RPC v2 CBOR: the operation in the path, members as a CBOR map.

``POST /service/<prefix>/operation/<name>`` with the header ``smithy-protocol: rpc-v2-cbor``; the prefix is
the one that the JSON protocol has in its header. An error is status 400 or 500 and ``{"__type", "message"}``;
services that spoke Query before also repeat the code in the header ``x-amzn-query-error``, where clients look
first.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel, ServiceModel, Shape

from sagemaker_local.errors import AwsError, method_not_allowed
from sagemaker_local.protocols import cbor
from sagemaker_local.protocols.http import Request, Response

_PATH = re.compile(rb"/service/(\w+)/operation/(\w+)")
_NAME = "rpc-v2-cbor"


def called(request: Request) -> tuple[str, str] | None:
    """The service's prefix and the operation, if the request is one of this protocol."""
    found = _PATH.fullmatch(request.raw_path)
    if found is None or request.headers.get("smithy-protocol") != _NAME:
        return None
    return found[1].decode(), found[2].decode()


def read(_service: ServiceModel, request: Request) -> tuple[str, dict[str, Any]]:
    if request.method != "POST":
        raise method_not_allowed(request.method)
    found = called(request)
    try:
        members = cbor.loads(request.body) if request.body else {}
    except ValueError as error:
        raise AwsError("SerializationException", f"The body is no CBOR: {error}.") from error
    if found is None or not isinstance(members, dict):
        raise AwsError("SerializationException", "The body holds no CBOR map.")
    return found[1], {name: value for name, value in members.items() if value is not None}


def write(operation: OperationModel, members: Mapping[str, Any], _request: Request) -> Response:
    body = {} if operation.output_shape is None else _written(operation.output_shape, members)
    return Response(headers=_headers(), body=cbor.dumps(body))


def error(service: ServiceModel | None, failure: AwsError, _request: Request) -> Response:
    headers = _headers()
    if service is not None and "awsQueryCompatible" in service.metadata:
        headers["x-amzn-query-error"] = f"{failure.code};{'Sender' if failure.status < 500 else 'Receiver'}"
    body = {"__type": failure.code, "message": failure.message, **failure.members}
    return Response(failure.status, headers, cbor.dumps(body))


def _headers() -> dict[str, str]:
    return {"content-type": "application/cbor", "smithy-protocol": _NAME}


def _written(shape: Shape, value: Any) -> Any:
    """JSON values as CBOR has them: times, bytes and floating numbers have types of their own there."""
    match shape.type_name:
        case "structure":
            return {name: _written(shape.members[name], item) for name, item in value.items()}
        case "list":
            return [_written(shape.member, item) for item in value]
        case "map":
            return {key: _written(shape.value, item) for key, item in value.items()}
        case "timestamp":
            return cbor.Time(value)
        case "float" | "double":
            return float(value)
        case "blob":
            return value if isinstance(value, bytes) else base64.b64decode(value)
    return value
