"""Columns that only number the rows: pandas' index, written by ``to_csv()`` without a name, and the like.

In rows that are sorted by their class the number of a row gives the class away, and to a model that serves it
means nothing. So such a column is no feature, and no part of what a row holds: identical rows stay identical
whatever their numbers. Settings that name the column in ``features`` or ``kinds``, or as the key, keep it as
it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from csv_source import FIRST_BLOCK_BYTES, csv_batches
from dataset_settings import DatasetSettings
from findings import Finding
from parquet_source import parquet_batches
from settings_lines import toml_text
from source_file import SourceFile

_WITHOUT_NAME = re.compile(r"\s*|unnamed: ?\d+|__index_level_\d+__", re.IGNORECASE)
_OF_AN_INDEX = re.compile(
    r"(row|line)?[ _.-]?(index|idx)|(row|line)[ _.-]?(id|no|nr|num|number)?|rn", re.IGNORECASE
)
_FEWEST_STEPS = 2


def find_row_numbers(files: Sequence[SourceFile], settings: DatasetSettings) -> dict[str, str]:
    """Each column that numbers the rows, with a few words on why it is taken for one.

    It has no name, or one of an index, and in the first block of every file it counts up by one; or all files
    are Parquet files whose own pandas metadata call it an index.
    """
    named = {settings.target, settings.key, *(settings.features or ()), *settings.demanded_kinds}
    found = {}
    for name in files[0].columns:
        if name in named or any(name in file.partition for file in files):
            continue
        if all(name in _pandas_indexes(file) for file in files):
            found[name] = "is the index of a pandas table"
        elif (_WITHOUT_NAME.fullmatch(name) or _OF_AN_INDEX.fullmatch(name)) and _counts_up(
            [list(_first_values(file, name, settings)) for file in files]
        ):
            found[name] = "counts the rows"
    return found


def row_number_findings(row_numbers: dict[str, str], settings: DatasetSettings) -> Iterator[Finding]:
    """A note for each column that would be a feature otherwise."""
    for name, why in row_numbers.items():
        if settings.features is None and name not in settings.drop:
            yield Finding(
                "row_number",
                f"column {name!r} {why} and is no feature",
                name,
                remedy=f'If it is one, set kinds = {{ {toml_text(name)} = "number" }}',
                level="note",
            )


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


def _first_values(file: SourceFile, name: str, settings: DatasetSettings) -> Iterator[pa.Array]:
    """The column in the first block of the file, as texts or numbers."""
    if file.is_parquet:
        batches = parquet_batches(file, [name])
    else:
        batches = csv_batches(file, {name: pa.string()}, settings, FIRST_BLOCK_BYTES, null_texts=True)
    for batch in batches:
        yield batch.column(name)
        return


def _counts_up(blocks: Sequence[Sequence[pa.Array]]) -> bool:
    """Whether the values are whole numbers from 0 on that go up by one in each block."""
    steps = 0
    for (values,) in filter(None, blocks):
        try:
            numbers = pc.cast(values, pa.int64()).to_numpy(zero_copy_only=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return False
        if values.null_count or (len(numbers) and numbers[0] < 0) or (np.diff(numbers) != 1).any():
            return False
        steps += len(numbers) - 1
    return steps >= _FEWEST_STEPS
