"""From files to a stream of typed batches, in constant memory: CSV, JSON lines, Parquet, in the order given.

The types of the columns follow from evidence (``column_types``): that of the first block of every file
(``source_files``), or that of all values (:func:`evidence_of_all_values`). If a value contradicts the types,
:class:`TypesContradicted` is raised. A caller who began with the first blocks then asks for all values and
starts again, so there is at most one restart and the types are those of the whole data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import column_types
import faults
import numpy as np
import parquet_source
import pyarrow as pa
from conversion import ColumnReading, Noticed, Unfitting, convert, times_among
from csv_source import csv_batches, settings_of
from dataset_settings import DatasetSettings, InputError
from evidence import evidence_of
from marks import MOST_MARKS
from recognition import is_finite, recognise
from settings_lines import list_line, table_line
from source_file import Evidence, SourceFile, TypesContradicted, joint

_MOST_ODD = 200  # texts that are found for the remedy of an error
_BLOCK_BYTES = 3 << 20  # what Arrow parses at a time; several are in memory at once


def evidence_of_all_values(files: Sequence[SourceFile], settings: DatasetSettings) -> dict[str, Evidence]:
    """What every value of each column says of its type; reads everything once."""
    evidence: dict[str, list[Evidence]] = {name: [] for name in (files[0].columns if files else ())}
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
                evidence[name] = [joint([*evidence[name], evidence_of(texts, name, settings)])]
    return {name: joint(found) for name, found in evidence.items()}


def types_by(
    evidence: Mapping[str, Evidence], files: Sequence[SourceFile], settings: DatasetSettings
) -> tuple[dict[str, str], list[SourceFile]]:
    """The type of every column, in the order of ``evidence``; and the files, each with the columns that are
    read as text.

    Raises:
        InputError: values are not of the kind that the settings say.
    """
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


def batches(
    files: Sequence[SourceFile], types: Mapping[str, str], settings: DatasetSettings, noticed: Noticed
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
            texts = [name for name in stored if types[name] == "text"]
            source = parquet_source.parquet_batches(file, stored, texts, settings.drop)
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


def texts_of(files: Sequence[SourceFile], name: str, settings: DatasetSettings) -> Iterator[pa.StringArray]:
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
        values = pa.array([float(text) for text in texts if is_finite(text)], pa.float64())
    elif column_types.KIND_OF[type_] == "timestamp":
        values = times_among(texts, notation)
    return ColumnReading(name, type_, notation, missing, values, renamed)


def _choose(
    fitting: Mapping[str, frozenset[str]], files: Sequence[SourceFile], settings: DatasetSettings
) -> dict[str, str]:
    try:
        return column_types.choose(fitting, settings.demanded_kinds)
    except InputError as error:
        raise _unfitting_kind(fitting, files, settings) or error from None


def _unfitting_kind(
    fitting: Mapping[str, frozenset[str]], files: Sequence[SourceFile], settings: DatasetSettings
) -> InputError | None:
    for name, kind in settings.demanded_kinds.items():
        fits = {type_ for type_, its_kind in column_types.KIND_OF.items() if its_kind == kind}
        if not fits.isdisjoint(fitting[name]):
            continue

        def are_of_kind(texts: pa.StringArray, name: str = name, fits: set[str] = fits) -> bool:
            return not fits.isdisjoint(evidence_of(texts, name, settings).fitting)

        def is_of_kind(text: str) -> bool:
            value = None if text in settings.missing_values else text
            return are_of_kind(pa.array([value], pa.string()))

        places = (
            faults.unfitting_value(file, settings_of(file, settings), file.stored.index(name), is_of_kind)
            for file in files
            if not file.is_parquet and name in file.stored
        )
        odd, looked_at = _odd_texts(name, files, settings, are_of_kind)
        found = next(filter(None, places), None) or next(((file, text) for text, file in odd.items()), None)
        if found:
            where, value = found
            remedy = _written_otherwise(name, kind, value, settings)
            some = odd if len(odd) <= looked_at / 2 else ()  # else this is no column of that kind
            remedy = remedy or _no_value(name, kind, value, some, settings)
            return _of_other_kind(name, kind, f"this is {value!r}", where, settings, remedy)
        if name == settings.target:
            where = files[0].name if files else None
            return _of_other_kind(name, kind, "its values are not", where, settings)
    return None


def _is_written(file: SourceFile, name: str, settings: DatasetSettings) -> bool:
    """Whether the column's values are texts in the file, which may hold marks of missing values."""
    return not file.is_parquet or name in parquet_source.judged_by_values(file, settings)


