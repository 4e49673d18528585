"""What the registry needs of its caller, clients of AWS, and the small requests that several modules make.

Clients come from the caller, because only the caller knows where the registry is: in AWS, under a role of
another account, or on this machine. ``AssumedRole`` is here because the command and the handlers of the
automation both reach other accounts, and must do it in the same way.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError, ParamValidationError

from aws_formats import json_text
from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from aws_formats.service_models import loader
from registry.throttling import patient_client

_LARGEST_OBJECT = 64 << 20


class ObjectTooLarge(GatehouseError):
    """An object that is to be read as a whole is too large for that."""


class Clients(Protocol):
    """Somewhere in AWS, or the SageMaker on this machine."""

    def client(self, service: str) -> Any:
        """A botocore client of that service; the same one at each call."""


def aws_session(region: str) -> Any:
    """A botocore session of the user's own configuration: profile, environment, instance role.

    Of botocore, not of boto3: what boto3 adds to it, uploads in parts and resources, hardly any command
    needs, and importing it takes as long as a request.
    """
    import botocore.session

    session = botocore.session.get_session()
    session.register_component("data_loader", loader(session.get_config_variable("data_path")))
    session.set_config_variable("region", region)
    return session


@dataclass(frozen=True)
class AssumedRole:
    """A region of AWS, reached under a role that is assumed for it with STS.

    Attributes:
        own: gives the STS client, with the credentials that may assume the role.
        session_name: what CloudTrail and the deployment history show as the last part of who acted.
    """

    own: Clients
    role_arn: str
    region: str
    session_name: str = "gatehouse"

    def client(self, service: str) -> Any:
        """A botocore client with the role's credentials, the same one at each call."""
        return _assumed_client(self, service)


@functools.lru_cache(maxsize=64)
def _assumed_client(assumed: AssumedRole, service: str) -> Any:
    return patient_client(_assumed_session(assumed), service)


@functools.lru_cache(maxsize=16)
def _assumed_session(assumed: AssumedRole) -> Any:
    """A session that assumes the role at its first call, and anew before its hour is over.

    A deployment with a canary and a bake time waits for longer than an hour, and a Lambda function may live
    for several.
    """
    from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher

    role = {"RoleArn": assumed.role_arn, "RoleSessionName": assumed.session_name}
    refresh = create_assume_role_refresher(assumed.own.client("sts"), role)
    session = aws_session(assumed.region)
    session._credentials = DeferredRefreshableCredentials(refresh, "assume-role")
    return session


def caller_arn(clients: Clients) -> str:
    """Who acts, as STS knows them."""
    return str(clients.client("sts").get_caller_identity()["Arn"])


def read_object(s3: Any, uri: str) -> bytes | None:
    """A small S3 object's content; None if it is not there, or if the URI is none that S3 could hold.

    Raises:
        ObjectTooLarge: nothing that is read so, a document or a sample of a few rows, has that many bytes.
    """
    bucket, key = bucket_and_key(uri)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        content: bytes = body.read(_LARGEST_OBJECT + 1)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    except ParamValidationError:  # `https://...`, which AWS takes for an artifact too, or no key
        return None
    if len(content) > _LARGEST_OBJECT:
        body.close()
        raise ObjectTooLarge(
            f"the object has more than {_LARGEST_OBJECT >> 20} MiB, which no document or sample has",
            where=uri,
        )
    return content


def read_document(s3: Any, uri: str | None) -> Any:
    """A JSON document in S3; None if there is none, it is no JSON, or it is too large for one."""
    try:
        content = read_object(s3, uri) if uri else None
        return None if content is None else json_text.parse(content)
    except (ValueError, ObjectTooLarge):
        return None


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags in the form of most requests, sorted by key."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def bucket_and_key(uri: str) -> tuple[str, str]:
    """``s3://bucket/some/key`` in its two parts."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
