"""Lambda functions as processes: each invocation is one process, which ends with it.

The process runs in the function's code folder with this interpreter, the function's environment, the
address of this endpoint and credentials that only this endpoint takes. It sees nothing else of the local
SageMaker's environment, so that a function cannot depend on what it would not find on AWS.

A call takes as long as its function, which may call this endpoint meanwhile. So each has a thread of its own,
and none of those that answer requests or deliver events.

What it prints goes straight into the function's log, which the logs service shows as on AWS, under
``/aws/lambda/<name>``; each line has the time at which its invocation began. As on AWS, a stream holds one
invocation after the other, and those that are under way at once have a stream each.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sagemaker_local import clocks
from sagemaker_local.events import function_process
from sagemaker_local.home import Home, Owner
from sagemaker_local.hosting.instance import LOG_STREAM
from sagemaker_local.jobs.launcher.log import TIMES_RECORD
from sagemaker_local.store import Document, Store

LARGEST_ANSWER = 6 << 20

MOST_CALLS = 256
"""Calls under way at once that somebody waits for; AWS has a limit of this kind, too. Each is a process."""

LOG_GROUP = "/aws/lambda/"


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


class Functions:
    """The invocations that are under way in this process."""

    def __init__(self, home: Home, owner: Owner, store: Store, endpoint_url: str) -> None:
        self._home = home
        self._owner = owner
        self._store = store
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._printed_into: dict[tuple[str, str], set[int]] = {}
        self._calls = threading.BoundedSemaphore(MOST_CALLS)
        self._closed = False

    def begin(self, document: Document, event: str) -> Future[Answer]:
        """Call a function in a thread of its own; the future ends as :meth:`invoke` does.

        Raises:
            TooManyCalls: so many are under way already.
            OSError: this process gets no more threads.
        """
        if not self._calls.acquire(blocking=False):
            raise TooManyCalls
        future: Future[Answer] = Future()

        def call() -> None:
            try:
                answer = self.invoke(document, event)
            except BaseException as problem:
                future.set_exception(problem)
            else:
                future.set_result(answer)
            finally:
                self._calls.release()

        future.set_running_or_notify_cancel()
        name = f"calling {document['FunctionName']}"
        try:
            threading.Thread(target=call, name=name, daemon=True).start()
        except RuntimeError as problem:
            self._calls.release()
            raise OSError(str(problem)) from problem
        return future

    def invoke(self, document: Document, event: str, request_id: str | None = None) -> Answer:
        """Call a function and wait for it.

        Args:
            document: the function's.
            event: JSON.
            request_id: the same for every attempt at one asynchronous invocation.

        Raises:
            OSError: no process could be started.
            Closing: this endpoint is closing.
        """
        request_id = request_id or str(uuid.uuid4())
        region, name = document["FunctionArn"].split(":")[3], document["FunctionName"]
        context = {
            "function_name": name,
            "arn": document["FunctionArn"],
            "request_id": request_id,
            "memory": document["MemorySize"],
            "timeout": document["Timeout"],
        }
        line = json.dumps({"event": json.loads(event), "context": context}).encode() + b"\n"
        folder = tempfile.TemporaryDirectory(prefix=_scratch(self._owner.name))
        with self._free_log(region, name) as log, log.open("ab") as output, folder as scratch:
            begin = self._stamp(output, log, request_id)
            answer = Path(scratch) / "answer"
            command = [sys.executable, function_process.__file__, document["Handler"], str(answer)]
            status = self._run(command, document, self._environment(document, region, scratch), line, output)
            if not answer.exists():  # Lambda says it where its function could not
                output.write(f"{_why_no_answer(status, document['Timeout'], request_id)[1]}\n".encode())
                output.flush()
            return _answer(answer, status, document["Timeout"], request_id, _printed(log, begin))

    def close(self) -> None:
        """End every invocation; one that was asynchronous is made again by whoever is up next."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            _kill(process)

    @contextmanager
    def _free_log(self, region: str, name: str) -> Iterator[Path]:
        """The first of the function's logs in this process that no invocation prints into."""
        with self._lock:
            printed_into = self._printed_into.setdefault((region, name), set())
            number = next(one for one in itertools.count() if one not in printed_into)
            printed_into.add(number)
        try:
            yield self._log(region, name, number)
        finally:
            with self._lock:
                printed_into.discard(number)

    def _log(self, region: str, name: str, number: int) -> Path:
        stream_name = f"{self._owner.name}-{number}" if number else self._owner.name
        log = self._home.root / "functions" / region / name / "logs" / stream_name / "log"
        if not log.exists():
            log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            group = f"{LOG_GROUP}{name}"
            stream = {
                "Group": group,
                "Name": f"[$LATEST]{stream_name}",
                "Path": str(log.relative_to(self._home.root)),
                "CreationTime": clocks.now(),
                "_Owner": self._owner.name,
            }
            self._store.put(LOG_STREAM, region, f"{group}:{stream['Name']}", stream, group)
        return log

    def _stamp(self, output: BinaryIO, log: Path, request_id: str) -> int:
        """Begin an invocation's part of the log; returns the place where it begins."""
        with self._lock, log.with_name(f"{log.name}.times").open("ab") as times:
            begin = output.seek(0, os.SEEK_END)
            times.write(TIMES_RECORD.pack(begin, int(clocks.now() * 1000)))
            output.write(f"START RequestId: {request_id}\n".encode())
            output.flush()
        return begin

    def _run(
        self,
        command: list[str],
        document: Document,
        environment: Mapping[str, str],
        line: bytes,
        output: BinaryIO,
    ) -> int | None:
        """The exit status; None if its time was up."""
        with self._lock:
            if self._closed:
                raise Closing
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=document["_Code"],
                env=dict(environment),
                start_new_session=True,
            )
            self._running.add(process)
        assert process.stdin is not None
        try:
            try:
                process.stdin.write(line)
                process.stdin.flush()
                status: int | None = process.wait(document["Timeout"])
            except subprocess.TimeoutExpired:
                status = None
            except BrokenPipeError:
                status = process.wait()
        finally:
            _kill(process)
            process.wait()
            with self._lock:
                self._running.discard(process)
                closed = self._closed
            _close_pipe(process)
        if closed and status != 0:
            raise Closing
        return status

    def _environment(self, document: Document, region: str, scratch: str) -> dict[str, str]:
        name = document["FunctionName"]
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": scratch,
            "TMPDIR": scratch,
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **document.get("Environment", {}).get("Variables", {}),
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(document["MemorySize"]),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "_HANDLER": document["Handler"],
            "LAMBDA_TASK_ROOT": document["_Code"],
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }


