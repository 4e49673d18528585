"""Messages in queues: a table beside the resources.

A message that is received is hidden until its visibility runs out or it is deleted, as in SQS. It is
durable once it is sent, in the same transaction as whatever sent it.

All times are the store's steady time, so a message is hidden, delayed and kept for as long as was asked,
whatever the system's clock does meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagemaker_local.store import Document, Store

QUEUE = "queue"
"""Kind of the documents: Attributes, QueueArn."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id         TEXT PRIMARY KEY,
    region     TEXT NOT NULL,
    queue      TEXT NOT NULL,
    body       TEXT NOT NULL,
    attributes TEXT NOT NULL,
    sent       REAL NOT NULL,
    visible    REAL NOT NULL,
    first      REAL,
    receives   INTEGER NOT NULL DEFAULT 0,
    receipt    TEXT
);
CREATE INDEX IF NOT EXISTS message_by_queue ON message (region, queue, visible);
"""


@dataclass(frozen=True)
class Message:
    """One message as a receiver gets it; times are steady."""

    id: str
    body: str
    attributes: Document
    sent: float
    first: float
    receives: int
    receipt: str


def prepare(store: Store) -> None:
    """Make the table."""
    store.create(_SCHEMA)


def md5(text: str) -> str:
    """What SQS lets a client check a body with."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def text_attribute(text: str) -> dict[str, str]:
    """A message attribute that holds a text."""
    return {"DataType": "String", "StringValue": text}


def send(
    store: Store,
    region: str,
    queue: str,
    body: str,
    attributes: Mapping[str, Any] | None = None,
    *,
    delay: float = 0.0,
) -> str:
    """Put a message into a queue; returns its id.

    Raises:
        LookupError: there is no such queue.
    """
    identity, now = str(uuid.uuid4()), store.steady_time()
    with store.transaction():
        if store.get(QUEUE, region, queue) is None:
            raise LookupError(f"there is no queue {queue} in {region}")
        store.connection.execute(
            "INSERT INTO message (id, region, queue, body, attributes, sent, visible)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (identity, region, queue, body, json.dumps(attributes or {}), now, now + delay),
        )
    return identity


def ready(store: Store, region: str, queue: str, most: int) -> int:
    """How many messages can be received, counted up to `most`; takes no lock."""
    row = store.connection.execute(
        "SELECT COUNT(*) FROM (SELECT 1 FROM message"
        " WHERE region = ? AND queue = ? AND visible <= ? LIMIT ?)",
        (region, queue, store.steady_time(), most),
    ).fetchone()
    return int(row[0])


def receive(
    store: Store, region: str, queue: str, most: int, *, hidden_for: float, retention: float
) -> list[Message]:
    """Up to `most` messages, oldest first.

    Args:
        hidden_for: seconds for which nobody else gets them.
        retention: seconds after which a message is deleted, whether anybody has received it or not.
    """
    now = store.steady_time()
    with store.transaction():
        purge(store, region, queue, sent_before=now - retention)
        rows = store.connection.execute(
            "UPDATE message SET visible = ?, receives = receives + 1, first = COALESCE(first, ?),"
            " receipt = lower(hex(randomblob(16)))"
            " WHERE id IN (SELECT id FROM message WHERE region = ? AND queue = ? AND visible <= ?"
            " ORDER BY sent, rowid LIMIT ?)"
            " RETURNING sent, rowid, id, body, attributes, first, receives, receipt",
            (now + hidden_for, now, region, queue, now, most),
        ).fetchall()
    return [
        Message(identity, body, json.loads(attributes), sent, first, receives, receipt)
        for sent, _, identity, body, attributes, first, receives, receipt in sorted(rows)
    ]


def delete(store: Store, region: str, queue: str, receipt: str) -> None:
    """Delete a message by the receipt of its last reception; one that is gone is no error."""
    with store.transaction():
        store.connection.execute(
            "DELETE FROM message WHERE region = ? AND queue = ? AND receipt = ?", (region, queue, receipt)
        )


def hide(store: Store, region: str, queue: str, receipt: str, seconds: float) -> bool:
    """Set a received message's visibility anew; False if there is none with this receipt."""
    with store.transaction():
        cursor = store.connection.execute(
            "UPDATE message SET visible = ? WHERE region = ? AND queue = ? AND receipt = ?",
            (store.steady_time() + seconds, region, queue, receipt),
        )
    return cursor.rowcount > 0


def purge(store: Store, region: str, queue: str, sent_before: float | None = None) -> None:
    """Delete a queue's messages: all, or those that were sent before a time."""
    with store.transaction():
        store.connection.execute(
            "DELETE FROM message WHERE region = ? AND queue = ? AND sent < ?",
            (region, queue, float("inf") if sent_before is None else sent_before),
        )


def count(store: Store, region: str, queue: str) -> tuple[int, int, int]:
    """How many messages can be received, are received and hidden, and are sent with a delay."""
    now = store.steady_time()
    row = store.connection.execute(
        "SELECT COALESCE(SUM(visible <= ?), 0), COALESCE(SUM(visible > ? AND receives > 0), 0),"
        " COALESCE(SUM(visible > ? AND receives = 0), 0) FROM message WHERE region = ? AND queue = ?",
        (now, now, now, region, queue),
    ).fetchone()
    return int(row[0]), int(row[1]), int(row[2])
