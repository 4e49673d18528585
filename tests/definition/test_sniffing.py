"""What `gatehouse init` guesses of the way in which a file is written."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.definition.dataset import DataFile
from pipelines.definition.first_parts import beginning, stored_here
from pipelines.definition.sniffing import how_written

NAMED = {"header": False, "columns": ["column_1", "column_2", "column_3"]}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param('{n:9.2f}   {n}\t"a b"\n', {"delimiter": " ", **NAMED}, id="aligned"),
        pytest.param("A{n} 1 x\n", {"delimiter": " ", **NAMED}, id="one space"),
        pytest.param(
            "{n}\tfirst name\tx\n", {"delimiter": "\t", **NAMED}, id="texts with spaces between tabs"
        ),
        pytest.param("{n},2024-01-31 10:00:00,x\n", NAMED, id="dates with spaces between commas"),
        pytest.param("{n}\x012024-01-31 10:00:00\x01x, y\n", {"delimiter": "\x01", **NAMED}, id="Hive"),
    ],
)
def test_spaces_are_a_delimiter_where_nothing_else_is(line: str, expected: dict[str, Any]) -> None:
    assert how_written("".join(line.format(n=n) for n in range(9)).encode()) == expected


def test_columns_without_a_name_of_their_own_get_one() -> None:
    rows = "".join(f"{n},x,{n},,\n" for n in range(9))
    names = ["a", "y", "a_3", "column_4", "column_5"]
    assert how_written(f"a,y,a,,\n{rows}".encode()) == {"columns": names}
    assert how_written(f"a,y,b,,c\n{rows}".encode()) == {}, "one column without a name is read as it is"


def test_a_malformed_line_does_not_hide_the_delimiter() -> None:
    rows = ["a;b;c", *(f"{n};1,5;x" for n in range(20)), "1;2;3;4", "1"]
    assert how_written("\n".join([*rows, ""]).encode()) == {"delimiter": ";"}
    prose = [f"{n};so, {'and, ' * (n % 3)}on" for n in range(30)]
    assert how_written("\n".join(["a;b", *prose, ""]).encode()) == {"delimiter": ";"}


def test_a_delimiter_between_single_quotes_divides_nothing() -> None:
    rows = ["a|b", *(f"'{n} | m'|{n}" for n in range(20))]
    assert how_written("\n".join([*rows, ""]).encode()) == {"delimiter": "|", "quote": "'"}


def test_packed_and_encoded_files_are_looked_into(tmp_path: Path) -> None:
    lines = "".join(f"{n}\tx\tno\n" for n in range(9))
    for name, content in {
        "data.csv.gz": gzip.compress(lines.encode()),
        "data.csv.bz2": bz2.compress(lines.encode()),
        "data.csv.xz": lzma.compress(lines.encode()),
        "data.csv.zst": pa.compress(lines.encode(), "zstd", asbytes=True),
        "data.txt": lines.encode("utf-16"),
        "unmarked.txt": lines.encode("utf-16-le"),
    }.items():
        (tmp_path / name).write_bytes(content)
        file = stored_here(DataFile(name, tmp_path / name, len(content), 0))
        assert how_written(beginning(file)) == {"delimiter": "\t", **NAMED}
