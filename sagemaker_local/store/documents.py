"""Resources as JSON documents in SQLite, durable before a write returns.

One table serves every kind of resource: a pipeline, an execution, a step, a job, a model package is
a document with a kind, a region, a name and (for what belongs to something) a parent. WAL mode with
``synchronous=FULL`` makes each commit survive ``kill -9`` and a power cut; ``BEGIN IMMEDIATE`` makes
read-then-write safe between threads and between processes that share the home. Every write goes through
``group_commit``; each thread reads on a connection of its own, which cannot write.

Timestamps in documents are POSIX seconds as floats, as the JSON protocols send them.

A full disk must not leave anything under way for ever: beside the database lies a reserve, a file that is
deleted when the disk is full, so that the end of what was under way can still be written. Every such end is
written by :meth:`Store.write_until_possible`.

A kind of document can be watched: its watcher is called with the document before and after each write,
in the write's transaction, so that what it writes is there if and only if the change is.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sagemaker_local import clocks
from sagemaker_local.store import listing
from sagemaker_local.store.connections import ReadConnections, opened
from sagemaker_local.store.group_commit import WriteQueue, savepoint
from sagemaker_local.store.listing import (
    CREATED,
    NAME,
    PARENT,
    REGION,
    Column,
    Condition,
    Index,
    Listing,
    Place,
)

Document = dict[str, Any]
Result = TypeVar("Result")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
    kind    TEXT NOT NULL,
    region  TEXT NOT NULL,
    name    TEXT NOT NULL,
    parent  TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL,
    doc     TEXT NOT NULL,
    modified REAL,
    PRIMARY KEY (kind, region, name)
);
CREATE INDEX IF NOT EXISTS resource_by_parent ON resource (kind, region, parent, created);
CREATE TABLE IF NOT EXISTS clock (
    boot  TEXT PRIMARY KEY,
    ahead REAL NOT NULL
);
"""

_RESERVE_BYTES = 1 << 20
_WRITE_AGAIN_SECONDS = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Key:
    """A document's place."""

    kind: str
    region: str
    name: str


