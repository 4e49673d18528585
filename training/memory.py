"""Whether the training rows fit into memory, or have to be trained on from the disk.

XGBoost keeps one to four bytes a value in memory; where that is more than there is, the system ends the job
without a word. ``ExtMemQuantileDMatrix`` keeps the values on disk, a batch of rows at a time in memory, and
takes a little longer. Which of them it is must be known before the first row is read, so it is estimated from
the number of rows and features, which the Parquet files say.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PROCESS_BYTES = 400 << 20  # the interpreter, Arrow, XGBoost, buffers
_VALUE_BYTES = 6  # of a matrix with missing values: its bins by row (4) and by column (1 to 2)
_SORTED_VALUE_BYTES = 4  # while it is made, of rows that are sorted
_ROW_BYTES = 48  # label, weight, places in nodes, hash
_ROW_CLASS_BYTES = 24  # gradient, its copy, prediction
_SHARE = 0.7  # of the memory at hand that may be planned with
_BATCHES = 64  # a batch of values from the disk is this part of the memory at hand; some ten are in memory
_LEAST_BATCH, _LARGEST_BATCH = 16_384, 1 << 19


@dataclass(frozen=True)
class Plan:
    """How the matrices are kept.

    Attributes:
        external: on disk.
        batch_rows: how many rows of them are in memory at a time.
        words: the reason, for the log.
    """

    external: bool
    batch_rows: int
    words: str


def plan(rows: int, features: int, outputs: int, sorted_rows: int, at_hand: int, asked: str) -> Plan:
    """Decide for one worker.

    Args:
        rows: of the training and the validation part together.
        outputs: numbers that the model gives for a row: the classes of a multiclass task, else 1.
        sorted_rows: of the part that is sorted in memory, the larger one; 0 if none is.
        at_hand: bytes of memory (:func:`at_hand`).
        asked: the hyperparameter ``external_memory``: auto, always or never.
    """
    needed = _PROCESS_BYTES + rows * (features * _VALUE_BYTES + _ROW_BYTES + outputs * _ROW_CLASS_BYTES)
    needed += sorted_rows * (features + 1) * _SORTED_VALUE_BYTES
    external = asked == "always" or (asked == "auto" and needed > _SHARE * at_hand)
    batch = at_hand // (_BATCHES * _SORTED_VALUE_BYTES * (features + 1))
    reason = f"; {_gigabytes(at_hand)} are at hand" if asked == "auto" and external else ""
    reason = f"; external_memory = {asked}" if asked != "auto" else reason
    words = f"{rows:,} rows x {features} features need about {_gigabytes(needed)}"
    words += f": trained on {'from the disk' if external else 'in memory'}{reason}"
    return Plan(external, min(max(batch, _LEAST_BATCH), _LARGEST_BATCH), words)


def at_hand(root: Path = Path("/")) -> int:
    """Bytes of memory that this process can have: what the system has, and what its control groups allow.

    Args:
        root: below it lie ``proc`` and ``sys``.
    """
    found = [_available(root / "proc/meminfo")]
    found += filter(None, (_limit(path) for path in _limit_files(root)))
    return min(found)


def _available(path: Path) -> int:
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    raise ValueError(f"{path} does not say MemAvailable")


def _limit_files(root: Path) -> list[Path]:
    """Of the process's own control group and those above it, of both versions of the interface.

    The kernel's documents: ``cgroup-v2.rst`` (memory.max), ``cgroup-v1/memory.rst`` (limit_in_bytes).
    """
    files = []
    groups = root / "proc/self/cgroup"
    for line in groups.read_text().splitlines() if groups.is_file() else ():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            base, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            base, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        folder = base / group.lstrip("/")
        # In a container the group's own folder is where it sees the root of all.
        files += [place / name for place in (folder, *folder.parents) if place.is_relative_to(base)]
    return files


def _limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"
