"""Documents and the connections to them: one for each thread, for as long as the thread lives."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pytest
from wire_clients import client_of

from sagemaker_local import endpoint
from sagemaker_local.store import Store


def times_open(path: Path) -> int:
    """How often this process has a file open."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found += descriptor.readlink() == path
        except FileNotFoundError:  # the listing's own
            continue
    return found


def test_a_thread_that_has_ended_leaves_no_file_open(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.put("job", "eu-west-1", "a", {})
    before = times_open(tmp_path / "state.db-wal")
    gc.disable()  # it would close them too, but only some time
    try:
        for _ in range(30):
            thread = threading.Thread(target=store.get, args=("job", "eu-west-1", "a"))
            thread.start()
            thread.join()
        assert times_open(tmp_path / "state.db-wal") == before == 1
    finally:
        gc.enable()


def test_an_endpoint_that_is_closed_leaves_no_file_open(tmp_path: Path) -> None:
    gc.disable()
    try:
        with endpoint.start(tmp_path) as started:
            client_of(started.url, "sagemaker").list_pipelines()
            assert times_open(tmp_path / "state.db") > 0
        assert times_open(tmp_path / "state.db") == times_open(tmp_path / "state.db-wal") == 0
    finally:
        gc.enable()


def test_documents_are_found_by_what_a_member_of_theirs_says_oldest_first(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    for number, status in enumerate(("Stopping", "Completed", "InProgress")):
        document = {"Status": status, "CreationTime": 9.0 - number, "LastModifiedTime": 20.0 + number}
        store.put("job", "eu-west-1", str(number), {**document, "Owner": f"owner-{number}"})
    store.put("other", "eu-west-1", "a", {"Status": "InProgress"})
    under_way = ("InProgress", "Stopping")
    found = store.list_among("job", "Status", under_way, unless=("Owner", "nobody"))
    assert [document["Status"] for document in found] == ["InProgress", "Stopping"]
    found = store.list_among("job", "Status", under_way, unless=("Owner", "owner-2"))
    assert [document["Status"] for document in found] == ["Stopping"]
    assert store.list_among("job", "Absent", under_way, unless=("Owner", "nobody")) == []
    assert store.modified_among("job", "Status", under_way) == {"2": 22.0, "0": 20.0}


def test_threads_that_wait_hold_no_files_open(tmp_path: Path) -> None:
    store, leave, waiting = Store(tmp_path / "state.db"), threading.Event(), threading.Semaphore(0)

    def read_and_wait() -> None:
        store.list("job")
        store.rest()
        waiting.release()
        leave.wait()
        assert store.list("job") == []

    threads = [threading.Thread(target=read_and_wait) for _ in range(100)]
    for one in threads:
        one.start()
    for _ in threads:
        waiting.acquire()
    assert times_open(tmp_path / "state.db") < 30
    leave.set()
    for one in threads:
        one.join()


def test_what_is_no_json_is_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    with pytest.raises(ValueError, match="JSON"):
        store.put("job", "eu-west-1", "a", {"Accuracy": float("nan")})
    assert store.get("job", "eu-west-1", "a") is None
