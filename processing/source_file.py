"""One file of the source: where it is and what is known of it before its rows are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class TypesContradicted(Exception):
    """A value does not fit the type that the first block of its column suggested."""


@dataclass(frozen=True)
class Evidence:
    """The types that a column's values fit as the settings say they are written, and those as which Arrow
    reads them without help."""

    fitting: frozenset[str]
    plain: frozenset[str]

    def __and__(self, other: Evidence) -> Evidence:
        return Evidence(self.fitting & other.fitting, self.plain & other.plain)


@dataclass(frozen=True)
class SourceFile:
    """``name`` is the file's path inside the input folder, as messages show it."""

    path: Path
    name: str
    format: str  # csv or parquet
    compressed: bool
    columns: tuple[str, ...]  # in the file's own order
    evidence: Mapping[str, Evidence]  # by the first block, or by Parquet's own types
    lines_above: int = 0  # a CSV's rows above the data: its header, and blank lines before that
    as_text: frozenset[str] = frozenset()  # columns that Arrow reads as text although their type is another