def sweep_scratch(dead: Iterable[str]) -> None:
    """Remove the temporary folders of the functions that dead owners had called."""
    for owner in dead:
        for folder in Path(tempfile.gettempdir()).glob(f"{_scratch(owner)}*"):
            shutil.rmtree(folder, ignore_errors=True)


def _scratch(owner: str) -> str:
    """What the temporary folder of a call begins with."""
    return f"function-{owner}-"


class TooManyCalls(Exception):
    """As many calls are under way as there may be."""


class Closing(Exception):
    """The endpoint is closing, so the function's call has not been made to its end."""


def _close_pipe(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe to a process that has ended."""
    assert process.stdin is not None
    try:
        process.stdin.close()
    except BrokenPipeError:
        return


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _answer(path: Path, status: int | None, timeout: int, request_id: str, log: str) -> Answer:
    if path.exists() and path.stat().st_size <= LARGEST_ANSWER:
        said = json.loads(path.read_text())
        if "error" in said:
            return Answer(json.dumps({**said["error"], "requestId": request_id}), "Unhandled", log)
        return Answer(json.dumps(said["result"]), None, log)
    if path.exists():
        kind, message = "Function.ResponseSizeTooLarge", f"The answer has more than {LARGEST_ANSWER} bytes."
    else:
        kind, message = _why_no_answer(status, timeout, request_id)
    return Answer(json.dumps({"errorType": kind, "errorMessage": message}), "Unhandled", log)


def _why_no_answer(status: int | None, timeout: int, request_id: str) -> tuple[str, str]:
    """The type and the message of the error of a process that left no answer."""
    if status is None:
        return (
            "Sandbox.Timedout",
            f"RequestId: {request_id} Error: Task timed out after {timeout}.00 seconds",
        )
    return "Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with status {status}"


def _printed(log: Path, begin: int) -> str:
    """The last 4 KB since `begin`, which is what Lambda gives with LogType Tail."""
    with log.open("rb") as content:
        content.seek(max(begin, log.stat().st_size - 4096))
        return content.read().decode("utf-8", "replace")
