"""The `gatehouse` program; `python -m pipelines` is the same where the script is not on PATH."""

from __future__ import annotations

import atexit
import gc
import sys

from pipelines.commands import main


def program() -> int:
    """Run this process's command line and return its exit code."""
    # As it ends, Python would look through the whole heap for garbage: a second where the SDK is in it.
    atexit.register(gc.freeze)
    return main()


if __name__ == "__main__":
    sys.exit(program())
