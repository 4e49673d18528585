"""Writers have their turn in the order in which they came, share commits, and lose nothing acknowledged."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from wire_clients import wait_for

from sagemaker_local.services import table
from sagemaker_local.shared_commits import SharedCommits
from sagemaker_local.store import Store, group_commit

REGION = "eu-west-1"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state.db")


@contextmanager
def waiting_writers(store: Store, works: list[Callable[[], object]]) -> Iterator[None]:
    """Each of `works` in a thread, all of which wait, in this order, until the block of this is left."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    with store.transaction():
        for number, thread in enumerate(threads, 1):
            thread.start()
            wait_for(lambda number=number: True if store.waiting_writers == number else None)  # type: ignore[misc]
        yield
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def share_commit(store: Store, works: list[Callable[[], object]]) -> None:
    with waiting_writers(store, works):
        store.put("job", REGION, "first", {})


def statements(store: Store) -> list[str]:
    """What the connection that writes is told from now on."""
    told: list[str] = []
    with store.transaction():
        store.connection.set_trace_callback(told.append)
    return told


def test_writers_have_their_turn_in_the_order_in_which_they_came_and_share_one_commit(store: Store) -> None:
    order: list[int] = []

    def writer(number: int) -> Callable[[], None]:
        def write() -> None:
            with store.transaction():
                order.append(number)
                store.put("job", REGION, str(number), {})

        return write

    told = statements(store)
    told.clear()
    with waiting_writers(store, [writer(number) for number in range(20)]):
        store.put("job", REGION, "first", {})
    assert order == list(range(20))
    assert told.count("COMMIT") == 1
    assert len(store.list("job")) == 21


def test_a_writer_that_fails_undoes_its_own_writes_and_no_others(store: Store) -> None:
    failures: list[str] = []

    def fail() -> None:
        try:
            with store.transaction():
                store.put("job", REGION, "refused", {})
                raise LookupError("refused")
        except LookupError as error:
            failures.append(str(error))

    keep = [lambda name=name: store.put("job", REGION, name, {}) for name in ("before", "after")]
    with waiting_writers(store, [keep[0], fail, keep[1]]):
        pass
    assert failures == ["refused"]
    assert [store.get("job", REGION, name) for name in ("before", "refused", "after")] == [{}, None, {}]


def test_a_commit_that_is_not_possible_is_an_error_of_every_write_in_it(store: Store) -> None:
    outcomes: dict[str, str] = {}
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]

    def writer(name: str, size: int) -> Callable[[], None]:
        def write() -> None:
            try:
                store.put("job", REGION, name, {"text": "x" * size})
                outcomes[name] = "written"
            except sqlite3.OperationalError as error:
                outcomes[name] = error.sqlite_errorname

        return write

    with store.transaction():
        store.connection.execute(f"PRAGMA max_page_count = {pages}")
    works = [writer("small", 10), writer("large", 200_000), writer("later", 10)]
    with pytest.raises(sqlite3.OperationalError, match="full"):
        share_commit(store, works)
    wait_for(lambda: True if len(outcomes) == 3 else None)
    assert outcomes == {"small": "SQLITE_FULL", "large": "SQLITE_FULL", "later": "written"}
    assert [doc["text"] for doc in store.list("job")] == ["x" * 10]


def together(store: Store, works: list[Callable[[], object]]) -> list[object]:
    """What requests that come at once are answered with."""
    commits = SharedCommits(store)

    async def all_of_them() -> list[object]:
        return await asyncio.gather(*(commits.write(work) for work in works), return_exceptions=True)

    try:
        return asyncio.run(all_of_them())
    finally:
        commits.close()


def put(store: Store, name: str, size: int = 0) -> Callable[[], str]:
    def write() -> str:
        store.put("job", REGION, name, {"text": "x" * size})
        return name

    return write


