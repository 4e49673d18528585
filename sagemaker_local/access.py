"""Which requests are refused: those from outside this machine, and those of foreign web pages.

The socket listens on 127.0.0.1 only. A web page can still make a browser send requests there, under
its own name (``Origin``) or under a name of its own that it points at 127.0.0.1 (``Host``), so both are
checked. What the proxy passes on (``proxy``) has the name of one of AWS's services, which nobody can point
at this machine. Every request must carry AWS credentials; any will do, their scope names region and service.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sagemaker_local.errors import AwsError

_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_OF_AWS = re.compile(r"(?:[a-z0-9-]+\.)+(?:amazonaws\.com(?:\.cn)?|api\.aws)")
_OF_USERS = re.compile(r".+\.(?:compute|compute-1|elb|rds)\.(?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?")
_SCOPE = re.compile(r"[^/]+/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")


@dataclass(frozen=True)
class Scope:
    """What a request's credentials are for, e.g. region ``eu-west-1`` and service ``s3``."""

    region: str
    service: str


def refuse_foreign_pages(headers: Mapping[str, str], port: int) -> None:
    """Raises AwsError AccessDenied for a Host that is not this endpoint, or a foreign web page."""
    names, origins = _own_names(port)
    host = headers.get("host", "")
    if host.lower() not in names and not is_of_aws(host.removesuffix(":443")):
        raise AwsError("AccessDenied", f"The Host header '{host}' does not name this endpoint.", 403)
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in origins:
        raise AwsError("AccessDenied", f"Requests from web pages of '{origin}' are refused.", 403)
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise AwsError("AccessDenied", "Requests from other web pages are refused.", 403)


def is_of_aws(host: str) -> bool:
    """Whether a name is that of one of AWS's services; not of a user's machine or load balancer there."""
    name = host.lower().rstrip(".")
    return _OF_AWS.fullmatch(name) is not None and _OF_USERS.fullmatch(name) is None


@functools.cache
def _own_names(port: int) -> tuple[frozenset[str], frozenset[str]]:
    """What Host and Origin may say of an endpoint at this port."""
    names = frozenset({f"{host}:{port}" for host in _HOSTS} | (set(_HOSTS) if port == 80 else set()))
    return names, frozenset(f"http://{name}" for name in names)


def scope(headers: Mapping[str, str], query: Mapping[str, str]) -> Scope:
    """The scope of a signed or presigned request.

    Raises:
        AwsError: MissingAuthenticationToken, or IncompleteSignature where there is no scope in it.
    """
    authorization = headers.get("authorization", "")
    if authorization.startswith("AWS ") or {"AWSAccessKeyId", "Signature"} <= query.keys():
        return Scope("us-east-1", "s3")  # signature version 2, which names neither and is S3's alone
    credential = query.get("X-Amz-Credential", "")
    if authorization:
        found = re.search(r"Credential=([^,\s]+)", authorization)
        credential = found[1] if found else ""
    if not authorization and not credential:
        raise AwsError(
            "MissingAuthenticationToken", "The request has no credentials; any will do, e.g. test/test.", 403
        )
    parts = _SCOPE.fullmatch(credential)
    if parts is None:
        raise AwsError("IncompleteSignature", "The credentials have no scope of region and service.", 403)
    return Scope(*parts.groups())
