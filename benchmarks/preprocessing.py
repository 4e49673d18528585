"""preprocess.py against what people would take instead: DuckDB, Polars, pandas, the tightest pyarrow loop.

These four (`rivals/*_split.py`, `rivals/pyarrow_loop.py`) do one smaller piece of work: they read the CSV,
put each row into train, validation or test by the remainder of three of its integer columns, and write every
part as Parquet. That all wrote the same rows, and preprocess.py all rows, is checked. What they do not do: a
split by the content of all columns, which no order, added column or second run changes; types, classes and
categories that are decided on all of the data instead of its first rows, and checked; refusing what is
broken, with the line; counting duplicates, leaks and missing values; statistics and constraints for the
monitoring; a schema for training and serving; several instances.

The usual template of pandas and scikit-learn (`rivals/pandas_template.py`) does other work: it imputes,
scales and one-hot encodes in memory and writes CSV, some 18 GB of memory for a CSV of 1 GB. It therefore
runs on a tenth of the data unless `--full-template` is given, beside ours on the same tenth.

    python -m benchmarks preprocessing [--gigabytes 1] [--rounds 3] [--full-template]

With `--memory` nothing is compared: the program alone runs over files of these sizes, and its peak memory
should not depend on them.

    python -m benchmarks preprocessing --memory 0.1 1 5
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks import by_hand, mixed_csv
from benchmarks.measure import Cost, in_turn, process, report
from benchmarks.whole_run import _DEFAULTS

RIVALS = Path(__file__).resolve().parent / "rivals"
OURS = "preprocess.py"
PYARROW = "pyarrow: read, split, write"
_DATASET = {**_DEFAULTS, "target": "label", "positive_class": "yes"}
_SPLITS = {
    PYARROW: "pyarrow_loop.py",
    "DuckDB, one COPY": "duckdb_split.py",
    "Polars, streaming": "polars_split.py",
    "pandas": "pandas_split.py",
}
_NEEDS = {"duckdb_split.py": "duckdb", "polars_split.py": "polars"}
_GOALS = {PYARROW: 2.5}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks preprocessing", description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full-template", action="store_true", help="the pandas template on everything, too")
    parser.add_argument("--memory", type=float, nargs="+", metavar="GIGABYTES", help="peak memory by size")
    options = parser.parse_args(arguments)
    if options.memory:
        _memory(options.memory)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = round(mixed_csv.ROWS_PER_GB * options.gigabytes)
        whole = mixed_csv.write(folder / "whole.csv", rows)
        ways = {OURS: partial(ours, folder, whole)}
        for name, program in _SPLITS.items():
            needed = _NEEDS.get(program)
            if needed and importlib.util.find_spec(needed) is None:
                print(f"  left out: {name}; `pip install -r benchmarks/requirements.txt` installs it")
                continue
            ways[name] = partial(rival, folder, whole, program)
        title = f"Preprocessing a CSV of {whole.stat().st_size / 1e9:.2f} GB"
        report(title, in_turn(ways, options.rounds), OURS, _GOALS)
        _check_rows(folder, [program for program in _SPLITS.values() if (folder / program).exists()])
        tenth = whole if options.full_template else mixed_csv.write(folder / "tenth.csv", rows // 10)
        template = {
            OURS: partial(ours, folder, tenth),
            "pandas, ColumnTransformer, to_csv": partial(rival, folder, tenth, "pandas_template.py"),
        }
        title = f"Preprocessing a CSV of {tenth.stat().st_size / 1e9:.2f} GB"
        report(title, in_turn(template, 1), OURS, {})


def ours(folder: Path, source: Path, *options: str) -> Cost:
    """Run preprocess.py; its output is below ``folder/ours`` until it runs again."""
    work = folder / "ours"
    shutil.rmtree(work, ignore_errors=True)
    return by_hand.preprocess(work, source, _DATASET, *options)


def rival(folder: Path, source: Path, program: str) -> Cost:
    """Run a program of `rivals/`; its output is in the folder of its name until it runs again."""
    work = folder / program
    shutil.rmtree(work, ignore_errors=True)
    return process([sys.executable, str(RIVALS / program), str(source), str(work)])


Sums = tuple[int, int, float, int, int]


def _check_rows(folder: Path, programs: list[str]) -> None:
    """End with an error unless all rivals wrote the same parts, and ours the same rows in other parts."""
    found = {
        program: {part: _sums(folder / program, part) for part in ("train", "validation", "test")}
        for program in programs
    }
    expected, *others = found.values()
    mine = {part: _sums(folder / "ours/processing/output", part) for part in expected}
    for other in others:
        if not all(_same(other[part], expected[part]) for part in expected):
            raise SystemExit(f"benchmark: the rivals wrote other rows than each other: {found}")
    total, of_ours = (tuple(map(sum, zip(*parts.values(), strict=True))) for parts in (expected, mine))
    if not _same(total, of_ours):
        raise SystemExit(f"benchmark: preprocess.py wrote other rows: {of_ours}, and not {total}")
    counts = ", ".join(f"{sums[0]:,} {part}" for part, sums in expected.items())
    print(f"  all rivals wrote the same rows ({counts}); preprocess.py wrote all of them, too")


def _sums(folder: Path, part: str) -> Sums:
    """What a part holds, whatever the order of its rows: how many, and sums over four of its columns."""
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    (place,) = (path for path in folder.iterdir() if path.name in (part, f"part={part}"))
    table = ds.dataset(place, format="parquet").to_table(columns=["n0", "n3", "n19", "c5"])
    texts = pc.sum(pc.utf8_length(table.column("c5").cast("string")))
    a_of_texts = pc.sum(pc.count_substring(table.column("c5").cast("string"), "a"))
    number = pc.sum(pc.fill_null(table.column("n0"), 0.0)).as_py() + pc.sum(table.column("n3")).as_py()
    return (
        len(table),
        table.column("n0").null_count + int(texts.as_py()),
        float(number),
        int(pc.sum(table.column("n19")).as_py()),
        int(a_of_texts.as_py()),
    )


def _same(left: tuple[float, ...], right: tuple[float, ...]) -> bool:
    """Whether sums agree; those of floats to what their order may change."""
    return all(abs(a - b) <= 1e-6 * max(1.0, abs(a)) * 1e-3 for a, b in zip(left, right, strict=True))


def _memory(sizes: Sequence[float]) -> None:
    """Print the peak memory of one run over a file of each size, and its ratio to that of the smallest."""
    least = 0.0
    for gigabytes in sorted(sizes):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            rows = round(mixed_csv.ROWS_PER_GB * gigabytes)
            source = mixed_csv.write(folder / "mixed.csv", rows)
            size = source.stat().st_size / 1e9
            cost = by_hand.preprocess(folder / "work", source, _DATASET)
        least = least or cost.peak_mb
        times = f"{cost.seconds:9.1f} s {cost.busy:9.1f} s of processors"
        peak = f"{cost.peak_mb:7.0f} MB {cost.peak_mb / least:6.2f} of the smallest"
        print(f"{size:6.2f} GB {rows:12,} rows {times} {peak}", flush=True)


if __name__ == "__main__":
    main()
