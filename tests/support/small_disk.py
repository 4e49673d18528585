"""A disk that is small enough to be filled: a tmpfs that one program alone sees."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_on_small_disk(
    folder: Path, size: str, program: str, *arguments: str
) -> subprocess.CompletedProcess[str] | None:
    """Run a Python program with a new disk on `folder`; None if this machine can give it none.

    Args:
        size: as mount takes it, e.g. ``2m``.
        program: its source.
    """
    folder.mkdir(parents=True)
    mount = f"mount -t tmpfs -o size={size} none {folder}"
    unshare = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run([*unshare, "sh", "-c", mount], capture_output=True).returncode != 0:
        return None
    run = [*unshare, "sh", "-c", f'{mount} && exec "$0" -c "$@"', sys.executable, program, *arguments]
    return subprocess.run(run, capture_output=True, text=True, timeout=120)
