"""AWS Query: a form in, XML out.

``Action=GetRole&RoleName=x`` with nested members as ``A.B``, list items as ``Names.member.1`` and map
entries as ``Tags.entry.1.key``. The answer is ``<GetRoleResponse><GetRoleResult>...``, in the order and
with the names of botocore's output shapes.
"""

from __future__ import annotations

import datetime
import urllib.parse
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel, OperationNotFoundError, ServiceModel, Shape

from sagemaker_local.errors import AwsError, method_not_allowed, not_implemented
from sagemaker_local.protocols import texts, xml
from sagemaker_local.protocols.http import Request, Response

_READING = ("Get", "List", "Simulate")
_HEADERS = {"content-type": "text/xml"}


def read(service: ServiceModel, request: Request) -> tuple[str, dict[str, Any]]:
    """Parameters are read from the form or, where there is none, from the URL.

    A GET may only read: what fetches a URL unasked, such as a page's preview, must not change anything.
    """
    form = _form(request.body or request.query_string)
    action = form.get("Action", "")
    if request.method != "POST" and not (request.method == "GET" and action.startswith(_READING)):
        raise method_not_allowed(request.method)
    try:
        shape = service.operation_model(action).input_shape
    except OperationNotFoundError as error:
        raise not_implemented(f"{service.service_name}:{action}") from error
    return action, (_read(shape, form, "") if shape else None) or {}


def write(operation: OperationModel, members: Mapping[str, Any], request: Request) -> Response:
    metadata = {"ResponseMetadata": {"RequestId": request.id}}
    content: dict[str, Any] = metadata
    if operation.output_shape is not None:
        wrapper = operation.output_shape.serialization.get("resultWrapper", f"{operation.name}Result")
        content = {wrapper: _written(operation.output_shape, members), **metadata}
    namespace = operation.service_model.metadata["xmlNamespace"]
    return Response(
        headers=_HEADERS, body=xml.render(f"{operation.name}Response", content, namespace=namespace)
    )


def error(_service: ServiceModel | None, failure: AwsError, request: Request) -> Response:
    kind = "Sender" if failure.status < 500 else "Receiver"
    detail = {
        "Type": kind,
        "Code": failure.code,
        "Message": failure.message,
        **failure.members,
    }
    body = xml.render("ErrorResponse", {"Error": detail, "RequestId": request.id}, namespace="")
    return Response(failure.status, _HEADERS, body)


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))
    except (UnicodeDecodeError, ValueError) as failure:
        raise AwsError("MalformedQueryString", f"The request's form cannot be read: {failure}.") from failure


def _read(shape: Shape, form: dict[str, str], name: str) -> Any:
    """The JSON value that a shape's part of the form stands for; None where the form has none."""
    kind = shape.type_name
    if kind == "structure":
        members = {
            member: _read(inner, form, _joined(name, inner.serialization.get("name", member)))
            for member, inner in shape.members.items()
        }
        present = {member: value for member, value in members.items() if value is not None}
        return present or None
    if kind == "list":
        flat = shape.serialization.get("flattened", False)
        item = shape.member.serialization.get("name", "member")
        return _numbered(name if flat else f"{name}.{item}", shape.member, form) or None
    if kind == "map":
        return _read_map(shape, form, name) or None
    text = form.get(name)
    return None if text is None else _value(shape, text, name)


def _read_map(shape: Shape, form: dict[str, str], name: str) -> dict[str, Any]:
    prefix = name if shape.serialization.get("flattened") else f"{name}.entry"
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    entries, number = {}, 1
    while (key := form.get(f"{prefix}.{number}.{key_name}")) is not None:
        entries[key] = _read(shape.value, form, f"{prefix}.{number}.{value_name}")
        number += 1
    return entries


def _numbered(prefix: str, shape: Shape, form: dict[str, str]) -> list[Any]:
    items: list[Any] = []
    while (item := _read(shape, form, f"{prefix}.{len(items) + 1}")) is not None:
        items.append(item)
    return items


def _value(shape: Shape, text: str, name: str) -> Any:
    try:
        return texts.parse(shape, text)
    except ValueError as failure:
        raise AwsError("MalformedInput", f"{name} is no {shape.type_name}: '{text}'.") from failure


def _written(shape: Shape, value: Any) -> Any:
    """A rendered response as nested elements."""
    kind = shape.type_name
    if kind == "structure":
        return {
            inner.serialization.get("name", member): _written(inner, value[member])
            for member, inner in shape.members.items()
            if member in value
        }
    if kind == "list":
        items = [_written(shape.member, item) for item in value]
        return items if shape.serialization.get("flattened") else {"member": items}
    if kind == "map":
        return {"entry": [{"key": key, "value": _written(shape.value, item)} for key, item in value.items()]}
    if kind == "timestamp":
        moment = datetime.datetime.fromtimestamp(value, datetime.UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def _joined(name: str, member: str) -> str:
    return f"{name}.{member}" if name else member
