"""How the layers below the operations call one.

A step creates a job, a rule's target and a schedule start a pipeline, a template makes queues: each of them
does it as a client would, so that its request passes the same checks. The operations lie above these
layers, which therefore get the way to call them as an argument of this type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class RoleSession:
    """Who acts where a service assumes a role to do something; `name` is the session's."""

    role_arn: str
    name: str


class Api(Protocol):
    """Calls one operation."""

    def __call__(
        self,
        region: str,
        service: str,
        operation: str,
        members: dict[str, Any],
        session: RoleSession | None = None,
    ) -> dict[str, Any]:
        """Carry it out.

        Args:
            region: e.g. ``eu-west-1``.
            service: botocore's name, e.g. ``sagemaker``.
            operation: e.g. ``CreateTrainingJob``.
            members: the request's, as JSON values: timestamps as POSIX seconds, blobs as base64.
            session: in whose name; None for this machine's user.

        Returns:
            The response's members as JSON values, only those that the output shape declares.

        Raises:
            AwsError: the request is not acceptable, or the operation refuses or is not implemented.
        """
        ...
