"""From a folder of files to a stream of typed batches, in constant memory.

CSV, JSON lines and Parquet, told apart by their first bytes (``file_kind``), CSV and JSON lines also
compressed; one file or a tree of many, in the order of their paths. Folders may name columns, as Hive does
(``country=ch/part.parquet``).

Types are first inferred from the first block of every file (``column_types``). If a value further down
contradicts them, :class:`TypesContradicted` is raised; the caller then infers them from all values
(:func:`types_of_all_values`) and starts again, so there is at most one restart and the types are those of
the whole data.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import column_types
import faults
import json_lines
import numpy as np
import parquet_source
import pyarrow as pa
import pyarrow.compute as pc
from byte_stream import open_lines
from conversion import ColumnReading, Noticed, Unfitting, convert, times_among
from csv_source import csv_batches, csv_columns, lines_above_data, settings_of
from dataset_settings import BLANKS, DatasetSettings, InputError
from evidence import evidence_of
from file_kind import is_stray, kind_of
from findings import Finding
from recognition import recognise
from settings_lines import toml_key, toml_text
from source_file import Evidence, SourceFile, TypesContradicted

_BLOCK_BYTES = 3 << 20  # what Arrow parses at a time; several are in memory at once
_FIRST_BLOCK_BYTES = 1 << 20
_SHARE_OF_VALUES = 0.5  # of the columns: one of several may well hold its own name
_HIVE_MISSING = "__HIVE_DEFAULT_PARTITION__"
_HIDDEN = "if it is no data, move it away, or begin its name with _"
_ANYTHING = Evidence(column_types.ANY, column_types.ANY)


def find_files(folder: Path, settings: DatasetSettings) -> tuple[list[SourceFile], list[Finding]]:
    """Every data file under ``folder``, and what is passed over: empty files, and those that are no data by
    their names. Files whose path has a part that begins with ``.`` or ``_`` are ignored.

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
    names = {path: path.relative_to(folder).as_posix() for path in paths}
    full = [path for path in paths if path.stat().st_size]
    if not full:
        shown = ", ".join(list(names.values())[:3])
        raise InputError("the file is empty", where=shown, remedy="Give a file with rows in it")
    data = [path for path in full if not is_stray(names[path])] or full
    findings = []
    for path in paths:
        if path not in data:
            kind, why = (
                ("stray_file", "is no data by its name") if path in full else ("empty_file", "is empty")
            )
            findings.append(Finding(kind, f"{names[path]} {why} and is passed over", level="note"))
    files: list[SourceFile] = []
    for path in data:
        try:
            files.append(_describe(path, names[path], settings))
        except InputError as error:
            remedy = f"{_steps_before(error, path)}{error.remedy}"
            if len(data) > 1 and _HIDDEN not in remedy:
                remedy += f"; {_HIDDEN}"
            if remedy == error.remedy:
                raise
            raise InputError(
                error.what,
                where=error.where,
                remedy=remedy,
                key=error.key,
                value=error.value,
                lines=error.lines,
            ) from None
        if settings.columns is not None and files[-1].values_in_header:
            findings.append(_header_of_values(files[-1]))
    model = next((file for file in files if settings.target in file.columns), files[0])
    for file in files:
        _check_same_columns(model, file)
    return files, findings


def _steps_before(error: InputError, path: Path) -> str:
    """What to do before the commands of the remedy, which are for plain text in UTF-8."""
    if "FILE" not in (error.remedy or ""):
        return ""
    try:
        kind = kind_of(path, path.name)
    except InputError:
        return ""  # that was the error
    unpack = "Unpack it first. " if kind.packed else ""
    encoding = kind.encoding.replace("16-", "16")
    return unpack + ("" if encoding == "utf-8" else f"First iconv -f {encoding} -t utf-8 FILE > UTF8_FILE. ")


def _header_of_values(file: SourceFile) -> Finding:
    shown = ", ".join(map(repr, file.values_in_header[:3]))
    return Finding(
        "header_of_values",
        f"the first line of {file.name} holds values such as {shown}, but counts as a header, whose names "
        "columns replaces",
        remedy="Set header = false, and the line is a row",
    )


