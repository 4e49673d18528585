"""The program that a Lambda function's process runs: one event, one call of its handler.

Started as a script in the function's code folder with the handler's name and the file for the answer. The
first line of standard input is the event with its context, as JSON. Nothing follows it: the end of standard
input means that the local SageMaker has died, and the process ends, too.

The answer is ``{"result": ...}`` or ``{"error": {"errorMessage", "errorType", "stackTrace"}}``, in the form
of Lambda's own runtime. What the handler prints is the function's log.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


class Context:
    """What a handler is given beside the event."""

    function_version = "$LATEST"

    def __init__(self, members: dict[str, Any]) -> None:
        self.function_name: str = members["function_name"]
        self.invoked_function_arn: str = members["arn"]
        self.aws_request_id: str = members["request_id"]
        self.memory_limit_in_mb: str = str(members["memory"])
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = self.aws_request_id
        self.identity = None
        self.client_context = None
        self._deadline = time.monotonic() + members["timeout"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's process is ended."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main(handler: str, answer: Path) -> None:
    parent = os.fdopen(os.dup(0), "rb")
    request = json.loads(parent.readline())
    threading.Thread(target=_die_with_parent, args=(parent,), daemon=True).start()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.path.insert(0, str(Path.cwd()))
    try:
        function = _function(handler)
        result = json.dumps({"result": function(request["event"], Context(request["context"]))})
    except Exception as error:
        traceback.print_exc()
        failure = {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "stackTrace": traceback.format_tb(error.__traceback__),
        }
        result = json.dumps({"error": failure})
    # Under another name first, so that an answer that is there is complete.
    unfinished = answer.with_suffix(".part")
    unfinished.write_text(result)
    unfinished.rename(answer)


def _function(handler: str) -> Callable[..., Any]:
    """The handler, imported."""
    module, _, name = handler.rpartition(".")
    gc.disable()  # what is imported stays; to look for garbage in it is a seventh of a short call's work
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module.replace("/", ".")), name)
    finally:
        gc.freeze()
        gc.enable()
    return function


def _die_with_parent(parent: BinaryIO) -> None:
    parent.read()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
    sys.stdout.flush()
    # Threads that the handler left behind end with it, as a frozen environment's do.
    os._exit(0)
