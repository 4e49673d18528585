"""How the program ends: with the exit code that Python would give, but at once.

Threads of Arrow's outlive its readers. One that meets an interpreter that is being taken down ends the
process with SIGABRT, when all outputs are written (apache/arrow#34314): a job that succeeded would fail at
random. So the interpreter is not taken down. What Python does before that is done here: it calls the
handlers of `atexit` and writes out what was printed.

The folders `processing`, `training` and `evaluation`, each uploaded by itself, and `pipelines` hold the same
file.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn


def run_and_exit(main: Callable[[], int]) -> NoReturn:
    """Call `main` and end the process: with its code, with that of `SystemExit`, with 130 after Ctrl-C, or
    with 1 after any other exception, whose traceback is printed."""
    code = 1
    try:
        code = _exit_code(main)
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # the reader has left, which does not undo the work
                    stream.flush()
    finally:
        os._exit(code)


def _exit_code(main: Callable[[], int]) -> int:
    try:
        return main()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except BaseException as error:
        traceback.print_exc()
        return 128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
