"""How a program of a processing job begins and ends: its argument, its exit message, its exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from input_error import InputError

_MESSAGE_BYTES = 1024


def run_job(
    program: str, description: str | None, work: Callable[[Path], str], arguments: Sequence[str] | None
) -> int:
    """Do a program's work and leave its message for SageMaker.

    Args:
        description: the program's docstring.
        work: takes the container's folder and gives the message.

    Returns:
        0, or 1 after an error that the input caused.
    """
    parser = argparse.ArgumentParser(prog=program, description=(description or "").partition("\n")[0])
    parser.add_argument("--opt-ml", type=Path, default=Path("/opt/ml"), help="the container's folder")
    opt_ml = parser.parse_args(arguments).opt_ml
    message = opt_ml / "output" / "message"
    message.parent.mkdir(parents=True, exist_ok=True)
    try:
        text, code = work(opt_ml), 0
        print(text, flush=True)
    except InputError as error:
        text, code = str(error), 1
        print(f"error: {error}", file=sys.stderr, flush=True)
    message.write_text(text.encode()[:_MESSAGE_BYTES].decode(errors="ignore"), encoding="utf-8")
    return code
