"""Where an object's bytes lie on disk: temporary while they arrive, browsable once they are kept.

An object usually lies at ``<bucket>/<key>``, so a person can open it with any tool. A key that no
path can hold (``..``, a leading or trailing slash, control characters, a part too long), or one that
is also the name of a folder, lies under ``.keys/<bucket>/``, named by a digest. Every file has
a name of its own: an overwrite writes a second file and never touches the first.

A file under ``.incoming`` is locked (``flock``) as long as its writer lives; an unlocked one was left
by a process that was killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType

_LONGEST_PART = 200
"""Bytes of one part of a path; file systems allow 255, and a suffix may be added."""

_GRACE_SECONDS = 60
"""A temporary file younger than this is left alone: its writer may not have locked it yet."""

COPY_BLOCK = 64 << 20
_READ_BLOCK = 1 << 20


class Incoming:
    """A temporary file that becomes an object's file, or disappears with the ``with`` block."""

    def __init__(self, root: Path) -> None:
        folder = root / ".incoming"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / secrets.token_hex(16)
        self.size = 0
        self._digest = hashlib.md5(usedforsecurity=False)
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    @classmethod
    def taking(cls, root: Path, path: Path) -> Incoming:
        """Move a file here, or copy it where it lies on another file system; digests its content."""
        incoming = cls(root)
        try:
            incoming._take(path)
        except BaseException:
            incoming.close()
            raise
        return incoming

    @classmethod
    def naming(cls, root: Path, path: Path) -> Incoming:
        """A file as it is, under a second name: it stays where it is even if it becomes an object's."""
        incoming = cls(root)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            os.close(incoming._descriptor)
            incoming._descriptor = descriptor
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            incoming.path.unlink()
            os.link(path, incoming.path)
        except BaseException:
            incoming.close()
            raise
        return incoming

    @property
    def md5(self) -> bytes:
        """Of everything that :meth:`write` was given."""
        return self._digest.digest()

    def read_md5(self) -> bytes:
        """Of the whole file, read again; for what :meth:`append` brought."""
        digest = hashlib.md5(usedforsecurity=False)
        offset = 0
        while block := os.pread(self._descriptor, _READ_BLOCK, offset):
            digest.update(block)
            offset += len(block)
        return digest.digest()

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self.size += len(data)

    @property
    def descriptor(self) -> int:
        return self._descriptor

    def seek(self, offset: int) -> None:
        """What is appended next begins there, in bytes."""
        os.lseek(self._descriptor, offset, os.SEEK_SET)

    def cut(self, size: int) -> None:
        """Make the file that long, in bytes."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def append(self, descriptor: int, offset: int, length: int) -> None:
        """Add part of an open file inside the kernel, where blocks can be shared; not digested."""
        end = offset + length
        while offset < end:
            count = copy_block(descriptor, self._descriptor, offset, min(COPY_BLOCK, end - offset))
            if count == 0:
                raise OSError(f"file descriptor {descriptor} ended {end - offset} bytes early")
            offset += count
        self.size += length

    def copy(self, path: Path) -> None:
        """Write a file's whole content."""
        with path.open("rb", buffering=0) as source:
            while block := source.read(_READ_BLOCK):
                self.write(block)

    def flush(self) -> None:
        """Put the content on the disk, so that a row that names it never outlives it in a power cut."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Remove the file, unless it has been moved to its place."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def __enter__(self) -> Incoming:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, path: Path) -> None:
        if path.is_symlink() or path.stat().st_dev != self.path.stat().st_dev:
            self.copy(path)
            path.unlink()
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        path.rename(self.path)
        os.close(self._descriptor)
        self._descriptor = descriptor
        os.fchmod(descriptor, 0o600)
        while block := os.pread(descriptor, _READ_BLOCK, self.size):
            self._digest.update(block)
            self.size += len(block)


def places(bucket: str, key: str) -> Iterator[str]:
    """Paths below the objects' folder at which a key's file may lie, the most readable first; never ends."""
    parts = key.split("/")
    if all(_is_plain(part) for part in parts):
        plain = PurePosixPath(bucket, *parts)
        yield str(plain)
        yield str(plain.with_name(f"{plain.stem}~{secrets.token_hex(4)}{plain.suffix}"))
    digest = hashlib.sha256(key.encode()).hexdigest()
    while True:
        yield f".keys/{bucket}/{digest}-{secrets.token_hex(4)}"


def move_into_place(root: Path, incoming: Incoming, bucket: str, key: str) -> str:
    """Move an incoming file to a place that is free; to be called with the store's write lock held.

    Returns:
        The place, relative to `root`.
    """
    for place in places(bucket, key):
        target = root / place
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.path.lexists(target):
                continue
            incoming.path.rename(target)
        except (FileExistsError, NotADirectoryError):
            continue  # a part of the path is another object's file
        except OSError as error:
            if place.startswith(".keys/") or not _is_too_long(error):
                raise
            continue
        return place
    raise AssertionError("places() never ends")


def remove(root: Path, place: str) -> None:
    """Delete a file and the folders that it leaves empty; with the store's write lock held."""
    path = root / place
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == root:
            return
        try:
            folder.rmdir()
        except OSError:  # it holds something else, or is gone already
            return


def kept_files(root: Path) -> Iterator[str]:
    """Every file that lies where objects lie, relative to `root`."""
    # In plain strings: every start looks at all of them, and there may be many.
    top = str(root)
    for folder, names, files in os.walk(top):
        if folder == top:
            names[:] = [name for name in names if name not in (".incoming", ".uploads")]
            continue
        below = folder.removeprefix(f"{top}/")
        yield from (f"{below}/{name}" for name in files)


def sweep_incoming(root: Path) -> None:
    """Remove the temporary files of writers that were killed."""
    for path in (root / ".incoming").glob("*"):
        try:
            if time.time() - path.stat().st_mtime < _GRACE_SECONDS:
                continue
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def sweep_folders(folder: Path, known: set[str]) -> None:
    """Remove sub-folders that nothing knows of, unless they are new."""
    for path in folder.glob("*"):
        # Whoever ended the upload may be removing its folder at this moment.
        with contextlib.suppress(FileNotFoundError):
            if path.name not in known and time.time() - path.stat().st_mtime >= _GRACE_SECONDS:
                shutil.rmtree(path)


def copy_block(source: int, target: int, offset: int, length: int) -> int:
    """Copy some of a file to where another one stands, inside the kernel; how many bytes, 0 at its end."""
    try:
        return os.copy_file_range(source, target, length, offset)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL):
            raise
        return os.sendfile(target, source, offset, length)


def _is_plain(part: str) -> bool:
    return (
        part not in ("", ".", "..")
        and part.isprintable()
        and "~" not in part
        and len(part.encode()) <= _LONGEST_PART
    )


def _is_too_long(error: OSError) -> bool:
    return error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)
