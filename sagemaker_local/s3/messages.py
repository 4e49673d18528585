"""An S3 request as the operations see it, and what they answer."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local.errors import AwsError
from sagemaker_local.protocols import xml
from sagemaker_local.protocols.http import Response
from sagemaker_local.s3.objects import DEFAULT_CONTENT_TYPE, Condition, ObjectInfo, no_such_key

METADATA = "x-amz-meta-"

KEPT_HEADERS = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")
"""Headers of a PUT that a GET gives back."""

_REFUSED_HEADERS = (
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
)
_REFUSED_PREFIXES = (
    "x-amz-grant-",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption-customer-",
    "x-amz-copy-source-server-side-encryption-customer-",
)
_HARMLESS_ACLS = ("private", "bucket-owner-full-control", "bucket-owner-read")


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        bucket, key: decoded; empty where the path has none.
        query: parameters, values empty where the URL gives none.
        headers: by name in lower case.
        body: all of it, except for what is streamed (PutObject, UploadPart).
    """

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    region: str
    body: bytes = b""


def with_body(request: Request, body: bytes) -> Request:
    return replace(request, body=body)


def xml_response(name: str, content: Any, **headers: str) -> Response:
    return Response(headers={"content-type": "application/xml", **headers}, body=xml.render(name, content))


def error_response(error: AwsError, request: Request, request_id: str) -> Response:
    """An error as S3 sends it; a HEAD request's answer has no body to hold it."""
    if request.method == "HEAD" or error.status == 304:
        return Response(error.status)
    resource = f"/{request.bucket}/{request.key}" if request.key else f"/{request.bucket}"
    content = {"Code": error.code, "Message": error.message, "Resource": resource, "RequestId": request_id}
    body = xml.render("Error", content, namespace="")
    return Response(error.status, {"content-type": "application/xml"}, body)


def not_implemented(what: str) -> AwsError:
    return AwsError("NotImplemented", f"{what} is not implemented by the local S3.", 501)


def refuse_unknown_features(request: Request) -> None:
    """Refuse what would be lost silently. Encryption at rest is the disk's business and passes."""
    if request.headers.get("x-amz-expected-bucket-owner", LOCAL_ACCOUNT) != LOCAL_ACCOUNT:
        raise AwsError("AccessDenied", f"The bucket belongs to account {LOCAL_ACCOUNT}.", 403)
    if request.query.get("versionId", "null") != "null":
        raise not_implemented("A version of an object")
    if request.method not in ("PUT", "POST", "DELETE"):
        return
    for name in request.headers:
        if name in _REFUSED_HEADERS or name.startswith(_REFUSED_PREFIXES):
            raise not_implemented(f"The header {name}")
    if request.headers.get("x-amz-acl", "private") not in _HARMLESS_ACLS:
        raise not_implemented(f"The ACL {request.headers['x-amz-acl']}")
    if request.headers.get("x-amz-storage-class", "STANDARD") != "STANDARD":
        raise not_implemented(f"The storage class {request.headers['x-amz-storage-class']}")


def content_type(request: Request) -> str:
    return request.headers.get("content-type") or DEFAULT_CONTENT_TYPE


def user_metadata(request: Request) -> dict[str, str]:
    found = {
        name.removeprefix(METADATA): value
        for name, value in request.headers.items()
        if name.startswith(METADATA)
    }
    if sum(len(name) + len(value) for name, value in found.items()) > 2048:
        raise AwsError("MetadataTooLarge", "Your metadata headers exceed the allowed 2 KB.")
    return found


def kept_headers(request: Request) -> dict[str, str]:
    found = {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers}
    # aws-chunked is how the body travelled, not what the object is.
    encodings = [part.strip() for part in found.pop("content-encoding", "").split(",")]
    if kept := ",".join(part for part in encodings if part and part != "aws-chunked"):
        found["content-encoding"] = kept
    return found


def write_condition(request: Request) -> Condition:
    """``If-None-Match: *`` and ``If-Match`` of a write or a deletion."""
    forbidden, wanted = request.headers.get("if-none-match"), request.headers.get("if-match")
    if forbidden not in (None, "*"):
        raise not_implemented("If-None-Match of a write with a value other than *")

    def check(existing: ObjectInfo | None) -> None:
        if forbidden == "*" and existing is not None:
            raise precondition_failed("If-None-Match")
        if wanted is not None and existing is None:
            raise no_such_key(request.bucket, request.key)
        if wanted is not None and existing is not None and not matches(wanted, existing):
            raise precondition_failed("If-Match")

    return check


def check_read_conditions(info: ObjectInfo, headers: Mapping[str, str], prefix: str = "") -> None:
    """The conditional headers of a read, or of a copy's source with their `prefix`.

    Raises:
        AwsError: PreconditionFailed with status 412, or NotModified with status 304.
    """
    wanted, unwanted = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    since, until = (
        _http_date(headers.get(f"{prefix}{name}")) for name in ("if-modified-since", "if-unmodified-since")
    )
    modified = int(info.modified)
    if wanted is not None:
        if not matches(wanted, info):
            raise precondition_failed("If-Match")
    elif until is not None and modified > until:
        raise precondition_failed("If-Unmodified-Since")
    is_same = matches(unwanted, info) if unwanted is not None else since is not None and modified <= since
    if is_same:
        if prefix:
            raise precondition_failed("If-None-Match" if unwanted is not None else "If-Modified-Since")
        raise AwsError("NotModified", "Not Modified", 304)


def precondition_failed(which: str) -> AwsError:
    message = f"At least one of the pre-conditions you specified did not hold: {which}."
    return AwsError("PreconditionFailed", message, 412)


def matches(etags: str, info: ObjectInfo) -> bool:
    """Whether a list of ETags, quoted or not, holds the object's, or is ``*``."""
    given = {part.strip().removeprefix("W/").strip('"') for part in etags.split(",")}
    return "*" in given or info.etag in given


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Offset and length of a ``Range`` header; None where there is none that S3 would heed.

    Raises:
        AwsError: InvalidRange, status 416.
    """
    found = re.fullmatch(r"bytes=([0-9]*)-([0-9]*)", header.strip()) if header else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        length = min(_position(last), size)
        begin, end = size - length, size
    else:
        begin, end = _position(first), min(_position(last) + 1 if last else size, size)
        if last and _position(last) < begin:
            return None
    if begin >= end:
        raise AwsError(
            "InvalidRange", f"The requested range is not satisfiable: the object has {size} bytes.", 416
        )
    return begin, end - begin


def _position(digits: str) -> int:
    """A number of a Range header; one of too many digits for Python to read is beyond every object's end."""
    return int(digits) if len(digits) < 20 else 10**19


def integer(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A query parameter. Raises AwsError InvalidArgument."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
        raise AwsError(
            "InvalidArgument", f"{name} must be an integer between {low} and {high}, not '{text}'."
        )
    return int(text)


def iso_time(seconds: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03d}Z"


def _http_date(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):  # S3 ignores a date that is none
        return None