def folders_without_column(files: Iterable[SourceFile]) -> list[str]:
    """The names of the outermost folders, where there are several, each file is in one, and none of them
    names a column: they may be classes."""
    found = {file.name.partition("/")[0] if "/" in file.name else "" for file in files}
    return sorted(found) if len(found) > 1 and not any(name == "" or "=" in name for name in found) else []


def _check_same_columns(first: SourceFile, file: SourceFile) -> None:
    lacking = sorted(set(first.columns) - set(file.columns))
    extra = sorted(set(file.columns) - set(first.columns))
    if lacking or extra:
        parts = [f"lacks {', '.join(map(repr, lacking))}"] if lacking else []
        parts += [f"has also {', '.join(map(repr, extra))}"] if extra else []
        remedy = "Give all files the same columns"
        if any(map(_is_finite, extra)):
            remedy = f"If it has no header, give it the one of {first.name}"
        raise InputError(
            f"its columns are not those of {first.name}: it {' and '.join(parts)}",
            where=file.name,
            remedy=f"{remedy}; {_HIDDEN}",
        )


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
        if file.is_parquet:
            judged = parquet_source.judged_by_values(file, settings)
            source = parquet_source.parquet_batches(file, sorted(judged)) if judged else iter(())
        else:
            judged = set(file.stored)
            text = dict.fromkeys(file.stored, pa.string())
            source = csv_batches(file, text, settings, _BLOCK_BYTES, null_texts=True)
        for name in set(file.columns) - judged:
            evidence[name].append(file.evidence[name])
        for batch in source:
            for name in judged:
                texts = batch.column(name)
                if file.is_parquet:
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
        stored = _stored(file, names)
        if file.is_parquet:
            source = parquet_source.parquet_batches(file, stored, [n for n in stored if types[n] == "text"])
        else:
            arrow = {name: column_types.TYPES[types[name]] for name in stored}
            arrow |= {name: column_types.TYPES["text"] for name in file.as_text if name in arrow}
            source = csv_batches(file, arrow, settings, _BLOCK_BYTES, null_texts=False)
        for batch in source:
            if not batch.num_rows:
                continue
            batch = _with_partition(batch, file)
            arrays = [_converted(batch, file, reading, noticed) for reading in readings]
            schema = schema or pa.schema(
                [(name, array.type) for name, array in zip(names, arrays, strict=True)]
            )
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def texts_of(files: list[SourceFile], name: str, settings: DatasetSettings) -> Iterator[pa.StringArray]:
    """One column's values as texts, as they stand in the source, null where they mean a missing value."""
    for file in files:
        if name in file.partition:
            yield pa.array([file.partition[name]], pa.string())
        elif file.is_parquet:
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
    texts, notation = settings.missing_values, settings.notation(name)
    missing = pa.array(texts, pa.string())
    values = pa.nulls(0)
    if column_types.KIND_OF[type_] == "number":
        values = pa.array([float(text) for text in texts if _is_finite(text)], pa.float64())
    elif column_types.KIND_OF[type_] == "timestamp":
        values = times_among(texts, notation)
    return ColumnReading(name, type_, notation, missing, values, renamed)


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
            if file.is_parquet or name in file.partition:
                continue
            place = file.stored.index(name)
            found = faults.unfitting_value(file, settings_of(file, settings), place, is_of_kind)
            if found:
                where, value = found
                remedy = _written_otherwise(name, kind, value, settings)
                remedy = remedy or _no_value(name, value, settings)
                return _of_other_kind(name, kind, f"this is {value!r}", where, settings, remedy)
        if name == settings.target:
            return _of_other_kind(name, kind, "its values are not", files[0].name, settings)
    return None


def _written_otherwise(name: str, kind: str, value: str, settings: DatasetSettings) -> str | None:
    """The settings that read the value, where it is of the kind in another notation."""
    found = recognise([value], settings.notation(name))
    lines = []
    for reading in found.readings if found else ():
        keys = {key: text for key, text in reading.settings.items() if key != "kinds"}
        if keys and ("date_format" in keys) == (kind == "timestamp"):
            pairs = [f"{key} = {{ {toml_key(name)} = {toml_text(text)} }}" for key, text in keys.items()]
            lines.append(f"{' and '.join(pairs)} if that is {reading.example}")
    return f"Set {', or '.join(lines)}" if lines else None


