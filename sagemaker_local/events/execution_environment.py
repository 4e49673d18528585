"""An execution environment of a function: a process that loads its code once and takes event after event.

It is what Lambda makes for a function and keeps warm: module globals and the temporary folder stay from one
invocation to the next, and so does the log stream. It takes one event at a time. A handler that raises leaves
it as it is; it ends, with whatever its code has started, when its process exits, when an invocation's time is
up, when its code cannot be loaded, and when it is told to.

The process runs in the function's code folder with this interpreter, the function's environment variables,
the address of this endpoint and credentials that only this endpoint takes. It sees nothing else of the local
SageMaker's environment, so that a function cannot depend on what it would not find on AWS.

What it prints goes straight into its log stream, which the logs service shows as on AWS, under
``/aws/lambda/<name>``; each line has the time at which its invocation began.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.events import function_process
from sagemaker_local.jobs.launcher.log import TIMES_RECORD
from sagemaker_local.store import Document

LOG_GROUP = "/aws/lambda/"

_LOADING_SECONDS = 10
"""For the code to be loaded before the function's own timeout begins to count; Lambda's limit, too."""

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Answer:
    """The outcome of an invocation.

    Attributes:
        payload: JSON: the handler's result, or the error in Lambda's own form.
        error: ``Unhandled`` as Lambda calls every error of a function, None if there was none.
        log: the end of what the process printed.
    """

    payload: str
    error: str | None
    log: str


class Closing(Exception):
    """The endpoint is closing, so the function's call has not been made to its end."""


