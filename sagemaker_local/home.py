"""Where the state lies on disk, and which of the processes that share it are alive.

Several endpoints may work on one home at once (a long-lived one and a short ``run`` beside it).
Each holds an exclusive ``flock`` on a file of its own for as long as it lives. The kernel releases the
lock at any death, ``kill -9`` included, so a dead owner is known from a busy one without clocks, heartbeats
or process ids.

What a process leaves behind when it is killed is removed by the next one that starts: what bears the name of
a dead owner, and, where no other process works on the home, what nothing refers to.

What lies in a home is nobody else's to read: models, data, credentials in a job's environment. Its folder is
open to its owner alone, whatever it was before, and a folder that cannot be closed to others is refused. Git
is told to leave a new one alone, which may lie in a repository, beside the settings.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sagemaker_local.errors import CannotStart

_OWNER_NAME = re.compile(r"[0-9]+-[0-9a-f]{8}")
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


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
    def proxy(self) -> Path:
        """The certificates of the proxy that stands in for AWS's hosts."""
        return self.root / "proxy"

    @property
    def owners(self) -> Path:
        return self.root / "owners"

    @property
    def owners_lock(self) -> Path:
        """Held while an owner is added, and by a process that relies on none being added."""
        return self.root / "owners.lock"

    @property
    def advertisement(self) -> Path:
        """JSON with the URL of the endpoint that is kept up for others to use, if there is one."""
        return self.root / "endpoint.json"

    @property
    def advertisement_lock(self) -> Path:
        return self.root / "endpoint.lock"

    def create(self) -> Home:
        """Make the folders, and close what is there to everybody but this user.

        Raises:
            CannotStart: a folder cannot be made, belongs to somebody else, or stays open to others.
        """
        try:
            is_new = not self.root.exists()
            for folder in (self.root, self.objects, self.jobs, self.owners):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                _close_to_others(folder)
                if folder.stat().st_mode & _OF_OTHERS:
                    why = "other users can read it, and this file system does not let it be closed"
                    raise unusable(folder, why)
            if is_new:  # else it may be a folder of other files, too
                (self.root / ".gitignore").write_text("*\n")
            for file in self.root.iterdir():
                if not file.is_symlink():
                    with contextlib.suppress(FileNotFoundError):  # SQLite's, which the last to leave removes
                        _close_to_others(file)
        except OSError as error:
            raise unusable(self.root, str(error)) from error
        return self


class Owner:
    """This process among those that use a home, until :meth:`release` or death."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._path = home.owners / self.name
        # Locked under another name first, so that nobody sees a file in `owners/` that is not locked.
        temporary = home.owners / f".{self.name}"
        with _owners_fixed(home):
            self._descriptor = os.open(temporary, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            temporary.rename(self._path)

    def is_alive(self, owner: str) -> bool:
        """Whether an owner of the same home lives: this one, or another that calls itself `owner`."""
        return owner == self.name or is_alive(self._home, owner)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no other process works on the home; until the block ends, none can begin to."""
        with _owners_fixed(self._home):
            yield all(name == self.name or not is_alive(self._home, name) for name in _owners(self._home))

    def release(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def is_alive(home: Home, owner: str) -> bool:
    """Whether the process that called itself `owner` still lives.

    Raises:
        OSError: the home cannot be read.
    """
    if not _OWNER_NAME.fullmatch(owner):  # no file of ours, nor perhaps of this folder
        return False
    path = home.owners / owner
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that several may look at once and none takes another for the owner.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def sweep_owners(home: Home) -> list[str]:
    """Remove the files of dead owners; their names."""
    with _owners_fixed(home):
        for unfinished in home.owners.glob(".*"):  # of one that was killed while it was added
            unfinished.unlink()
        dead = [name for name in _owners(home) if not is_alive(home, name)]
        for name in dead:
            (home.owners / name).unlink(missing_ok=True)
    return dead


def _owners(home: Home) -> list[str]:
    return [path.name for path in home.owners.iterdir() if _OWNER_NAME.fullmatch(path.name)]


@contextmanager
def _owners_fixed(home: Home) -> Iterator[None]:
    """While the block runs no process can become an owner of the home."""
    descriptor = os.open(home.owners_lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def process_of(owner: str) -> int:
    """The id of the process that calls itself `owner`."""
    return int(owner.partition("-")[0])


def _close_to_others(path: Path) -> None:
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise unusable(path, "it belongs to another user")
    if found.st_mode & _OF_OTHERS:
        path.chmod(stat.S_IMODE(found.st_mode) & ~_OF_OTHERS)


def unusable(path: Path, why: str) -> CannotStart:
    """Why there is no endpoint over a home."""
    return CannotStart(
        f"The local SageMaker cannot keep its state in {path}: {why}. Free or repair it, or choose another"
        " folder with GATEHOUSE_HOME."
    )
