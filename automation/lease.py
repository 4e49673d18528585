"""One function at a time: events come twice at the same moment, and two functions must not both act on them.

A lease is a Parameter Store parameter that is created (which only one can) and deleted at the end. Whoever
holds it writes it anew every few seconds; one that stands still was left behind by a function that died, and
is taken over. Parameter Store numbers what is written, one after another: of several who take over at the
same moment, the one whose number comes next has it.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent, is_present
from registry.clients import Clients

RENEWAL = 8.0
"""Seconds between two writings of whoever holds it."""

LIFETIME = 30.0
"""Seconds: a lease that stood still for so long is nobody's. Watched, not read off a date: clocks differ."""

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
    ssm, holder, done = clients.client("ssm"), uuid.uuid4().hex, threading.Event()
    number = _take(ssm, name, holder)
    renewing = threading.Thread(target=_renew, args=(ssm, name, holder, number, done), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()
        if _read(ssm, name)[0] == holder:  # else we stood still for so long that another has it
            _delete(ssm, name)


def _take(ssm: Any, name: str, holder: str) -> int:
    """Returns the number of what was written."""
    deadline, pause = time.monotonic() + PATIENCE, 0.05
    seen, since = ("", 0), time.monotonic()
    while True:
        number = _write(ssm, name, holder, overwrite=False)
        if number is not None:
            return number
        there, now = _read(ssm, name), time.monotonic()
        if there != seen:
            seen, since = there, now
        elif now - since > LIFETIME:
            number = _write(ssm, name, holder, overwrite=True)
            if number in (1, seen[1] + 1):  # 1: it was deleted just now
                return number
        if now > deadline:
            raise GatehouseError(
                f"another function has been at work for {PATIENCE:.0f} s",
                where=name,
                remedy="The event is tried again by itself",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 2.0)


def _renew(ssm: Any, name: str, holder: str, number: int | None, done: threading.Event) -> None:
    """Write it anew until the work is done or another has taken it."""
    while not done.wait(RENEWAL):
        try:
            if _read(ssm, name) != (holder, number):
                return
            number = _write(ssm, name, holder, overwrite=True)
        except (BotoCoreError, ClientError) as error:  # throttled, say: there is time for another try
            print(f"{name} could not be renewed: {error}")


def _write(ssm: Any, name: str, holder: str, *, overwrite: bool) -> int | None:
    """The number of what was written; None if it is there and shall not be overwritten."""
    try:
        written = ssm.put_parameter(
            Name=name,
            Value=holder,
            Type="String",
            Overwrite=overwrite,
            Description="A function of Gatehouse is at work; deleted when it is done",
        )
    except ClientError as error:
        if not is_present(error):
            raise
        return None
    return int(written["Version"])


def _read(ssm: Any, name: str) -> tuple[str, int]:
    """Who holds it, and the number of what was written last; ("", 0) if nobody does."""
    try:
        found = ssm.get_parameter(Name=name)["Parameter"]
    except ClientError as error:
        if is_absent(error):
            return "", 0
        raise
    return found["Value"], int(found["Version"])


def _delete(ssm: Any, name: str) -> None:
    try:
        ssm.delete_parameter(Name=name)
    except ClientError as error:
        if not is_absent(error):
            raise
