"""How many jobs run at once in this process, in all of its executions together.

A step that finds no slot free waits for one, or until its execution is to stop.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """A counting semaphore whose waiters can be cancelled; `waiting` is their number."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._changed = threading.Condition()
        self.waiting = 0

    @contextmanager
    def taken(self, cancelled: threading.Event) -> Iterator[bool]:
        """Hold a slot; yields False, without one, if `cancelled` was set before a slot was free."""
        with self._changed:
            self.waiting += 1
            self._changed.wait_for(lambda: self._free > 0 or cancelled.is_set())
            self.waiting -= 1
            granted = not cancelled.is_set()
            self._free -= granted
        try:
            yield granted
        finally:
            with self._changed:
                self._free += granted
                self._changed.notify()  # one that is cancelled comes here, too, and wakes the next

    def wake(self) -> None:
        """Let every waiter check again whether it was cancelled."""
        with self._changed:
            self._changed.notify_all()
