"""System calls that Python's os module lacks: mounts, namespaces, and what happens when a parent dies."""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

NEW_MOUNTS, NEW_HOST_NAME, NEW_USERS, NEW_PIDS = 0x20000, 0x4000000, 0x10000000, 0x20000000
"""Flags of :func:`unshare`."""

BIND, RECURSIVE, PRIVATE = 0x1000, 0x4000, 0x40000
"""Flags of :func:`mount`."""

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Each function here raises OSError where the kernel refuses."""
    places = os.fsencode(source), os.fsencode(target)
    _check(_libc.mount(*places, kind.encode() or None, flags, data.encode() or None), f"mount on {target}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def set_host_name(name: str) -> None:
    _check(_libc.sethostname(name.encode(), len(name)), "sethostname")


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Let the kernel send this process a signal when its parent ends."""
    _check(_libc.prctl(_SET_PDEATHSIG, number, 0, 0, 0), "prctl")


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends."""
    _check(_libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
