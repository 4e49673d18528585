"""How a CSV is written, guessed from its first lines: the delimiter, and whether it begins with names.

Only for a person's first settings (`gatehouse init`), who sees the guess in them. What runs never guesses.
"""

from __future__ import annotations

import csv
import re
from typing import Any

_DELIMITERS = ",;\t|^\x01"
_LINES = 50
_SHARE_ALIKE = 0.9  # of the lines


def how_written(start: bytes) -> dict[str, Any]:
    """Those keys of the data table that are needed: delimiter, quote, strip, header and columns.

    Args:
        start: the beginning of the file, unpacked and in UTF-8; one that is no CSV needs none of them.
    """
    text = start.decode("utf-8-sig", errors="replace")
    if text.startswith(("PAR1", "{", "PK\x03\x04")) or "\0" in text:
        return {}
    lines = [line for line in text.splitlines()[:-1] if line][:_LINES]
    if not lines:
        return {}
    delimiter = _delimiter(lines)
    found: dict[str, Any] = {} if delimiter == "," else {"delimiter": delimiter}
    if _has_quote(lines, delimiter, "'") or _width(lines, delimiter, '"') < _columns(lines, delimiter):
        found["quote"] = "'"
    rows = _rows(lines, delimiter, found.get("quote", '"'))
    first = rows[0]
    if any(text != text.strip() for text in first) or _has_spaces(rows[1:]):
        found["strip"] = True
    if any(map(_is_value, first)) or _repeats(first, rows[1:]):
        found |= {"header": False, "columns": [f"column_{place}" for place in range(1, len(first) + 1)]}
    elif len(set(first)) < len(first):
        found["columns"] = _names_apart(first)
    return found


def _delimiter(lines: list[str]) -> str:
    """The one that makes most columns. A space, for any number of spaces and tabs, where no other makes any;
    or tabs alone do, in lines that several spaces align."""
    best = max(_DELIMITERS, key=lambda one: _columns(lines, one))
    columns = _columns(lines, best)
    if columns == 1 or (best == "\t" and all("  " in line for line in lines[1:])):
        return " " if _columns(lines, " ") > columns else best
    return best


def _columns(lines: list[str], delimiter: str) -> int:
    """How many columns the delimiter makes of the lines; by single quotes where double ones leave it open."""
    columns = _width(lines, delimiter, '"')
    return columns if columns > 1 else _width(lines, delimiter, "'")


def _width(lines: list[str], delimiter: str, quote: str) -> int:
    """How many columns the first line has; 1 where others have another number. A few may: these are
    malformed, which preprocessing says of the very line."""
    widths = [len(row) for row in _rows(lines, delimiter, quote)]
    return widths[0] if widths.count(widths[0]) >= _SHARE_ALIKE * len(widths) else 1


def _rows(lines: list[str], delimiter: str, quote: str) -> list[list[str]]:
    if delimiter == " ":
        lines = [" ".join(line.split()) for line in lines]
    return list(csv.reader(lines, delimiter=delimiter, quotechar=quote))


def _names_apart(names: list[str]) -> list[str]:
    """The names; one that is empty, or was there before, with its place."""
    found: list[str] = []
    for place, name in enumerate(names, start=1):
        found.append(f"{name or 'column'}_{place}" if not name or name in found else name)
    return found


def _has_quote(lines: list[str], delimiter: str, quote: str) -> bool:
    """Whether all names stand between these quotes, or all values of one column; its name need not."""
    names, *rows = [line.split(delimiter) for line in lines]
    return any(
        all(len(text) > 1 and text[0] == quote == text[-1] for text in texts)
        for texts in (names, *zip(*rows, strict=False))
    )


def _repeats(first: list[str], rows: list[list[str]]) -> bool:
    """Whether half of the first line's texts come again in their columns, as no names of columns do."""
    columns = list(zip(*rows, strict=False))
    again = [text for text, column in zip(first, columns, strict=False) if text and text in column]
    return bool(again) and 2 * len(again) >= len(first)


def _has_spaces(rows: list[list[str]]) -> bool:
    """Whether all values of one column begin with a space."""
    return any(all(text.startswith(" ") for text in column) for column in zip(*rows, strict=False))


def _is_value(text: str) -> bool:
    """Whether it is a number or begins with a date, as no name of a column does."""
    if re.match(r"\d{4}-\d\d-\d\d|\d{1,2}[/.]\d{1,2}[/.]\d{4}", text):
        return True
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
