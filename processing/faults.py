"""Where exactly a CSV file is broken: the file and the line, which Arrow's parallel reader does not tell.

Called only after a failure, so it may take its time: it reads the file again, line by line, in constant
memory.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from byte_stream import open_lines
from column_roles import VALUE
from dataset_settings import BLANKS, DatasetSettings, InputError
from notation import single_spaces
from source_file import SourceFile

_SAID = {
    "unexpected end": "a quote is opened and never closed",
    "expected after": "text follows the quote that ends a field",
}
"""What Python's reader finds wrong, in words."""

_TEXT_SHOWN = 60
_ROWS_ABOVE_HEADER = 10
_FIELD_LIMIT = 1 << 30


def malformed_line(file: SourceFile, settings: DatasetSettings, expected: int) -> InputError | None:
    """The error for the first line without ``expected`` fields, or with a quote that is never closed."""
    csv.field_size_limit(_FIELD_LIMIT)
    with open_lines(file) as lines:
        rows = csv.reader(_decoded(lines), strict=True, **_dialect(settings))
        above = 0  # rows
        while True:
            start = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return None
            except csv.Error as error:
                what = next((said for part, said in _SAID.items() if part in str(error)), str(error))
                return InputError(
                    what, where=f"{file.name}, line {start}", remedy="Correct or remove that line"
                )
            if row and len(row) != expected:
                text = settings.delimiter.join(row)
                if "\0" in text:
                    return InputError(
                        f"{text.count(chr(0)):,} bytes of 0 stand there, as after a copy that was cut off",
                        where=f"{file.name}, line {start}",
                        remedy="Copy the file again; or, if no row is missing, remove them: "
                        "tr -d '\\000' < FILE > NEW_FILE",
                    )
                shown = text[:_TEXT_SHOWN] + ("..." if len(text) > _TEXT_SHOWN else "")
                fields = "1 field" if expected == 1 else f"{expected} fields"
                return InputError(
                    f"expected {fields}, found {len(row)}: {shown!r}",
                    where=f"{file.name}, line {start}",
                    remedy=_remedy(row, start, above, settings, expected),
                )
            above += bool(row)


def _remedy(row: list[str], line: int, above: int, settings: DatasetSettings, expected: int) -> str:
    delimiter = settings.delimiter
    quoted = next(csv.reader([delimiter.join(row)], delimiter=delimiter, quotechar="'"), [])
    if len(quoted) == expected and settings.quote != "'":
        return 'Set quote = "\'", for values are quoted by that character'
    if settings.target in map(str.strip, row):
        return f"If this is the header, remove the lines above it: tail -n +{line} FILE > NEW_FILE"
    if len(row) == expected + 1 and above == 1 and settings.header:
        if not row[-1] and delimiter != "/":
            return f"If all lines end with {delimiter!r}, remove it: sed 's/{delimiter}$//' FILE > NEW_FILE"
        return (
            "If the header lacks the name of the first column, as R writes row names, give it one: "
            f"sed '1s/^/row{delimiter}/' FILE > NEW_FILE"
        )
    if above == 1 and len(row) > expected:
        return (
            "If the line above it is neither the header nor a row, remove it: "
            f"tail -n +{line} FILE > NEW_FILE; else correct this line, or name the right delimiter"
        )
    return "Correct that line or remove it, or name the right delimiter"


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
                    remedy=_converted(itertools.chain([line], lines)),
                )
    return None


def _converted(lines: Iterable[bytes]) -> str:
    """How text in no encoding of Unicode becomes UTF-8, by what these lines hold.

    Windows-1252 has letters where Latin-1 has none. In both, letters beyond ASCII stand among ASCII ones;
    where most stand three and more together, the language is not written in Latin letters.
    """
    high = beside = 0
    western = "latin1"
    for line in lines:
        high += sum(map(len, found := _HIGH.findall(line)))
        beside += sum(len(one) for one in found if len(one) > 2)
        if western != "" and _NO_LATIN_1.search(line):
            western = "" if _NO_WINDOWS_1252.search(line) else "windows-1252"
    if western and 2 * beside <= high:
        return f"Convert it to UTF-8: iconv -f {western} -t utf-8 FILE > NEW_FILE"
    return (
        "Convert it to UTF-8 from the encoding in which it was written (windows-1251, gb18030, shift_jis, "
        "macintosh?): iconv -f ENCODING -t utf-8 FILE > NEW_FILE"
    )