class ExecutionEnvironment:
    """One environment, whose process is started by its first invocation, or ahead of it by :meth:`prepare`.

    Attributes:
        document: the function's, as it was when this was made.
        log: the file of its log stream.
        is_warm: whether it can take another event.
        idle_since: uptime at its last answer.
    """

    def __init__(self, document: Document, log: Path, stream: str, scratch: str, endpoint_url: str) -> None:
        """Make it; `scratch` is what the name of its temporary folder begins with."""
        self.document, self.log = document, log
        self.is_warm, self.idle_since = False, 0.0
        self._stream, self._scratch, self._endpoint_url = stream, scratch, endpoint_url
        self._files: dict[str, int] = {}
        self._has_loaded = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket
        self._resources = contextlib.ExitStack()
        self._stopped = False

    @property
    def region(self) -> str:
        return str(self.document["FunctionArn"].split(":")[3])

    @property
    def function(self) -> str:
        return str(self.document["FunctionName"])

    def fits(self, document: Document) -> bool:
        """Whether it is what would be started for this function now: same settings, same code, and alive."""
        return (
            _configuration(document) == _configuration(self.document)
            and self._has_current_code()
            and not self._has_exited()
        )

    def _has_current_code(self) -> bool:
        return all(_changed(path) == changed for path, changed in self._files.items())

    def _has_exited(self) -> bool:
        with self._lock:
            if self._process is None or self._process.returncode is not None:
                return True
            # Left a zombie, so that its id is its own until `end` has killed what it has started.
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def prepare(self) -> None:
        """Let the process begin to load the code, for an event that will come.

        Raises:
            OSError: no process could be started.
            Closing: :meth:`stop` was called.
        """
        with self.log.open("ab") as log:  # for what the code prints while it is loaded
            self._note_time(log.seek(0, os.SEEK_END))
        self._start()
        self.is_warm = True

    def invoke(self, event: str, request_id: str) -> Answer:
        """Give it an event, JSON, and wait for the answer; one thread at a time.

        Raises:
            OSError: no process could be started.
            Closing: :meth:`stop` was called meanwhile.
        """
        context = {
            "function_name": self.function,
            "arn": self.document["FunctionArn"],
            "request_id": request_id,
            "memory": self.document["MemorySize"],
            "timeout": self.document["Timeout"],
        }
        request = json.dumps({"event": json.loads(event), "context": context}).encode() + b"\n"
        self.is_warm = False
        begin = self._begin_log(request_id)
        try:
            said = self._exchange(request)
        except (EOFError, ConnectionError, TimeoutError) as problem:
            status = self.end()
            if self._stopped:
                raise Closing from problem
            is_late = isinstance(problem, TimeoutError)
            error = _timed_out(self.document["Timeout"]) if is_late else _exited(status)
            error["errorMessage"] = f"RequestId: {request_id} Error: {error['errorMessage']}"
            with self.log.open("a") as log:  # Lambda says it where its function could not
                log.write(f"{error['errorMessage']}\n")
            return Answer(json.dumps(error), "Unhandled", self._printed(begin))
        if "error" in said:
            payload = json.dumps({**said["error"], "requestId": request_id})
            return Answer(payload, "Unhandled", self._printed(begin))
        return Answer(json.dumps(said["result"]), None, self._printed(begin))

    def stop(self) -> None:
        """End the process from another thread than the one that invokes, which is told so."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._kill(self._process)

    def end(self) -> int:
        """End the process and all that it has started; the exit status, 0 where there was no process."""
        self.is_warm = False
        with self._lock:
            if self._process is None:
                return 0
            self._kill(self._process)
            status = self._process.wait()
            self._resources.close()
            return status

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        if process.returncode is None:  # else its id may be another's by now
            with contextlib.suppress(ProcessLookupError):  # it was killed before it had a group of its own
                os.killpg(process.pid, signal.SIGKILL)

    def _exchange(self, request: bytes) -> dict[str, Any]:
        """What the process answers.

        Raises:
            EOFError, ConnectionError: it has exited.
            TimeoutError: its time is up.
        """
        if not self._has_loaded:
            said = self._load()
            if "error" in said:
                return said
        until = clocks.uptime() + self.document["Timeout"]
        self._channel.settimeout(self.document["Timeout"])
        self._channel.sendall(request)
        said = self._receive(until - clocks.uptime())
        self.is_warm = True
        return said

    def _load(self) -> dict[str, Any]:
        """What the process says once it has loaded the code; errors as :meth:`_exchange`."""
        if self._process is None:
            self._start()
        said = self._receive(_LOADING_SECONDS + self.document["Timeout"])
        if not self._has_current_code():  # it was begun ahead of the event, and the code changed meanwhile
            self.end()
            self._start()
            said = self._receive(_LOADING_SECONDS + self.document["Timeout"])
        self._has_loaded = True
        return said

    def _start(self) -> None:
        with self._lock, contextlib.ExitStack() as opened:
            if self._stopped:
                raise Closing
            folder = tempfile.TemporaryDirectory(prefix=self._scratch, ignore_cleanup_errors=True)
            scratch = opened.enter_context(folder)
            self._channel, theirs = socket.socketpair()
            opened.enter_context(self._channel)
            with theirs, self.log.open("ab") as output:
                self._process = subprocess.Popen(
                    [sys.executable, function_process.__file__, self.document["Handler"]],
                    stdin=theirs.fileno(),
                    stdout=output,
                    stderr=output,
                    cwd=self.document["_Code"],
                    env=self._variables(scratch),
                    start_new_session=True,
                )
            self._resources = opened.pop_all()

    def _receive(self, seconds: float) -> dict[str, Any]:
        """The next message of the process, which sends one at a time; errors as :meth:`_exchange`."""
        until, pieces = clocks.uptime() + seconds, [b""]
        while not pieces[-1].endswith(b"\n"):
            left = until - clocks.uptime()
            if left <= 0:
                raise TimeoutError
            self._channel.settimeout(left)
            pieces.append(self._channel.recv(_BLOCK))
            if not pieces[-1]:
                raise EOFError
        said: dict[str, Any] = json.loads(b"".join(pieces))
        self._files = {**self._files, **said.pop("files", {})}  # another thread may read it in `fits`
        return said

    def _variables(self, scratch: str) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": scratch,
            "TMPDIR": scratch,
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.document.get("Environment", {}).get("Variables", {}),
            "AWS_LAMBDA_FUNCTION_NAME": self.function,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.document["MemorySize"]),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"{LOG_GROUP}{self.function}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
            "_HANDLER": self.document["Handler"],
            "LAMBDA_TASK_ROOT": self.document["_Code"],
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def _begin_log(self, request_id: str) -> int:
        """Begin an invocation's part of the log; returns the place where it begins."""
        with self.log.open("ab") as log:
            begin = log.seek(0, os.SEEK_END)
            self._note_time(begin)
            log.write(f"START RequestId: {request_id}\n".encode())
        return begin

    def _note_time(self, begin: int) -> None:
        """Say that what comes in the log from there on comes now."""
        with self.log.with_name(f"{self.log.name}.times").open("ab") as times:
            times.write(TIMES_RECORD.pack(begin, int(clocks.now() * 1000)))

    def _printed(self, begin: int) -> str:
        """The last 4 KB since `begin`, which is what Lambda gives with LogType Tail."""
        with self.log.open("rb") as content:
            content.seek(max(begin, self.log.stat().st_size - 4096))
            return content.read().decode("utf-8", "replace")


def _configuration(document: Document) -> Document:
    """What environments depend on: all but how asynchronous invocations are retried."""
    return {member: value for member, value in document.items() if member != "_EventInvokeConfig"}


def _changed(path: str) -> int | None:
    """When a file was changed last, nanoseconds; None if it is gone."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return None


def _timed_out(seconds: int) -> dict[str, str]:
    return {"errorType": "Sandbox.Timedout", "errorMessage": f"Task timed out after {seconds}.00 seconds"}


def _exited(status: int) -> dict[str, str]:
    """The error of a process that ended instead of answering, in Lambda's words."""
    if status < 0:
        how = f"with error: signal: {(signal.strsignal(-status) or str(-status)).lower()}"
    else:
        how = f"with error: exit status {status}" if status else "without providing a reason"
    return {"errorType": "Runtime.ExitError", "errorMessage": f"Runtime exited {how}"}
