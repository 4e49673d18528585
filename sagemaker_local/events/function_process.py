"""The program that the process of a function's execution environment runs: loads its handler, then calls it.

Started as a script in the function's code folder with the handler's name. Its standard input is a socket of
lines of JSON. It says first that it is ready, or which error kept it from loading the handler; then it takes
one event with its context after another and answers each before it takes the next, as Lambda's runtimes do
with the runtime API. The end of the socket means that the environment is not wanted any more, or that the
local SageMaker has died: the process ends, and what the handler has started ends with it.

An answer is ``{"result": ...}`` or ``{"error": {"errorMessage", "errorType", "stackTrace"}}``, in the form of
Lambda's own runtime. Beside that it names the files of the function's code that have been imported since the
last answer, and when each was changed. What the handler prints is the function's log.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LARGEST_ANSWER = 6 << 20
"""Characters of JSON that a handler may return."""


class Context:
    """What a handler is given beside the event."""

    function_version = "$LATEST"

    def __init__(self, members: dict[str, Any]) -> None:
        self.function_name: str = members["function_name"]
        self.invoked_function_arn: str = members["arn"]
        self.aws_request_id: str = members["request_id"]
        self.memory_limit_in_mb: str = str(members["memory"])
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self.identity = None
        self.client_context = None
        self._deadline = time.monotonic() + members["timeout"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's process is ended."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main(handler: str) -> None:
    """Return if the handler cannot be loaded; else run until the process is ended."""
    # A number and no object: only the end of the process closes it, when its exit status is known.
    channel = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.register_at_fork(after_in_child=lambda: os.close(channel))
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(channel, requests), daemon=True).start()
    sys.path[0] = str(Path.cwd())
    try:
        module, _, name = handler.rpartition(".")
        function = getattr(importlib.import_module(module.replace("/", ".")), name)
    except Exception as error:
        _write(channel, _failure(error))
        return
    files = _CodeFiles(Path.cwd())
    _write(channel, {"files": files.new()})
    while True:
        answer = _call(function, requests.get())
        _write(channel, {**answer, "files": files.new()})


def _call(function: Callable[[Any, Context], Any], request: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = {"result": function(request["event"], Context(request["context"]))}
        size = len(json.dumps(answer["result"]))
    except Exception as error:
        return _failure(error)
    if size > LARGEST_ANSWER:
        message = f"The answer has more than {LARGEST_ANSWER} bytes."
        return {"error": {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}}
    return answer


def _failure(error: Exception) -> dict[str, Any]:
    traceback.print_exc()
    return {
        "error": {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "stackTrace": traceback.format_tb(error.__traceback__),
        }
    }


class _CodeFiles:
    """The files of a function's own code that this process has imported."""

    def __init__(self, folder: Path) -> None:
        self._folder = f"{folder}{os.sep}"
        self._libraries = (
            f"{sys.prefix}{os.sep}"  # an environment that lies in the folder, as a checkout's does
        )
        self._seen: set[str] = set()

    def new(self) -> dict[str, int]:
        """Those imported since the last call: path -> time of the last change, nanoseconds."""
        found = {}
        for name in sys.modules.keys() - self._seen:
            self._seen.add(name)
            path = str(getattr(sys.modules.get(name), "__dict__", {}).get("__file__"))
            if path.startswith(self._folder) and not path.startswith(self._libraries):
                with contextlib.suppress(OSError):
                    found[path] = Path(path).stat().st_mtime_ns
        return found


def _write(channel: int, message: dict[str, Any]) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a handler may have closed or replaced it
            stream.flush()
    rest = memoryview(json.dumps(message).encode() + b"\n")
    while rest:
        rest = rest[os.write(channel, rest) :]


def _read(channel: int, requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    with open(channel, "rb", closefd=False) as lines:
        for line in lines:
            requests.put(json.loads(line))
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
    # Threads that the code has begun end with it.
    os._exit(0)
