"""Resources as JSON documents in SQLite, durable before the caller hears that they are.

One table serves every kind of resource: a pipeline, an execution, a step, a job, a model package is
a document with a kind, a region, a name and (for what belongs to something) a parent. WAL mode with
``synchronous=FULL`` makes each commit survive ``kill -9`` and a power cut; ``BEGIN IMMEDIATE`` makes
read-then-write safe between threads and between processes that share the home.

Timestamps in documents are POSIX seconds as floats, as the JSON protocols send them.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
    kind    TEXT NOT NULL,
    region  TEXT NOT NULL,
    name    TEXT NOT NULL,
    parent  TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL,
    doc     TEXT NOT NULL,
    PRIMARY KEY (kind, region, name)
);
CREATE INDEX IF NOT EXISTS resource_by_parent ON resource (kind, region, parent, created);
"""


class Store:
    """Documents by kind, region and name. Safe to share between threads and processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self.connection.executescript(_SCHEMA)

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's own connection, in autocommit mode."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            found.execute("PRAGMA journal_mode=WAL")
            found.execute("PRAGMA synchronous=FULL")
            self._local.connection = found
        return found

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, with the write lock held from the first line. Nests: the outermost commits."""
        connection = self.connection
        if connection.in_transaction:
            yield
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def put(self, kind: str, region: str, name: str, doc: Document, parent: str = "") -> None:
        """Create or replace a document; the creation time and parent of an existing one stay."""
        self.connection.execute(
            "INSERT INTO resource VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (kind, region, name) DO UPDATE SET doc = excluded.doc",
            (kind, region, name, parent, doc.get("CreationTime") or time.time(), json.dumps(doc)),
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
        cursor = self.connection.execute(
            "DELETE FROM resource WHERE kind = ? AND region = ? AND name = ?", (kind, region, name)
        )
        return cursor.rowcount > 0
