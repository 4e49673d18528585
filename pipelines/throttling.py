"""Throttling is waited out, and said: botocore repeats a throttled call after growing pauses in silence."""

from __future__ import annotations

import logging
from typing import Any

ATTEMPTS = 5
"""How often a call is made at most."""

CODES = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "SlowDown"}
)
"""What the services that Gatehouse speaks to call it."""

_log = logging.getLogger(__name__)


def announce(client: Any) -> None:
    """Have a boto3 client say so, as a warning in the log, each time a throttled call is repeated."""
    client.meta.events.register_first("needs-retry", _warn)


def _warn(response: Any, attempts: int, operation: Any, **_: Any) -> None:
    code = response[1].get("Error", {}).get("Code") if response is not None else None
    if code in CODES and attempts < ATTEMPTS:
        _log.warning(
            "AWS throttles %s; waiting, then trying again (%d of %d)", operation.name, attempts + 1, ATTEMPTS
        )
