"""The columns and rows of one Parquet file.

Its own types say what a column is, except where the settings say that texts are to be read as something
else: as numbers with a decimal comma, as dates of a format. There the values decide, as in a CSV.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from column_types import ANY, arrow_reads_numbers, fitting_type
from conversion import is_text
from csv_source import unique_names
from dataset_settings import DatasetSettings, InputError
from evidence import evidence_of
from source_file import Evidence, SourceFile

_BATCH_ROWS = 32_768
_READ_BYTES = 1 << 18  # of a column at a time; else those of a whole row group
_OF_INT96 = "us"  # Spark's and Hive's times: Arrow counts them in ns by itself, and 9999-12-31 became 1816


def describe(file: SourceFile, settings: DatasetSettings) -> SourceFile:
    """The file's columns and what its types, and the first values where they decide, say of them.

    Raises:
        InputError: this is no Parquet file, or a column's name is there twice.
    """
    try:
        metadata = pq.read_metadata(file.path)
        schema = metadata.schema.to_arrow_schema()
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:  # the last of a column's name
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(
            f"it begins as a Parquet file, but is cut off or broken: {reason}",
            where=file.name,
            remedy="Fetch it or write it again",
        ) from None
    columns = unique_names(schema.names, file.name)
    valueless = _without_values(metadata) if metadata.num_rows else set(columns)
    types = {
        column: ANY if column in valueless else fitting_type(schema.field(column).type) for column in columns
    }
    evidence = {column: Evidence(fitting, fitting) for column, fitting in types.items()}
    file = replace(file, stored=columns, evidence=evidence, is_empty=not metadata.num_rows)
    judged = judged_by_values(file, settings)
    evidence |= dict.fromkeys(judged, Evidence(ANY, ANY))
    for batch in parquet_batches(file, sorted(judged)) if judged else ():
        evidence |= {
            column: evidence_of(texts(batch.column(column), settings), column, settings) for column in judged
        }
        break
    return file


def _without_values(metadata: pq.FileMetaData) -> set[str]:
    """The columns that are null in every row, as far as the file says so: their types say nothing."""
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    found = set()
    for place in range(metadata.num_columns):
        chunks = [group.column(place) for group in groups if group.num_rows]
        if all(_is_null(chunk) for chunk in chunks):
            found.add(metadata.schema.column(place).path)
    return found


def _is_null(chunk: pq.ColumnChunkMetaData) -> bool:
    statistics = chunk.statistics
    return bool(
        statistics is not None and statistics.has_null_count and statistics.null_count == chunk.num_values
    )


def judged_by_values(file: SourceFile, settings: DatasetSettings) -> set[str]:
    """The columns of texts that the settings say to read as something else, and those of a date format."""
    schema, demanded = pq.read_schema(file.path), settings.demanded_kinds
    judged = set()
    for name in file.stored:
        notation, kind = settings.notation(name), schema.field(name).type
        if is_text(kind) and demanded.get(name) != "category":
            written = notation.date_format is not None or not arrow_reads_numbers(notation)
            if written or demanded.get(name) is not None:
                judged.add(name)
        elif name in settings.date_format and pa.types.is_integer(kind):
            judged.add(name)
    return judged


def texts(array: pa.Array, settings: DatasetSettings) -> pa.Array:
    """The column's values as texts, null where they mean a missing value."""
    found = array.cast(pa.string())
    absent = pc.is_in(found, value_set=pa.array(settings.missing_values, pa.string()))
    return pc.if_else(absent, pa.scalar(None, pa.string()), found)


def parquet_batches(
    file: SourceFile, names: Sequence[str], dictionaries: Sequence[str] = (), dropped: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    """The file's rows with some of its columns.

    Raises:
        InputError: the file is broken, or a column that is not dropped holds texts that are no UTF-8.
    """
    try:
        with pq.ParquetFile(
            file.path,
            read_dictionary=list(dictionaries),
            buffer_size=_READ_BYTES,
            coerce_int96_timestamp_unit=_OF_INT96,
        ) as parquet:
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=list(names)):
                _check_texts(batch, file, dropped)
                yield batch
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"the Parquet file is broken: {str(error).splitlines()[0]}",
            where=file.name,
            remedy="Write it again",
        ) from error


def _check_texts(batch: pa.RecordBatch, file: SourceFile, dropped: Sequence[str]) -> None:
    """Refuse texts that are no UTF-8, as some programs write them: whatever reads them later would fail."""
    for entry, column in zip(batch.schema, batch.columns, strict=True):
        if entry.name in dropped or not is_text(entry.type):
            continue
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            raise InputError(
                f"column {entry.name!r} holds texts that are not UTF-8",
                where=file.name,
                remedy="Write them in UTF-8, or add the column to drop",
            ) from None
