"""A file with a JSON object in each line, read as a CSV: the keys are columns, the values its fields.

So types, missing values and notations are decided as for a CSV. A number is written as it stands in the
file, null as an empty field. A key may be absent from any line; all lines are looked at for the keys, since
the first lines need not have them all.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

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


def as_csv(lines: Iterable[bytes], name: str, columns: tuple[str, ...]) -> Iterator[bytes]:
    """A header, and a line of CSV for each line of JSON, in pieces of up to 1000 lines.

    Raises:
        InputError: as ``columns_of``.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=DELIMITER, quotechar=QUOTE, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    rows = _objects(lines, name)
    while some := list(itertools.islice(rows, 1000)):
        writer.writerows([row.get(column, "") for column in columns] for _, row in some)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    if text.tell():
        yield text.getvalue().encode()  # no row at all: the header alone


def _objects(lines: Iterable[bytes], name: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            pairs = json.loads(
                line, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_Pairs
            )
        except ValueError as error:
            raise InputError(
                f"this line is no JSON object: {error}",
                where=f"{name}, line {number}",
                remedy="Write one JSON object a line: jq -c . FILE > FILE.jsonl"
                if number == 1
                else "Correct or remove that line; if it is the last one, the file is cut off",
            ) from None
        if not isinstance(pairs, _Pairs):
            raise InputError(
                "this line is JSON, but no object",
                where=f"{name}, line {number}",
                remedy='Write {"column": value, ...} in each line',
            )
        row = dict(pairs)
        if len(row) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(
                f"the key {twice!r} is there more than once",
                where=f"{name}, line {number}",
                remedy="Correct or remove that line",
            )
        yield number, {key: _field(value, key, row, f"{name}, line {number}") for key, value in row.items()}


class _Pairs(list[tuple[str, Any]]):
    """An object's keys and values; an array is a plain list."""


def _field(value: Any, key: str, row: Mapping[str, Any], where: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    raise InputError(
        f"the value of {key!r} is {'an object' if isinstance(value, _Pairs) else 'a list'}",
        where=where,
        remedy=_remedy(value, key, row),
    )


def _remedy(value: Any, key: str, row: Mapping[str, Any]) -> str:
    """The command that makes lines of the one document that the file most probably is, or flat objects."""
    if isinstance(value, list) and value and all(isinstance(one, _Pairs) for one in value):
        return f"Write one JSON object a line: jq -c '.[{json.dumps(key)}][]' FILE > FILE.jsonl"
    if all(isinstance(one, list) for one in row.values()):
        return (
            "If these are columns, write one JSON object a line: "
            f"jq -c '. as $all | (.[{json.dumps(key)}] | keys_unsorted[]) as $row | $all"
            " | map_values(.[$row])' FILE > FILE.jsonl"
        )
    return (
        "Give every value a key of its own: "
        'jq -c \'[paths(type != "object" and type != "array") as $p | '
        '{($p | map(tostring) | join(".")): getpath($p)}] | add\' FILE > FILE.jsonl'
    )
