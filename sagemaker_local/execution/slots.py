"""How many jobs run at once in this process, whatever the number of executions.

A step that finds no place free waits for one, or until its execution is to stop.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """A counting semaphore whose waiters can be called off."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, called_off: threading.Event) -> Iterator[bool]:
        """Hold a place; yields False, without one, if `called_off` was set before a place was free."""
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0 or called_off.is_set())
            granted = not called_off.is_set()
            self._free -= granted
        try:
            yield granted
        finally:
            with self._changed:
                self._free += granted
                self._changed.notify_all()

    def wake(self) -> None:
        """Let every waiter look again whether it was called off."""
        with self._changed:
            self._changed.notify_all()
