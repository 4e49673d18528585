"""The describing program, ``processing/describe.py``, in a process of its own: it has the libraries of the
preprocessing program, which a command does without.

To start costs most of what a look at small data does, so a command that looks several times at its data uses
one process for all of them (:func:`in_one_process`).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aws_formats.errors import GatehouseError
from pipelines import ROOT

_PROGRAM = ROOT / "processing" / "describe.py"


class Describing:
    """The process: it starts with the first question, and again where it has died.

    Several threads may ask; one at a time is answered.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def document(
        self, raw: Path, settings: Mapping[str, Any], *, first_parts: bool = False, columns_only: bool = False
    ) -> dict[str, Any]:
        """What the program says of the files in a folder.

        Args:
            settings: the content of ``dataset.json``.

        Raises:
            GatehouseError: something has killed the program, as the system does where memory runs out.
            CalledProcessError: the program has failed, and said why on standard error.
        """
        question = {
            "raw": str(raw),
            "settings": settings,
            "first_parts": first_parts,
            "columns_only": columns_only,
        }
        with self._lock:
            try:
                answer = self._ask(json.dumps(question))
            except BaseException:  # it may still be at work on an answer that nobody waits for
                self._kill()
                raise
        document: dict[str, Any] = json.loads(answer)
        return document

    def _ask(self, question: str) -> str:
        if self._process is None or self._process.poll() is not None:
            self._kill()
            self._process = subprocess.Popen(
                [sys.executable, str(_PROGRAM)],
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C in a terminal is for the command, which ends it
            )
        process = self._process
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(BrokenPipeError):  # then there is no answer
            print(question, file=process.stdin, flush=True)
        answer = process.stdout.readline()
        if not answer.endswith("\n"):
            status = process.wait()
            if status < 0:
                raise GatehouseError(
                    f"the program that looks at the data was killed by signal {-status}",
                    remedy="Run the command again; where memory runs out, the system kills programs",
                )
            raise subprocess.CalledProcessError(status, process.args)
        return answer

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self.close()

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError), self._process:
                self._process = None


_shared: Describing | None = None


@contextmanager
def in_one_process() -> Iterator[None]:
    """Inside, all looks are taken by one process, which is ended afterwards."""
    global _shared
    if _shared is not None:
        yield
        return
    with contextlib.closing(Describing()) as _shared:
        try:
            yield
        finally:
            _shared = None


def describe(
    raw: Path, settings: Mapping[str, Any], *, first_parts: bool = False, columns_only: bool = False
) -> dict[str, Any]:
    """As :meth:`Describing.document`, by the process that is shared here, or by one that ends with it."""
    with contextlib.nullcontext(_shared) if _shared else contextlib.closing(Describing()) as describing:
        return describing.document(raw, settings, first_parts=first_parts, columns_only=columns_only)


def _environment() -> dict[str, str]:
    """A copy that nothing changes. An import in another thread, as NumPy's, changes the environment itself,
    and the system has refused to start a program with that one (EFAULT, seen twice, cause not proven).

    NumPy's threads, which this program has no work for, would begin by spinning for 50 ms beside the command.
    """
    while True:
        with contextlib.suppress(KeyError):  # one that was taken away meanwhile
            return {"OPENBLAS_THREAD_TIMEOUT": "4", **os.environ}
