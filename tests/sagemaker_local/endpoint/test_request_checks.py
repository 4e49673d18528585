"""Every operation of every service: what breaks a constraint of its shape is refused, whatever the protocol.

The requests are sent by botocore with its own checks switched off.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import Shape
from wire_clients import REGION, S3_OPERATIONS, SIGNED, Client

from aws_formats import shapes
from aws_formats.service_models import service_model
from sagemaker_local import endpoint
from sagemaker_local.services.table import operations

_S3_MEMBERS = {
    "Bucket": "abc",
    "Key": "k",
    "CopySource": "abc/k",
    "UploadId": "u",
    "PartNumber": 1,
    "Delete": {"Objects": [{"Key": "k"}]},
    "MultipartUpload": {"Parts": []},
}
_READ_BY_BOTOCORE = ("ContentLength", "ChecksumAlgorithm")
_DEEPEST = 4
_LONGEST = 5000
_ODD_TEXTS = ("!", "-", "a b", "{", "é", "\x07", "")


@dataclass(frozen=True)
class Breach:
    """A request that breaks one constraint: its member's value, and how the refusal names the place."""

    constraint: str
    member: str
    value: Any
    where: str


def breaches(shape: Shape, protocol: str) -> list[Breach]:
    """One breach for each constraint that the shape has anywhere: the first that is found."""
    found: dict[str, Breach] = {}
    for member, inner in shape.members.items():
        in_url = inner.serialization.get("location") == "uri"
        is_text = protocol == "query" or inner.serialization.get("location") is not None
        is_body = member == shape.serialization.get("payload")  # there is one, if only an empty one
        is_given = in_url or is_body or "idempotencyToken" in inner.metadata
        if member in shape.required_members and not is_given:
            found.setdefault("missing", Breach("missing", member, None, _word(member)))
        for constraint, value, where in _broken(inner, is_text, 0):
            if value == "" and in_url:
                continue  # no URL has an empty part
            found.setdefault(constraint, Breach(constraint, member, value, _word(member) + where))
    return list(found.values())


def _broken(shape: Shape, is_text: bool, depth: int) -> Iterator[tuple[str, Any, str]]:
    """Constraint, a value that breaks it, and the rest of its place."""
    if depth > _DEEPEST:
        return
    match shape.type_name:
        case "structure":
            for member, inner in shape.members.items():
                for constraint, value, where in _broken(inner, is_text, depth + 1):
                    yield constraint, {member: value}, f".{_word(member)}{where}"
        case "list":
            for constraint, value, where in _broken(shape.member, is_text, depth + 1):
                yield constraint, [value], f".1.member{where}"
        case "map":
            for constraint, value, where in _broken(shape.value, is_text, depth + 1):
                yield constraint, {"key": value}, f".key{where}"
        case _:
            for value in _candidates(shape, is_text):
                for problem in shapes.check(shape, value)[1]:
                    yield problem.constraint, value, ""


def _candidates(shape: Shape, is_text: bool) -> Iterator[Any]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    match shape.type_name:
        case "string":
            yield from _ODD_TEXTS
            if most is not None and most <= _LONGEST:
                yield "a" * (most + 1)
            if not is_text:
                yield 7
        case "integer" | "long" | "float" | "double":
            yield from (limit for limit in (least and least - 1, most and most + 1) if limit is not None)
            yield "seven"
        case "boolean" if not is_text:
            yield "perhaps"


def _word(member: str) -> str:
    return member[:1].lower() + member[1:]


def cases() -> list[Any]:
    found = []
    for service, operation in operations():
        model = service_model(service)
        shape = model.operation_model(operation).input_shape
        for breach in breaches(shape, model.metadata["protocol"]) if shape is not None else []:
            name = f"{service}-{operation}-{breach.constraint}"
            found.append(pytest.param(service, operation, breach, id=name))
    return found


@pytest.fixture(scope="session")
def client(local: endpoint.Endpoint) -> Any:
    @functools.cache
    def unchecked(service: str) -> Client:
        """A client that leaves it all to the service."""
        return boto3.client(
            service,
            endpoint_url=local.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
        )

    return unchecked


