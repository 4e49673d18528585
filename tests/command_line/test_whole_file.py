"""A file that was asked for is there whole, or as it was before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.commands.whole_file import whole_file


def _end_in_the_middle(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"half")
        file.flush()
        raise OSError(28, "No space left on device")


def test_a_file_that_could_not_be_finished_is_as_it_was(tmp_path: Path) -> None:
    for there in (None, b"before"):
        path = tmp_path / f"{there is None}.csv"
        if there is not None:
            path.write_bytes(there)
        with pytest.raises(OSError, match="No space left"):
            _end_in_the_middle(path)
        assert (path.read_bytes() if path.exists() else None) == there
    assert [each.name for each in tmp_path.iterdir()] == ["False.csv"]


def test_a_file_keeps_its_mode_and_a_link_its_place(tmp_path: Path) -> None:
    path, link = tmp_path / "a.csv", tmp_path / "link.csv"
    path.write_bytes(b"before")
    path.chmod(0o600)
    link.symlink_to(path)
    with whole_file(link) as file:
        file.write(b"after")
    assert link.is_symlink()
    assert path.read_bytes() == b"after"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with whole_file(pipe) as file:
            file.write(b"rows")
        assert os.read(reader, 10) == b"rows"
    finally:
        os.close(reader)
