"""Connections to the database: one for each thread that reads, passed on while the thread waits.

A connection takes two open files, and memory for the schema and its statements. Each execution and each step
has a thread, a process may have 1024 files open, and a thousand executions may wait for a slot: so a thread
that waits gives its connection up.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from sagemaker_local.store.group_commit import LONGEST_WAIT

_MOST_IDLE = 16
"""Connections that are kept for the next threads that read."""


class OpenConnection:
    """A connection that is closed as soon as nobody refers to it, e.g. as its thread has ended.

    sqlite3's connections refer to themselves, so only the garbage collector would close one, at some later
    time.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


def opened(path: Path) -> OpenConnection:
    """A new connection, in autocommit mode.

    Raises:
        sqlite3.Error: there is no such folder, or the file cannot be opened.
    """
    # Another thread may delete what a thread leaves, and then closes the connection; and threads take turns
    # on the one that writes.
    connection = sqlite3.connect(path, timeout=LONGEST_WAIT, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA temp_store=MEMORY")  # else a full temporary folder refuses writes, too
    return OpenConnection(connection)


class ReadConnections:
    """The connections to read on, which cannot write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._idle: list[OpenConnection] = []

    def own(self) -> sqlite3.Connection:
        """This thread's, in autocommit mode."""
        mine: OpenConnection | None = getattr(self._local, "mine", None)
        if mine is None:
            try:
                mine = self._idle.pop()
            except IndexError:
                mine = opened(self._path)
                mine.connection.execute("PRAGMA query_only=ON")
            self._local.mine = mine
        return mine.connection

    def give_up(self) -> None:
        """Let another thread have this thread's, if it has one."""
        mine: OpenConnection | None = vars(self._local).pop("mine", None)
        if mine is not None and len(self._idle) < _MOST_IDLE:
            self._idle.append(mine)

    def close(self) -> None:
        """Close this thread's and those that nobody has; those of other threads end with them."""
        vars(self._local).clear()
        self._idle.clear()
