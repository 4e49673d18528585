"""Columns that only number the rows: pandas' index, written by ``to_csv()`` without a name, and the like.

In rows that are sorted by their class the number of a row gives the class away, and to a model that serves it
means nothing. So such a column is no feature, and no part of what a row holds: identical rows stay identical
whatever their numbers. Settings that name the column in ``features`` or ``kinds``, or as the key, keep it as
it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from column_types import KIND_OF, choose
from csv_source import FIRST_BLOCK_BYTES, csv_batches
from dataset_settings import DatasetSettings
from findings import Finding
from parquet_source import parquet_batches
from settings_lines import toml_key, toml_text
from source_file import Evidence, SourceFile

_WITHOUT_NAME = re.compile(r"\s*|unnamed: ?\d+(\.\d+)*|(__index_)?level_\d+(__)?|\.\.\.\d+", re.IGNORECASE)
_OF_AN_INDEX = re.compile(
    r"(row|line)?[ _.-]?(index|idx)|(row|line)[ _.-]?(id|no|nr|num|number|names?)?|rn|(?-i:X(\.\d+)?|V1)|#|"
    r"(s|sr|sl|serial)?[ _.-]*(no|nr|num|number)\.?|obs(ervation)?",
    re.IGNORECASE,
)
_FEWEST_STEPS = 2


@dataclass(frozen=True)
class Numbering:
    """What the first blocks of some files say of a column of whole numbers that may number the rows.

    Attributes:
        is_index: whether each file is a Parquet file whose own pandas metadata call the column an index.
        steps: how many times a value follows another.
        counts_up: whether in each block every value is one more than that before it.
        all_differ: whether in each block no value is there twice.
    """

    is_index: bool
    steps: int = 0
    counts_up: bool = False
    all_differ: bool = False


def numbering_of(files: Sequence[SourceFile], settings: DatasetSettings) -> dict[str, Numbering]:
    """The columns that may number the rows, by these files."""
    named = {settings.target, settings.key, *(settings.features or ()), *settings.demanded_kinds}
    indexes = _indexes_of_all(files)
    found = {}
    for name in files[0].columns:
        if name in named or any(name in file.partition for file in files):
            continue
        blocks = None
        if _WITHOUT_NAME.fullmatch(name) or _OF_AN_INDEX.fullmatch(name):
            blocks = _whole_numbers([_first_values(file, name, settings) for file in files])
        if blocks is not None:
            found[name] = Numbering(
                name in indexes,
                sum(len(numbers) - 1 for numbers in blocks),
                all((np.diff(numbers) == 1).all() for numbers in blocks),
                all(len(np.unique(numbers)) == len(numbers) for numbers in blocks),
            )
        elif name in indexes:
            found[name] = Numbering(is_index=True)
    return found


def numberings_joined(shares: Sequence[Mapping[str, Numbering]]) -> dict[str, Numbering]:
    """The same by all files, of which each share knows some; the columns that may do so in each of them."""
    return {
        name: Numbering(
            all(share[name].is_index for share in shares),
            sum(share[name].steps for share in shares),
            all(share[name].counts_up for share in shares),
            all(share[name].all_differ for share in shares),
        )
        for name in shares[0]
        if all(name in share for share in shares)
    }


def find_row_numbers(numbering: Mapping[str, Numbering]) -> dict[str, str]:
    """Each column that numbers the rows, with a few words on why it is taken for one.

    It has no name, or one of an index, and in the first block of every file it counts up by one; or it has no
    name and its whole numbers all differ there, as an index does whose rows were chosen or shuffled; or all
    files are Parquet files whose own pandas metadata call it an index.
    """
    found = {}
    for name, one in numbering.items():
        if one.is_index:
            found[name] = "is the index of a pandas table"
        elif one.steps >= _FEWEST_STEPS and one.counts_up:
            found[name] = "counts the rows"
        elif one.steps >= _FEWEST_STEPS and one.all_differ and _WITHOUT_NAME.fullmatch(name):
            found[name] = "has a number of its own for each row and no name"
    return found


def row_number_findings(
    row_numbers: Mapping[str, str], evidence: Mapping[str, Evidence], settings: DatasetSettings
) -> Iterator[Finding]:
    """A note for each column that would be a feature otherwise."""
    for name, why in row_numbers.items():
        if settings.features is None and name not in settings.drop:
            yield Finding(
                "row_number",
                f"column {name!r} {why} and is no feature",
                name,
                remedy=f"If it is one, {_kept(name, evidence[name])}",
                level="note",
            )


def _kept(name: str, evidence: Evidence) -> str:
    """What makes the column a feature: the kind that its values have in every file."""
    if not evidence.fitting:
        return "write it as numbers, texts, booleans or timestamps"
    kind = KIND_OF[choose({name: evidence.fitting}, {})[name]]
    return f"set kinds.{toml_key(name)} = {toml_text(kind)}"


def _indexes_of_all(files: Sequence[SourceFile]) -> set[str]:
    common = _pandas_indexes(files[0])
    for file in files[1:]:
        if not common:
            break
        common &= _pandas_indexes(file)
    return common


def _pandas_indexes(file: SourceFile) -> set[str]:
    """The columns that the file's pandas metadata call an index; ``RangeIndex`` has none.

    https://pandas.pydata.org/docs/development/developer.html
    """
    if not file.is_parquet:
        return set()
    try:
        document = json.loads((pq.read_schema(file.path).metadata or {})[b"pandas"])
        return {name for name in document["index_columns"] if isinstance(name, str)}
    except (KeyError, TypeError, ValueError):
        return set()


def _first_values(file: SourceFile, name: str, settings: DatasetSettings) -> pa.Array | None:
    """The column in the first block of the file, as texts or numbers; None where it has no rows."""
    if file.is_parquet:
        batches = parquet_batches(file, [name])
    else:
        batches = csv_batches(file, {name: pa.string()}, settings, FIRST_BLOCK_BYTES, null_texts=True)
    return next((batch.column(name) for batch in batches), None)


def _whole_numbers(blocks: Sequence[pa.Array | None]) -> list[np.ndarray] | None:
    """The values of the blocks if all are whole numbers from 0 on, also where they are written 7.0."""
    found = []
    for values in blocks:
        if values is None:
            continue
        try:
            numbers = pc.cast(pc.cast(values, pa.float64()), pa.int64()).to_numpy(zero_copy_only=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
        if values.null_count or (len(numbers) and numbers.min() < 0):
            return None
        found.append(numbers)
    return found