class Store:
    """Documents by kind, region and name. Safe to share between threads and processes."""

    def __init__(self, path: Path, watchers: Mapping[str, Watcher] | None = None) -> None:
        """`watchers`: by kind of document."""
        self._path = path
        self._watchers = dict(watchers or {})
        self._local = threading.local()
        self._reads = ReadConnections(path)
        self._opened = opened(path)
        self._opened.connection.execute("PRAGMA journal_mode=WAL")
        self._opened.connection.execute("PRAGMA synchronous=FULL")
        self._writes = WriteQueue(self._opened.connection)
        self._prepared: set[str] = set()
        self.create(_SCHEMA)
        self._add_modified()
        self._reserve = path.with_name("reserve")
        self.hold_reserve()
        self._ahead = self.write_with_reserve(self._clock_ahead)

    def close(self) -> None:
        """Close this thread's connection and the one that writes; those of other threads end with them.

        A process that keeps a database open must not open the file in any other way: as it closes that, it
        loses SQLite's locks, and another process may take the write-ahead log away.
        """
        self._reads.close()
        self._opened.connection.close()

    def steady_time(self) -> float:
        """What waits are counted by that outlive a process: a time, POSIX seconds, that nobody can set.

        It is the system's clock when this home was first used since the machine was started, and counts on by
        uptime; all processes that share the home read the same.
        """
        return self._ahead + clocks.uptime()

    def _clock_ahead(self) -> float:
        """By how many seconds the steady time is ahead of uptime."""
        boot, ahead = clocks.boot(), time.time() - clocks.uptime()
        with self.transaction():
            self.connection.execute("INSERT OR IGNORE INTO clock VALUES (?, ?)", (boot, ahead))
            row = self.connection.execute("SELECT ahead FROM clock WHERE boot = ?", (boot,)).fetchone()
        return float(row[0])

    @property
    def connection(self) -> sqlite3.Connection:
        """In a transaction the one that writes; otherwise this thread's own, in autocommit mode, to read."""
        writing: sqlite3.Connection | None = getattr(self._local, "writing", None)
        if writing is not None:
            return writing
        return self._reads.own()

    def rest(self) -> None:
        """To be called by a thread that is about to wait: until it reads again it needs no connection."""
        self._reads.give_up()

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is in one."""
        return getattr(self._local, "writing", None) is not None

    @property
    def waiting_writers(self) -> int:
        """How many threads of this process wait for their turn to write."""
        return self._writes.waiting

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody else writes from the first line on. Nests: the outermost commits.

        Raises:
            sqlite3.Error: what was written cannot be committed, and nothing of it is there.
        """
        if self.in_transaction:
            yield
            return
        with self._writes.turn() as connection:
            self._local.writing = connection
            try:
                yield
            finally:
                self._local.writing = None

    def write_together(self, writes: Sequence[Callable[[], Result]]) -> list[Result | Exception]:
        """Carry out writes in one commit, one after another, each of them all or nothing.

        Returns:
            what each has returned or raised, once all that was written is on the disk.

        Raises:
            sqlite3.Error: nothing of any of them is there.
        """
        outcomes: list[Result | Exception] = []
        with self.transaction():
            for write in writes:
                try:
                    with savepoint(self.connection):
                        outcomes.append(write())
                except Exception as error:
                    if not self.connection.in_transaction:
                        raise
                    outcomes.append(error)
        return outcomes

    def create(self, schema: str) -> None:
        """Make the tables and indexes of a schema that are not there; its statements end with semicolons."""
        with self.transaction():
            for statement in schema.split(";"):
                self.connection.execute(statement)

    def write_until_possible(self, write: Callable[[], object], giving_up: threading.Event) -> None:
        """Carry out a write that must not be lost, e.g. how a job ended; on a full disk wait for space.

        Args:
            write: one transaction; it may be called again.
            giving_up: once it is set, a write that is still not possible is given up.
        """
        is_logged = False
        while True:
            try:
                self.write_with_reserve(write)
            except sqlite3.OperationalError as problem:
                if not is_logged:
                    _log.error("%s cannot be written (%s); trying until it can", self._path, problem)
                is_logged = True
                if giving_up.wait(_WRITE_AGAIN_SECONDS):
                    return
            else:
                return

    def write_with_reserve(self, write: Callable[[], Result]) -> Result:
        """Carry out a write that must not be lost now or not at all: on a full disk delete the reserve.

        Within a transaction of the caller `write` is called once: SQLite rolls back all of a transaction that
        the disk has no space for, so only the caller can repeat it.

        Args:
            write: one transaction; it may be called again.

        Raises:
            sqlite3.OperationalError: there is no space left even so.
        """
        if self.in_transaction:
            return write()
        try:
            return write()
        except sqlite3.OperationalError:
            if not self._delete_reserve():
                raise
            return write()

    def hold_reserve(self) -> None:
        """Make the reserve, unless it is there; after a write that has freed space it can be made again."""
        with contextlib.suppress(FileExistsError, OSError), self._reserve.open("xb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, _RESERVE_BYTES)
            except OSError:  # too little space already: nothing to hold back
                self._reserve.unlink()

    def _delete_reserve(self) -> bool:
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

    def _add_modified(self) -> None:
        """To the table of a home that an earlier version has made."""
        with self.transaction():
            columns = [row[1] for row in self.connection.execute("PRAGMA table_info(resource)")]
            if "modified" not in columns:
                self.connection.execute("ALTER TABLE resource ADD COLUMN modified REAL")
                self.connection.execute(
                    "UPDATE resource"
                    " SET modified = coalesce(json_extract(doc, '$.LastModifiedTime'), created)"
                )

    def put(self, kind: str, region: str, name: str, doc: Document, parent: str = "") -> None:
        """Create or replace a document; the creation time and parent of an existing one stay."""
        with self._watched(Key(kind, region, name), doc):
            self._write(kind, region, name, doc, parent)

    def _write(self, kind: str, region: str, name: str, doc: Document, parent: str) -> None:
        created = doc.get("CreationTime") or clocks.now()
        modified = doc.get("LastModifiedTime") or created
        self.connection.execute(
            "INSERT INTO resource (kind, region, name, parent, created, doc, modified)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, region, name)"
            " DO UPDATE SET doc = excluded.doc, modified = excluded.modified",
            (kind, region, name, parent, created, _text(doc), modified),
        )

    def get(self, kind: str, region: str, name: str) -> Document | None:
        row = self.connection.execute(
            "SELECT doc FROM resource WHERE kind = ? AND region = ? AND name = ?", (kind, region, name)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def update(
        self, kind: str, region: str, name: str, change: Callable[[Document], None]
    ) -> Document | None:
        """Read, change in place and write back in one transaction; None if there is no such document."""
        with self.transaction():
            doc = self.get(kind, region, name)
            if doc is not None:
                change(doc)
                self.put(kind, region, name, doc)
        return doc

    def list_among(
        self, kind: str, member: str, values: Sequence[str], *, unless: tuple[str, str]
    ) -> list[Document]:
        """Documents of a kind whose `member` is one of `values`, oldest first; no others are read.

        Args:
            unless: another member, and the value of it whose documents are left out.
        """
        other, value = unless
        condition = Condition(f"{listing.member(other).sql} <> ?", (value,))
        return [json.loads(row[0]) for row in self._among("doc", kind, member, values, condition)]

    def modified_among(self, kind: str, member: str, values: Sequence[str]) -> dict[str, float]:
        """When documents whose `member` is one of `values` were last modified, by name; none is read."""
        return dict(self._among("name, modified", kind, member, values))

    def _among(
        self, columns: str, kind: str, member: str, values: Sequence[str], also: Condition | None = None
    ) -> sqlite3.Cursor:
        column, order = listing.member(member), (CREATED, NAME)
        wanted = Listing(kind, {"CreationTime": order}, equals=(column,))
        self.prepare(wanted)
        among = Condition(f"{column.sql} IN ({', '.join('?' for _ in values)})", (*values,))
        met = listing.every([among] if also is None else [among, also])
        return self.connection.execute(
            f'SELECT {columns} FROM resource INDEXED BY "{Index.of(wanted, order, column).name}"'
            f" WHERE kind = '{kind}' AND {met.sql} ORDER BY created, rowid",
            met.values,
        )

    def prepare(self, wanted: Listing) -> None:
        """Make the indexes of a listing that are not there."""
        missing = [index for index in listing.indexes(wanted) if index.name not in self._prepared]
        if missing:
            self.create(";".join(index.creation for index in missing))
            self._prepared |= {index.name for index in missing}

    def page(
        self,
        wanted: Listing,
        order: Sequence[Column],
        region: str,
        *,
        parent: str = "",
        filtered: tuple[Column, str | float] | None = None,
        conditions: Sequence[Condition] = (),
        after: Place | None = None,
        descending: bool = False,
        most: int,
    ) -> Sequence[tuple[Place, Document]]:
        """Documents in an order, at most so many, with their places in it; only those are read.

        Args:
            order: one of the listing's.
            parent: whose documents; only for a listing of a parent's.
            filtered: one of the listing's `equals`, and the value that it must have.
            after: the place behind which to begin.
        """
        self.prepare(wanted)
        met = [listing.equal(REGION, region), *conditions]
        met += [listing.equal(PARENT, parent)] if wanted.of_parent else []
        met += [listing.equal(*filtered)] if filtered is not None else []
        column = filtered and filtered[0]
        found: list[tuple[Place, Document]] = []
        for query, values in listing.queries(
            wanted, order, met, filtered=column, after=after, descending=descending
        ):
            rows = self.connection.execute(f"{query} LIMIT {most - len(found):d}", values)
            found += [(tuple(place), json.loads(doc)) for *place, doc in rows]
            if len(found) >= most:
                break
        return found

    def parents(self, kind: str, region: str, after: str) -> Iterator[str]:
        """Those after a name that have documents of a kind, in order; each is one look at an index."""
        query = "SELECT MIN(parent) FROM resource WHERE kind = ? AND region = ? AND parent > ?"
        while (row := self.connection.execute(query, (kind, region, after)).fetchone())[0] is not None:
            after = row[0]
            yield after

    def count(self, kind: str, region: str, parent: str) -> int:
        """How many documents of a kind a parent has."""
        query = "SELECT COUNT(*) FROM resource WHERE kind = ? AND region = ? AND parent = ?"
        return int(self.connection.execute(query, (kind, region, parent)).fetchone()[0])

    def list(self, kind: str, region: str | None = None, parent: str | None = None) -> list[Document]:
        """Documents of a kind, oldest first; of one region or all, of one parent or all."""
        query, values = "SELECT doc FROM resource WHERE kind = ?", [kind]
        for column, value in (("region", region), ("parent", parent)):
            if value is not None:
                query += f" AND {column} = ?"
                values.append(value)
        rows = self.connection.execute(query + " ORDER BY created, rowid", values)
        return [json.loads(row[0]) for row in rows]

    def delete(self, kind: str, region: str, name: str) -> bool:
        """Whether there was one to delete."""
        with self._watched(Key(kind, region, name), None):
            cursor = self.connection.execute(
                "DELETE FROM resource WHERE kind = ? AND region = ? AND name = ?", (kind, region, name)
            )
        return cursor.rowcount > 0

    @contextmanager
    def _watched(self, key: Key, after: Document | None) -> Iterator[None]:
        """A write's transaction: the kind's watcher, if it has one, gets the document before and after it."""
        watcher = self._watchers.get(key.kind)
        with self.transaction():
            if watcher is None:
                yield
                return
            before = self.get(key.kind, key.region, key.name)
            yield
            watcher(self, key, before, after)


def _text(doc: Document) -> str:
    """A document as it is kept. NaN is no JSON: neither SQLite nor a client could read it."""
    return json.dumps(doc, allow_nan=False)


Watcher = Callable[[Store, Key, Document | None, Document | None], None]
"""Called with the document before a write, None if there was none, and after it, None if it is deleted."""
