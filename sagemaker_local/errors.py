"""What goes wrong in AWS's own terms, for clients; and why there is no endpoint at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """An answer in AWS's own terms.

    Args:
        code: the error's name on the wire, e.g. ``ValidationException`` or ``ResourceNotFound``.
        message: what is wrong and what to do about it.
        status: HTTP status; AWS's JSON protocols use 400 for a caller's mistakes.
        members: further members of the error's body, e.g. ``OriginalStatusCode``.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, members: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})


def validation_error(message: str) -> AwsError:
    """The request is well-formed on the wire but its content is not acceptable."""
    return AwsError("ValidationException", message)


def not_found(what: str, name: str) -> AwsError:
    """SageMaker's answer for a resource that does not exist."""
    return AwsError("ResourceNotFound", f"{what} '{name}' does not exist.")


def job_not_found(verb: str, name: str) -> AwsError:
    """The same for a job. Its service says something else than its documentation (boto/boto3#2808).

    Args:
        verb: ``Processing``, ``Training`` or ``Transform``.
    """
    if verb == "Training":
        return validation_error(f"Requested resource not found: the training job '{name}'.")
    return validation_error(f"Could not find requested job with name: {name}")


NOT_IMPLEMENTED = 501


def not_implemented(what: str) -> AwsError:
    """A clear refusal, never a made-up success."""
    return AwsError(
        "UnknownOperationException", f"{what} is not implemented by the local SageMaker.", NOT_IMPLEMENTED
    )


def method_not_allowed(method: str) -> AwsError:
    """A request whose HTTP method is not for operations that change something."""
    return AwsError("MethodNotAllowed", f"The operation cannot be called with {method}; use POST.", 405)


class CannotStart(Exception):
    """Why there is no endpoint, in one line that says what to do."""
