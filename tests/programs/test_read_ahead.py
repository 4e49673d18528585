"""A file is read a few blocks ahead of who takes its rows, however fast the disk and large its row groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

BLOCK, BLOCKS = 1 << 16, 100


def test_few_blocks_wait_for_who_takes_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import byte_stream
    import csv_source
    from dataset_settings import DatasetSettings
    from source_files import find_files

    line = "1234567,abcdefgh,yes\n"
    rows = BLOCKS * BLOCK // len(line)
    (tmp_path / "data.csv").write_text("n,t,y\n" + line * rows)
    settings = DatasetSettings(task="binary", target="y")
    (file,), _ = find_files(tmp_path, settings)
    monkeypatch.setattr(byte_stream, "_LONGEST_WAIT", 60.0)  # so that nothing but what is taken lets it go on
    ahead: list[int] = []

    class Watched(byte_stream.ReadAhead):
        def before_read(self) -> None:
            super().before_read()
            ahead.append(self._ahead)

    monkeypatch.setattr(csv_source, "ReadAhead", Watched)
    types = {"n": pa.int64(), "y": pa.string()}
    batches = csv_source.csv_batches(file, types, settings, BLOCK, null_texts=True)
    assert sum(batch.num_rows for batch in batches) == rows
    assert len(ahead) >= BLOCKS
    assert max(ahead) <= byte_stream._MOST_AHEAD < 32


def test_a_reader_of_whom_nothing_is_taken_goes_on_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    import byte_stream

    monkeypatch.setattr(byte_stream, "_LONGEST_WAIT", 0.01)
    ahead = byte_stream.ReadAhead()
    for _ in range(byte_stream._MOST_AHEAD + 3):
        ahead.before_read()
    monkeypatch.setattr(byte_stream, "_LONGEST_WAIT", 600.0)
    ahead.end()
    ahead.before_read()  # at once: nobody will take any more


def test_of_a_large_row_group_only_what_comes_next_is_in_memory(tmp_path: Path) -> None:
    from dataset_settings import DatasetSettings
    from parquet_source import parquet_batches
    from source_files import find_files

    rows, names = 1_000_000, ["a", "b", "c", "d"]
    values = np.random.default_rng(0).normal(size=(len(names), rows))
    table = pa.table([*values], names=names)
    pq.write_table(table, tmp_path / "data.parquet", row_group_size=rows, use_dictionary=False)
    del values, table
    (file,), _ = find_files(tmp_path, DatasetSettings(task="regression", target="a"))
    before, read = pa.total_allocated_bytes(), 0
    for batch in parquet_batches(file, names):
        read += batch.num_rows
        held = pa.total_allocated_bytes() - before
        assert held < file.path.stat().st_size / 2, f"{held:,} bytes"
    assert read == rows
