"""Where exactly a CSV file is broken: the file and the line, which Arrow's parallel reader does not tell.

Called only after a failure, so it may take its time: it reads the file again, line by line, in constant
memory.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from dataset_settings import InputError

_TEXT_SHOWN = 60
_FIELD_LIMIT = 1 << 30


def malformed_line(
    path: Path, where: str, compressed: bool, delimiter: str, expected: int
) -> InputError | None:
    """The error for the first line without ``expected`` fields, or with a quote that is never closed."""
    csv.field_size_limit(_FIELD_LIMIT)
    with _open(path, compressed) as file:
        start = 0
        rows = csv.reader(_decoded(file), delimiter=delimiter, strict=True)
        while True:
            start = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return None
            except csv.Error as error:
                what = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
                return InputError(what, where=f"{where}, line {start}", remedy="Correct or remove that line")
            if row and len(row) != expected:
                text = delimiter.join(row)
                shown = text[:_TEXT_SHOWN] + ("..." if len(text) > _TEXT_SHOWN else "")
                return InputError(
                    f"expected {expected} fields, found {len(row)}: {shown!r}",
                    where=f"{where}, line {start}",
                    remedy="Correct that line, or name the right delimiter",
                )


def undecodable_line(path: Path, where: str, compressed: bool) -> InputError | None:
    """The error for the first line that is not UTF-8."""
    with _open(path, compressed) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return InputError(
                    f"byte {error.start + 1} is not UTF-8 (0x{line[error.start]:02x})",
                    where=f"{where}, line {number}",
                    remedy="If this is a CSV, convert it to UTF-8, for example with iconv -f latin1 -t utf-8",
                )
    return None


def unfitting_value(
    path: Path,
    where: str,
    compressed: bool,
    delimiter: str,
    header: bool,
    place: int,
    fits: Callable[[str], bool],
) -> tuple[str, str] | None:
    """``(file and line, value)`` of the first value in column ``place`` (from 0) that does not fit."""
    csv.field_size_limit(_FIELD_LIMIT)
    with _open(path, compressed) as file:
        rows = csv.reader(_decoded(file), delimiter=delimiter)
        for number, row in enumerate(row for row in rows if row):
            if (number or not header) and not fits(row[place]):
                return f"{where}, line {rows.line_num}", row[place]
    return None


def first_width(path: Path, compressed: bool, delimiter: str) -> int:
    """The number of fields in the first row; 0 where there is none."""
    with _open(path, compressed) as file:
        return len(next(csv.reader(_decoded(file), delimiter=delimiter), []))


def _open(path: Path, compressed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if compressed else path.open("rb")


def _decoded(file: IO[bytes]) -> Iterator[str]:
    for line in file:
        yield line.decode("utf-8", errors="replace")
