"""preprocess.py against the tightest pyarrow loop and against the common pandas and scikit-learn template.

The pyarrow loop only reads, splits by a hash and writes Parquet; the pandas template imputes, scales
and one-hot encodes in memory and writes CSV, some 18 GB of memory for a CSV of 1 GB. It therefore
runs on a tenth of the data unless `--full-template` is given, beside ours on the same tenth.

    python -m benchmarks preprocessing [--gigabytes 1] [--full-template]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
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
    options = parser.parse_args(arguments)
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


if __name__ == "__main__":
    main()
