"""How an endpoint that is kept up is found: a file in the home folder, and whether its writer lives.

An advertisement names its process as the owner that it is in the home. The kernel releases an owner's lock at
any death, so :func:`running` never reports a killed endpoint. Most commands need no more than this, so this
module imports nothing of what an endpoint itself is made of.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sagemaker_local.errors import CannotStart
from sagemaker_local.home import Home, Owner, is_alive, process_of, unusable

BUNDLE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Where clients are told which authorities to trust: botocore, requests, OpenSSL."""

_LONGEST_WAIT = 30.0
"""Seconds that another process may take to come up or to end."""


@dataclass(frozen=True)
class Advertisement:
    """An endpoint that is kept up for others.

    Attributes:
        proxy: the URL of its proxy, for clients that name AWS's hosts themselves.
        bundle: the file with the certificates that a client of the proxy has to trust.
    """

    url: str
    pid: int
    proxy: str
    bundle: str


def running(home: Path) -> Advertisement | None:
    """The advertised endpoint of a home, if it is alive.

    Raises:
        CannotStart: the home is no folder, or cannot be read.
    """
    folder = Home(home)
    try:
        found = json.loads(folder.advertisement.read_text())
        # A power cut can leave it empty, and only an owner who lives has written what it says.
        url, owner, proxy, bundle = (str(found[name]) for name in ("url", "owner", "proxy", "bundle"))
        if not is_alive(folder, owner):
            return None
    except (FileNotFoundError, ValueError, LookupError, TypeError, RecursionError):
        return None
    except OSError as error:
        raise unusable(home, str(error)) from error
    return Advertisement(url, process_of(owner), proxy, bundle)


@contextmanager
def sole_advertiser(home: Home) -> Iterator[None]:
    """The right to advertise an endpoint of a home, held with a lock that the kernel frees at death.

    A process that has it and advertises nothing is about to come up or to end, which is waited for.

    Raises:
        CannotStart: another process has it.
    """
    descriptor = os.open(home.advertisement_lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, home.root)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, home: Path) -> None:
    until = time.monotonic() + _LONGEST_WAIT
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            found = running(home)
            if found is not None or time.monotonic() > until:
                where = f" at {found.url} (process {found.pid})" if found else ""
                raise CannotStart(
                    f"The local SageMaker of {home} is up already{where}. Use it, or end it first."
                ) from error
        time.sleep(0.05)


def write(home: Home, owner: Owner, url: str, proxy: str, bundle: Path) -> None:
    """Advertise this process's endpoint; by the one that holds :func:`sole_advertiser`."""
    content = {"url": url, "owner": owner.name, "proxy": proxy, "bundle": str(bundle)}
    temporary = home.advertisement.with_suffix(f".{secrets.token_hex(4)}")
    temporary.write_text(json.dumps(content))
    temporary.rename(home.advertisement)
