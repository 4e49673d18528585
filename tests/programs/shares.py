"""Preprocessing in three steps over several hosts: each has a folder of its own, laid out as SageMaker does,
and what they leave is brought together as SageMaker does."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from program_runs import Prepared, lay_out

Data = Mapping[str, "bytes | str | pa.Table"]


def run_step(step: str, folder: Path) -> Prepared:
    """One step on one host, in this process."""
    import preprocess

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = preprocess.main(["--opt-ml", str(folder), *(["--step", step] if step else [])])
    message = (folder / "output" / "message").read_text()
    return Prepared(code, message, out.getvalue(), err.getvalue(), folder)


def sharded(data: Data, host: int, hosts: int) -> Data:
    """A host's files, as ``ShardedByS3Key`` deals the keys out."""
    return {name: data[name] for name in sorted(data)[host::hosts]}


def prepare_shares(
    folder: Path, data: Data, settings: Mapping[str, Any], hosts: int
) -> tuple[Prepared, dict[str, list[Prepared]]]:
    """What the three steps make of the data: the last one, with the parts of all hosts in its output, and the
    steps of all hosts. It ends with the first step of which a host failed."""
    names = [f"algo-{number}" for number in range(1, hosts + 1)]
    profiles, counts = folder / "profiles", folder / "counts"
    steps: dict[str, list[Prepared]] = {}
    for step in ("profile", "split"):
        folders = []
        for number, name in enumerate(names):
            own = lay_out(folder / step / name, sharded(data, number, hosts), settings)
            _configure(own, name, names)
            if step == "split":
                shutil.copytree(profiles, own / "processing/input/profile")
            folders.append(own)
        steps[step] = [run_step(step, own) for own in folders]
        failed = next((one for one in steps[step] if one.code), None)
        if failed:
            return failed, steps
        for own in steps[step]:
            _collect(
                own.output / ("profile" if step == "profile" else "counts"),
                profiles if step == "profile" else counts,
            )
    last = lay_out(folder / "merge", {}, settings)
    _configure(last, "algo-1", ["algo-1"])
    shutil.copytree(profiles, last / "processing/input/profile")
    shutil.copytree(counts, last / "processing/input/counts")
    steps["merge"] = [run_step("merge", last)]
    for own in steps["split"]:
        for part in ("train", "validation", "test"):
            _collect(own.output / part, last / "processing/output" / part)
    return steps["merge"][0], steps


def _configure(folder: Path, current: str, hosts: Sequence[str]) -> None:
    config = folder / "config" / "resourceconfig.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps({"current_host": current, "hosts": list(hosts)}))


def _collect(source: Path, target: Path) -> None:
    """Upload: files of several hosts side by side, none of which may have another's name."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*")):
        assert not (target / path.name).exists(), path.name
        shutil.copy(path, target)
