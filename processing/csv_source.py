"""The rows of one CSV file as batches of Arrow's types, and errors that say which line is at fault."""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

import column_types
import faults
import json_lines
import pyarrow as pa
import pyarrow.csv as pa_csv
from byte_stream import ReadAhead, open_bytes
from dataset_settings import BLANKS, DatasetSettings, InputError
from notation import stripped
from settings_lines import toml_text
from source_file import EmptyFile, SourceFile, TypesContradicted

FIRST_BLOCK_BYTES = 1 << 20
_BROKEN_PACKING = (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile, zlib.error)
_BROKEN = (pa.ArrowInvalid, UnicodeDecodeError, *_BROKEN_PACKING)
_DELIMITERS = {
    **{",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"},
    **{":": "a colon", "^": "a caret", "\x01": "the character of Hive, U+0001", BLANKS: "spaces"},
}
_LARGEST_BLOCK_BYTES = 1 << 30


def csv_columns(file: SourceFile, settings: DatasetSettings) -> tuple[str, ...]:
    """The names of the file's columns, by its header or by the settings.

    Raises:
        InputError: there is no header where one is needed, a name is there twice, or the delimiter is wrong.
    """
    settings = settings_of(file, settings)
    read = pa_csv.ReadOptions(block_size=FIRST_BLOCK_BYTES, autogenerate_column_names=not settings.header)
    _check_first_lines(file, settings)
    _check_delimiter(file, settings)
    reader = _open_csv(file, read, settings, pa_csv.ConvertOptions())
    assert reader is not None
    try:
        found = reader.schema.names
    except UnicodeDecodeError as error:
        raise _csv_error(error, file, settings) from error
    if settings.columns is not None:
        if len(settings.columns) != len(found):
            raise InputError(
                f"it has {len(found)} columns, but columns names {len(settings.columns)}",
                where=file.name,
                remedy="Name every column in columns, in order, and check the delimiter",
            )
        return settings.columns
    if not settings.header:
        raise InputError(
            "the file has no header and columns is not given",
            where=file.name,
            remedy="Name all columns in columns",
        )
    if settings.strip:
        found = stripped(pa.array(found, pa.string())).to_pylist()
    return unique_names(found, file.name)


def settings_of(file: SourceFile, settings: DatasetSettings) -> DatasetSettings:
    """How this file is written: JSON lines come as a CSV of their own form."""
    if file.kind.format != "json":
        return settings
    return replace(
        settings, delimiter=json_lines.DELIMITER, quote=json_lines.QUOTE, header=True, columns=None
    )


def unique_names(names: list[str], where: str) -> tuple[str, ...]:
    """The names of columns, if none is there twice.

    Raises:
        InputError: one is.
    """
    for name in names:
        if names.count(name) > 1:
            places = [str(place) for place, other in enumerate(names, start=1) if other == name]
            raise InputError(
                f"the column name {name!r} is used more than once (columns {', '.join(places)})",
                where=where,
                remedy="Rename one of them, or give all names in columns; if these are values, set header = "
                "false, too",
            )
    return tuple(names)


def lines_above_data(file: SourceFile, settings: DatasetSettings) -> int:
    """How many rows Arrow must skip: the header, and blank lines before it, which Arrow ignores but counts
    among rows to skip."""
    settings = settings_of(file, settings)
    if not settings.header:
        return 0
    with open_bytes(file) as stream:
        start = stream.read(FIRST_BLOCK_BYTES).removeprefix(b"\xef\xbb\xbf")
    return len(start[: len(start) - len(start.lstrip(b"\r\n"))].splitlines()) + 1


def csv_batches(
    file: SourceFile,
    types: Mapping[str, pa.DataType],
    settings: DatasetSettings,
    block_size: int,
    *,
    null_texts: bool,
) -> Iterator[pa.RecordBatch]:
    """The file's rows with the columns of ``types``; with ``null_texts`` a missing value is null in columns
    of text as well.

    A block that is too small for a row is made larger: the batches before it stay as they were.
    """
    rows, settings = 0, settings_of(file, settings)
    while True:
        try:
            for batch in _blocks(file, types, settings, block_size, null_texts, rows):
                rows += batch.num_rows
                yield batch
            return
        except _RowTooLong:
            block_size *= 4


class _RowTooLong(Exception):
    """A row is longer than a block."""


def _blocks(
    file: SourceFile,
    types: Mapping[str, pa.DataType],
    settings: DatasetSettings,
    block_size: int,
    null_texts: bool,
    done: int,
) -> Iterator[pa.RecordBatch]:
    """The batches of one reader, less the first ``done`` rows."""
    read = pa_csv.ReadOptions(
        block_size=block_size,
        column_names=list(file.stored),
        skip_rows_after_names=file.lines_above,  # unlike skip_rows it knows of newlines inside quotes
    )
    convert = pa_csv.ConvertOptions(
        column_types=dict(types),
        include_columns=list(types),
        null_values=list(settings.missing_values),
        true_values=list(column_types.TRUE),
        false_values=list(column_types.FALSE),
        strings_can_be_null=null_texts,
    )
    last, ahead = None, ReadAhead()
    try:
        reader = _open_csv(file, read, settings, convert, ahead)
        while reader is not None:
            batch = reader.read_next_batch()
            ahead.taken()
            last = batch if batch.num_rows else last
            skipped = min(done, batch.num_rows)
            done -= skipped
            yield batch.slice(skipped)
    except StopIteration:
        pass
    except _BROKEN as error:
        if "straddling object" in str(error) and block_size < _LARGEST_BLOCK_BYTES:
            raise _RowTooLong from error
        raise _csv_error(error, file, settings) from error
    finally:
        ahead.end()
    if last is not None and "\n" in str(last.column(last.num_columns - 1)[-1]):
        # Arrow takes a quote that is never closed for a field up to the end of the file.
        fault = faults.malformed_line(file, settings, len(file.stored))
        if fault:
            raise fault


