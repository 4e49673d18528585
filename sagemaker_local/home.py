"""Where the state lies on disk, and which of the processes that share it are alive.

Several endpoints may work on one home at once (a long-lived one and a short ``run`` beside it).
Each holds an exclusive ``flock`` on a file of its own for as long as it lives. The kernel releases the
lock at any death, ``kill -9`` included, so a dead owner is known from a busy one without clocks, heartbeats
or process ids.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The folder that holds all state: ``state.db``, ``s3/``, ``jobs/``, ``owners/``."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "state.db"

    @property
    def objects(self) -> Path:
        return self.root / "s3"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def owners(self) -> Path:
        return self.root / "owners"

    @property
    def advertisement(self) -> Path:
        """JSON with the URL of the endpoint that is kept up for others to use, if there is one."""
        return self.root / "endpoint.json"

    @property
    def advertisement_lock(self) -> Path:
        return self.root / "endpoint.lock"

    def create(self) -> Home:
        """Make the folders, readable by this user only; does nothing where they exist."""
        for folder in (self.root, self.objects, self.jobs, self.owners):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self


class Owner:
    """This process among those that use a home, until :meth:`release` or death."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._path = home.owners / self.name
        # Locked under another name first, so that nobody sees a file in `owners/` that is not locked.
        temporary = home.owners / f".{self.name}"
        self._descriptor = os.open(temporary, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        temporary.rename(self._path)

    def is_alive(self, owner: str) -> bool:
        """Whether an owner of the same home lives: this one, or another that calls itself `owner`."""
        return owner == self.name or is_alive(self._home, owner)

    def release(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def is_alive(home: Home, owner: str) -> bool:
    """Whether the process that called itself `owner` still lives. Removes a dead one's file."""
    path = home.owners / owner
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)