def _written_otherwise(name: str, kind: str, value: str, settings: DatasetSettings) -> str | None:
    """The settings that read the value, where it is of the kind in another notation."""
    found = recognise([value], settings.notation(name))
    lines = []
    for reading in found.readings if found else ():
        keys = {key: text for key, text in reading.settings.items() if key != "kinds"}
        if keys and ("date_format" in keys) == (kind == "timestamp"):
            pairs = [table_line(key, getattr(settings, key), {name: text}) for key, text in keys.items()]
            lines.append(f"{' and '.join(pairs)} if that is {reading.example}")
    return f"Set {', or '.join(lines)}" if lines else None


def _odd_texts(
    name: str,
    files: Sequence[SourceFile],
    settings: DatasetSettings,
    are_of_kind: Callable[[pa.StringArray], bool],
) -> tuple[dict[str, str], int]:
    """The column's texts that are not of the kind, each with the first file that it is in, or very many of
    them; and how many texts were looked at."""
    odd: dict[str, str] = {}
    looked_at = 0
    for file in files:
        for texts in texts_of([file], name, settings) if _is_written(file, name, settings) else ():
            waiting = [texts.unique().drop_null()]
            looked_at += len(waiting[0])
            while waiting and len(odd) < _MOST_ODD:
                some = waiting.pop()
                if are_of_kind(some):
                    continue
                if len(some) == 1:
                    odd.setdefault(some[0].as_py(), file.name)
                    continue
                half = len(some) // 2
                waiting += [some[half:], some[:half]]
    return odd, looked_at


def _no_value(name: str, kind: str, value: str, others: Iterable[str], settings: DatasetSettings) -> str:
    """The settings for texts that mean a missing value, and what to do where they do not.

    Args:
        value: the one that the error shows.
        others: that are not of the kind either; too many to be marks are left out.
    """
    alike = {text.strip() for text in others if not _written_otherwise(name, kind, text, settings)} - {""}
    marks = sorted({value.strip(), *alike} if len(alike) <= MOST_MARKS else {value.strip()})
    line = list_line("also_missing", settings.also_missing, marks) if value.strip() else "strip = true"
    otherwise = "set the task of a classification" if name == settings.target else "take the kind out"
    several = value.strip() and len(marks) > 1
    means, them = ("they mean", "them") if several else ("it means", "it")
    return f"Set {line} if {means} that there is no value; else correct {them}, or {otherwise}"


def _of_other_kind(
    name: str, kind: str, found: str, where: str | None, settings: DatasetSettings, remedy: str | None = None
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


def _stored(file: SourceFile, names: Iterable[str]) -> list[str]:
    """Those of the columns to read from the file itself; one at least, for the number of rows."""
    return [name for name in names if name in file.stored] or list(file.stored[:1])


def _with_partition(batch: pa.RecordBatch, file: SourceFile) -> pa.RecordBatch:
    for name, value in file.partition.items():
        texts = pa.array([value or ""], pa.string())
        places = pa.array(np.zeros(batch.num_rows, np.int32), mask=np.full(batch.num_rows, value is None))
        batch = batch.append_column(name, pa.DictionaryArray.from_arrays(places, texts))
    return batch