_KINDS_OF_ORANGE = frozenset({"c", "d", "s", "t", "continuous", "discrete", "string", "time"})
_ROLES_OF_ORANGE = frozenset({"class", "meta", "weight", "ignore", "c", "m", "w", "i"})
_HIGH = re.compile(rb"[\x80-\xff]+")
_NO_LATIN_1 = re.compile(rb"[\x80-\x9f]")
_NO_WINDOWS_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


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


def first_row(file: SourceFile, settings: DatasetSettings) -> list[str]:
    """The fields of the first row that is not empty; none where there is no such row."""
    return next(iter(first_rows(file, settings, settings.delimiter, 1)), [])


def first_rows(file: SourceFile, settings: DatasetSettings, delimiter: str, most: int) -> list[list[str]]:
    """The fields, by that delimiter, of the first rows that are not empty, as far as they can be read."""
    csv.field_size_limit(_FIELD_LIMIT)
    rows: list[list[str]] = []
    with open_lines(file) as lines:
        texts = _decoded(lines)
        if delimiter == BLANKS:
            texts = (single_spaces(text, settings.quote) for text in texts)
        with contextlib.suppress(csv.Error, OSError, EOFError, ValueError):
            found = csv.reader(texts, **_dialect(settings, delimiter))
            rows.extend(itertools.islice(filter(None, found), most))
    return rows


def counts_rows_and_features(rows: list[list[str]]) -> bool:
    """Whether the first row holds a number of rows, the number of columns less one, and names of classes:
    texts, of which one at least has a number below it, or nothing."""
    if len(rows) < 2 or len(rows[0]) < 3:
        return False
    (count, features, *names), below = rows
    return (
        count.isdecimal()
        and features == str(len(below) - 1)
        and not any(map(VALUE.fullmatch, names))
        and (len(below) != len(rows[0]) or any(map(VALUE.fullmatch, below[2:])))
    )


def describes_columns(rows: list[list[str]]) -> bool:
    """Whether the second and the third row hold kinds and roles of the columns, as Orange's files do."""
    if len(rows) < 3 or len(rows[1]) != len(rows[2]):
        return False
    _, kinds, roles = rows
    return (
        all(text.strip() in _KINDS_OF_ORANGE or " " in text.strip() for text in kinds)
        and any(text.strip() in _KINDS_OF_ORANGE for text in kinds)
        and any(text.strip() in _ROLES_OF_ORANGE for text in roles)
        and all(text.strip() in ("", *_ROLES_OF_ORANGE) or "=" in text for text in roles)
    )


def header_below(file: SourceFile, settings: DatasetSettings) -> int | None:
    """The line below the first one that has the target among names only, as a header does; None if none of
    the first has."""
    with open_lines(file) as lines:
        rows = csv.reader(_decoded(lines), **_dialect(settings))
        with contextlib.suppress(csv.Error, OSError, EOFError, ValueError):
            for row in itertools.islice(filter(None, rows), 1, _ROWS_ABOVE_HEADER):
                names = [text.strip() for text in row]
                apart = len(set(names)) == len(names)
                if settings.target in names and apart and not any(map(VALUE.fullmatch, names)):
                    return rows.line_num
    return None


def _dialect(settings: DatasetSettings, delimiter: str | None = None) -> dict[str, Any]:
    quoting = {"quotechar": settings.quote} if settings.quote else {"quoting": csv.QUOTE_NONE}
    return {"delimiter": delimiter or settings.delimiter, **quoting}


def _decoded(lines: IO[bytes]) -> Iterator[str]:
    """Lines that end where Arrow ends them: a carriage return by itself does it, too."""
    for number, line in enumerate(lines):
        text = line.decode("utf-8" if number else "utf-8-sig", errors="replace")
        if "\r" in text.removesuffix("\r\n"):
            yield from filter(None, _AFTER_RETURN.split(text))
        else:
            yield text


_AFTER_RETURN = re.compile(r"(?<=\r)(?!\n)")
