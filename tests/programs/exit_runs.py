"""Many runs of preprocess.py, several at a time, counted by exit code: does one of them ever abort?

    python tests/programs/exit_runs.py [--runs 240] [--at-once 3] [--rows 560000]

Arrow's threads outlive its readers, and one that meets an interpreter that is being taken down ends the
process with SIGABRT, at random and mostly on a busy machine (processing/process_exit.py). `make stress` runs
this file; `make test` does the same with a handful of runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from program_runs import ROOT, lay_out

_LIMIT = 300
_SHOWN_EVERY = 20


def busy_rows(rows: int) -> str:
    """A CSV with a number, a text, a boolean, a timestamp and two classes; some 47 bytes a row."""
    lines = ["amount,shop,member,day,y"]
    for n in range(rows):
        day = f"2024-{n % 12 + 1:02d}-{n % 28 + 1:02d} 10:00:{n % 60:02d}"
        lines.append(
            f"{n * 37 % 10_007 / 7:.4f},shop {n * n % 13},{str(n % 3 == 0).lower()},{day},{n % 7 < 3}"
        )
    return "\n".join(lines) + "\n"


def run_many(folder: Path, *, runs: int, at_once: int, rows: int) -> Iterator[tuple[int, str]]:
    """Exit code and output of each run, as they end; `folder` is filled with one job's folder a worker."""
    data = busy_rows(rows)
    settings = {"task": "binary", "target": "y"}
    free = [lay_out(folder / str(place), {"data.csv": data}, settings) for place in range(at_once)]

    def run(_: int) -> tuple[int, str]:
        opt_ml = free.pop()
        command = [sys.executable, str(ROOT / "processing/preprocess.py"), "--opt-ml", str(opt_ml)]
        finished = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_LIMIT, check=False
        )
        free.append(opt_ml)
        return finished.returncode, finished.stdout

    with ThreadPoolExecutor(at_once) as workers:
        yield from workers.map(run, range(runs))


def main() -> int:
    """1 if a run ended otherwise than with 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=240)
    parser.add_argument("--at-once", type=int, default=3)
    parser.add_argument("--rows", type=int, default=560_000, help="26 MB; fewer rows abort more seldom")
    options = parser.parse_args()
    codes: Counter[int] = Counter()
    with tempfile.TemporaryDirectory(prefix="exit-runs-") as folder:
        ends = run_many(Path(folder), runs=options.runs, at_once=options.at_once, rows=options.rows)
        for number, (code, output) in enumerate(ends, start=1):
            codes[code] += 1
            if code:
                print(f"run {number} ended with {code}: {output.strip()[-500:]}", flush=True)
            elif number % _SHOWN_EVERY == 0:
                print(f"{number} runs ...", flush=True)
    counts = ", ".join(f"{count} with exit code {code}" for code, count in sorted(codes.items()))
    load = f"{options.at_once} at a time on {os.cpu_count()} cores"
    print(f"{options.runs} runs of preprocess.py, {load}: {counts}")
    return int(set(codes) != {0})


if __name__ == "__main__":
    sys.exit(main())
