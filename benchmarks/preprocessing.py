"""preprocess.py against the tightest pyarrow loop and against the common pandas and scikit-learn template.

The pyarrow loop only reads, splits by a hash and writes Parquet; the pandas template imputes, scales
and one-hot encodes in memory and writes CSV, some 18 GB of memory for a CSV of 1 GB. It therefore
runs on a tenth of the data unless `--full-template` is given, beside ours on the same tenth.

    python -m benchmarks preprocessing [--gigabytes 1] [--full-template]

With `--memory` nothing is compared: the program alone runs over files of these sizes, and its peak memory
should not depend on them.

    python -m benchmarks preprocessing --memory 0.1 1 5
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import by_hand, mixed_csv
from benchmarks.measure import Cost, in_turn, process, report
from benchmarks.whole_run import _DEFAULTS

RIVALS = Path(__file__).resolve().parent / "rivals"
_DATASET = {**_DEFAULTS, "target": "label", "positive_class": "yes"}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks preprocessing", description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--full-template", action="store_true", help="the pandas template on everything, too")
    parser.add_argument("--memory", type=float, nargs="+", metavar="GIGABYTES", help="peak memory by size")
    options = parser.parse_args(arguments)
    if options.memory:
        _memory(options.memory)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)

        def ours(source: Path) -> Cost:
            work = folder / "ours"
            shutil.rmtree(work, ignore_errors=True)
            return by_hand.preprocess(work, source, _DATASET)

        def rival(program: str, source: Path) -> Cost:
            work = folder / "rival"
            shutil.rmtree(work, ignore_errors=True)
            return process([sys.executable, str(RIVALS / program), str(source), str(work)])

        rows = round(mixed_csv.ROWS_PER_GB * options.gigabytes)
        whole = mixed_csv.write(folder / "whole.csv", rows)
        tenth = whole if options.full_template else mixed_csv.write(folder / "tenth.csv", rows // 10)
        loop = {
            "preprocess.py": lambda: ours(whole),
            "pyarrow: read, hash, write": lambda: rival("pyarrow_loop.py", whole),
        }
        title = f"Preprocessing a CSV of {whole.stat().st_size / 1e9:.2f} GB"
        report(title, in_turn(loop, 3), "preprocess.py", {"pyarrow: read, hash, write": 2.5})
        template = {
            "preprocess.py": lambda: ours(tenth),
            "pandas, ColumnTransformer, to_csv": lambda: rival("pandas_template.py", tenth),
        }
        title = f"Preprocessing a CSV of {tenth.stat().st_size / 1e9:.2f} GB"
        report(title, in_turn(template, 1), "preprocess.py", {})


def _memory(sizes: Sequence[float]) -> None:
    """Print the peak memory of one run over a file of each size, and its ratio to that of the smallest."""
    least = 0.0
    for gigabytes in sorted(sizes):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            rows = round(mixed_csv.ROWS_PER_GB * gigabytes)
            # In a process of its own: a program's peak memory counts what the one that started it had.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                source = pool.apply(mixed_csv.write, (folder / "mixed.csv", rows))
            size = source.stat().st_size / 1e9
            cost = by_hand.preprocess(folder / "work", source, _DATASET)
        least = least or cost.peak_mb
        times = f"{cost.seconds:9.1f} s {cost.processor_seconds:9.1f} s of processors"
        peak = f"{cost.peak_mb:7.0f} MB {cost.peak_mb / least:6.2f} of the smallest"
        print(f"{size:6.2f} GB {rows:12,} rows {times} {peak}", flush=True)


if __name__ == "__main__":
    main()
