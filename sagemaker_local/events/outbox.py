"""Events that no rule has seen yet, and deliveries that are due: two tables beside the resources.

An event is written in the transaction of the change that it reports, so there is never one without the
other. Routing an event takes it out and puts in a delivery for each target, in one transaction. A
delivery is claimed by a living process before it is made; what a dead process had claimed is claimed
again. Every function joins the transaction that is under way, if there is one. Ages and waits are counted by
the store's steady time, so that no event is dropped, and none waits, because the system's clock was set.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local import clocks
from sagemaker_local.store import Document, Store

MOST_AGE = 24 * 3600
"""Seconds after which EventBridge drops an event."""

FUNCTION_ARN = "arn:aws:lambda:"
"""What the ARN of a function begins with."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    number   INTEGER PRIMARY KEY,
    region   TEXT NOT NULL,
    created  REAL NOT NULL,
    document TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS delivery (
    id       TEXT PRIMARY KEY,
    region   TEXT NOT NULL,
    rule     TEXT NOT NULL,
    target   TEXT NOT NULL,
    payload  TEXT NOT NULL,
    created  REAL NOT NULL,
    due      REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    owner    TEXT
);
CREATE INDEX IF NOT EXISTS delivery_by_due ON delivery (due);
"""

_DELIVERY = "id, region, rule, target, payload, created, attempts"


@dataclass(frozen=True)
class Event:
    """One event of the outbox; `document` is its envelope as JSON."""

    number: int
    region: str
    created: float
    document: str


@dataclass(frozen=True)
class Delivery:
    """What one target is to be given.

    Attributes:
        id: stays the same over all attempts.
        rule: the rule's ARN, or the function's where a caller asked for an asynchronous invocation.
        target: the target as it was in the rule: Arn, RetryPolicy, DeadLetterConfig, ...
        payload: what it is given, after the target's input transformation.
        created: when the event was routed, steady time.
        attempts: those that have failed.
    """

    id: str
    region: str
    rule: str
    target: Document
    payload: str
    created: float
    attempts: int


def prepare(store: Store) -> None:
    """Create the tables, and delete the events that no endpoint has routed in time."""
    store.create(_SCHEMA)
    with store.transaction():
        store.connection.execute("DELETE FROM outbox WHERE created < ?", (store.steady_time() - MOST_AGE,))


def envelope(
    region: str, source: str, detail_type: str, detail: Mapping[str, Any], resources: Iterable[str] = ()
) -> Document:
    """An event as EventBridge sends it, with a new id and the present time."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": LOCAL_ACCOUNT,
        "time": time_text(clocks.now()),
        "region": region,
        "resources": list(resources),
        "detail": dict(detail),
    }


def time_text(moment: float) -> str:
    """POSIX seconds as events show a time, e.g. ``2021-02-24T17:00:14Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def put_event(store: Store, region: str, event: Document) -> None:
    """Write an event; it is sent once the transaction that is under way is committed."""
    with store.transaction():
        store.connection.execute(
            "INSERT INTO outbox (region, created, document) VALUES (?, ?, ?)",
            (region, store.steady_time(), json.dumps(event)),
        )


def take_event(store: Store) -> Event | None:
    """The oldest event, taken out; to be called in the transaction that routes it."""
    with store.transaction():
        row = store.connection.execute(
            "DELETE FROM outbox WHERE number = (SELECT MIN(number) FROM outbox)"
            " RETURNING number, region, created, document"
        ).fetchone()
    return None if row is None else Event(*row)


def has_events(store: Store) -> bool:
    """Whether an event waits; takes no lock."""
    return store.connection.execute("SELECT 1 FROM outbox LIMIT 1").fetchone() is not None


def put_delivery(store: Store, region: str, rule: str, target: Document, payload: str) -> str:
    """Write a delivery that is due now; returns its id."""
    identity, now = str(uuid.uuid4()), store.steady_time()
    with store.transaction():
        store.connection.execute(
            f"INSERT INTO delivery ({_DELIVERY}, due) VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
            (identity, region, rule, json.dumps(target), payload, now, now),
        )
    return identity


def claim_delivery(
    store: Store, owner: str, is_alive: Callable[[str], bool], *, functions: bool = True
) -> Delivery | None:
    """The delivery that has been due for longest and that no living process makes, now `owner`'s.

    Args:
        functions: whether it may be a call of a function.
    """
    if _due(store, is_alive, functions=functions) is None:  # without the write lock, which others need
        return None
    with store.transaction():
        found = _due(store, is_alive, functions=functions)
        if found is not None:
            store.connection.execute("UPDATE delivery SET owner = ? WHERE id = ?", (owner, found.id))
        return found


def retry_later(store: Store, delivery: Delivery, due: float) -> None:
    """Note a failed attempt and release the delivery; it is due again at `due`, steady time."""
    with store.transaction():
        store.connection.execute(
            "UPDATE delivery SET attempts = attempts + 1, due = ?, owner = NULL WHERE id = ?",
            (due, delivery.id),
        )


def delete_delivery(store: Store, delivery: Delivery) -> None:
    """The delivery is made, or will not be tried again."""
    with store.transaction():
        store.connection.execute("DELETE FROM delivery WHERE id = ?", (delivery.id,))


def _due(store: Store, is_alive: Callable[[str], bool], *, functions: bool) -> Delivery | None:
    now = store.steady_time()
    claimants = store.connection.execute(
        "SELECT DISTINCT owner FROM delivery WHERE due <= ? AND owner IS NOT NULL", (now,)
    ).fetchall()
    dead = [name for (name,) in claimants if not is_alive(name)]
    which = f"due <= ? AND (owner IS NULL OR owner IN ({', '.join('?' for _ in dead)}))"
    if not functions:
        which += f" AND json_extract(target, '$.Arn') NOT LIKE '{FUNCTION_ARN}%'"
    row = store.connection.execute(
        f"SELECT {_DELIVERY} FROM delivery WHERE {which} ORDER BY due LIMIT 1", (now, *dead)
    ).fetchone()
    if row is None:
        return None
    identity, region, rule, target, *rest = row
    return Delivery(identity, region, rule, json.loads(target), *rest)
