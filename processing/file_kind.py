"""What a file is, by its first bytes: a table that can be read, or something else that is named.

A reader that takes a workbook or a page of HTML for a CSV only says that some byte is wrong. Here the file
is named for what it is, with the way to what can be read; and files that lie beside data without being data
(a README, a licence, a checksum) are told by their names.
"""

from __future__ import annotations

import lzma
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from dataset_settings import InputError

_START_BYTES = 4096
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\x00": "xz",
}
_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_EXPORT = "Export the table as CSV or Parquet"
_OTHERS = (
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (or another old Office file)", "Save the sheet as CSV UTF-8"),
    (
        b"SQLite format 3\x00",
        "an SQLite database",
        "Export the table: sqlite3 -header -csv FILE 'select ...'",
    ),
    (b"%PDF", "a PDF", _EXPORT),
    (b"Obj\x01", "an Avro file", _EXPORT),
    (b"ORC", "an ORC file", _EXPORT),
    (b"ARROW1", "an Arrow (Feather) file", _EXPORT),
    (b"FEA1", "a Feather file", _EXPORT),
    (b"\x89HDF", "an HDF5 file", _EXPORT),
    (b"\x93NUMPY", "a NumPy array", _EXPORT),
    (b"\x89PNG", "a picture", "Give a table"),
    (b"\xff\xd8\xff", "a picture", "Give a table"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it"),
    (b"Rar!", "a RAR archive", "Unpack it"),
    (b"version https://git-lfs", "a pointer of Git LFS in place of the file", "Fetch the file: git lfs pull"),
    (b"{\\rtf", "a text of a word processor (RTF)", _EXPORT),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_HTML = re.compile(r"(<!--.*?-->\s*)*<(!doctype html|html|head|body|table)", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"<([?!]|[A-Za-z][^,;|\t\n]*>)")
_ARFF = re.compile(r"([ \t]*(%.*)?\r?\n)*\s*@relation\s", re.IGNORECASE)
_LIBSVM = re.compile(r"[-+.\deE]+([ \t]+\d+:[-+.\deE]+)+[ \t]*(#.*)?\r?(\n|$)")
_BINARY = re.compile("[\x02-\x08\x0e-\x19]")  # \x01 separates fields of Hive
_STRAY_SUFFIXES = (
    *(".md", ".rst", ".pdf", ".html", ".htm", ".doc", ".docx", ".png", ".jpg", ".jpeg", ".gif", ".svg"),
    *(".py", ".r", ".ipynb", ".sh", ".sql", ".yml", ".yaml", ".toml", ".ini", ".cfg", ".log", ".lock"),
    *(".md5", ".sha1", ".sha256", ".sha512", ".crc", ".asc", ".sig", ".bib", ".names"),
)
_STRAY_NAMES = ("readme", "license", "licence", "notice", "changelog", "citation", "authors", "contributing")


@dataclass(frozen=True)
class FileKind:
    """``format`` is parquet, csv or json (a JSON object in each line); ``packed`` how the file is compressed,
    nothing where it is not; ``member`` the file inside a zip; ``encoding`` that of its text."""

    format: str
    packed: str = ""
    member: str = ""
    encoding: str = "utf-8"


def is_stray(name: str) -> bool:
    """Whether a file that lies beside others is, by its name, no data."""
    path = Path(name)
    stem = path.name.lower().split(".")[0].rstrip("s").rstrip("0123456789-_ ")
    is_text = path.suffix.lower() in ("", ".txt", ".md", ".rst")
    return path.suffix.lower() in _STRAY_SUFFIXES or (
        is_text and stem in {known.rstrip("s") for known in _STRAY_NAMES}
    )


def kind_of(path: Path, name: str) -> FileKind:
    """What the file is.

    Raises:
        InputError: it is nothing that can be read; the error says what it is.
    """
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    if start.startswith(b"PAR1"):
        return FileKind("parquet")
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(path, name)
    for mark, packed in _PACKED.items():
        if start.startswith(mark):
            return _plain(_unpacked_start(path, packed), name, packed)
    return _plain(start, name, "")


def _plain(start: bytes, name: str, packed: str, member: str = "") -> FileKind:
    inside, first = (" inside", "Unpack it first. ") if packed else ("", "")
    if start.startswith(b"PAR1"):
        raise InputError(
            "this is a Parquet file that is compressed as a whole", where=name, remedy="Unpack it"
        )
    if packed and start.startswith((b"PK\x03\x04", *_PACKED)):
        raise InputError(
            f"inside the {packed} file is another compressed one", where=name, remedy="Unpack it"
        )
    if start[257:262] == b"ustar":
        raise InputError(f"this is a tar archive{inside}", where=name, remedy="Unpack it")
    for mark, what, remedy in _OTHERS:
        if start.startswith(mark):
            raise InputError(
                f"this is {what}{inside}, no CSV, JSON lines or Parquet", where=name, remedy=remedy
            )
    if _PICKLE.match(start):
        raise InputError(f"this is a pickle of Python{inside}", where=name, remedy=_EXPORT)
    encoding = _encoding(start)
    text = start.decode(encoding, errors="ignore").removeprefix("\ufeff").lstrip()
    if _HTML.match(text):
        raise InputError(
            f"this is a page of HTML{inside}, no data",
            where=name,
            remedy="Perhaps a download answered with an error or a login page: give the file itself",
        )
    if _MARKUP.match(text):
        raise InputError(
            f"this is XML{inside}, no CSV, JSON lines or Parquet",
            where=name,
            remedy=f"{_EXPORT}; or, if a download answered with an error, give the file itself",
        )
    if _ARFF.match(text):
        raise InputError(
            f"this is an ARFF file{inside}, as Weka and OpenML write them",
            where=name,
            remedy=f"{first}Take its rows, which are a CSV without a header: "
            "sed '1,/^@[Dd][Aa][Tt][Aa]/d; /^%/d' FILE > FILE.csv",
        )
    if _LIBSVM.match(text):
        raise InputError(
            f"this is a file of LIBSVM{inside}, with pairs such as 1:0.5",
            where=name,
            remedy=f"{first}Write it as a CSV without a header: "
            'python -c "import numpy, sklearn.datasets as d; '
            "x, y = d.load_svmlight_file('FILE'); "
            "numpy.savetxt('FILE.csv', numpy.column_stack([y, x.toarray()]), '%.9g', ',')\"",
        )
    if re.match(r'\[\s*(\{|\[|\]|"|$)', text):
        raise InputError(f"this is a JSON array{inside}", where=name, remedy=first + _of_array(text))
    if _BINARY.search(text[:200]):
        raise InputError(
            f"this is no text{inside}: it holds control characters, and is no Parquet file either",
            where=name,
            remedy=_EXPORT,
        )
    if re.match(r'\{\s*("|\}|$)', text):
        return FileKind("json", packed, member, encoding)
    return FileKind("csv", packed, member, encoding)


def _of_array(text: str) -> str:
    """How an array of objects, an array of rows, or arrays of values one a line become a table."""
    if re.match(r"\[\s*\[", text):
        return "Write it as CSV: jq -r '.[] | @csv' FILE > FILE.csv"
    if re.match(r"\[\s*\{", text):
        return "Write one JSON object a line: jq -c '.[]' FILE > FILE.jsonl"
    return "Write its lines as CSV: jq -r '@csv' FILE > FILE.csv"


def _encoding(start: bytes) -> str:
    for mark, encoding in _ENCODINGS:
        if start.startswith(mark):
            return encoding
    # Without a mark of its own: every second byte of an ASCII text is 0.
    for odd, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(start) >= 4 and not any(start[odd:200:2]) and all(start[1 - odd : 200 : 2]):
            return encoding
    return "utf-8"


def _unpacked_start(path: Path, packed: str) -> bytes:
    import pyarrow as pa

    try:
        if packed == "xz":
            with lzma.open(path) as file:
                return file.read(_START_BYTES)
        with pa.input_stream(str(path), compression=packed) as stream:
            return stream.read(_START_BYTES)
    except (OSError, EOFError, lzma.LZMAError):
        return b""  # who reads it all says what is wrong with it


def _zipped(path: Path, name: str) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir() and entry.file_size]
            if "xl/workbook.xml" in names or "xl/workbook.bin" in names:
                raise InputError(
                    "this is an Excel workbook, no CSV, JSON lines or Parquet",
                    where=name,
                    remedy="Save the sheet as CSV UTF-8",
                )
            if "word/document.xml" in names or "content.xml" in names:
                raise InputError("this is an Office document", where=name, remedy=_EXPORT)
            members = [one for one in names if not re.search(r"(^|/)(__MACOSX|[._])", one)]
            members = [one for one in members if not is_stray(one)] or members
            if len(members) != 1:
                shown = ", ".join(members[:3]) or "nothing"
                raise InputError(
                    f"this zip holds {len(members)} files ({shown}{', ...' if len(members) > 3 else ''})",
                    where=name,
                    remedy="Unpack it, and give the folder",
                )
            with archive.open(members[0]) as member:
                start = member.read(_START_BYTES)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"the zip cannot be unpacked: {error}", where=name, remedy="Fetch it or pack it again"
        ) from None
    return _plain(start, name, "zip", members[0])
