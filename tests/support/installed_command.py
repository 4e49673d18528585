"""The `gatehouse` command: as a person types it, in a process of its own, or in the test's.

In the test's process the SageMaker SDK is imported once and not by every command, which takes a second.
"""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands import main

ROOT = Path(__file__).resolve().parent.parent.parent
GATEHOUSE = Path(sys.executable).parent / "gatehouse"
TUMORS = "health-tumor-diagnosis"


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that --json promises."""
        return json.loads(self.out)


def type_here(*arguments: str, answer: str = "") -> Finished:
    """Run a command to its end in this process, with this process's environment; `answer` is typed to it.

    Warnings in the log go to standard error, as in a process whose log is not configured.
    """
    out, err, keyboard = io.StringIO(), io.StringIO(), sys.stdin
    log = logging.StreamHandler(err)
    log.setLevel(logging.WARNING)
    logging.root.addHandler(log)
    sys.stdin = io.TextIOWrapper(io.BytesIO(answer.encode()))
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(arguments)
    finally:
        sys.stdin = keyboard
        logging.root.removeHandler(log)
    return Finished(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Shell:
    """A settings file and a home folder of one's own, and the command line over them."""

    settings: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        own = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GATEHOUSE_"))
        }
        return {**own, "GATEHOUSE_HOME": str(self.home), "GATEHOUSE_SETTINGS": str(self.settings)}

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [str(GATEHOUSE), *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> Finished:
        """Run a command to its end."""
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=300)
        return Finished(process.returncode, out, err)


class ShellHere(Shell):
    """A shell that runs commands to their end in this process."""

    def run(self, *arguments: str) -> Finished:
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ.keys() - self.environment.keys():
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            return type_here(*arguments)


def until(condition: Callable[[], object], *, what: str, seconds: float = 120.0) -> Any:
    """Wait for something to become true and return it; fail with its name if it does not.

    A condition that is itself a command is asked for a third of the time at most: what it waits for needs the
    processor.
    """
    began = asked = time.monotonic()
    while asked < began + seconds:
        found = condition()
        if found:
            return found
        time.sleep(max(0.05, 2 * (time.monotonic() - asked)))
        asked = time.monotonic()
    raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}")


def jobs_of(home: Path) -> list[str]:
    """Command lines of living processes that work for a home: its jobs and their launchers.

    A job's folder is among its mounts where it has a mount namespace of its own, and in its environment
    or command line where it has not.
    """
    jobs = f"{home.parent.name}/{home.name}/jobs/".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            traces = command + (folder / "environ").read_bytes() + (folder / "mountinfo").read_bytes()
        except OSError:  # it ended while we looked, or it is not ours to read
            continue
        if jobs in traces:
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found
