"""Where exactly a CSV file is broken: the file and the line, which Arrow's parallel reader does not tell.

Called only after a failure, so it may take its time: it reads the file again, line by line, in constant
memory.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import IO, Any

from byte_stream import open_lines
from dataset_settings import DatasetSettings, InputError
from source_file import SourceFile

_TEXT_SHOWN = 60
_FIELD_LIMIT = 1 << 30


def malformed_line(file: SourceFile, settings: DatasetSettings, expected: int) -> InputError | None:
    """The error for the first line without ``expected`` fields, or with a quote that is never closed."""
    csv.field_size_limit(_FIELD_LIMIT)
    with open_lines(file) as lines:
        rows = csv.reader(_decoded(lines), strict=True, **_dialect(settings))
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
                    remedy=_remedy(text, settings, expected),
                )


def _remedy(line: str, settings: DatasetSettings, expected: int) -> str:
    quoted = next(csv.reader([line], delimiter=settings.delimiter, quotechar="'"), [])
    if len(quoted) == expected and settings.quote != "'":
        return 'Set quote = "\'", for values are quoted by that character'
    return "Correct that line, or name the right delimiter"


def undecodable_line(file: SourceFile) -> InputError | None:
    """The error for the first line that is not UTF-8."""
    with open_lines(file) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return InputError(
                    f"byte {error.start + 1} is not UTF-8 (0x{line[error.start]:02x})",
                    where=f"{file.name}, line {number}",
                    remedy=f"Convert it to UTF-8: iconv -f {_encoding(line)} -t utf-8 FILE > NEW_FILE",
                )
    return None


def _encoding(line: bytes) -> str:
    """Windows-1252 has letters where Latin-1 has none."""
    return "windows-1252" if any(0x80 <= byte < 0xA0 for byte in line) else "latin1"


def unfitting_value(
    file: SourceFile, settings: DatasetSettings, place: int, fits: Callable[[str], bool]
) -> tuple[str, str] | None:
    """``(file and line, value)`` of the first value in column ``place`` (from 0) that does not fit."""
    csv.field_size_limit(_FIELD_LIMIT)
    with open_lines(file) as lines:
        rows = csv.reader(_decoded(lines), **_dialect(settings))
        for number, row in enumerate(row for row in rows if row):
            if (number or not settings.header) and not fits(row[place]):
                return f"{file.name}, line {rows.line_num}", row[place]
    return None


def first_row(file: SourceFile, settings: DatasetSettings, delimiter: str) -> list[str]:
    """The fields of the first row that is not empty, by that delimiter; none where there is no such row."""
    csv.field_size_limit(_FIELD_LIMIT)
    with open_lines(file) as lines:
        try:
            return next(
                (row for row in csv.reader(_decoded(lines), **_dialect(settings, delimiter)) if row), []
            )
        except (csv.Error, OSError, EOFError, ValueError):
            return []


def _dialect(settings: DatasetSettings, delimiter: str | None = None) -> dict[str, Any]:
    quoting = {"quotechar": settings.quote} if settings.quote else {"quoting": csv.QUOTE_NONE}
    return {"delimiter": delimiter or settings.delimiter, **quoting}


def _decoded(lines: IO[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield line.decode("utf-8" if number else "utf-8-sig", errors="replace")
