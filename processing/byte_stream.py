"""The bytes of a CSV file as Arrow's reader is given them, unpacked, in blocks that it reads right.

Where a block ends between the two bytes of a ``\\r\\n``, Arrow's reader leaves out the ``\\n``, also inside
a quoted field (https://github.com/apache/arrow/issues/51368). So no block here ends with ``\\r``: that byte
comes with the next one, and what is read does not depend on where blocks end.
"""

from __future__ import annotations

import pyarrow as pa
from source_file import SourceFile


def open_bytes(file: SourceFile) -> pa.NativeFile:
    """The file's content, unpacked."""
    stream = pa.input_stream(str(file.path), compression="gzip" if file.compressed else None)
    return pa.PythonFile(_WholeLineEnds(stream), mode="r")


class _WholeLineEnds:
    """A file for ``pa.PythonFile``: ``read`` gives at most that many bytes, none only at the end."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream
        self._held = b""
        self.closed = False

    def read_buffer(self, size: int) -> pa.Buffer:
        """The next bytes, the last of them no ``\\r`` unless the file ends or only one byte is asked for."""
        found = self._stream.read_buffer(size - len(self._held))
        if self._held:
            found = pa.py_buffer(self._held + found.to_pybytes())
            self._held = b""
        if found.size > 1 and found[found.size - 1] == _RETURN:
            self._held = b"\r"
            found = found.slice(0, found.size - 1)
        return found

    def read(self, size: int) -> bytes:
        """As ``read_buffer``."""
        return self.read_buffer(size).to_pybytes()

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """False."""
        return False

    def close(self) -> None:
        """Close the file."""
        self.closed = True
        self._stream.close()


_RETURN = ord("\r")
