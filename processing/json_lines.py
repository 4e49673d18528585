"""A file with a JSON object in each line, read as a CSV: the keys are columns, the values its fields.

So types, missing values and notations are decided as for a CSV. A number is written as it stands in the
file, null as an empty field. A key may be absent from any line; all lines are looked at for the keys, since
the first lines need not have them all.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import IO, Any

from dataset_settings import InputError

DELIMITER, QUOTE = ",", '"'


def columns_of(lines: Iterable[bytes], name: str) -> tuple[str, ...]:
    """All keys, in the order in which they first appear.

    Raises:
        InputError: a line is no JSON object, or a value is a list or an object.
    """
    found: dict[str, None] = {}
    for _, row in _objects(lines, name):
        if not row.keys() <= found.keys():
            found |= dict.fromkeys(row)
    return tuple(found)


class CsvOfJsonLines:
    """A file for ``pa.PythonFile``: a header, and a line of CSV for each line of JSON."""

    def __init__(self, lines: IO[bytes], name: str, columns: tuple[str, ...]) -> None:
        self._lines = lines
        self._rows = _objects(lines, name)
        self._columns = columns
        self._waiting = io.StringIO(newline="")
        self._writer = csv.writer(self._waiting, delimiter=DELIMITER, quotechar=QUOTE, quoting=csv.QUOTE_ALL)
        self._writer.writerow(columns)
        self._bytes = b""
        self.closed = False

    def read(self, size: int) -> bytes:
        """At most that many bytes; none only at the end."""
        while len(self._bytes) < size:
            for _, (_, row) in zip(range(1000), self._rows, strict=False):
                self._writer.writerow([row.get(name, "") for name in self._columns])
            text = self._waiting.getvalue()
            if not text:
                break
            self._bytes += text.encode()
            self._waiting.seek(0)
            self._waiting.truncate()
        given, self._bytes = self._bytes[:size], self._bytes[size:]
        return given

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """False."""
        return False

    def close(self) -> None:
        """Close the file."""
        self.closed = True
        self._lines.close()


def _objects(lines: Iterable[bytes], name: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        except ValueError as error:
            raise InputError(
                f"this line is no JSON object: {error}",
                where=f"{name}, line {number}",
                remedy="Write one JSON object a line: jq -c . FILE > FILE.jsonl",
            ) from None
        if not isinstance(row, dict):
            raise InputError(
                "this line is JSON, but no object",
                where=f"{name}, line {number}",
                remedy='Write {"column": value, ...} in each line',
            )
        yield number, {key: _field(value, key, name, number) for key, value in row.items()}


def _field(value: Any, key: str, name: str, number: int) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    raise InputError(
        f"the value of {key!r} is {'a list' if isinstance(value, list) else 'an object'}",
        where=f"{name}, line {number}",
        remedy="Give every value a key of its own, for example with jq",
    )
