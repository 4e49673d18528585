"""What must not be lost is written even to a full disk; SQLite's own limit stands for the disk's."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from small_disk import run_on_small_disk

from sagemaker_local.store import Store

LARGE = {"text": "x" * 200_000}
WITH_A_FULL_TEMPORARY_FOLDER = """
import os, sys
from pathlib import Path
os.environ["TMPDIR"] = sys.argv[1]  # SQLite looks at it as it is imported
from sagemaker_local.store import Store
with open(os.path.join(sys.argv[1], "fills"), "wb", buffering=0) as file:
    try:
        while True:
            file.write(b"x" * 4096)
    except OSError:
        pass
store = Store(Path(sys.argv[2]))
for name, text in (("a", "x"), ("b", "x"), ("a", "y")):
    store.put("job", "eu-west-1", name, {"text": text * 2_000_000})
"""


def limit(store: Store, pages: int) -> None:
    """The most pages that the connection which writes may give the database."""
    with store.transaction():
        store.connection.execute(f"PRAGMA max_page_count = {pages}")


@pytest.fixture
def full(tmp_path: Path) -> Store:
    """A store that takes no page more."""
    store = Store(tmp_path / "state.db")
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    limit(store, pages)
    return store


def test_a_write_that_must_not_be_lost_deletes_the_reserve_and_then_waits_for_space(
    full: Store, tmp_path: Path
) -> None:
    reserve_was_there = []

    def write() -> None:
        reserve_was_there.append((tmp_path / "reserve").exists())
        if len(reserve_was_there) == 3:  # somebody has made room
            limit(full, 100_000)
        full.put("job", "eu-west-1", "a", LARGE)

    full.write_until_possible(write, giving_up=threading.Event())
    assert reserve_was_there == [True, False, False]
    assert full.get("job", "eu-west-1", "a") == LARGE


def test_an_endpoint_that_closes_gives_up_and_loses_nothing_that_was_there(full: Store) -> None:
    closing = threading.Event()
    closing.set()
    full.write_until_possible(lambda: full.put("job", "eu-west-1", "a", LARGE), giving_up=closing)
    assert full.get("job", "eu-west-1", "a") is None
    limit(full, 100_000)
    full.put("job", "eu-west-1", "a", {"text": "later"})
    assert full.get("job", "eu-west-1", "a") == {"text": "later"}


def test_within_a_transaction_a_write_is_called_once_because_only_the_caller_can_repeat_all_of_it(
    full: Store, tmp_path: Path
) -> None:
    calls = []

    def write() -> None:
        calls.append(1)
        full.put("job", "eu-west-1", "b", LARGE)

    def change() -> None:
        with full.transaction():
            full.put("job", "eu-west-1", "a", {})
            full.write_with_reserve(write)

    with pytest.raises(sqlite3.OperationalError, match="full"):
        change()
    assert len(calls) == 1
    assert (tmp_path / "reserve").exists()
    assert full.list("job") == []


def test_the_next_start_makes_a_new_reserve(tmp_path: Path) -> None:
    Store(tmp_path / "state.db")
    (tmp_path / "reserve").unlink()
    Store(tmp_path / "state.db")
    assert (tmp_path / "reserve").stat().st_size == 1 << 20


def test_a_temporary_folder_that_is_full_keeps_nothing_from_being_written(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "temporary"), str(tmp_path / "state.db")]
    done = run_on_small_disk(tmp_path / "temporary", "64k", WITH_A_FULL_TEMPORARY_FOLDER, *arguments)
    if done is None:
        pytest.skip("this machine gives no disk of its own to a program")
    assert done.returncode == 0, done.stderr
    assert str(Store(tmp_path / "state.db").get("job", "eu-west-1", "a"))[10] == "y"
