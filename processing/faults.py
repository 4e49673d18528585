"""Where exactly a CSV file is broken: the file and the line, which Arrow's parallel reader does not tell.

Called only after a failure, so it may take its time: it reads the file again, line by line, in constant
memory.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from typing import IO, cast

from dataset_settings import DatasetSettings, InputError
from source_file import SourceFile

_TEXT_SHOWN = 60
_FIELD_LIMIT = 1 << 30


def malformed_line(file: SourceFile, settings: DatasetSettings, expected: int) -> InputError | None:
    """The error for the first line without ``expected`` fields, or with a quote that is never closed."""
    csv.field_size_limit(_FIELD_LIMIT)
    with _open(file) as lines:
        rows = csv.reader(_decoded(lines), delimiter=settings.delimiter, strict=True)
        while True:
            start = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return None
            except csv.Error as error:
                what = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
                return InputError(
                    what, where=f"{file.name}, line {start}", remedy="Correct or remove that line"
                )
            if row and len(row) != expected:
                text = settings.delimiter.join(row)
                shown = text[:_TEXT_SHOWN] + ("..." if len(text) > _TEXT_SHOWN else "")
                return InputError(
                    f"expected {expected} fields, found {len(row)}: {shown!r}",
                    where=f"{file.name}, line {start}",
                    remedy="Correct that line, or name the right delimiter",
                )


def undecodable_line(file: SourceFile) -> InputError | None:
    """The error for the first line that is not UTF-8."""
    with _open(file) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return InputError(
                    f"byte {error.start + 1} is not UTF-8 (0x{line[error.start]:02x})",
                    where=f"{file.name}, line {number}",
                    remedy="If this is a CSV, convert it to UTF-8, for example with iconv -f latin1 -t utf-8",
                )
    return None


def unfitting_value(
    file: SourceFile, settings: DatasetSettings, place: int, fits: Callable[[str], bool]
) -> tuple[str, str] | None:
    """``(file and line, value)`` of the first value in column ``place`` (from 0) that does not fit."""
    csv.field_size_limit(_FIELD_LIMIT)
    with _open(file) as lines:
        rows = csv.reader(_decoded(lines), delimiter=settings.delimiter)
        for number, row in enumerate(row for row in rows if row):
            if (number or not settings.header) and not fits(row[place]):
                return f"{file.name}, line {rows.line_num}", row[place]
    return None


def first_width(file: SourceFile, settings: DatasetSettings) -> int:
    """The number of fields in the first row; 0 where there is none."""
    with _open(file) as lines:
        return len(next(csv.reader(_decoded(lines), delimiter=settings.delimiter), []))


def _open(file: SourceFile) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(file.path, "rb")) if file.compressed else file.path.open("rb")


def _decoded(lines: IO[bytes]) -> Iterator[str]:
    for line in lines:
        yield line.decode("utf-8", errors="replace")
