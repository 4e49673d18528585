"""The store's connections: one for each thread, for as long as the thread lives."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

from sagemaker_local.store import Store


def open_files(name: str) -> int:
    """How often this process has files of that name open."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(descriptor.readlink()))
        except FileNotFoundError:  # the listing's own
            continue
    return sum(link.endswith(name) for link in links)


def test_a_thread_that_has_ended_leaves_no_file_open(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.put("job", "eu-west-1", "a", {})
    gc.disable()  # it would close them too, but only some time
    try:
        for _ in range(30):
            thread = threading.Thread(target=store.get, args=("job", "eu-west-1", "a"))
            thread.start()
            thread.join()
        assert open_files("state.db-wal") == 1
    finally:
        gc.enable()
