"""What is looked at of a project's data: all of it where it is small, else the first part of the first files.

The files are laid out in a folder as a preprocessing job is given them. Files on this machine that are read
as a whole are linked; of others, and of objects in S3, there are copies of what was read, cut at the end of a
row. Of a Parquet file that are ranged reads of its footer and of some pages; where these would be too many,
its columns without rows.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aws_formats.errors import GatehouseError
from aws_formats.sizes import size_in_words
from pipelines.definition.dataset import DataFile
from pipelines.definition.unpacking import DAMAGED, buffered, in_utf_8, unpacked

_BYTES_OF_A_FILE = 128 << 10
"""As which a smaller file counts: to open it takes as long as reading so many, and much longer in S3."""

PART_BYTES = 1 << 20
"""Read at most of a file that is not read as a whole."""

MOST_FILES = 8
"""Looked at of data that is not read as a whole."""

_UNPACKED_BYTES, _PIECE_BYTES = 4 << 20, 16 << 10
"""Taken at most of a packed file; read of it at once."""

_PARQUET_ROWS = 5_000
_PARQUET_BYTES = 12 << 20
"""Fetched at most of one Parquet file."""


@dataclass(frozen=True)
class Stored:
    """One file of the data, wherever it is: its name below the source, its size, and its bytes from one place
    to before another."""

    name: str
    size: int
    read: Callable[[int, int], bytes]
    path: Path | None = None  # on this machine


@dataclass(frozen=True)
class Sample:
    """What was laid out: `said` is it in words, `whole` whether it is all of the data."""

    said: str
    whole: bool


def stored_here(file: DataFile) -> Stored:
    def read(start: int, end: int) -> bytes:
        with file.path.open("rb") as content:
            content.seek(start)
            return content.read(end - start)

    return Stored(file.key, file.size, read, file.path)


def stored_in_s3(s3: Any, bucket: str, key: str, size: int, name: str) -> Stored:
    def read(start: int, end: int) -> bytes:
        wanted = f"bytes={start}-{min(end, size) - 1}"
        return cast(bytes, s3.get_object(Bucket=bucket, Key=key, Range=wanted)["Body"].read())

    return Stored(name, size, read)


def lay_out(files: Sequence[Stored], folder: Path, *, most_bytes: int | None, quote: str) -> Sample:
    """Lay files out in a folder, as a whole where together they have no more than ``most_bytes``.

    Args:
        files: those with content that preprocessing reads; at least one.
        most_bytes: None for no bound.
        quote: the character around CSV fields that hold line ends; empty where there is none.
    """
    total = sum(file.size for file in files)
    if most_bytes is None or sum(max(file.size, _BYTES_OF_A_FILE) for file in files) <= most_bytes:
        for file in files:
            _place(folder, file)
        return Sample(f"all of {_files(len(files))}, {size_in_words(total)}", True)
    chosen = files[:MOST_FILES]
    for file in chosen:
        start = file.read(0, min(4, file.size))
        if start == b"PAR1":
            _place_parquet(folder, file)
        elif file.size <= PART_BYTES:
            _place(folder, file)
        else:
            _write(folder, file, _first_rows(beginning(file), quote))
    is_cut = any(file.size > PART_BYTES for file in chosen)
    parts = f"the first {size_in_words(PART_BYTES)} of " if is_cut else ""
    some = f"the first {len(chosen)} of " if len(chosen) < len(files) else ""
    return Sample(f"{parts}{some}{_files(len(files))}, {size_in_words(total)} in all", False)


def _place(folder: Path, file: Stored) -> None:
    if file.path is None:
        _write(folder, file, file.read(0, file.size))
        return
    place = folder / file.name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(file.path.resolve())


def _write(folder: Path, file: Stored, content: bytes) -> None:
    place = folder / file.name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def beginning(file: Stored) -> bytes:
    """The first bytes of a file, unpacked and in UTF-8; as they are where that fails: the program says what
    is wrong."""
    content = file.read(0, PART_BYTES)
    is_zip = content.startswith(b"PK\x03\x04")  # what is in it is listed at its end
    source = buffered(_Ranged(file) if is_zip else io.BytesIO(content))
    found = bytearray()
    try:
        text = in_utf_8(unpacked(source, file.name))
        while len(found) < _UNPACKED_BYTES and (more := text.read1(_PIECE_BYTES)):
            found += more
    except (*DAMAGED, GatehouseError):  # also where the first part of a packed file ends
        pass
    return bytes(found) or content


def _first_rows(content: bytes, quote: str) -> bytes:
    """The beginning of a text file up to the last line end that ends a row."""
    mark = b"" if content.lstrip().startswith((b"{", b"[")) else quote.encode()
    end = len(content)
    quotes = content.count(mark) if mark else 0
    while (line_end := content.rfind(b"\n", 0, end)) >= 0:
        quotes -= content.count(mark, line_end, end) if mark else 0
        if quotes % 2 == 0:  # else it belongs to a value: it is after an opening and before a closing quote
            return content[: line_end + 1]
        end = line_end
    return content


def _place_parquet(folder: Path, file: Stored) -> None:
    """Some rows of a Parquet file as a file of its own; none where they would be too many bytes to fetch."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(
            _Ranged(file), buffer_size=64 << 10, pre_buffer=False, coerce_int96_timestamp_unit="us"
        ) as parquet:
            schema = parquet.schema_arrow
            try:
                rows = next(parquet.iter_batches(_PARQUET_ROWS, row_groups=[0]), None)
            except _TooMuch:
                rows = None
    except (pa.ArrowInvalid, UnicodeDecodeError):
        # The program says what is wrong with it.
        _write(folder, file, file.read(0, min(file.size, PART_BYTES)))
        return
    table = schema.empty_table() if rows is None else pa.Table.from_batches([rows])
    place = folder / file.name
    place.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, place)


class _TooMuch(OSError):
    """More of a file was wanted than is fetched for a look."""


class _Ranged(io.RawIOBase):
    """A stored file as Arrow reads one; its bytes are counted."""

    def __init__(self, file: Stored) -> None:
        self._file = file
        self._place = self._fetched = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = (
            offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.size}[whence]
        )
        return self._place

    def readinto(self, buffer: Any) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def read(self, size: int = -1) -> bytes:
        end = self._file.size if size < 0 else min(self._file.size, self._place + size)
        if end <= self._place:
            return b""
        self._fetched += end - self._place
        if self._fetched > _PARQUET_BYTES:
            raise _TooMuch(f"{self._file.name}: more than {_PARQUET_BYTES} bytes")
        content = self._file.read(self._place, end)
        self._place += len(content)
        return content


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
