"""What a CSV holds does not depend on where the blocks end in which it is read."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from program_runs import PARTS, Prepared

FIELDS = ["a\r\nb", "a\rb", "a\nb", "\r\n", "\r", "x\r\n\r\ny", 'say ""\r\n""', "plain"]


def read(path: Path, block: int, settings: dict[str, Any] | None = None) -> list[Any]:
    from csv_source import csv_batches, csv_columns, lines_above_data
    from dataset_settings import DatasetSettings
    from file_kind import kind_of
    from source_file import SourceFile

    found = DatasetSettings("binary", "y", **(settings or {}))
    file = SourceFile(path, path.name, kind_of(path, path.name))
    assert csv_columns(file, found) == ("t", "y")
    file = replace(file, stored=("t", "y"), lines_above=lines_above_data(file, found))
    types = dict.fromkeys(("t", "y"), pa.string())
    batches = csv_batches(file, types, found, block, null_texts=True)
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_line_ends_inside_quotes_stay_as_they_are_at_every_edge(
    tmp_path: Path, newline: str, packed: bool
) -> None:
    lines = ["t,y", *(f'"{field}",{place}' for place, field in enumerate(FIELDS))]
    data = newline.join(lines).encode() + newline.encode()
    path = tmp_path / ("data.csv.gz" if packed else "data.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    expected = [(field.replace('""', '"'), str(place)) for place, field in enumerate(FIELDS)]
    for block in range(2, len(data) + 2):
        assert read(path, block) == expected, block


@pytest.mark.parametrize("block", [7, 64, 1000])
def test_a_field_longer_than_a_block_is_read(tmp_path: Path, block: int) -> None:
    rows = [(("long\r\n" * n)[: n * 50] or "short", n) for n in range(40)]
    path = tmp_path / "data.csv"
    path.write_bytes(b"t,y\n" + "".join(f'"{text}",{n}\n' for text, n in rows).encode())
    assert read(path, block) == [(text, str(n)) for text, n in rows]


def test_parts_and_categories_do_not_depend_on_where_blocks_end(
    prepare: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    import reading

    rows = [f'"{FIELDS[n % 3]}",{n},{"yes" if n % 4 else "no"}\n' for n in range(120)]
    data = "t,n,y\n" + "".join(rows)
    whole = prepare(data, folder="whole")
    assert whole.code == 0, whole.err
    assert whole.schema["features"][0]["categories"] == sorted(FIELDS[:3])
    for block in range(96, 124):
        monkeypatch.setattr(reading, "_BLOCK_BYTES", block)
        cut = prepare(data, folder="cut")
        assert cut.schema == whole.schema
        for part in PARTS:
            assert cut.rows(part) == whole.rows(part)
