"""The model artifact: its digest, and its files on disk.

The digest goes into ``verdict.json``, so that whoever approves and deploys the version later can tell whether
the artifact is the one that was evaluated. Nothing is written before the whole archive was read and checked.
"""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from input_error import InputError
from tar_members import FILE, FOLDER, BadArchive, read_members


@dataclass(frozen=True)
class Artifact:
    """What tells one artifact from another: the file's SHA-256, in hexadecimal, and its size in bytes."""

    sha256: str
    bytes: int


def unpack(archive: Path, folder: Path) -> Artifact:
    """Unpack the artifact; it may hold plain files and folders only, each once, and none outside ``folder``.

    Raises:
        InputError: it is not there, is no gzipped tar, or holds something else.
    """
    if not archive.is_file():
        raise InputError(f"there is no {archive}. Give the training step's artifact")
    try:
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            _check(file)
            _write(file, folder)
    except BadArchive as error:
        raise InputError(
            f"{archive.name} cannot be unpacked: it {error}. Give the training step's artifact"
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise InputError(
            f"{archive.name} cannot be unpacked: {error}. Give the training step's artifact"
        ) from error
    return Artifact(digest, size)


def _check(file: BinaryIO) -> None:
    """Read all of the archive, and refuse links and second members of a name.

    Raises:
        BadArchive: it is broken, or holds something like that.
    """
    file.seek(0)
    kinds: dict[str, str] = {"": FOLDER}
    for member in read_members(file):
        if member.kind not in (FILE, FOLDER):
            raise BadArchive(f"holds {member.name!r}, which is neither a file nor a folder")
        parts = member.name.split("/")
        for depth in range(1, len(parts)):
            if kinds.setdefault("/".join(parts[:depth]), FOLDER) != FOLDER:
                raise BadArchive(f"holds {member.name!r}, which lies below a file")
        known = kinds.get(member.name)
        if known is not None and {known, member.kind} != {FOLDER}:  # a folder twice is the same folder
            raise BadArchive(f"holds {member.name!r} twice")
        kinds[member.name] = member.kind


def _write(file: BinaryIO, folder: Path) -> None:
    file.seek(0)
    for member in read_members(file):
        path = folder / member.name
        (path if member.kind == FOLDER else path.parent).mkdir(parents=True, exist_ok=True)
        if member.kind == FILE:
            with path.open("xb") as written:
                written.writelines(member.chunks())
