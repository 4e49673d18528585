"""From a folder of files to a stream of typed batches, in constant memory.

CSV, gzipped CSV and Parquet, told apart by their first bytes; one file or a tree of many, in the order of
their paths. Types are first inferred from the first block of every file (``column_types``). If a value
further down contradicts them, :class:`TypesContradicted` is raised; the caller then infers them from all
values (:func:`types_of_all_values`) and starts again, so there is at most one restart and the types are
those of the whole data.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import column_types
import faults
import parquet_source
import pyarrow as pa
from conversion import ColumnReading, Noticed, Unfitting, convert
from csv_source import csv_batches, csv_columns, lines_above_data
from dataset_settings import DatasetSettings, InputError
from evidence import evidence_of
from source_file import Evidence, SourceFile, TypesContradicted

_BLOCK_BYTES = 3 << 20  # what Arrow parses at a time; several are in memory at once
_FIRST_BLOCK_BYTES = 1 << 20
_PARQUET_SUFFIXES = (".parquet", ".pq")
_ANYTHING = Evidence(column_types.ANY, column_types.ANY)


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


def types_of_first_blocks(
    files: list[SourceFile], settings: DatasetSettings
) -> tuple[dict[str, str], list[SourceFile]]:
    """The type of every column, in source order, by the first block of each file; and the files, each with
    the columns that are read as text."""
    evidence = {name: _joint([file.evidence[name] for file in files]) for name in files[0].columns}
    return _chosen(evidence, files, settings)


def types_of_all_values(
    files: list[SourceFile], settings: DatasetSettings
) -> tuple[dict[str, str], list[SourceFile]]:
    """As ``types_of_first_blocks``, by every value; reads everything once."""
    evidence = {name: [_ANYTHING] for name in files[0].columns}
    for file in files:
        if file.format == "parquet":
            judged = parquet_source.judged_by_values(file, settings)
            for name in set(file.columns) - judged:
                evidence[name].append(file.evidence[name])
            source = parquet_source.parquet_batches(file, sorted(judged)) if judged else iter(())
        else:
            judged = set(file.columns)
            text = dict.fromkeys(file.columns, pa.string())
            source = csv_batches(file, text, settings, _BLOCK_BYTES, null_texts=True)
        for batch in source:
            for name in judged:
                texts = batch.column(name)
                if file.format == "parquet":
                    texts = parquet_source.texts(texts, settings)
                evidence[name] = [_joint(evidence[name]), evidence_of(texts, name, settings)]
    return _chosen({name: _joint(found) for name, found in evidence.items()}, files, settings)


def batches(
    files: list[SourceFile], types: Mapping[str, str], settings: DatasetSettings, noticed: Noticed
) -> Iterator[pa.RecordBatch]:
    """All rows, in batches of some megabytes, with the columns of ``types`` that are supported, typed.

    The cuts between batches depend on the files alone. What conversion notices is added to ``noticed``.

    Raises:
        TypesContradicted: a value does not fit its column's type.
        InputError: a file is broken; the error names file and line.
    """
    names = [name for name, type_ in types.items() if type_ != column_types.UNSUPPORTED]
    readings = [_column_reading(name, types[name], settings) for name in names]
    schema = None
    for file in files:
        if file.format == "parquet":
            source = parquet_source.parquet_batches(file, names, [n for n in names if types[n] == "text"])
        else:
            arrow = {name: column_types.TYPES[types[name]] for name in names}
            arrow |= dict.fromkeys(file.as_text, column_types.TYPES["text"])
            source = csv_batches(file, arrow, settings, _BLOCK_BYTES, null_texts=False)
        for batch in source:
            if not batch.num_rows:
                continue
            arrays = [_converted(batch, file, reading, noticed) for reading in readings]
            schema = schema or pa.schema(
                [(name, array.type) for name, array in zip(names, arrays, strict=True)]
            )
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def texts_of(files: list[SourceFile], name: str, settings: DatasetSettings) -> Iterator[pa.StringArray]:
    """One column's values as texts, as they stand in the source, null where they mean a missing value."""
    for file in files:
        if file.format == "parquet":
            for batch in parquet_source.parquet_batches(file, [name]):
                yield parquet_source.texts(batch.column(name), settings)
        else:
            text = {name: pa.string()}
            for batch in csv_batches(file, text, settings, _BLOCK_BYTES, null_texts=True):
                yield batch.column(name)


def _converted(batch: pa.RecordBatch, file: SourceFile, reading: ColumnReading, noticed: Noticed) -> pa.Array:
    try:
        return convert(batch.column(reading.name), reading, noticed)
    except Unfitting as error:
        raise TypesContradicted(f"{file.name}: column {reading.name!r}: {error}") from error


def _column_reading(name: str, type_: str, settings: DatasetSettings) -> ColumnReading:
    renamed = settings.class_names if name == settings.target else {}
    missing = pa.array(settings.missing_values, pa.string())
    numbers = [float(text) for text in settings.missing_values if _is_finite(text)]
    return ColumnReading(
        name, type_, settings.notation(name), missing, pa.array(numbers, pa.float64()), renamed
    )


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _joint(evidence: Iterable[Evidence]) -> Evidence:
    return functools.reduce(operator.and_, evidence, _ANYTHING)


def _chosen(
    evidence: Mapping[str, Evidence], files: list[SourceFile], settings: DatasetSettings
) -> tuple[dict[str, str], list[SourceFile]]:
    types = _choose({name: found.fitting for name, found in evidence.items()}, files, settings)
    as_text = {
        name
        for name, type_ in types.items()
        if type_ not in ("text", column_types.UNSUPPORTED) and type_ not in evidence[name].plain
    }
    if (
        not settings.is_regression
        and types.get(settings.target, column_types.UNSUPPORTED) != column_types.UNSUPPORTED
    ):
        as_text.add(settings.target)  # so that a mark such as None is counted, which may be a class
    return types, [replace(file, as_text=frozenset(as_text)) for file in files]


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

        def is_of_kind(text: str, name: str = name, fits: set[str] = fits) -> bool:
            value = None if text in settings.missing_values else text
            return not fits.isdisjoint(evidence_of(pa.array([value], pa.string()), name, settings).fitting)

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
            remedy="Correct it, add it to also_missing, or set the task of a classification",
        )
    return InputError(
        f"kinds says that column {name!r} is a {kind}, but {found}",
        where=where,
        remedy="Correct it, add it to also_missing, or take the kind out",
    )


def _describe(path: Path, folder: Path, settings: DatasetSettings) -> SourceFile:
    name = path.relative_to(folder).as_posix()
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1" or path.suffix.lower() in _PARQUET_SUFFIXES:
        return parquet_source.describe(path, name, settings)
    bare = SourceFile(path, name, "csv", start[:2] == b"\x1f\x8b", (), {})
    columns = csv_columns(bare, settings)
    described = replace(bare, columns=columns, lines_above=lines_above_data(bare, settings))
    text = dict.fromkeys(columns, pa.string())
    evidence = dict.fromkeys(columns, _ANYTHING)
    for batch in csv_batches(described, text, settings, _FIRST_BLOCK_BYTES, null_texts=True):
        evidence = {column: evidence_of(batch.column(column), column, settings) for column in columns}
        break
    return replace(described, evidence=evidence)
