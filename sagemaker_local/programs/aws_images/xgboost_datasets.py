"""The channels of the built-in XGBoost: every file below a channel's folder, as one matrix with labels.

The label comes first, in CSV and in Parquet; there is no header line. With ``csv_weights`` the second column
of CSV is the row's weight. libsvm goes to XGBoost's own reader, which takes column numbers as they stand.
"""

from __future__ import annotations

import csv
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xgboost as xgb

from .xgboost_hyperparameters import InputError

_TYPES = {
    "csv": "csv",
    "text/csv": "csv",
    "libsvm": "libsvm",
    "text/libsvm": "libsvm",
    "text/x-libsvm": "libsvm",
    "parquet": "parquet",
    "application/x-parquet": "parquet",
}
_DELIMITERS = ",;\t| "


def read(folder: Path, content_type: str | None, *, weights: bool) -> xgb.DMatrix:
    """All rows of a channel.

    Args:
        content_type: the channel's; libsvm where it has none, as in the image.
        weights: the second column of CSV is the row's weight.

    Raises:
        InputError: there is nothing to read, or it is not what the content type says.
    """
    kind = _kind(content_type)
    files = _files(folder)
    if not any(file.stat().st_size for file in files):
        raise InputError(f"No data in {folder.name} channel path {folder}")
    try:
        if kind == "libsvm":
            matrix = _read_libsvm(files)
        else:
            matrix = _read_table(files, kind, weights and kind == "csv")
    except InputError:
        raise
    except Exception as problem:  # three libraries' errors, all about the data
        said = str(problem).strip().splitlines()
        raise InputError(
            f"Failed to load {kind} data of channel {folder.name}: {' '.join(said[:2])}"
        ) from problem
    if not matrix.get_label().size:
        raise InputError(f"Got input data without labels in channel {folder.name}")
    return matrix


def _kind(content_type: str | None) -> str:
    if content_type is None:
        return "libsvm"
    name, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if name not in _TYPES:
        raise InputError(f"{content_type} is not an accepted ContentType: {', '.join(_TYPES)}")
    for parameter in parameters:
        if parameter.startswith("label_size") and parameter.partition("=")[2].strip() != "1":
            raise InputError(f"{content_type}: label_size must be 1")
    return _TYPES[name]


def _files(folder: Path) -> list[Path]:
    """Every file below a folder, by name; those that Spark marks with an underscore are not data."""
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            if name.startswith("."):
                raise InputError(f"Hidden file found in the data path: {name}. Remove it before training")
            if not name.startswith("_"):
                found.append(Path(root, name))
    return sorted(found)


def _first_line(file: Path) -> str:
    with file.open(errors="replace") as lines:
        return next((line for line in lines if line.strip()), "").rstrip("\r\n")


def _read_table(files: Sequence[Path], kind: str, weights: bool) -> xgb.DMatrix:
    import numpy as np

    read_file = _read_csv if kind == "csv" else _read_parquet
    tables = [read_file(file) for file in files if file.stat().st_size]
    width = max(table.shape[1] for table in tables)
    first = 2 if weights else 1
    if width <= first:
        raise InputError(f"Failed to load {kind} data: rows of {width} columns have no features")
    padded = [
        np.pad(table, ((0, 0), (0, width - table.shape[1])), constant_values=np.nan) for table in tables
    ]
    rows = np.concatenate(padded)
    return xgb.DMatrix(rows[:, first:], label=rows[:, 0], weight=rows[:, 1] if weights else None)


def _read_csv(file: Path) -> Any:
    import numpy as np
    import pandas as pd

    line = _first_line(file)
    try:
        delimiter = csv.Sniffer().sniff(line, _DELIMITERS).delimiter
    except csv.Error as problem:
        raise InputError(
            f"Could not determine delimiter on line {line[:50]!r} of file {file.name}"
        ) from problem
    try:
        frame = pd.read_csv(file, header=None, sep=delimiter, dtype=np.float32, skipinitialspace=True)
    except ValueError as problem:
        raise InputError(
            f"Failed to load csv data: file {file.name}: {str(problem).strip()}. The label comes first, every"
            f" value is a number, and there is no header line; the first line is {line[:50]!r}"
        ) from problem
    return frame.to_numpy()


def _read_parquet(file: Path) -> Any:
    import numpy as np
    import pyarrow.parquet as pq

    return pq.read_table(file, partitioning=None).to_pandas().to_numpy(dtype=np.float32)


def _read_libsvm(files: Sequence[Path]) -> xgb.DMatrix:
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "rows")  # XGBoost reads the files of a folder in no certain order
        with whole.open("wb") as writer:
            for file in files:
                _check_libsvm(file)
                content = file.read_bytes()
                writer.write(content if content.endswith(b"\n") or not content else content + b"\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # newer versions announce that they will drop it
            return xgb.DMatrix(f"{whole}?format=libsvm")


def _check_libsvm(file: Path) -> None:
    """XGBoost reads what is no libsvm without an error: the first line is looked at."""
    line = _first_line(file)
    label, *features = line.split() or ["0"]
    try:
        for number in label.split(":"):
            float(number)
        for feature in features:
            column, _, value = feature.partition(":")
            float(value)
            if column != "qid":
                int(column)
    except ValueError as problem:
        raise InputError(
            f"First line {line[:50]!r} of file {file.name} is not 'LIBSVM' format. If it is CSV, give the"
            " channel the ContentType text/csv"
        ) from problem
