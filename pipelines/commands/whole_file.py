"""A file that a command writes where a person asked for it: whole, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from aws_formats.errors import GatehouseError


def write_whole(path: Path, content: bytes, what: str, *, makes_folder: bool = False) -> None:
    """Write a file as `whole_file` does.

    Args:
        what: is in it, for the error: ``the card``.
        makes_folder: whether the folder is made, for its owner alone, where there is none.

    Raises:
        GatehouseError: it cannot be written.
    """
    try:
        if makes_folder:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        raise GatehouseError(f"{what} cannot be written: {error.strerror}", where=str(path)) from error


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """To write to; `path` holds what it held until the `with` block has ended well.

    What is no plain file, such as /dev/stdout or a pipe, is written to as it is.

    Raises:
        OSError: there is no such folder, it may not be written to, or the disk is full.
    """
    place = path.resolve()  # what a link leads to is replaced, and not the link
    exists = place.exists()
    if exists and not place.is_file():
        with place.open("wb") as file:
            yield file
        return
    if exists:
        place.open("ab").close()  # it may be written to
    unfinished = place.with_name(f".gatehouse-{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
        if exists:
            shutil.copymode(place, unfinished)
        unfinished.replace(place)
    finally:
        unfinished.unlink(missing_ok=True)
