"""`/opt/ml` by a symbolic link to the job's folder: one job at a time, under a lock, as root."""

# ruff: noqa: PTH103, PTH108, PTH114, PTH115, PTH120, PTH211, SIM105
# pathlib and contextlib would each add to the time that every job takes to start.
from __future__ import annotations

import fcntl
import os

from sagemaker_local.jobs.launcher.messages import Refused
from sagemaker_local.jobs.launcher.namespace import OPT_ML

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LOCK = "/run/sagemaker-local-opt-ml.lock"


def take(folder: str, wait_a_little: Callable[[], None]) -> int:
    """Make /opt/ml a link to `folder` as soon as no other job holds it; returns the lock's descriptor.

    Args:
        wait_a_little: called again and again while another job holds it; may raise.

    Raises:
        Refused: this process is not root, or something else is at /opt/ml.
    """
    if os.geteuid() != 0:
        raise Refused("InternalServerError", f"only root can make {OPT_ML}")
    lock = open_lock()
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            wait_a_little()
    _check_free(lock)
    # The target is noted before the link exists, so that a link left by a death is known as ours.
    os.ftruncate(lock, 0)
    os.pwrite(lock, os.fsencode(folder), 0)
    os.makedirs(os.path.dirname(OPT_ML), exist_ok=True)
    os.symlink(folder, OPT_ML)
    return lock


def release(lock: int) -> None:
    try:
        os.unlink(OPT_ML)
    except FileNotFoundError:
        pass
    os.ftruncate(lock, 0)
    os.close(lock)


def open_lock() -> int:
    # Never through a link that somebody may have laid there.
    return os.open(_LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _check_free(lock: int) -> None:
    """Whether /opt/ml is absent or a dead job's link; called with the lock held."""
    left_behind = os.fsdecode(os.pread(lock, 4096, 0))
    if os.path.islink(OPT_ML) and os.readlink(OPT_ML) == left_behind:
        os.unlink(OPT_ML)
    if os.path.lexists(OPT_ML):
        raise Refused("InternalServerError", f"{OPT_ML} exists and is not a job's: it stays untouched")