@pytest.mark.parametrize(("service", "operation", "breach"), cases())
def test_a_request_that_breaks_its_shape_is_refused(
    client: Any, service: str, operation: str, breach: Breach
) -> None:
    shape = service_model(service).operation_model(operation).input_shape
    in_url = {name for name, inner in shape.members.items() if inner.serialization.get("location") == "uri"}
    parameters = dict.fromkeys(in_url, "a") | {breach.member: breach.value}
    if breach.constraint == "missing":
        del parameters[breach.member]
    with pytest.raises(ClientError) as caught:
        client(service)._make_api_call(operation, parameters)
    error = caught.value.response["Error"]
    if breach.constraint == "type":
        assert error["Code"] in ("SerializationException", "MalformedInput")
    else:
        assert error["Code"] in ("ValidationException", "ValidationError")
        assert f"at '{breach.where}' failed to satisfy constraint" in error["Message"]


def s3_cases() -> Iterator[Any]:
    for operation in S3_OPERATIONS:
        shape = service_model("s3").operation_model(operation).input_shape
        for member, inner in shape.members.items():
            is_text = inner.serialization.get("location") in ("header", "querystring")
            if (
                is_text
                and member not in _READ_BY_BOTOCORE
                and inner.type_name in ("string", "integer", "long")
            ):
                for constraint, value, _ in _broken(inner, True, 0):
                    if value:
                        yield pytest.param(operation, member, value, id=f"{operation}-{member}-{constraint}")
                        break


@pytest.mark.parametrize(("operation", "member", "value"), list(s3_cases()))
def test_a_request_of_s3_that_breaks_its_shape_is_refused(
    client: Any, operation: str, member: str, value: Any
) -> None:
    shape = service_model("s3").operation_model(operation).input_shape
    parameters = {name: _S3_MEMBERS[name] for name in _S3_MEMBERS if name in shape.members}
    with pytest.raises(ClientError) as caught:
        client("s3")._make_api_call(operation, parameters | {member: value})
    # What is not implemented is refused whatever its value. The answer to a HEAD has a status and no body.
    assert caught.value.response["Error"]["Code"] in ("InvalidArgument", "NotImplemented", "400", "501")


def test_a_bucket_in_a_region_that_there_is_not_is_refused(client: Any) -> None:
    with pytest.raises(ClientError, match="InvalidLocationConstraint"):
        client("s3").create_bucket(Bucket="abc", CreateBucketConfiguration={"LocationConstraint": "mars"})


def test_a_refusal_in_xml_can_be_read_whatever_the_value_was(client: Any) -> None:
    with pytest.raises(ClientError, match="failed to satisfy constraint") as caught:
        client("iam").get_role(RoleName="a\x07\ufffe")
    assert "Value 'a\ufffd\ufffd' at 'roleName'" in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("service", "operation", "member"),
    [("sts", "AssumeRole", "DurationSeconds"), ("scheduler", "ListSchedules", "MaxResults")],
)
def test_a_number_with_underscores_is_none(client: Any, service: str, operation: str, member: str) -> None:
    with pytest.raises(ClientError) as caught:
        client(service)._make_api_call(operation, {member: "1_0"})
    assert caught.value.response["Error"]["Code"] in ("SerializationException", "MalformedInput")


def test_a_boolean_of_a_form_is_true_or_false(
    exchange: Callable[[bytes], bytes], local: endpoint.Endpoint
) -> None:
    form = b"Action=Subscribe&TopicArn=a&Protocol=sqs&ReturnSubscriptionArn=perhaps"
    head = [
        b"POST / HTTP/1.1",
        f"Host: {local.url.removeprefix('http://')}".encode(),
        f"Authorization: {SIGNED.replace('/s3/', '/sns/')}".encode(),
        f"Content-Length: {len(form)}".encode(),
    ]
    answer = exchange(b"\r\n".join(head) + b"\r\n\r\n" + form)
    assert b"400" in answer.partition(b"\r\n")[0]
    assert b"ReturnSubscriptionArn is no boolean" in answer
