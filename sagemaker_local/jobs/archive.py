"""Tar files: unpacked into their folder alone, packed so that the same files give the same bytes.

`tarfile`'s "data" filter refuses `..`, links that lead outside and devices, and drops owners and odd modes.
Python has it from 3.11.4 on; before that (Debian 12's is 3.11.2) links are refused altogether. Added are
bounds on what an archive may grow to, since a few kilobytes can hold a terabyte of zeros.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MAX_MEMBERS = 100_000
MAX_BYTES = 64 << 30
_DATA_FILTER: Any = getattr(tarfile, "data_filter", None)
_REFUSALS: tuple[type[Exception], ...] = (tarfile.FilterError,) if _DATA_FILTER else ()
_LEVEL = 1  # artifacts are read again on this machine: time counts for more than size


class UnsafeArchive(Exception):
    """The archive is broken, or holds something that must not be unpacked; the text says what."""


def unpack(
    archive: Path, folder: Path, *, max_members: int = MAX_MEMBERS, max_bytes: int = MAX_BYTES
) -> None:
    """Unpack a tar file, compressed or not, into an existing folder.

    Raises:
        UnsafeArchive: nothing of the offending member was written.
        OSError: the file system refused.
    """
    members = size = 0
    try:
        with tarfile.open(archive) as tar:
            tar.extraction_filter = _DATA_FILTER  # Python before 3.11.4 does not look at it
            for member in tar:
                members += 1
                size += member.size
                if members > max_members:
                    raise UnsafeArchive(f"{archive.name} holds more than {max_members} members")
                if size > max_bytes:
                    raise UnsafeArchive(f"{archive.name} unpacks to more than {max_bytes} bytes")
                if _DATA_FILTER is None:
                    _check_and_normalize(archive, member)
                tar.extract(member, folder)
    except _REFUSALS as refusal:
        raise UnsafeArchive(f"{archive.name}: {refusal}") from refusal
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as broken:
        raise UnsafeArchive(f"{archive.name} is no intact tar file: {broken}") from broken


def _check_and_normalize(archive: Path, member: tarfile.TarInfo) -> None:
    """What the filter does, for plain files and folders; anything else is refused."""
    member.name = member.name.lstrip("/")
    if not (member.isreg() or member.isdir()):
        raise UnsafeArchive(
            f"{archive.name} holds {member.name!r}, which is no plain file; links need Python 3.11.4 or newer"
        )
    if ".." in Path(member.name).parts:
        raise UnsafeArchive(f"{archive.name} holds {member.name!r}, which would lie outside of the folder")
    member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644


def pack(files: Iterable[tuple[str, Path]], target: Path) -> None:
    """Write a gzipped tar of regular files whose bytes depend on names, contents and modes alone.

    Args:
        files: member names, relative with forward slashes, and where each file lies.
    """
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, path in sorted(files):
            with path.open("rb") as content:
                member = tar.gettarinfo(arcname=name, fileobj=content)
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                member.mtime = 0
                member.mode = 0o755 if member.mode & 0o100 else 0o644
                member.type = tarfile.REGTYPE  # a hard link's second name would else be a link
                member.size = path.stat().st_size
                tar.addfile(member, content)
