"""The only way to call an operation.

A client's request and a pipeline step's arguments are both called here: wire values are checked against
botocore's shapes, the handler works with typed parameters, and what it returns is trimmed to what the
service declares. So a step that runs here has passed the checks of a client's request.
"""

from __future__ import annotations

import functools
import inspect
from concurrent import futures
from typing import Any

from botocore.model import OperationModel

from aws_formats import shapes
from aws_formats.service_models import service_model
from sagemaker_local.api import RoleSession
from sagemaker_local.errors import not_implemented
from sagemaker_local.protocols import requests
from sagemaker_local.services import table
from sagemaker_local.services.call import Call, Components, Waiting


class Operations:
    """The operations of one endpoint; as a function it is a ``sagemaker_local.api.Api``.

    Attributes:
        services: botocore's names of those that have operations here.
        awaited_services: those of them whose operations are called by :meth:`awaited`.
    """

    def __init__(self, components: Components) -> None:
        self.components = components
        self._table = table.operations()
        self._transactions = table.transactions()
        self.services = frozenset(service for service, _ in self._table)
        self.awaited_services = frozenset(
            service for (service, _), handler in self._table.items() if inspect.iscoroutinefunction(handler)
        )

    def __call__(
        self,
        region: str,
        service: str,
        operation: str,
        members: dict[str, Any],
        session: RoleSession | None = None,
    ) -> dict[str, Any]:
        """For callers below, which have threads of their own: a wait is waited for here."""
        response = self.begin(region, service, operation, members, session)
        while isinstance(response, Waiting):
            futures.wait([response.until])
            response = response.then()
        return response

    def is_transaction(self, service: str, operation: str | None) -> bool:
        """Whether an operation only reads and writes the store, so that all of it is a transaction."""
        return (service, operation) in self._transactions

    def begin(
        self,
        region: str,
        service: str,
        operation: str,
        members: dict[str, Any],
        session: RoleSession | None = None,
    ) -> dict[str, Any] | Waiting:
        """Call an operation up to its end, or up to where it has to wait."""
        model, response = self._called(region, service, operation, members, session)

        def rendered(response: dict[str, Any] | Waiting) -> Any:
            if isinstance(response, Waiting):
                return response.followed_by(rendered)
            return shapes.render(model.output_shape, response)

        answer: dict[str, Any] | Waiting = rendered(response)
        return answer

    async def awaited(
        self, region: str, service: str, operation: str, members: dict[str, Any]
    ) -> dict[str, Any]:
        """The same for a service that waits in the event loop; the response's blobs stay bytes."""
        _, response = self._called(region, service, operation, members)
        awaited: dict[str, Any] = await response
        return awaited

    def _called(
        self,
        region: str,
        service: str,
        operation: str,
        members: dict[str, Any],
        session: RoleSession | None = None,
    ) -> tuple[OperationModel, Any]:
        handler = self._table.get((service, operation))
        if handler is None:
            raise not_implemented(f"{service}:{operation}")
        model = service_model(service).operation_model(operation)
        parameters = requests.parse(model.input_shape, members, _refusal(service))
        return model, handler(Call(self.components, region, session), parameters)


@functools.cache
def _refusal(service: str) -> str:
    """What a service calls the error for a request that does not meet its constraints."""
    named = "ValidationError"  # by SageMaker's runtime
    return named if named in service_model(service).shape_names else "ValidationException"
