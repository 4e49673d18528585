"""One file of the source: where it is and what is known of it before its rows are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SourceFile:
    """``name`` is the file's path inside the input folder, as messages show it."""

    path: Path
    name: str
    format: str  # csv or parquet
    compressed: bool
    columns: tuple[str, ...]  # in the file's own order
    fitting: Mapping[str, frozenset[str]]  # types by the first block, or by Parquet's own types
    lines_above: int = 0  # a CSV's rows above the data: its header, and blank lines before that
