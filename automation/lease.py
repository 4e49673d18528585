"""One function at a time: events come twice at the same moment, and two functions must not both act on them.

A lease is a Parameter Store parameter that is created (which only one can) and deleted at the end. A function
that died holding one leaves it behind; it is taken over when no function can still be at work on it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from pipelines.errors import GatehouseError
from registry.clients import Clients, is_absent

LIFETIME = 360.0
"""Seconds: longer than a function may take (Timeout in the template)."""

PATIENCE = 60.0
"""Seconds to wait for another; after that the event is tried again later, as any that failed."""


@contextmanager
def lease(clients: Clients, name: str) -> Iterator[None]:
    """Be the only one for the time of the `with` block.

    Args:
        name: the parameter's.

    Raises:
        GatehouseError: another one holds it and goes on holding it.
    """
    ssm, deadline, pause = clients.client("ssm"), time.monotonic() + PATIENCE, 0.05
    while not _taken(ssm, name):
        if time.monotonic() > deadline:
            raise GatehouseError(
                f"another function has been at work for {PATIENCE:.0f} s",
                where=name,
                remedy="The event is tried again by itself",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 2.0)
    try:
        yield
    finally:
        _delete(ssm, name)


def _taken(ssm: Any, name: str) -> bool:
    try:
        ssm.put_parameter(
            Name=name,
            Value="held",
            Type="String",
            Overwrite=False,
            Description="A function of Gatehouse is at work; deleted when it is done",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterAlreadyExists":
            raise
        _delete_if_left_behind(ssm, name)
        return False
    return True


def _delete_if_left_behind(ssm: Any, name: str) -> None:
    try:
        since = ssm.get_parameter(Name=name)["Parameter"]["LastModifiedDate"]
    except ClientError as error:
        if is_absent(error):
            return
        raise
    if (datetime.now(UTC) - since).total_seconds() > LIFETIME:
        _delete(ssm, name)


def _delete(ssm: Any, name: str) -> None:
    try:
        ssm.delete_parameter(Name=name)
    except ClientError as error:
        if not is_absent(error):
            raise