def _open_csv(
    file: SourceFile,
    read: pa_csv.ReadOptions,
    settings: DatasetSettings,
    convert: pa_csv.ConvertOptions,
    ahead: ReadAhead | None = None,
) -> pa_csv.CSVStreamingReader | None:
    parse = pa_csv.ParseOptions(
        delimiter=settings.delimiter, quote_char=settings.quote or False, newlines_in_values=True
    )
    try:
        return pa_csv.open_csv(open_bytes(file, ahead), read, parse, convert)
    except _BROKEN as error:
        if "straddling object" in str(error):
            raise
        if file.stored and "Empty CSV file" in str(error):
            return None  # a header and no rows
        raise _csv_error(error, file, settings) from error


def _check_first_lines(file: SourceFile, settings: DatasetSettings) -> None:
    """First lines that are for a program alone, neither names nor rows."""
    rows = faults.first_rows(file, settings, settings.delimiter, 3)
    header = rows[0] if rows else []
    line = settings.delimiter.join(header)
    said = re.fullmatch("sep=(.)", line)
    if said:
        raise InputError(
            f"the first line, {line!r}, is for Excel alone and no header",
            where=file.name,
            remedy="Remove it: tail -n +2 FILE > NEW_FILE"
            + ("" if said[1] == settings.delimiter else f", and set delimiter = {toml_text(said[1])}"),
        )
    if faults.describes_columns(rows):
        raise InputError(
            "lines 2 and 3 hold kinds and roles of the columns, as Orange writes them, and are no rows",
            where=file.name,
            remedy="Remove them: sed 2,3d FILE > NEW_FILE",
        )
    if faults.counts_rows_and_features(rows[:2]):
        raise InputError(
            f"the first line, {line!r}, gives numbers of rows and columns and the names of classes, as the "
            "files in scikit-learn do: it is neither a header nor a row",
            where=file.name,
            remedy="Remove it: tail -n +2 FILE > NEW_FILE",
        )


def _check_delimiter(file: SourceFile, settings: DatasetSettings) -> None:
    """A header that is one column only, or lacks the target, although another delimiter would not."""
    header = faults.first_row(file, settings)
    if len(header) > 1 and (settings.target in header or settings.columns is not None or not settings.header):
        return
    found = []
    for delimiter in _DELIMITERS.keys() - {settings.delimiter}:
        first, *following = faults.first_rows(file, settings, delimiter, 2) or [[]]
        names = [text.strip() for text in first]
        better = len(names) > max(1, len(header))
        if settings.header and settings.columns is None:
            better = better and settings.target in names
        elif settings.columns is not None:
            better = better and len(names) == len(settings.columns)
        if better:
            uneven = any(len(row) != len(first) for row in following)
            found.append((uneven, [*_DELIMITERS].index(delimiter), delimiter, len(names)))
    if found:
        *_, delimiter, columns = min(found)
        shown = "one column" if len(header) == 1 else f"{len(header)} columns"
        raise InputError(
            f"it has {shown} with the delimiter {settings.delimiter!r} and {columns} with "
            f"{_DELIMITERS[delimiter]}",
            where=file.name,
            remedy=f"Set delimiter = {toml_text(delimiter)}",
        )

    below = faults.header_below(file, settings) if settings.header and settings.columns is None else None
    if below and settings.target not in header:
        raise InputError(
            f"the target {settings.target!r} stands in line {below}, and not in the first",
            where=file.name,
            remedy=f"If that is the header, remove the lines above it: tail -n +{below} FILE > NEW_FILE",
        )


def _csv_error(error: Exception, file: SourceFile, settings: DatasetSettings) -> Exception:
    """What Arrow's error means: a contradicted type, or a fault in the file with its line."""
    text = str(error)
    if "conversion error" in text and "invalid UTF8" not in text:
        column = re.search(r"In CSV column #(\d+)", text)
        if column:
            text = text.replace(column[0], f"column {file.stored[int(column[1])]!r}", 1)
        return TypesContradicted(f"{file.name}: {text}")
    if "Empty CSV file" in text and not faults.first_row(file, settings):
        return EmptyFile(file.name)
    if isinstance(error, InputError):
        return error
    unpacking = isinstance(error, _BROKEN_PACKING) or re.search("zlib|Truncated|decompress", text)
    if file.kind.packed and unpacking:
        return InputError(
            f"the {file.kind.packed} file cannot be unpacked: {text}",
            where=file.name,
            remedy="Fetch it or compress it again",
        )
    fault = faults.undecodable_line(file)
    if fault is None:
        columns = len(file.stored) or len(faults.first_row(file, settings))
        fault = faults.malformed_line(file, settings, columns)
    return fault or InputError(
        f"the CSV cannot be read: {text}", where=file.name, remedy="Check its quotes and its delimiter"
    )
