"""Checkpoints of a training: what is written while it runs, and found again by the job that repeats it.

SageMaker copies what lies under ``/opt/ml/checkpoints`` to S3 while the job runs, and back before the next
job with the same CheckpointConfig starts. A file here is a zip archive (which carries checksums) of the
booster and of ``state.json``: the metrics of its rounds, and what it was made from. Only a training from the
same goes on with it: the same rows, hyperparameters, program, XGBoost, device and number of hosts. Each such
combination has a file of its own, so that trainings that differ can have one folder at the same time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xgboost as xgb
from hyperparameters import Hyperparameters

_LARGEST_SHARE = 0.01  # of the time, for writing them
_VERSION = 1


@dataclass(frozen=True)
class Found:
    """A checkpoint to go on from: the booster as UBJSON, and the metrics of its rounds, by part."""

    model: bytes
    history: Mapping[str, list[float]]


def origin(data: str, settings: Hyperparameters, device: str, hosts: int) -> dict[str, Any]:
    """All that the model follows from, as JSON: what a checkpoint must agree with.

    Args:
        data: a digest of the encoded rows of all hosts, in their order.
    """
    program = hashlib.sha256()
    for path in sorted(Path(__file__).resolve().parent.glob("*.py")):
        program.update(f"{path.name}\n".encode() + path.read_bytes())
    return {
        "data": data,
        "hyperparameters": asdict(settings),
        "program": program.hexdigest(),
        "xgboost": xgb.__version__,
        "device": device,
        "hosts": hosts,
    }


class Checkpoints:
    """The folder's file for one training.

    Args:
        folder: SageMaker's; nothing is written where it is not there.
        seconds: between two checkpoints; more where writing one takes longer than 1 % of that. 0: after each
            round.
    """

    def __init__(self, folder: Path, origin: Mapping[str, Any], seconds: float) -> None:
        self._folder = folder if folder.is_dir() else None
        self._origin = json.loads(json.dumps(origin))
        self._seconds = seconds
        digest = hashlib.sha256(json.dumps(self._origin, sort_keys=True).encode()).hexdigest()
        self._name = f"checkpoint-{digest[:16]}.zip"
        self._due = time.monotonic() + seconds

    def find(self) -> Found | None:
        """This training's checkpoint; says why those that are there are not used."""
        if self._folder is None:
            return None
        others: set[str] = set()
        for path in sorted(self._folder.glob("checkpoint-*.zip")):
            try:
                with zipfile.ZipFile(path) as archive:
                    state = json.loads(archive.read("state.json"))
                    differing = _differing(state["origin"], self._origin)
                    if state["version"] == _VERSION and not differing:
                        model = archive.read("model.ubj")
                        print(f"checkpoint: goes on after {_rounds(state['history'])} rounds", flush=True)
                        return Found(model, state["history"])
            except Exception as error:  # zipfile has one of its own for nearly every byte that is wrong
                print(f"checkpoint: {path.name} is damaged and is not used: {error!r}", flush=True)
                continue
            others |= differing
        if others:
            print(
                f"checkpoint: those here are of other {', '.join(sorted(others))}; none is used", flush=True
            )
        return None

    def offer(self, booster: xgb.Booster, history: Mapping[str, list[float]]) -> None:
        """Keep the state after a round if it is time to. The file is the old or the new one, never a part.

        Where it cannot be written, on a full disk for example, the training goes on without it.
        """
        started = time.monotonic()
        if self._folder is None or started < self._due:
            return
        state = {"version": _VERSION, "origin": self._origin, "history": history}
        new = self._folder / f"{self._name}.new"
        try:
            with zipfile.ZipFile(new, "w") as archive:  # stored: packing costs more than it saves
                archive.writestr("state.json", json.dumps(state))
                archive.writestr("model.ubj", bytes(booster.save_raw("ubj")))
            new.replace(self._folder / self._name)
        except OSError as error:
            print(
                f"checkpoint: after {_rounds(history)} rounds none could be written: {error!r};"
                " the training goes on",
                flush=True,
            )
            with contextlib.suppress(OSError):
                new.unlink()
        ended = time.monotonic()
        if self._seconds:
            self._due = ended + max(self._seconds, (ended - started) / _LARGEST_SHARE)


def _differing(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> set[str]:
    return {name for name in ours if theirs.get(name) != ours[name]}


def _rounds(history: Mapping[str, list[float]]) -> int:
    return len(next(iter(history.values())))
