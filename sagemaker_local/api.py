"""One table of operations behind every protocol, and the only way to call one.

A client's request and a pipeline step's arguments take the same road: wire values are checked against
botocore's shapes, the handler works with typed parameters, and what it returns is trimmed to what the
service declares. So a step that runs here has passed the checks of a client's request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import OperationNotFoundError

from aws_formats import shapes
from aws_formats.service_models import service_model
from sagemaker_local.context import Call, Handler
from sagemaker_local.errors import not_implemented
from sagemaker_local.protocols import requests


class Api:
    """Handlers by service (botocore's name) and operation, e.g. ``("sagemaker", "CreatePipeline")``."""

    def __init__(self, operations: Mapping[tuple[str, str], Handler]) -> None:
        self._operations = dict(operations)

    def call(self, call: Call, service: str, operation: str, wire: dict[str, Any]) -> dict[str, Any]:
        """Carry out one operation.

        Args:
            wire: the request's members as JSON values: timestamps as POSIX seconds, blobs as base64.

        Returns:
            The response's members as JSON values, only those that the output shape declares.

        Raises:
            AwsError: the request is not acceptable, or the operation refuses or is not implemented.
        """
        handler = self._operations.get((service, operation))
        if handler is None:
            raise not_implemented(f"{service}:{operation}")
        try:
            model = service_model(service).operation_model(operation)
        except OperationNotFoundError as error:
            raise not_implemented(f"{service}:{operation}") from error
        response = handler(call, requests.parse(model.input_shape, wire))
        rendered: dict[str, Any] = shapes.render(model.output_shape, response)
        return rendered
