"""What pages have read already, so that it need not be read at every request.

A page does not wait long for what is still being read: it is shown without, and asks again. What has been
read once is kept for as long as it cannot change, and no more of it than a limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True)
class _Entry(Generic[Value]):
    """A value that is being read or has been, and the one from before."""

    future: Future[Value]
    asked: float
    before: Value | None

    @property
    def newest(self) -> Value | None:
        is_read = self.future.done() and self.future.exception() is None
        return self.future.result() if is_read else self.before


class Known(Generic[Key, Value]):
    """Values by key.

    Args:
        readers: the threads that read.
        age: for how many seconds a value counts; it is None where reading it failed.
        most: how many are kept; those that nobody has asked for the longest go first.
    """

    def __init__(self, readers: Executor, age: Callable[[Key, Value | None], float], most: int) -> None:
        self._readers, self._age, self._most = readers, age, most
        self._entries: dict[Key, _Entry[Value]] = {}
        self._lock = threading.Lock()

    def of(
        self, wanted: Mapping[Key, Callable[[], Value]], patience: float, *, renewed: float = 0.0
    ) -> list[Value | None]:
        """The value of each key, in their order; None for what could not be read within `patience` seconds.

        Args:
            wanted: how each of them is read.
            renewed: for how many seconds a new value is waited for where an older one is known.
        """
        with self._lock:
            entries = [self._entry(key, read) for key, read in wanted.items()]
            while len(self._entries) > self._most:
                del self._entries[next(iter(self._entries))]
        began = time.monotonic()
        if patience:
            wait([entry.future for entry in entries if entry.newest is None], timeout=patience)
        if renewed:
            wait([entry.future for entry in entries], timeout=max(0.0, began + renewed - time.monotonic()))
        return [entry.newest for entry in entries]

    def state(self, key: Key) -> tuple[Value | None, bool]:
        """What is known of it, and whether it is being read; nothing is read for that."""
        with self._lock:
            entry = self._entries.get(key)
        return (None, False) if entry is None else (entry.newest, not entry.future.done())

    def are_being_read(self, keys: Iterable[Key]) -> bool:
        """Whether any of them is being read, and nothing is known of it from before."""
        with self._lock:
            entries = [self._entries[key] for key in keys if key in self._entries]
        return any(not entry.future.done() and entry.before is None for entry in entries)

    def _entry(self, key: Key, read: Callable[[], Value]) -> _Entry[Value]:
        known, now = self._entries.pop(key, None), time.monotonic()
        if known is None or (known.future.done() and now - known.asked > self._age(key, _read(known.future))):
            known = _Entry(self._readers.submit(read), now, known.newest if known else None)
        self._entries[key] = known  # the last one in the order is the last that anybody looked at
        return known


def _read(future: Future[Value]) -> Value | None:
    return None if future.exception() is not None else future.result()
