"""The `gatehouse` program; `python -m pipelines` is the same where the script is not on PATH."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from pipelines.process_exit import run_and_exit

_OBJECTS_OF_A_START = 200_000
"""Lists, dictionaries, functions and so on that modules and the descriptions of AWS's services consist of."""


def program() -> NoReturn:
    """Run this process's command line and end the process with its exit code.

    Everything that a command starts in this process, an endpoint included, is closed when `main` returns.
    Where the SageMaker SDK was imported, taking the interpreter down would also cost a second.
    """
    _open_closed_streams()
    _collect_late()
    signal.signal(signal.SIGTERM, _interrupt)
    # In search of plugins pydantic would read what every package says of itself. No job inherits it.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from pipelines.commands import main  # now: the imports alone make thousands of objects

    run_and_exit(main)


def _open_closed_streams() -> None:
    """Whoever starts this with a closed stream wants nothing of it; the next file that is opened, a database
    for one, must not take its number."""
    for name, flags, mode in (
        ("stdin", os.O_RDONLY, "r"),
        ("stdout", os.O_WRONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode))


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """What CI systems end a command with does what Ctrl-C does: no temporary file, no execution is left."""
    raise KeyboardInterrupt


def _collect_late() -> None:
    """Let the garbage collector come once a start's objects are made, and then as often as ever.

    It would come after every 700 new ones and look at them all again and again, a seventh of a short
    command's processor time; but all of these stay.
    """
    usual = gc.get_threshold()

    def collected(phase: str, _info: dict[str, int]) -> None:
        if phase == "stop":
            gc.freeze()
            gc.set_threshold(*usual)
            gc.callbacks.remove(collected)

    gc.callbacks.append(collected)
    gc.set_threshold(_OBJECTS_OF_A_START, *usual[1:])


if __name__ == "__main__":
    program()
