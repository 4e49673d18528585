"""Tar files: unpacked into their folder alone, packed so that the same files give the same bytes.

What a member is and whether its name leads outside is checked by ``aws_formats.tar_members``, on every
Python. Here is what comes after: nothing is written through a link. So symbolic links are made last, when all
files are written, and a member below a link is refused; a hard link becomes a copy of the file before it. Of
two files with one name the later counts, as with GNU tar.
"""

from __future__ import annotations

import gzip
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from aws_formats.tar_members import (
    FILE,
    FOLDER,
    HARD_LINK,
    MOST_BYTES,
    MOST_MEMBERS,
    SYMBOLIC_LINK,
    BadArchive,
    Member,
    read_members,
)

_CHUNK = 1 << 20
_LEVEL = 1  # artifacts are read again on this machine: time counts for more than size


class UnsafeArchive(Exception):
    """The archive is broken, or holds something that must not be unpacked; the text says what."""


def unpack(
    archive: Path, folder: Path, *, max_members: int = MOST_MEMBERS, max_bytes: int = MOST_BYTES
) -> None:
    """Unpack a tar file, gzipped or not, into an existing folder.

    Raises:
        UnsafeArchive: nothing of the offending member was written; what came before it was.
        OSError: the file system refused.
    """
    try:
        with archive.open("rb") as file:
            _unpack(read_members(file, most_members=max_members, most_bytes=max_bytes), folder, max_bytes)
    except BadArchive as bad:
        raise UnsafeArchive(f"{archive.name} {bad}") from bad


def _unpack(members: Iterable[Member], folder: Path, max_bytes: int) -> None:
    kinds: dict[str, str] = {}
    links: dict[Path, str] = {}
    copied = 0
    for member in members:
        path = folder / member.name
        _take_name(member, kinds)
        if member.kind == FOLDER:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if member.kind == SYMBOLIC_LINK:
            links[path] = member.target
        elif member.kind == HARD_LINK:
            source = folder / _name_of_target(member, kinds)
            copied += source.stat().st_size
            if copied > max_bytes:
                raise BadArchive(f"unpacks to more than {max_bytes} bytes")
            _write(path, _chunks(source), source.stat().st_mode)
        else:
            _write(path, member.chunks(), 0o755 if member.executable else 0o644)
    _make_links(links, folder)


def _take_name(member: Member, kinds: dict[str, str]) -> None:
    """Enter a member among those that are there, with the folders above it.

    Raises:
        BadArchive: it lies below what is no folder, or takes the place of something of another kind.
    """
    if not member.name:
        return
    parts = member.name.split("/")
    for depth in range(1, len(parts)):
        if kinds.setdefault("/".join(parts[:depth]), FOLDER) != FOLDER:
            raise BadArchive(f"holds {member.name!r}, which lies below what is no folder")
    kind = FILE if member.kind == HARD_LINK else member.kind
    known = kinds.get(member.name)
    if known is not None and (known != kind or kind == SYMBOLIC_LINK):
        raise BadArchive(f"holds {member.name!r} twice, as a {known} and as a {kind}")
    kinds[member.name] = kind


def _name_of_target(member: Member, kinds: dict[str, str]) -> str:
    """The file that a hard link is another name of; it has to come before the link, as tar writes it."""
    name = "/".join(part for part in member.target.split("/") if part not in ("", "."))
    if kinds.get(name) != FILE or name == member.name or member.target.startswith("/"):
        raise BadArchive(f"holds the link {member.name!r} to {member.target!r}, which is no file before it")
    return name


def _write(path: Path, chunks: Iterable[bytes], mode: int) -> None:
    """A new file, never through a link, and never into a file that is there."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode & 0o755)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in chunks:
            file.write(chunk)


def _chunks(source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _make_links(links: dict[Path, str], folder: Path) -> None:
    """Make the symbolic links; take all of them away again if one of them leads outside or nowhere.

    Raises:
        BadArchive: one of them does.
    """
    inside = folder.resolve(strict=True)
    for path, target in links.items():
        path.symlink_to(target)
    for path, target in links.items():
        try:
            safe = path.resolve(strict=True).is_relative_to(inside)
        except (OSError, RuntimeError):  # nowhere, in a circle, or a path that is too long to follow
            safe = False
        if not safe:
            for link in links:
                link.unlink()
            name = path.relative_to(folder).as_posix()
            raise BadArchive(f"holds the link {name!r} to {target!r}, which leads to nothing inside of it")


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
