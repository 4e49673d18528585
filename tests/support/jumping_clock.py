"""An endpoint in a process of its own whose system clock a test sets."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wire_clients import server_process

DAY = 86400.0

_PROGRAM = """
import pathlib, runpy, sys, time

real, ahead = time.time, pathlib.Path({ahead!r})
time.time = lambda: real() + float(ahead.read_text())
runpy.run_module("sagemaker_local", run_name="__main__")
"""


@dataclass(frozen=True)
class JumpingClock:
    """What the process reads from a file each time that it asks for the time."""

    file: Path

    def set_ahead(self, seconds: float) -> None:
        """Let the process's clock be so far ahead of this machine's, from now on."""
        new = self.file.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self.file)


@contextmanager
def endpoint_with_clock(
    folder: Path, ahead: float = 0.0
) -> Iterator[tuple[subprocess.Popen[bytes], str, JumpingClock]]:
    """An endpoint over ``home`` below the folder: its process, its URL, and its clock."""
    clock = JumpingClock(folder / "ahead")
    clock.set_ahead(ahead)
    program = _PROGRAM.format(ahead=str(clock.file))
    with server_process(folder / "home", program=program) as (process, url):
        yield process, url, clock
