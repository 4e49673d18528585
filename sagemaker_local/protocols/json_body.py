"""A body that is a JSON object, as two of the protocols have it."""

from __future__ import annotations

import json
from typing import Any

from sagemaker_local.errors import AwsError


def parse(body: bytes) -> dict[str, Any]:
    """The object's members; an empty body has none.

    Raises:
        AwsError: SerializationException.
    """
    try:
        members = json.loads(body or b"{}")
    except (ValueError, RecursionError) as failure:
        raise AwsError("SerializationException", f"The request's body is not JSON: {failure}.") from failure
    if not isinstance(members, dict):
        raise AwsError("SerializationException", "The request's body must be a JSON object.")
    return members


def render(members: dict[str, Any]) -> bytes:
    """In ASCII: a step's reason may quote half of a surrogate pair, which must not hide a whole list."""
    return json.dumps(members, allow_nan=False).encode()
