"""Time that durations and waits are counted by, because the system's clock may jump.

The system's clock is set: by a person, by the network, by a virtual machine that was asleep. A difference of
two of its readings may then be a day too long, or negative. Uptime cannot be set, and all processes of a
machine read the same. So each time that somebody may subtract comes from here:

- The times in the document of an execution or a job are the system's clock when the resource was made
  (:func:`reading`, kept as ``CLOCK``), and count on from there by uptime (:func:`now_in`). All of one
  resource agree with each other and never go back.
- Waits that outlive a process (a message's visibility, a delivery's next attempt) count by
  ``Store.steady_time``.

What follows the calendar (schedules) reads the system's clock, and has rules for a clock that is set.

All of the package reads the system's clock by :func:`now`. A process that rehearses something sets it ahead
(:func:`set_ahead`): schedules, captures and everything that has a time then follow. Uptime does not, so a
document with a reading should not be under way meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

CLOCK = "_Clock"
"""Member of a document that holds the reading at its beginning."""


_ahead = 0.0
_STEP_SECONDS = 0.05


def now() -> float:
    """The time of the system's clock, POSIX seconds, and by how much this process's is ahead of it."""
    return time.time() + _ahead


def utc_now() -> datetime:
    """The same as a moment in UTC."""
    return datetime.fromtimestamp(now(), UTC)


def set_ahead(seconds: float) -> None:
    """Set the clock of this process so far ahead of the system's; below 0, behind it."""
    global _ahead
    _ahead = seconds


def ahead() -> float:
    """By how many seconds it is so."""
    return _ahead


def wait(event: threading.Event, seconds: float) -> bool:
    """Wait until an event is set or so many seconds have passed, also where :func:`set_ahead` skips them.

    Returns:
        whether it is set.
    """
    if not _ahead:
        return event.wait(seconds)
    until = now() + seconds
    while (left := until - now()) > 0:
        if event.wait(min(left, _STEP_SECONDS)):
            return True
    return event.is_set()


def uptime() -> float:
    """Seconds since this machine was started, those in which it slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@cache
def boot() -> str:
    """Which start of this machine `uptime` counts from."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def reading(not_before: float = 0.0) -> dict[str, Any]:
    """Both clocks now, for :func:`now_in`.

    Args:
        not_before: POSIX seconds; the time that counting begins with is not earlier.
    """
    return {"Time": max(now(), not_before), "Uptime": uptime(), "Boot": boot()}


def now_in(document: Mapping[str, Any]) -> float:
    """The present time, POSIX seconds, for a document with a reading: its time then and what passed since.

    Where the machine was started anew since, or an earlier version made the document, it is the system's
    clock, but no time before the document's creation.
    """
    began = document.get(CLOCK)
    if began is None or began["Boot"] != boot():
        return max(now(), float(document["CreationTime"]))
    return float(began["Time"] + uptime() - began["Uptime"])
