"""From a folder of files to a stream of typed batches, in constant memory.

CSV, gzipped CSV and Parquet, told apart by their first bytes; one file or a tree of many, in the order of
their paths. Types are first inferred from the first block of every file (``column_types``). If a value
further down contradicts them, :class:`TypesContradicted` is raised; the caller then infers them from all
values (:func:`types_of_all_values`) and starts again, so there is at most one restart and the types are
those of the whole data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import column_types
import faults
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from dataset_settings import DatasetSettings, InputError
from source_file import SourceFile

_BLOCK_BYTES = 3 << 20  # what Arrow parses at a time; several are in memory at once
_FIRST_BLOCK_BYTES = 1 << 20
_PARQUET_BATCH_ROWS = 32_768
_PARQUET_SUFFIXES = (".parquet", ".pq")


class TypesContradicted(Exception):
    """A value does not fit the type that the first block of its column suggested."""


def find_files(folder: Path, settings: DatasetSettings) -> tuple[list[SourceFile], list[str]]:
    """Every data file under ``folder`` and the names of the empty ones; files whose path has a part that
    begins with ``.`` or ``_`` are ignored.

    Raises:
        InputError: there are no data, a file cannot be read, or the files have different columns.
    """
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part[0] in "._" for part in path.relative_to(folder).parts)
    )
    if not paths:
        raise InputError(
            "there is no data: no file was given", where=str(folder), remedy="Check the data's URI or path"
        )
    empty = [path.relative_to(folder).as_posix() for path in paths if not path.stat().st_size]
    files = [_describe(path, folder, settings) for path in paths if path.stat().st_size]
    if not files:
        raise InputError(
            "the file is empty", where=", ".join(empty[:3]), remedy="Give a file with rows in it"
        )
    for file in files[1:]:
        lacking = sorted(set(files[0].columns) - set(file.columns))
        extra = sorted(set(file.columns) - set(files[0].columns))
        if lacking or extra:
            parts = [f"lacks {', '.join(map(repr, lacking))}"] if lacking else []
            parts += [f"has also {', '.join(map(repr, extra))}"] if extra else []
            raise InputError(
                f"its columns are not those of {files[0].name}: it {' and '.join(parts)}",
                where=file.name,
                remedy="Give all files the same columns",
            )
    return files, empty


def types_of_first_blocks(files: list[SourceFile], settings: DatasetSettings) -> dict[str, str]:
    """The type of every column, in source order, by the first block of each file."""
    fitting = dict.fromkeys(files[0].columns, column_types.ANY)
    for file in files:
        for name, types in file.fitting.items():
            fitting[name] &= types
    return _choose(fitting, files, settings)


def types_of_all_values(files: list[SourceFile], settings: DatasetSettings) -> dict[str, str]:
    """The type of every column, in source order, by every value; reads everything once."""
    fitting = dict.fromkeys(files[0].columns, column_types.ANY)
    for file in files:
        if file.format == "parquet":
            for name, types in file.fitting.items():
                fitting[name] &= types
            continue
        text = dict.fromkeys(file.columns, pa.string())
        for batch in _csv_batches(file, text, settings, _BLOCK_BYTES):
            for name in file.columns:
                fitting[name] &= column_types.fitting_texts(batch.column(name))
    return _choose(fitting, files, settings)


def batches(
    files: list[SourceFile], types: Mapping[str, str], settings: DatasetSettings
) -> Iterator[pa.RecordBatch]:
    """All rows, in batches of some megabytes, with the columns of ``types`` that are supported, typed.

    The cuts between batches depend on the files alone.

    Raises:
        TypesContradicted: a value does not fit its column's type.
        InputError: a file is broken; the error names file and line.
    """
    missing = pa.array(settings.missing_values, pa.string())
    names = [name for name, type_ in types.items() if type_ != column_types.UNSUPPORTED]
    schema = None
    for file in files:
        if file.format == "parquet":
            source = _parquet_batches(file, types)
        else:
            arrow = {name: column_types.TYPES[types[name]] for name in names}
            source = _csv_batches(file, arrow, settings, _BLOCK_BYTES)
        for batch in source:
            if not batch.num_rows:
                continue
            arrays = [column_types.as_type(batch.column(name), types[name], missing) for name in names]
            schema = schema or pa.schema(
                [(name, array.type) for name, array in zip(names, arrays, strict=True)]
            )
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _choose(
    fitting: Mapping[str, frozenset[str]], files: list[SourceFile], settings: DatasetSettings
) -> dict[str, str]:
    try:
        return column_types.choose(fitting, settings.demanded_kinds)
    except InputError as error:
        raise _unfitting_kind(fitting, files, settings) or error from None


def _unfitting_kind(
    fitting: Mapping[str, frozenset[str]], files: list[SourceFile], settings: DatasetSettings
) -> InputError | None:
    for name, kind in settings.demanded_kinds.items():
        fits = {type_ for type_, its_kind in column_types.KIND_OF.items() if its_kind == kind}
        if not fits.isdisjoint(fitting[name]):
            continue

        def is_of_kind(text: str, fits: set[str] = fits) -> bool:
            value = None if text in settings.missing_values else text
            return not fits.isdisjoint(column_types.fitting_texts(pa.array([value], pa.string())))

        for file in files:
            if file.format == "parquet":
                continue
            place = file.columns.index(name)
            found = faults.unfitting_value(file, settings, place, is_of_kind)
            if found:
                where, value = found
                return _of_other_kind(name, kind, f"this is {value!r}", where, settings)
        if name == settings.target:
            return _of_other_kind(name, kind, "its values are not", files[0].name, settings)
    return None


def _of_other_kind(name: str, kind: str, found: str, where: str, settings: DatasetSettings) -> InputError:
    if name == settings.target:
        return InputError(
            f"the target {name!r} of a regression must be a number, but {found}",
            where=where,
            remedy="Correct it, add it to missing_values, or set the task of a classification",
        )
    return InputError(
        f"kinds says that column {name!r} is a {kind}, but {found}",
        where=where,
        remedy="Correct it, add it to missing_values, or take the kind out",
    )


def _describe(path: Path, folder: Path, settings: DatasetSettings) -> SourceFile:
    name = path.relative_to(folder).as_posix()
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1" or path.suffix.lower() in _PARQUET_SUFFIXES:
        try:
            schema = pq.read_schema(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(
                f"this is no Parquet file: {str(error).splitlines()[0]}",
                where=name,
                remedy="Write it again, or give it another suffix if it is CSV",
            ) from None
        columns = _unique(schema.names, name)
        fitting = {column: column_types.fitting_type(schema.field(column).type) for column in columns}
        return SourceFile(path, name, "parquet", False, columns, fitting)
    bare = SourceFile(path, name, "csv", start[:2] == b"\x1f\x8b", (), {})
    columns = _csv_columns(bare, settings)
    lines_above = _blank_lines(bare) + 1 if settings.header else 0
    described = SourceFile(path, name, "csv", bare.compressed, columns, {}, lines_above)
    text = dict.fromkeys(columns, pa.string())
    fitting = dict.fromkeys(columns, column_types.ANY)
    for batch in _csv_batches(described, text, settings, _FIRST_BLOCK_BYTES):
        fitting = {column: column_types.fitting_texts(batch.column(column)) for column in columns}
        break
    return replace(described, fitting=fitting)


def _unique(names: list[str], where: str) -> tuple[str, ...]:
    for name in names:
        if names.count(name) > 1:
            places = [str(place) for place, other in enumerate(names, start=1) if other == name]
            raise InputError(
                f"the column name {name!r} is used more than once (columns {', '.join(places)})",
                where=where,
                remedy="Rename one of them, or give all names in columns",
            )
    return tuple(names)


def _csv_columns(file: SourceFile, settings: DatasetSettings) -> tuple[str, ...]:
    read = pa_csv.ReadOptions(block_size=_FIRST_BLOCK_BYTES, autogenerate_column_names=not settings.header)
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
    return _unique(found, file.name)


def _blank_lines(file: SourceFile) -> int:
    """How many blank lines the file begins with: Arrow ignores them, but counts them among rows to skip."""
    with _stream(file) as stream:
        start = stream.read(_FIRST_BLOCK_BYTES).removeprefix(b"\xef\xbb\xbf")
    return len(start[: len(start) - len(start.lstrip(b"\r\n"))].splitlines())


def _csv_batches(
    file: SourceFile, types: Mapping[str, pa.DataType], settings: DatasetSettings, block_size: int
) -> Iterator[pa.RecordBatch]:
    read = pa_csv.ReadOptions(
        block_size=block_size,
        column_names=list(file.columns),
        skip_rows_after_names=file.lines_above,  # unlike skip_rows it knows of newlines inside quotes
    )
    convert = pa_csv.ConvertOptions(
        column_types=dict(types),
        include_columns=list(types),
        null_values=list(settings.missing_values),
        true_values=list(column_types.TRUE),
        false_values=list(column_types.FALSE),
        strings_can_be_null=True,
    )
    reader = _open_csv(file, read, settings, convert)
    last = None
    while reader is not None:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            break
        except (pa.ArrowInvalid, OSError) as error:
            raise _csv_error(error, file, settings) from error
        last = batch if batch.num_rows else last
        yield batch
    if last is not None and "\n" in str(last.column(last.num_columns - 1)[-1]):
        # Arrow takes a quote that is never closed for a field up to the end of the file.
        fault = faults.malformed_line(file, settings, len(file.columns))
        if fault:
            raise fault


def _open_csv(
    file: SourceFile, read: pa_csv.ReadOptions, settings: DatasetSettings, convert: pa_csv.ConvertOptions
) -> pa_csv.CSVStreamingReader | None:
    parse = pa_csv.ParseOptions(delimiter=settings.delimiter, newlines_in_values=True)
    stream = _stream(file)
    try:
        return pa_csv.open_csv(stream, read, parse, convert)
    except (pa.ArrowInvalid, OSError) as error:
        if file.columns and "Empty CSV file" in str(error):
            return None  # a header and no rows
        raise _csv_error(error, file, settings) from error


def _stream(file: SourceFile) -> pa.NativeFile:
    return pa.input_stream(str(file.path), compression="gzip" if file.compressed else None)


def _csv_error(error: Exception, file: SourceFile, settings: DatasetSettings) -> Exception:
    """What Arrow's error means: a contradicted type, or a fault in the file with its line."""
    text = str(error)
    if "conversion error" in text and "invalid UTF8" not in text:
        column = re.search(r"In CSV column #(\d+)", text)
        if column:
            text = text.replace(column[0], f"column {file.columns[int(column[1])]!r}", 1)
        return TypesContradicted(f"{file.name}: {text}")
    if "Empty CSV file" in text:
        return InputError("the file is empty", where=file.name, remedy="Give a file with rows in it")
    if file.compressed and ("zlib" in text or "Truncated" in text or isinstance(error, OSError)):
        return InputError(
            f"the gzip file cannot be unpacked: {text}", where=file.name, remedy="Compress it again"
        )
    fault = faults.undecodable_line(file)
    if fault is None:
        columns = len(file.columns) or faults.first_width(file, settings)
        fault = faults.malformed_line(file, settings, columns)
    return fault or InputError(
        f"the CSV cannot be read: {text}", where=file.name, remedy="Check its quotes and its delimiter"
    )


def _parquet_batches(file: SourceFile, types: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    names = [name for name, type_ in types.items() if type_ != column_types.UNSUPPORTED]
    texts = [name for name in names if types[name] == "text"]
    try:
        with pq.ParquetFile(file.path, read_dictionary=texts, pre_buffer=False) as parquet:
            yield from parquet.iter_batches(batch_size=_PARQUET_BATCH_ROWS, columns=names)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"the Parquet file is broken: {str(error).splitlines()[0]}",
            where=file.name,
            remedy="Write it again",
        ) from error
