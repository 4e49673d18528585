"""Writes in the order in which they came, several of them in one commit.

SQLite has one writer at a time, and a durable commit waits for the disk. Writers that compete for SQLite's
own lock sleep and try again: under load some are lucky and some wait for seconds, and each pays for a commit
of its own. So the writers of a process queue here. Each has its turn on the one connection that writes, in a
savepoint of its own, and the last of those who wait commits for all of them. Nobody learns the outcome of a
write, good or bad, before the commit that holds it is on the disk.

While a commit waits for the disk, the next writers gather. So a group is as large as the load makes it, and a
single writer commits at once.

What undoes the commit of a group undoes every write in it, and each of its writers gets that error: a full
disk, for one, where SQLite rolls back everything that is not committed.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LONGEST_WAIT = 60.0
"""Seconds that a writer waits for its turn, or for another process that is writing."""


@dataclass
class _Group:
    """The writes of one commit."""

    ended: threading.Event = field(default_factory=threading.Event)
    problem: sqlite3.Error | None = None


class WriteQueue:
    """The turns of a process's writers on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """`connection`: in autocommit mode, used by nobody else, and not bound to a thread."""
        self._connection = connection
        self._lock = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Lock] = deque()
        self._group: _Group | None = None

    @property
    def waiting(self) -> int:
        """How many writers wait for their turn."""
        return len(self._waiting)

    @contextmanager
    def turn(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all or nothing, alone, and durable once the block has been left.

        Raises:
            sqlite3.Error: the commit was not possible; also for a write that shared it with another one.
        """
        self._take_turn()
        group = None
        try:
            group = self._join_group()
            with self._part_of(group):
                yield self._connection
        finally:
            self._end_turn()
            if group is not None:
                group.ended.wait()
                if group.problem is not None:
                    raise _same(group.problem)

    def _take_turn(self) -> None:
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=LONGEST_WAIT):
            return
        with self._lock:
            if turn in self._waiting:  # otherwise the turn has come in this very moment
                self._waiting.remove(turn)
                raise _busy()

    def _join_group(self) -> _Group:
        """The group whose commit this write will be in. Raises sqlite3.OperationalError."""
        if self._group is None:
            self._connection.execute("BEGIN IMMEDIATE")
            self._group = _Group()
        return self._group

    @contextmanager
    def _part_of(self, group: _Group) -> Iterator[None]:
        try:
            with savepoint(self._connection):
                yield
        except BaseException as error:
            if not self._connection.in_transaction:  # SQLite has rolled back the writes before this one, too
                if isinstance(error, sqlite3.Error):
                    group.problem = error
                else:  # the writer has made another error of SQLite's
                    group.problem = sqlite3.OperationalError("the transaction was rolled back")
            raise

    def _end_turn(self) -> None:
        """Give the turn to the next writer, within the same commit, or commit if there is none."""
        if self._connection.in_transaction and self._give_turn(is_free_otherwise=False):
            return
        group, self._group = self._group, None
        if group is not None and group.problem is None:
            group.problem = self._commit()
        self._give_turn(is_free_otherwise=True)
        if group is not None:
            group.ended.set()

    def _give_turn(self, *, is_free_otherwise: bool) -> bool:
        """Whether another writer waits, who has the turn now."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
                return True
            if is_free_otherwise:
                self._is_taken = False
            return False

    def _commit(self) -> sqlite3.Error | None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return error
        return None


@contextmanager
def savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    """A part of a transaction, all or nothing, unless SQLite has rolled back all of the transaction."""
    try:
        connection.execute("SAVEPOINT one_write")
        yield
        connection.execute("RELEASE one_write")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO one_write")
            connection.execute("RELEASE one_write")
        raise


def _busy() -> sqlite3.OperationalError:
    """As SQLite says it of a lock that another process holds."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_BUSY, "SQLITE_BUSY"
    return error


def _same(problem: sqlite3.Error) -> sqlite3.Error:
    """An error for one more thread: an exception that several threads raise mixes up their tracebacks."""
    copy = type(problem)(*problem.args)
    if hasattr(problem, "sqlite_errorcode"):
        copy.sqlite_errorcode, copy.sqlite_errorname = problem.sqlite_errorcode, problem.sqlite_errorname
    return copy
