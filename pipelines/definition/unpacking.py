"""What is in a file: unpacked, and text in UTF-8, as preprocessing reads it (``processing/file_kind.py``).

For rows that are sent to a model, and for the beginning of data that is only looked at. It is read as it
streams in; pyarrow is imported for zstd, lz4 and UTF-16 only.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from typing import Any, cast

from aws_formats.errors import GatehouseError

DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, UnicodeDecodeError)
"""What reading raises where the file is cut off or damaged."""

PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip")

_SAMPLE = 200


def unpacked(content: io.BufferedReader, name: str) -> io.BufferedReader:
    """What is in the file, by its first bytes: gzip, bzip2, xz, zstd, lz4, a zip of one file, or as it is.

    Raises:
        GatehouseError: a zip holds several files, or none.
    """
    start = content.peek(6)[:6]
    if start.startswith(b"PK\x03\x04"):
        return _out_of_zip(content, name)
    for mark, module in ((b"\x1f\x8b", gzip), (b"BZh", bz2), (b"\xfd7zXZ\x00", lzma)):
        if start.startswith(mark):
            return buffered(cast(Any, module).open(content))
    for mark, codec in ((b"\x28\xb5\x2f\xfd", "zstd"), (b"\x04\x22\x4d\x18", "lz4")):
        if start.startswith(mark):
            import pyarrow as pa

            return buffered(pa.CompressedInputStream(pa.PythonFile(content, mode="r"), codec))
    return content


def in_utf_8(content: io.BufferedReader) -> io.BufferedReader:
    """Text in UTF-16, with a mark of its own or without, in UTF-8; anything else as it is."""
    encoding = _encoding(content.peek(_SAMPLE)[:_SAMPLE])
    if encoding is None:
        return content
    import pyarrow as pa

    return buffered(pa.transcoding_input_stream(pa.PythonFile(content, mode="r"), encoding, "utf-8"))


def buffered(source: Any) -> io.BufferedReader:
    """What can be read, for reading line by line."""
    return source if isinstance(source, io.BufferedReader) else io.BufferedReader(source)


def _encoding(start: bytes) -> str | None:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # Every second byte of an ASCII text is 0.
    for odd, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(start) >= 4 and not any(start[odd::2]) and all(start[1 - odd :: 2]):
            return encoding
    return None


def _out_of_zip(content: io.BufferedReader, name: str) -> io.BufferedReader:
    # The list of what is in it stands at its end, and a pipe cannot seek.
    archive = zipfile.ZipFile(content if content.seekable() else io.BytesIO(content.read()))
    entries = [entry for entry in archive.infolist() if not entry.is_dir() and entry.file_size]
    members = [one for one in entries if not re.search(r"(^|/)(__MACOSX|[._])", one.filename)]
    if len(members) != 1:
        raise GatehouseError(
            f"this zip holds {len(members)} files", where=name, remedy="Unpack it, and give one of them"
        )
    return buffered(archive.open(members[0]))
