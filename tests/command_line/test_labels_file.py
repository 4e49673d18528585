"""What `gatehouse labels` reads: CSV in UTF-8 or UTF-16, packed or not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from aws_formats.errors import GatehouseError
from pipelines.commands.labels import read_labels

LABELS = "inference_id,label\r\na,größer\r\nb,no\r\na,yes\r\n"


@pytest.mark.parametrize(
    "content",
    [
        LABELS.encode(),
        LABELS.encode("utf-8-sig"),
        LABELS.encode("utf-16"),
        gzip.compress(LABELS.encode("utf-8-sig")),
    ],
)
def test_labels_are_read_however_they_are_written(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(content)
    assert read_labels(file) == {"a": ["größer", "yes"], "b": ["no"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            LABELS.encode("latin-1"),
            "labels.csv: the labels cannot be read: this is not UTF-8. Save it as UTF-8",
        ),
        (gzip.compress(LABELS.encode())[:-9], "labels.csv: the labels cannot be read: Compressed file ended"),
        (None, "labels.csv: the labels cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "labels.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(GatehouseError) as refused:
        read_labels(file)
    assert said in str(refused.value)
