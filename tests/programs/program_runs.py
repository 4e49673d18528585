"""What the tests of the three programs share: /opt/ml-like folders, data, and running the programs in
them."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Prepared:
    """What preprocess.py left: its exit code, its message, what it printed, and the folder it ran in."""

    code: int
    message: str
    out: str
    err: str
    folder: Path

    @property
    def output(self) -> Path:
        return self.folder / "processing" / "output"

    @property
    def schema(self) -> dict[str, Any]:
        return json.loads((self.output / "schema" / "schema.json").read_text())

    @property
    def statistics(self) -> dict[str, Any]:
        return json.loads((self.output / "quality" / "statistics.json").read_text())

    @property
    def findings(self) -> list[dict[str, Any]]:
        return json.loads((self.output / "quality" / "findings.json").read_text())["findings"]

    def finding(self, kind: str) -> dict[str, Any]:
        """The only finding of that kind."""
        (found,) = (one for one in self.findings if one["kind"] == kind)
        return found

    def part(self, name: str) -> pa.Table:
        paths = sorted((self.output / name).glob("*.parquet"))
        return pa.concat_tables([pq.read_table(path) for path in paths])

    def rows(self, name: str) -> list[tuple[Any, ...]]:
        """A part's rows in an order of their own, to compare parts whatever the order of the rows."""
        rows = [tuple(row.values()) for row in self.part(name).to_pylist()]
        return sorted(rows, key=repr)


def lay_out(folder: Path, data: Mapping[str, bytes | str | pa.Table], settings: Mapping[str, Any]) -> Path:
    """Write the input of preprocess.py as a container is given it; replaces what an earlier call wrote."""
    raw = folder / "processing" / "input" / "raw"
    shutil.rmtree(raw, ignore_errors=True)
    raw.mkdir(parents=True)
    for name, content in data.items():
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    place = folder / "processing" / "input" / "settings" / "dataset.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(settings))
    return folder


def without_utf_8_in_a_name(name: str) -> bytes:
    """A Parquet file with one column, to whose name Latin-1 has given an accent."""
    written = io.BytesIO()
    pq.write_table(pa.table({f"{name}~": [1, 2]}), written, store_schema=False)
    return written.getvalue().replace(f"{name}~".encode(), f"{name}\xe9".encode("latin-1"))


def as_csv(header: Sequence[str] | None, rows: Sequence[Sequence[Any]], delimiter: str = ",") -> str:
    """The rows as CSV text."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    if header:
        writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def mixed_rows(count: int) -> tuple[list[str], list[list[Any]]]:
    """A header and rows with every kind of column: number, whole number, text, boolean, timestamp."""
    rows = []
    for n in range(count):
        amount = (n * 37 % 101) / 7 - 3
        shop = f"shop {n * n % 13}"
        member = n % 3 == 0
        day = f"2024-{n % 12 + 1:02d}-{n % 28 + 1:02d} 10:00:{n % 60:02d}"
        label = "yes" if amount + (n * n % 13) - 2 * member > 6 else "no"
        rows.append(
            [
                round(amount, 4) if n % 17 else "",
                n * 7919 % 1009,
                shop if n % 11 else "",
                str(member).lower(),
                day,
                label,
            ]
        )
    return ["amount", "visits", "shop", "member", "day", "y"], rows


def run_program(
    program: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    python: str = sys.executable,
    arguments: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run one of the programs as its container does: a process of its own."""
    return subprocess.run(
        [python, str(ROOT / program), "--opt-ml", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
    )


def hand_over_to_training(folder: Path, hyperparameters: Mapping[str, str]) -> None:
    """Make the channels and the configuration of the training step out of the preprocessing step's output."""
    for name in ("train", "validation", "schema"):
        target = folder / "input" / "data" / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder / "processing" / "output" / name, target)
    config = folder / "input" / "config"
    config.mkdir(parents=True, exist_ok=True)
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))


def hand_over_to_evaluation(folder: Path, gate: Mapping[str, Any] | None = None) -> None:
    """Pack the model as SageMaker does and make the evaluation step's inputs."""
    inputs = folder / "processing" / "input"
    (inputs / "model").mkdir(exist_ok=True)
    with tarfile.open(inputs / "model" / "model.tar.gz", "w:gz") as archive:
        archive.add(folder / "model", arcname=".")
    shutil.rmtree(inputs / "test", ignore_errors=True)
    shutil.copytree(folder / "processing" / "output" / "test", inputs / "test")
    shutil.rmtree(inputs / "quality", ignore_errors=True)
    shutil.copytree(folder / "processing" / "output" / "quality", inputs / "quality")
    (inputs / "gate").mkdir(exist_ok=True)
    (inputs / "gate" / "gate.json").write_text(json.dumps(gate or {"metric": "accuracy", "threshold": 0.5}))


@dataclass(frozen=True)
class Finished:
    """All three programs run one after another, as processes, in one folder."""

    folder: Path
    outputs: tuple[str, str, str]

    @property
    def evaluation(self) -> Path:
        return self.folder / "processing" / "output" / "evaluation"

    @property
    def statistics(self) -> dict[str, Any]:
        return json.loads((self.evaluation / "statistics.json").read_text())


def run_all_once(
    factory: pytest.TempPathFactory,
    name: str,
    data: str,
    settings: Mapping[str, Any],
    hyperparameters: Mapping[str, str],
    gate: Mapping[str, Any] | None = None,
) -> Finished:
    """Run all three programs, once for all of pytest's worker processes; tests must not change the folder."""
    base = factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder, record = shared / name, shared / f"{name}.json"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            record.write_text(json.dumps(run_all(folder, data, settings, hyperparameters, gate)))
        prepared, trained, evaluated = json.loads(record.read_text())
    return Finished(folder, (prepared, trained, evaluated))


def run_all(
    folder: Path,
    data: str,
    settings: Mapping[str, Any],
    hyperparameters: Mapping[str, str],
    gate: Mapping[str, Any] | None = None,
    *,
    python: str = sys.executable,
) -> list[str]:
    """Run all three programs, each on what the one before it wrote; returns what each printed."""
    lay_out(folder, {"data.csv": data}, settings)
    outputs = []
    for program in ("processing/preprocess.py", "training/train.py", "evaluation/evaluate.py"):
        if "train" in program:
            hand_over_to_training(folder, hyperparameters)
        if "evaluate" in program:
            hand_over_to_evaluation(folder, gate)
        finished = run_program(program, folder, python=python)
        assert finished.returncode == 0, finished.stderr
        outputs.append(finished.stdout)
    return outputs
