"""The benchmark's data: a CSV of mixed columns like a bank's or a shop's, of any size, always the same.

20 numeric columns (some integer, some with gaps), 6 categorical ones of 2 to 200 values, and a label
that depends on a few of both, so that training has something to find. About 218 bytes a row.
"""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

ROWS_PER_GB = 4_600_000
CATEGORIES = (2, 5, 12, 30, 80, 200)
_BLOCK = 200_000


def columns() -> list[str]:
    """The header: n0..n19, c0..c5, label."""
    return [f"n{i}" for i in range(20)] + [f"c{i}" for i in range(6)] + ["label"]


def write(path: Path, rows: int) -> Path:
    """Write `rows` rows to `path`, unless a complete file of that many rows is there already."""
    done = path.with_suffix(f".{rows}.done")
    if done.exists() and path.exists():
        return path
    names = category_names()
    with path.open("wb") as file:
        for start in range(0, rows, _BLOCK):
            rows_of_block = block(np.random.default_rng(start), min(_BLOCK, rows - start), names)
            options = pa.csv.WriteOptions(include_header=start == 0, quoting_style="none")
            pa.csv.write_csv(rows_of_block, file, options)
    done.touch()
    return path


def category_names() -> list[np.ndarray]:
    """The values of c0..c5, texts."""
    letters, generator = list(string.ascii_lowercase), np.random.default_rng(7)
    return [
        np.array(["".join(generator.choice(letters, 6)) for _ in range(count)], dtype=object)
        for count in CATEGORIES
    ]


def block(generator: np.random.Generator, rows: int, names: list[np.ndarray]) -> pa.Table:
    """So many rows; ``names`` are those of :func:`category_names`."""
    numbers = [np.round(generator.normal(size=rows) * 10 ** (i % 4), 6) for i in range(15)]
    integers = [generator.integers(0, 10 ** (1 + i), size=rows) for i in range(5)]
    codes = [generator.integers(0, len(values), size=rows) for values in names]
    signal = numbers[0] - numbers[4] / 10 + (codes[2] % 3) - (integers[0] > 6) + generator.logistic(size=rows)
    arrays: list[pa.Array] = []
    for i, values in enumerate(numbers):
        arrays.append(pa.array(values, mask=generator.random(rows) < 0.02 if i % 5 == 0 else None))
    arrays += [pa.array(values) for values in integers]
    arrays += [pa.array(values[code]) for values, code in zip(names, codes, strict=True)]
    arrays.append(pa.array(np.where(signal > 0, "yes", "no")))
    return pa.table(arrays, names=columns())
