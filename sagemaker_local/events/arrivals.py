"""Receivers that wait for a message: one thread looks for all of them, so that waiting costs no thread each.

A message can come from another process that works on the same home, or become visible by the clock alone.
So nobody can be told of it, and somebody has to look: ten times a second, once for each queue that is waited
for, and not at all while nobody waits.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from sagemaker_local.events import messages
from sagemaker_local.store import Store

_LOOK_SECONDS = 0.1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Receiver:
    region: str
    queue: str
    deadline: float
    arrival: Future[None] = field(default_factory=Future)


class Arrivals:
    """The receivers of one endpoint that wait."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._receivers: list[_Receiver] = []
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many receivers wait."""
        return len(self._receivers)

    @property
    def closed(self) -> bool:
        """Whether the endpoint is closing: then nobody waits any more."""
        return self._closed

    def next(self, region: str, queue: str, deadline: float) -> Future[None]:
        """Ends when the queue has a message for this receiver, at the deadline, or when the endpoint closes.

        Those who wait for one queue are woken in the order in which they came, as many as there are messages.
        Another receiver may have been faster: whoever is woken looks for itself.

        Args:
            deadline: by ``time.monotonic``.
        """
        receiver = _Receiver(region, queue, deadline)
        with self._changed:
            if self._closed:
                receiver.arrival.set_result(None)
                return receiver.arrival
            self._receivers.append(receiver)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="waiting for messages", daemon=True)
                self._thread.start()
            self._changed.notify()
        return receiver.arrival

    def close(self) -> None:
        """Wake everybody who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        """The thread."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._receivers or self._closed)
                waiting = list(self._receivers)
            woken = set(waiting) if self._closed else self._woken(waiting)
            with self._changed:
                self._receivers = [one for one in self._receivers if one not in woken]
                if self._closed and not self._receivers:
                    break
            _wake(woken)
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=_LOOK_SECONDS)
        _wake(woken)

    def _woken(self, waiting: list[_Receiver]) -> set[_Receiver]:
        now = time.monotonic()
        woken = {one for one in waiting if one.deadline <= now or one.arrival.cancelled()}
        by_queue: dict[tuple[str, str], list[_Receiver]] = {}
        for receiver in waiting:
            if receiver not in woken:
                by_queue.setdefault((receiver.region, receiver.queue), []).append(receiver)
        try:
            for (region, queue), receivers in by_queue.items():
                woken |= set(receivers[: messages.ready(self._store, region, queue, len(receivers))])
        except sqlite3.Error:
            _log.exception("it cannot be seen whether messages have arrived")
        return woken


def _wake(receivers: set[_Receiver]) -> None:
    for receiver in receivers:
        if receiver.arrival.set_running_or_notify_cancel():
            receiver.arrival.set_result(None)
