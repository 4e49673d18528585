"""The three programs run one after another by hand, with nothing around them: what any orchestration adds to.

Files are moved between the steps, never copied, so that this side pays for nothing but the programs.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import Cost, process

ROOT = Path(__file__).resolve().parent.parent


def preprocess(folder: Path, source: Path, dataset: Mapping[str, Any], *options: str) -> Cost:
    """Run preprocess.py over `source` in `folder`, laid out as a container's /opt/ml."""
    for name in ("raw", "settings"):
        (folder / "processing/input" / name).mkdir(parents=True)
    (folder / "processing/input/raw" / source.name).symlink_to(source.resolve())
    (folder / "processing/input/settings/dataset.json").write_text(json.dumps(dataset))
    program = ROOT / "processing" / "preprocess.py"
    return process([sys.executable, str(program), "--opt-ml", str(folder), *options])


def train(folder: Path, hyperparameters: Mapping[str, str]) -> Cost:
    """Run train.py on what :func:`preprocess` left in `folder`."""
    channels = folder / "input/data"
    channels.mkdir(parents=True)
    for name in ("train", "validation", "schema"):
        shutil.move(folder / "processing/output" / name, channels / name)
    (folder / "input/config").mkdir(parents=True)
    (folder / "input/config/hyperparameters.json").write_text(json.dumps(hyperparameters))
    program = ROOT / "training" / "train.py"
    return process([sys.executable, str(program), "--opt-ml", str(folder)])


def evaluate(folder: Path) -> Cost:
    """Pack the model as SageMaker does and run evaluate.py on it."""
    inputs = folder / "processing/input"
    (inputs / "model").mkdir()
    with tarfile.open(inputs / "model/model.tar.gz", "w:gz") as archive:
        archive.add(folder / "model", arcname=".")
    shutil.move(folder / "processing/output/test", inputs / "test")
    (inputs / "gate").mkdir()
    (inputs / "gate" / "gate.json").write_text('{"metric": "accuracy", "threshold": 0.5}')
    program = ROOT / "evaluation" / "evaluate.py"
    return process([sys.executable, str(program), "--opt-ml", str(folder)])