def _no_value(name: str, value: str, settings: DatasetSettings) -> str:
    """The settings for a text that means a missing value, and what to do where it does not."""
    marks = ", ".join(map(toml_text, [*settings.also_missing, value.strip()]))
    line = f"also_missing = [{marks}]" if value.strip() else "strip = true"
    otherwise = "set the task of a classification" if name == settings.target else "take the kind out"
    return f"Set {line} if it means that there is no value; else correct it, or {otherwise}"


def _of_other_kind(
    name: str, kind: str, found: str, where: str, settings: DatasetSettings, remedy: str | None = None
) -> InputError:
    if name == settings.target:
        return InputError(
            f"the target {name!r} of a regression must be a number, but {found}",
            where=where,
            remedy=remedy or "Correct it, or set the task of a classification",
        )
    return InputError(
        f"kinds says that column {name!r} is a {kind}, but {found}",
        where=where,
        remedy=remedy or "Correct it, or take the kind out",
    )


def _describe(path: Path, name: str, settings: DatasetSettings) -> SourceFile:
    bare = SourceFile(path, name, kind_of(path, name))
    if bare.is_parquet:
        described = parquet_source.describe(bare, settings)
    else:
        if bare.kind.format == "json":
            with open_lines(replace(bare, kind=replace(bare.kind, format="csv"))) as lines:
                bare = replace(bare, stored=json_lines.columns_of(lines, name))
        elif settings.delimiter == BLANKS:
            bare = replace(bare, blanks_quote=settings.quote)
        columns = csv_columns(bare, settings)
        described = replace(bare, stored=columns, lines_above=lines_above_data(bare, settings))
        text = dict.fromkeys(columns, pa.string())
        evidence = dict.fromkeys(columns, _ANYTHING)
        for batch in csv_batches(described, text, settings, _FIRST_BLOCK_BYTES, null_texts=True):
            evidence = {column: evidence_of(batch.column(column), column, settings) for column in columns}
            if settings.header and (settings.columns is not None or settings.target not in columns):
                first_line = faults.first_row(described, settings_of(described, settings))
                values = _values_in_header(first_line, batch, evidence, settings)
                described = replace(described, values_in_header=values)
            break
        described = replace(described, evidence=evidence)
    return _with_folders(described, settings)


def _values_in_header(
    first_line: list[str], batch: pa.RecordBatch, evidence: Mapping[str, Evidence], settings: DatasetSettings
) -> tuple[str, ...]:
    """The texts of the first line that its columns hold again, or that are numbers in a column of numbers;
    none where they are less than half of the line."""
    found = []
    for text, name in zip(first_line, batch.schema.names, strict=False):
        one = pa.array([text], pa.string())
        is_number = "number" in evidence[name].fitting & evidence_of(one, name, settings).fitting
        if is_number or pc.any(pc.equal(batch.column(name), text)).as_py():
            found.append(text)
    return tuple(found) if len(found) >= _SHARE_OF_VALUES * batch.num_columns else ()


def _with_folders(file: SourceFile, settings: DatasetSettings) -> SourceFile:
    """The file with the columns that its folders name, whose values are read as a CSV's are."""
    partition: dict[str, str | None] = {}
    for folder in file.name.split("/")[:-1]:
        name, equals, value = map(unquote, folder.partition("="))
        if equals and name and name not in file.stored:
            partition[name] = None if value in (_HIVE_MISSING, *settings.missing_values) else value
    evidence = {
        name: evidence_of(pa.array([value], pa.string()), name, settings) for name, value in partition.items()
    }
    return replace(file, partition=partition, evidence={**file.evidence, **evidence})


def _stored(file: SourceFile, names: Iterable[str]) -> list[str]:
    """Those of the columns to read from the file itself; one at least, for the number of rows."""
    return [name for name in names if name in file.stored] or list(file.stored[:1])


def _with_partition(batch: pa.RecordBatch, file: SourceFile) -> pa.RecordBatch:
    for name, value in file.partition.items():
        texts = pa.array([value or ""], pa.string())
        places = pa.array(np.zeros(batch.num_rows, np.int32), mask=np.full(batch.num_rows, value is None))
        batch = batch.append_column(name, pa.DictionaryArray.from_arrays(places, texts))
    return batch
