"""Clients that repeat throttled calls, and log that they do: botocore alone repeats them in silence."""

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


def patient_client(session: Any, service: str, **config: Any) -> Any:
    """A boto3 client that repeats what is throttled, and says so each time, as a warning in the log.

    Args:
        session: of boto3; its region counts.
        config: further settings of botocore's ``Config``.
    """
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    client = session.client(service, config=Config(retries=retries, **config))
    client.meta.events.register_first("needs-retry", _warn)
    return client


def _warn(response: Any, attempts: int, operation: Any, **_: Any) -> None:
    code = response[1].get("Error", {}).get("Code") if response is not None else None
    if code in CODES and attempts < ATTEMPTS:
        _log.warning(
            "AWS throttles %s; waiting, then trying again (%d of %d)", operation.name, attempts + 1, ATTEMPTS
        )
