"""A tar file's members, read with care: plain or gzipped, to the very end, with every member checked here.

Whoever can write an artifact can write a hostile one, and Python's `tarfile` does not stop it: its "data"
filter lets a member be written outside through links before the fixes of CVE-2025-4517, it reads an extended
header of any size into memory, takes a damaged header for the end of the archive, and never reaches the
checksum at the end of a gzip file, so that damaged weights pass. So `tarfile` reads headers here and nothing
else. It gets a stream that gives it a limited number of bytes for each member; and no member is handed on
before its name, its kind and its size are accepted.

Writing is the caller's part, and so is what a link may do. The packages `aws_formats` and `evaluation`, the
latter uploaded by itself, hold the same file.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

FILE, FOLDER, SYMBOLIC_LINK, HARD_LINK = "file", "folder", "symbolic link", "hard link"

MOST_MEMBERS = 100_000
MOST_BYTES = 64 << 30
_MOST_HEADER_BYTES = 1 << 20
"""Bytes that the headers of one member may have: its names and its extended attributes."""
_MOST_BYTES_OF_HEADERS = 128 << 20
"""Bytes that all headers together may have."""
_LONGEST_NAME = 4096
_CHUNK = 1 << 20
_FAULTS = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, RecursionError, ValueError, LookupError)
"""What `tarfile` and `gzip` raise for bytes that are not what they should be."""


class BadArchive(Exception):
    """The archive is broken, or holds what must not be unpacked. The text is what follows its name."""


@dataclass(frozen=True)
class Member:
    """One member of a tar file.

    Attributes:
        name: relative, its parts joined by "/"; no part is ".." or "."; empty for the archive's own folder.
        kind: FILE, FOLDER, SYMBOLIC_LINK or HARD_LINK.
        size: of a file, in bytes.
        target: of a link, as the archive has it: a symbolic link's is relative to the link's folder.
    """

    name: str
    kind: str
    size: int
    executable: bool
    target: str
    _stream: _Stream = field(repr=False, compare=False)

    def chunks(self) -> Iterator[bytes]:
        """A file's content, a megabyte at a time; to be read before the next member is asked for.

        Raises:
            BadArchive: the archive ends before the file does.
        """
        left = self.size
        while left:
            chunk = _sound(self._stream.take, min(left, _CHUNK))
            if not chunk:
                raise BadArchive("is no intact tar file: it ends too early")
            left -= len(chunk)
            yield chunk


def read_members(
    file: BinaryIO, *, most_members: int = MOST_MEMBERS, most_bytes: int = MOST_BYTES
) -> Iterator[Member]:
    """The members in their order; the last is followed by the check that the archive is whole.

    Args:
        file: at its beginning.
        most_bytes: of all files together, unpacked.

    Raises:
        BadArchive: at the first fault that is met.
    """
    gzipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream = _Stream(cast(BinaryIO, gzip.GzipFile(fileobj=file)) if gzipped else file)
    archive = _sound(tarfile.TarFile, None, "r", stream)
    count = size = 0
    while (entry := _sound(archive.next)) is not None:
        archive.members, archive.pax_headers = [], {}  # or it would keep each of them
        stream.next_member()
        count += 1
        if count > most_members:
            raise BadArchive(f"holds more than {most_members} members")
        member = _checked(entry, stream)
        size += member.size
        if size > most_bytes:
            raise BadArchive(f"unpacks to more than {most_bytes} bytes")
        yield member
    if stream.last != bytes(tarfile.BLOCKSIZE):
        raise BadArchive("is no intact tar file: its end is missing")
    for _ in range(most_bytes // _CHUNK + 1):
        if not _sound(stream.take, _CHUNK):  # the end, where gzip compares its checksum
            return
    raise BadArchive(f"unpacks to more than {most_bytes} bytes")


def _checked(entry: tarfile.TarInfo, stream: _Stream) -> Member:
    """Raises BadArchive for a name that leads outside, and for what is neither file, folder nor link."""
    if "\0" in entry.name + entry.linkname:
        raise BadArchive("holds a member with NUL in its name")
    if max(len(entry.name), len(entry.linkname)) > _LONGEST_NAME:
        raise BadArchive(f"holds a member whose name has more than {_LONGEST_NAME} characters")
    parts = [part for part in entry.name.split("/") if part not in ("", ".")]
    if entry.name.startswith("/") or ".." in parts:
        raise BadArchive(f"holds {entry.name!r}, which lies outside of it")
    if entry.issym():
        kind = SYMBOLIC_LINK
    elif entry.islnk():
        kind = HARD_LINK
    elif entry.isdir():
        kind = FOLDER
    elif entry.isreg() and not entry.issparse():
        kind = FILE
    else:
        raise BadArchive(f"holds {entry.name!r}, which is neither a file nor a folder")
    if entry.size < 0 or (entry.size and kind != FILE):
        raise BadArchive(f"holds {entry.name!r}, which has an impossible size")
    if not parts and kind != FOLDER:
        raise BadArchive("holds a member without a name")
    return Member("/".join(parts), kind, entry.size, bool(entry.mode & 0o100), entry.linkname, stream)


def _sound(read: Any, *arguments: Any) -> Any:
    """The call's answer; what it raises for damaged bytes becomes BadArchive."""
    try:
        return read(*arguments)
    except _FAULTS as fault:
        raise BadArchive(f"is no intact tar file: {fault}") from fault


class _Stream:
    """The unpacked bytes, forwards only; what `tarfile` reads of them is counted and limited.

    Attributes:
        last: the bytes that `tarfile` read last: the block of zeros at the end of an intact archive.
    """

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self._position = 0
        self._headers = self._of_member = 0
        self.last = b""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        """Forwards only, over what nobody wants to read."""
        if whence != io.SEEK_SET or position < self._position:
            raise tarfile.ReadError("its headers are out of order")
        while self._position < position and self.take(min(position - self._position, _CHUNK)):
            pass
        return self._position

    def read(self, size: int = -1) -> bytes:
        """For `tarfile`, which reads a header at once, however long the archive says that it is."""
        self._of_member += max(size, 0)
        if size < 0 or self._of_member > _MOST_HEADER_BYTES:
            raise BadArchive(f"holds a member with more than {_MOST_HEADER_BYTES} bytes of headers")
        self.last = self.take(size)
        return self.last

    def take(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        found = self._content.read(size)
        self._position += len(found)
        return found

    def next_member(self) -> None:
        """The headers of a member were read; those of the next may begin.

        Raises:
            BadArchive: all headers so far are more than any archive needs.
        """
        self._headers += self._of_member
        self._of_member = 0
        if self._headers > _MOST_BYTES_OF_HEADERS:
            raise BadArchive(f"holds more than {_MOST_BYTES_OF_HEADERS} bytes of headers")
