"""One function at a time: events come twice at the same moment, and two functions must not both act on them.

A lease is a Parameter Store parameter. A function takes the lease by creating it, which only one can, and
deletes it at the end. The holder writes it again every few seconds. A lease that is not written any more was
left behind by a function that died, and another one takes it over. Parameter Store numbers what is written:
of several functions that take over at the same moment, the one whose number comes next holds the lease.
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
"""Seconds between two writes of the holder."""

LIFETIME = 30.0
"""Seconds without a write after which a lease has no holder. Measured by watching it: clocks differ."""

PATIENCE = 60.0
"""Seconds to wait for another holder; after that the event fails, and is tried again later."""


@contextmanager
def lease(clients: Clients, name: str) -> Iterator[None]:
    """Hold the lease during the `with` block.

    Args:
        name: the parameter's.

    Raises:
        GatehouseError: another function holds it for longer than PATIENCE.
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
        if _read(ssm, name)[0] == holder:  # otherwise it was not renewed in time, and another function has it
            _delete(ssm, name)


def _take(ssm: Any, name: str, holder: str) -> int:
    """Take the lease; returns the number of the write."""
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
    """Write it again and again until the work is done or another function has taken it over."""
    while not done.wait(RENEWAL):
        try:
            if _read(ssm, name) != (holder, number):
                return
            number = _write(ssm, name, holder, overwrite=True)
        except (BotoCoreError, ClientError) as error:  # throttled, say: there is time for another try
            print(f"{name} could not be renewed: {error}")


def _write(ssm: Any, name: str, holder: str, *, overwrite: bool) -> int | None:
    """The number of the write; None if the parameter exists and must not be overwritten."""
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
    """The holder and the number of the last write; ("", 0) if there is no lease."""
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
