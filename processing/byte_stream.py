"""The text of a CSV file as Arrow's reader is given it: unpacked, in UTF-8, in blocks that it reads right.

Where a block ends between the two bytes of a ``\\r\\n``, Arrow's reader leaves out the ``\\n``, also inside
a quoted field (https://github.com/apache/arrow/issues/51368). So no block here ends with ``\\r``: that byte
comes with the next one, and what is read does not depend on where blocks end. A last line without an end is
given one, because to Arrow's reader a file of one such line is empty.
"""

from __future__ import annotations

import io
import lzma
import threading
import zipfile
from collections.abc import Iterator
from typing import IO, Any, cast

import json_lines
import pyarrow as pa
from notation import single_spaces
from source_file import SourceFile

_LINES_BYTES = 1 << 20


_MOST_AHEAD = 8
_LONGEST_WAIT = 1.0  # seconds


class ReadAhead:
    """Bounds how many blocks Arrow's reader has read whose batches nobody has taken; by itself it reads 32.

    Where nothing is taken for a second the next block is read all the same, so that nobody waits for ever:
    that each block becomes a batch is Arrow's habit and no promise.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ahead = 0
        self._is_over = False

    def before_read(self) -> None:
        """Wait until another block may be read."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._ahead < _MOST_AHEAD, _LONGEST_WAIT)
            self._ahead += 1

    def taken(self) -> None:
        """A batch was taken."""
        with self._changed:
            self._ahead -= 1
            self._changed.notify()

    def end(self) -> None:
        """Nothing will be taken any more."""
        with self._changed:
            self._is_over = True
            self._changed.notify()


def open_bytes(file: SourceFile, ahead: ReadAhead | None = None) -> pa.NativeFile:
    """The file's content, unpacked, as UTF-8; JSON lines as CSV, and of several spaces one."""
    return pa.PythonFile(_WholeLineEnds(_content(file), ahead), mode="r")


def open_lines(file: SourceFile) -> IO[bytes]:
    """The same, for reading line by line."""
    return cast("IO[bytes]", io.BufferedReader(cast("Any", _content(file))))


def _content(file: SourceFile) -> pa.NativeFile:
    kind, path = file.kind, str(file.path)
    if kind.packed == "zip":
        stream = pa.PythonFile(zipfile.ZipFile(path).open(kind.member), mode="r")  # noqa: SIM115
    elif kind.packed == "xz":
        stream = pa.PythonFile(lzma.open(path), mode="r")  # noqa: SIM115
    else:
        stream = pa.input_stream(path, compression=kind.packed or None)
    if kind.encoding != "utf-8":
        stream = pa.transcoding_input_stream(stream, kind.encoding, "utf-8")
    if kind.format == "json":
        lines = io.BufferedReader(cast("Any", stream))
        pieces = json_lines.as_csv(lines, file.name, file.stored)
        stream = pa.PythonFile(_FileOfPieces(lines, pieces), mode="r")
    elif file.blanks_quote is not None:
        lines = io.BufferedReader(cast("Any", stream))
        pieces = _with_single_spaces(lines, file.blanks_quote)
        stream = pa.PythonFile(_FileOfPieces(lines, pieces), mode="r")
    return stream


class _File:
    """What ``pa.PythonFile`` asks of a file, beside ``read``."""

    def __init__(self, source: IO[bytes] | pa.NativeFile) -> None:
        self._source = source
        self.closed = False

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """False."""
        return False

    def close(self) -> None:
        """Close the file and what it reads."""
        self.closed = True
        self._source.close()


class _FileOfPieces(_File):
    """The bytes of ``pieces``, which are made from ``source`` as they are needed."""

    def __init__(self, source: IO[bytes], pieces: Iterator[bytes]) -> None:
        super().__init__(source)
        self._pieces = pieces
        self._waiting = b""

    def read(self, size: int) -> bytes:
        """At most that many bytes; none only at the end."""
        while len(self._waiting) < size and (piece := next(self._pieces, b"")):
            self._waiting += piece
        given, self._waiting = self._waiting[:size], self._waiting[size:]
        return given


def _with_single_spaces(lines: IO[bytes], quote: str) -> Iterator[bytes]:
    """``notation.single_spaces`` of some lines at a time; each byte stands for a character of its own."""
    quote = quote.encode().decode("latin-1")
    while some := b"".join(lines.readlines(_LINES_BYTES)):
        yield single_spaces(some.decode("latin-1"), quote).encode("latin-1")


class _WholeLineEnds(_File):
    """A file whose ``read`` gives at most that many bytes, none only at the end."""

    def __init__(self, stream: pa.NativeFile, ahead: ReadAhead | None) -> None:
        super().__init__(stream)
        self._held = b""
        self._ahead = ahead

    def read_buffer(self, size: int) -> pa.Buffer:
        """The next bytes, the last of them no ``\\r`` unless the file ends or only one byte is asked for."""
        if self._ahead is not None:
            self._ahead.before_read()
        pieces, wanted = [pa.py_buffer(self._held)], size - len(self._held)
        while wanted and (piece := self._source.read_buffer(wanted)).size:
            pieces.append(piece)
            wanted -= piece.size
        found = pieces[1] if len(pieces) == 2 and not self._held else pa.py_buffer(b"".join(pieces))
        self._held = b""
        if wanted and found.size and found[found.size - 1] not in _LINE_ENDS:
            return pa.py_buffer(found.to_pybytes() + b"\n")
        if found.size > 1 and found[found.size - 1] == _RETURN:
            self._held = b"\r"
            found = found.slice(0, found.size - 1)
        return found

    def read(self, size: int) -> bytes:
        """As ``read_buffer``."""
        return self.read_buffer(size).to_pybytes()


_LINE_ENDS = b"\r\n"
_RETURN = _LINE_ENDS[0]