def test_requests_that_come_at_once_share_one_commit_in_their_order(store: Store) -> None:
    names = [f"{number:02}" for number in range(20)]
    told = statements(store)
    told.clear()
    assert together(store, [put(store, name) for name in names]) == names
    assert told.count("COMMIT") == 1
    rows = store.connection.execute("SELECT name FROM resource ORDER BY rowid").fetchall()
    assert [row[0] for row in rows] == names


def test_a_request_that_is_refused_among_others_undoes_what_it_wrote_and_nothing_else(store: Store) -> None:
    def refuse() -> None:
        put(store, "refused")()
        raise LookupError("refused")

    outcomes = together(store, [put(store, "before"), refuse, put(store, "after")])
    assert outcomes[0::2] == ["before", "after"]
    assert isinstance(outcomes[1], LookupError)
    assert [store.get("job", REGION, name) is None for name in ("before", "refused", "after")] == [
        False,
        True,
        False,
    ]


def test_a_writer_whose_turn_does_not_come_is_told_so_as_sqlite_tells_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LONGEST_WAIT", 0.05)
    outcomes: list[object] = []

    def write() -> None:
        try:
            store.put("job", REGION, "late", {})
        except sqlite3.OperationalError as error:
            outcomes.append((error.sqlite_errorname, error.sqlite_errorcode, str(error)))

    with store.transaction():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert outcomes == [("SQLITE_BUSY", sqlite3.SQLITE_BUSY, "database is locked")]
    store.put("job", REGION, "late", {})


def test_requests_whose_commit_is_not_possible_are_all_told_so_and_later_ones_are_carried_out(
    store: Store,
) -> None:
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    with store.transaction():
        store.connection.execute(f"PRAGMA max_page_count = {pages}")
    outcomes = together(store, [put(store, "small"), put(store, "large", 200_000), put(store, "later")])
    assert [getattr(one, "sqlite_errorname", one) for one in outcomes] == ["SQLITE_FULL"] * 3
    assert together(store, [put(store, "small")]) == ["small"]
    assert len(store.list("job")) == 1


def test_what_is_said_to_be_a_transaction_is_an_operation() -> None:
    assert table.transactions() <= table.operations().keys()


def test_what_is_not_committed_is_seen_by_its_writer_alone(store: Store) -> None:
    seen: list[object] = []
    with store.transaction():
        store.put("job", REGION, "a", {})
        other = threading.Thread(target=lambda: seen.append(store.get("job", REGION, "a")))
        other.start()
        other.join()
        assert store.get("job", REGION, "a") == {}
    assert seen == [None]


def test_nothing_is_written_past_the_queue(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.connection.execute("DELETE FROM resource")


_WRITERS = """
import os, sys, threading
from pathlib import Path
from sagemaker_local.store import Store

store = Store(Path(sys.argv[1]))

def write(writer):
    for number in range(1_000_000):
        with store.transaction():
            store.put("one", "eu-west-1", f"{writer}-{number}", {})
            store.put("other", "eu-west-1", f"{writer}-{number}", {})
        os.write(1, f"{writer}-{number}\\n".encode())

for writer in range(32):
    threading.Thread(target=write, args=(writer,)).start()
"""


def test_a_kill_amid_shared_commits_loses_no_acknowledged_write_and_leaves_none_half_done(
    tmp_path: Path,
) -> None:
    database = tmp_path / "state.db"
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", _WRITERS, str(database)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().decode() for _ in range(500)]
        process.kill()
        acknowledged += process.stdout.read().decode().splitlines(keepends=True)
        process.wait()
        process.stdout.close()
        store = Store(database)
        kept = {kind: {row[0] for row in names(store, kind)} for kind in ("one", "other")}
        assert kept["one"] == kept["other"]
        assert {line.strip() for line in acknowledged if line.endswith("\n")} <= kept["one"]
        with store.transaction():
            store.connection.execute("DELETE FROM resource")


def names(store: Store, kind: str) -> list[tuple[str]]:
    return store.connection.execute("SELECT name FROM resource WHERE kind = ?", (kind,)).fetchall()
