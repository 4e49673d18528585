"""Which of the files in a folder are data, and what each of them is at first sight.

A file is told by its first bytes (``file_kind``); its columns, and what the first block of its values says of
them, are read here, so that a wrong file is named before any row is. Folders may name columns, as Hive does
(``country=ch/part.parquet``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import faults
import json_lines
import parquet_source
import pyarrow as pa
import pyarrow.compute as pc
from byte_stream import open_lines
from csv_source import csv_batches, csv_columns, lines_above_data, settings_of
from dataset_settings import BLANKS, DatasetSettings, InputError
from evidence import evidence_of
from file_kind import is_stray, kind_of
from findings import Finding
from recognition import is_finite
from source_file import ANYTHING, EmptyFile, Evidence, SourceFile

_FIRST_BLOCK_BYTES = 1 << 20
_SHARE_OF_VALUES = 0.5  # of the columns: one of several may well hold its own name
_HIVE_MISSING = "__HIVE_DEFAULT_PARTITION__"
_HIDDEN = "if it is no data, move it away, or begin its name with _"


def find_files(
    folder: Path, settings: DatasetSettings, *, share: bool = False
) -> tuple[list[SourceFile], list[Finding]]:
    """Every data file under ``folder``, and what is passed over: empty files, and those that are no data by
    their names. Files whose path has a part that begins with ``.`` or ``_`` are ignored.

    Args:
        share: other hosts have other files; there may be none here.

    Raises:
        InputError: there are no data, a file cannot be read, or the files have different columns.
    """
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part[0] in "._" for part in path.relative_to(folder).parts)
    )
    if not paths and not share:
        raise InputError(
            "there is no data: no file was given", where=str(folder), remedy="Check the data's URI or path"
        )
    names = {path: path.relative_to(folder).as_posix() for path in paths}
    empty = {path for path in paths if not path.stat().st_size}
    full = [path for path in paths if path not in empty]
    data = [path for path in full if not is_stray(names[path])] or ([] if share else full)
    files: list[SourceFile] = []
    findings = []
    for path in data:
        try:
            files.append(_describe(path, names[path], settings))
        except EmptyFile:
            empty.add(path)
            continue
        except InputError as error:
            remedy = f"{_steps_before(error, path)}{error.remedy}"
            if (len(data) > 1 or share) and _HIDDEN not in remedy:
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
    if not files and not share:
        raise EmptyFile(", ".join([names[path] for path in paths if path in empty][:3]))
    strays = set(paths).difference(data)
    for path in paths:
        if path in empty:
            findings.append(Finding("empty_file", f"{names[path]} is empty and is passed over", level="note"))
        elif path in strays:
            text = f"{names[path]} is no data by its name and is passed over"
            findings.append(Finding("stray_file", text, level="note"))
    model = next((file for file in files if settings.target in file.columns), files[0] if files else None)
    for file in files if model else ():
        check_same_columns(model.name, model.columns, file.name, file.columns)
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


def check_same_columns(first: str, wanted: Sequence[str], name: str, columns: Sequence[str]) -> None:
    """Refuse a file whose columns are not those of the first one, in any order."""
    lacking = sorted(set(wanted) - set(columns))
    extra = sorted(set(columns) - set(wanted))
    if lacking or extra:
        parts = [f"lacks {', '.join(map(repr, lacking))}"] if lacking else []
        parts += [f"has also {', '.join(map(repr, extra))}"] if extra else []
        remedy = "Give all files the same columns"
        if any(map(is_finite, extra)):
            remedy = f"If it has no header, give it the one of {first}"
        raise InputError(
            f"its columns are not those of {first}: it {' and '.join(parts)}",
            where=name,
            remedy=f"{remedy}; {_HIDDEN}",
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
        evidence, is_empty = dict.fromkeys(columns, ANYTHING), True
        for batch in csv_batches(described, text, settings, _FIRST_BLOCK_BYTES, null_texts=True):
            evidence = {column: evidence_of(batch.column(column), column, settings) for column in columns}
            is_empty = not batch.num_rows
            if settings.header and (settings.columns is not None or settings.target not in columns):
                first_line = faults.first_row(described, settings_of(described, settings))
                values = _values_in_header(first_line, batch, evidence, settings)
                described = replace(described, values_in_header=values)
            break
        described = replace(described, evidence=evidence, is_empty=is_empty)
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
    """The file with the columns that its folders name, whose values are read as a CSV's are; around a file
    without rows no row has the value."""
    partition: dict[str, str | None] = {}
    for folder in file.name.split("/")[:-1]:
        name, equals, value = map(unquote, folder.partition("="))
        if equals and name and name not in file.stored:
            is_missing = file.is_empty or value in (_HIVE_MISSING, *settings.missing_values)
            partition[name] = None if is_missing else value
    evidence = {
        name: evidence_of(pa.array([value], pa.string()), name, settings) for name, value in partition.items()
    }
    return replace(file, partition=partition, evidence={**file.evidence, **evidence})
