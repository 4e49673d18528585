"""The `gatehouse` program; `python -m pipelines` is the same where the script is not on PATH."""

from __future__ import annotations

from typing import NoReturn

from pipelines.commands import main
from pipelines.process_exit import run_and_exit


def program() -> NoReturn:
    """Run this process's command line and end the process with its exit code.

    Everything that a command starts in this process, an endpoint included, is closed when `main` returns.
    Where the SageMaker SDK was imported, taking the interpreter down would also cost a second.
    """
    run_and_exit(main)


if __name__ == "__main__":
    program()
