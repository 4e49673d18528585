"""Where the parts of a multipart upload lie: most at their place in the file that becomes the object's.

Clients cut an object into parts of one size, but for the last. So part n of S bytes lies at (n - 1) * S of a
file ``whole/S`` in the upload's folder, and completing the upload copies nothing. A part that does not fit
there (it is sent again, or is the last and comes first) lies in a file of its own, and is copied to its place
in the end.

Who writes a part locks its place, and who completes the upload locks the whole file, by locks of open files
(``F_OFD_SETLK`` in fcntl(2)) that the kernel takes back from the dead. A place is given once: so of two
requests for one part only one has it, what was acknowledged is never written over, and an object is never
changed by a late request.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from pathlib import Path

from sagemaker_local.errors import AwsError
from sagemaker_local.s3.files import Incoming

_WHOLE = "whole"
_LARGEST_OBJECT = 5 << 40
"""Bytes up to which a place is given; no file system need hold larger files."""


def part_size(file: str) -> int:
    """The size of the parts in a ``whole/S``, in bytes; 0 for a file of one part."""
    folder, _, size = file.partition("/")
    return int(size) if folder == _WHOLE else 0


class PartInPlace(Incoming):
    """A part that is written where it belongs. Its place keeps what was written if it is given up.

    Attributes:
        file: the file that it lies in, relative to the upload's folder.
    """

    def __init__(self, folder: Path, number: int, length: int, size: int) -> None:
        """Raises BlockingIOError where the place, or the whole file, is somebody else's."""
        self.file = f"{_WHOLE}/{size}"
        self.path = folder / self.file
        self.size = 0
        self._digest = hashlib.md5(usedforsecurity=False)
        self._length = length
        self._descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            offset = (number - 1) * size
            lock(self._descriptor, offset, size)
            self.seek(offset)
            if not os.path.samestat(os.fstat(self._descriptor), self.path.stat()):
                raise BlockingIOError  # completed while it was opened
        except BaseException:
            os.close(self._descriptor)
            raise

    def write(self, data: bytes) -> None:
        if self.size + len(data) > self._length:
            raise AwsError("IncompleteBody", f"More than the {self._length} bytes came that were announced.")
        super().write(data)

    def close(self) -> None:
        os.close(self._descriptor)


def place_for(folder: Path, number: int, length: int, smallest: int) -> PartInPlace | None:
    """The place of a part in a whole file; None where it has to have a file of its own.

    Args:
        length: bytes.
        smallest: the bytes that a part must have for others to be taken for as large.

    Raises:
        FileNotFoundError: the upload has ended.
    """
    (folder / _WHOLE).mkdir(exist_ok=True)
    with os.scandir(folder / _WHOLE) as entries:
        sizes = sorted(int(entry.name) for entry in entries)
    size = next((size for size in sizes if size >= length), length if length >= smallest else 0)
    if not size or number * size > _LARGEST_OBJECT:
        return None
    try:
        return PartInPlace(folder, number, length, size)
    except BlockingIOError:
        return None


def whole_file(root: Path, path: Path) -> Incoming | None:
    """The file of all parts, to become an object's; None as long as somebody writes to it."""
    incoming = Incoming.naming(root, path)
    try:
        lock(incoming.descriptor)
    except BlockingIOError:
        incoming.close()
        return None
    return incoming


def lock(descriptor: int, offset: int = 0, length: int = 0) -> None:
    """Lock bytes of an open file, all of them without a length, until it is closed.

    Raises:
        BlockingIOError: somebody else has locked some of them.
    """
    region = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, offset, length, 0)
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, region)
