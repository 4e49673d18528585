"""One file of the source: where it is and what is known of it before its rows are read."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from column_types import ANY
from dataset_settings import InputError
from file_kind import FileKind


class TypesContradicted(Exception):
    """A value does not fit the type that the first block of its column suggested."""


class EmptyFile(InputError):
    """A file holds nothing, or only blank lines; among others it is passed over."""

    def __init__(self, where: str) -> None:
        super().__init__("the file is empty", where=where, remedy="Give a file with rows in it")


@dataclass(frozen=True)
class Evidence:
    """What the values of a column say of its type.

    Attributes:
        fitting: the types that they fit as the settings say they are written.
        plain: those as which Arrow reads them without help.
        codes: of numbers that look like codes, an example for each way in which they do (``evidence``): the
            last in order, so that it is the same however the values are cut.
        digits: of whole numbers, how many each of them has, where that is the same for all.
        grouped: the last in order if all could be thousands with a dot between (``1.234``, and below a
            thousand ``12``).
    """

    fitting: frozenset[str]
    plain: frozenset[str]
    codes: Mapping[str, str] = field(default_factory=dict)
    digits: int | None = None
    grouped: str | None = None

    def __and__(self, other: Evidence) -> Evidence:
        """What both say together; the same in any order."""
        ways = sorted({*self.codes, *other.codes})
        return Evidence(
            self.fitting & other.fitting,
            self.plain & other.plain,
            {way: max(self.codes.get(way, ""), other.codes.get(way, "")) for way in ways},
            self.digits if self.digits == other.digits else None,
            max(self.grouped, other.grouped) if self.grouped and other.grouped else None,
        )


def joint(evidence: Iterable[Evidence]) -> Evidence:
    """What all of it says together; of nothing, that every type fits."""
    found = list(evidence)
    return functools.reduce(operator.and_, found) if found else ANYTHING


ANYTHING = Evidence(ANY, ANY)
"""The evidence of a column without values."""


@dataclass(frozen=True)
class SourceFile:
    """``name`` is the file's path inside the input folder, as messages show it.

    Attributes:
        blanks_quote: of a text whose fields any number of spaces and tabs separates, the quote character;
            None for any other file.
        stored: the columns in the file itself, in its own order.
        partition: columns and values that the folders around the file name (``country=ch/``), as Hive writes
            them; None for a missing value.
        evidence: by the first block, or by Parquet's own types.
        is_empty: whether it has no rows.
        lines_above: a CSV's rows above the data: its header, and blank lines before that.
        as_text: columns that Arrow reads as text although their type is another.
        values_in_header: texts of the first line that are values of their columns, too, so that it is no
            header; looked for only where the target is no column, or where the settings name the columns.
    """

    path: Path
    name: str
    kind: FileKind
    blanks_quote: str | None = None
    stored: tuple[str, ...] = ()
    partition: Mapping[str, str | None] = field(default_factory=dict)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    is_empty: bool = False
    lines_above: int = 0
    as_text: frozenset[str] = frozenset()
    values_in_header: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns: those in the file, then those of its folders."""
        return (*self.stored, *self.partition)

    @property
    def is_parquet(self) -> bool:
        """Whether this is Parquet; else it is read as a CSV."""
        return self.kind.format == "parquet"
