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


def patient_client(session: Any, service: str, *, endpoint_url: str | None = None, **config: Any) -> Any:
    """A botocore client that repeats what is throttled, and says so each time, as a warning in the log.

    Args:
        session: of botocore; its region counts.
        endpoint_url: where the service is, if not where AWS has it or the user's configuration says.
        config: further settings of botocore's ``Config``.
    """
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    client = session.create_client(
        service, endpoint_url=endpoint_url, config=Config(retries=retries, **config)
    )
    client.meta.events.register_first("needs-retry", _warn)
    return client


def _warn(response: Any, attempts: int, operation: Any, **_: Any) -> None:
    code = response[1].get("Error", {}).get("Code") if response is not None else None
    if code in CODES and attempts < ATTEMPTS:
        _log.warning(
            "AWS throttles %s; waiting, then trying again (%d of %d)", operation.name, attempts + 1, ATTEMPTS
        )
