"""Which service a request is for, and which protocol that service speaks: botocore's descriptions say it.

A request of the JSON protocol names its service in a header, by a prefix of its own (``AmazonSSM`` for
``ssm``); one of the CBOR protocol has the same prefix in its path. For every other request the service is
the one that its credentials are signed for. Two services may sign alike, such as SageMaker and its runtime;
only one of them is called by that header.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Protocol

from botocore.model import OperationModel, ServiceModel

from aws_formats.service_models import service_model
from sagemaker_local.errors import AwsError
from sagemaker_local.protocols import aws_json, aws_query, rest_json, rpc_v2_cbor
from sagemaker_local.protocols.http import Request, Response


class WireProtocol(Protocol):
    """What each protocol's module has."""

    def read(self, service: ServiceModel, request: Request, /) -> tuple[str, dict[str, Any]]:
        """The operation's name and the request's members as JSON values.

        Raises:
            AwsError: there is no such operation, or the request cannot be read.
        """

    def write(self, operation: OperationModel, members: Mapping[str, Any], request: Request, /) -> Response:
        """The response that has these members, which are JSON values."""

    def error(self, service: ServiceModel | None, failure: AwsError, request: Request, /) -> Response:
        """What a client reads its error from; without a service if the request's is not known."""


_PROTOCOLS: Mapping[str, WireProtocol] = {"json": aws_json, "query": aws_query, "rest-json": rest_json}
"""By botocore's name."""


def called(request: Request) -> tuple[str, str] | None:
    """The prefix of the service and the operation, of a request that names both before its body."""
    header = request.headers.get(aws_json.TARGET)
    if header is None:
        return rpc_v2_cbor.called(request)
    prefix, _, operation = header.partition(".")
    return prefix, operation


def protocol_of(service: ServiceModel | None, request: Request) -> WireProtocol:
    """The protocol of a request to a service; None is one that is not known, of a request that names it.

    Raises KeyError for a service of a protocol that is not spoken here.
    """
    if rpc_v2_cbor.called(request) is not None:
        return rpc_v2_cbor
    if service is None or aws_json.TARGET in request.headers:
        return aws_json
    return _PROTOCOLS[service.metadata["protocol"]]


@functools.lru_cache(maxsize=256)
def find_service(services: frozenset[str], signing_name: str, target: str | None) -> ServiceModel | None:
    """The service that is meant.

    Args:
        services: those that there are, by botocore's names.
        signing_name: the service in the scope of the request's credentials.
        target: the prefix that the request names it by, None where it names none.

    Returns:
        None if it is none of `services`.
    """
    # Most services are named as they sign, so that few descriptions are read: SageMaker's takes 0.1 s.
    for name in sorted(services, key=lambda one: (not one.startswith(signing_name), one)):
        service = service_model(name)
        has_prefix = service.metadata.get("targetPrefix") == target
        if has_prefix and (target is not None or service.signing_name == signing_name):
            return service
    return None
