"""What the error answers of AWS's services mean: is something not there, there already, busy, or denied?

Each service has codes of its own for that, and SageMaker answers ValidationException to most of it, where
only the text tells. That reading is done here and nowhere else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_ABSENT = frozenset(
    {
        "404",
        "NoSuchBucket",
        "NoSuchKey",
        "ParameterNotFound",
        "ParameterVersionNotFound",
        "ResourceNotFound",
        "ResourceNotFoundException",
    }
)
_PRESENT = frozenset({"ParameterAlreadyExists"})
_DENIED = frozenset({"403", "AccessDenied", "AccessDeniedException", "Forbidden", "UnauthorizedOperation"})
_INVALID = frozenset({"ValidationError", "ValidationException"})

_ABSENT_TEXT = re.compile(r"does not exist|could not find|cannot find", re.IGNORECASE)
_PRESENT_TEXT = re.compile(r"already exist", re.IGNORECASE)
_BUSY_TEXT = re.compile(r"in-progress endpoint", re.IGNORECASE)
_OF_ONE_THING = ("Delete", "Describe", "Get", "List")
"""Operations that concern nothing but what they name; the text of others may be about what they need."""


def is_absent(error: ClientError) -> bool:
    """Whether AWS says that what was asked for does not exist."""
    if error.response["Error"]["Code"] in _ABSENT:
        return True
    return error.operation_name.startswith(_OF_ONE_THING) and _is_invalid(error, _ABSENT_TEXT)


def is_present(error: ClientError) -> bool:
    """Whether AWS says that what was to be made exists: somebody else was faster."""
    return error.response["Error"]["Code"] in _PRESENT or _is_invalid(error, _PRESENT_TEXT)


def is_busy(error: ClientError) -> bool:
    """Whether AWS says that somebody else is changing the endpoint."""
    return _is_invalid(error, _BUSY_TEXT)


def is_denied(error: ClientError) -> bool:
    """Whether AWS says that the caller has no permission for it."""
    return error.response.get("Error", {}).get("Code") in _DENIED


def _is_invalid(error: ClientError, text: re.Pattern[str]) -> bool:
    answer = error.response["Error"]
    return answer["Code"] in _INVALID and bool(text.search(answer["Message"]))
