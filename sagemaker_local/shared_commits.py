"""Requests that only write to the store: one thread carries out those that wait in one commit.

With a thread for each request, most of a write's time goes into handing over: to the thread, from one writer
to the next, to whoever waits for the commit, and back to the event loop. Here requests gather in the event
loop while the thread works on those before them, and the thread hands back all their answers at once. Each is
still all or nothing by itself, and none is answered before its commit is on the disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sagemaker_local.store import Store

_MOST_TOGETHER = 64
"""Requests in one commit, so that other writers of this process get their turn."""

_Write = Callable[[], Any]


class SharedCommits:
    """The writing requests of one endpoint; to be used in its event loop only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writing requests")
        self._waiting: deque[tuple[_Write, asyncio.Future[Any]]] = deque()
        self._under_way: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Returns when the thread has ended."""
        self._thread.shutdown(cancel_futures=True)

    async def write(self, write: _Write) -> Any:
        """What `write` returns or raises, once it is on the disk.

        Raises:
            sqlite3.Error: the commit was not possible; nothing was written.
        """
        outcome = asyncio.get_running_loop().create_future()
        self._waiting.append((write, outcome))
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._write_all())
        return await outcome

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                together = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_TOGETHER))]
                writes = [write for write, _ in together]
                try:
                    outcomes = await loop.run_in_executor(self._thread, self._store.write_together, writes)
                except Exception as error:
                    outcomes = [error] * len(writes)
                for (_, future), outcome in zip(together, outcomes, strict=True):
                    if future.cancelled():
                        continue
                    if isinstance(outcome, Exception):
                        future.set_exception(outcome)
                    else:
                        future.set_result(outcome)
        finally:
            self._under_way = None
