"""The model server: loads an artifact's own script and answers `/ping` and `/invocations` with it.

A program of its own that runs inside the container's folder and imports nothing but the standard library
and the script. It does what the images' serving toolkit does: ``model_fn`` once, then for every request
``input_fn``, ``predict_fn`` and ``output_fn``, or ``transform_fn`` in place of the three.

    python server.py SOCKET CODE_FOLDER PROGRAM MODEL_FOLDER

It listens on a Unix socket, and only once the model is loaded: whoever can connect can invoke. Each
connection has a thread, which reads, calls the script and answers without handing anything over; the
script's functions run one at a time, as they do in one worker of the image, so they need not be safe for
threads. ``/ping`` does not wait for them.

A script's ValueError is the client's mistake (400, with its text); anything else is the server's (500, with
the end of the traceback, which the log holds as well).
"""

# ruff: noqa: PTH108, PTH113, PTH118
# It is to start fast and to leave nothing imported that a script's own start would not import.
from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

JSON = "application/json"
TEXT_TYPES = (JSON, "text/csv")
"""Content types whose body a script is given as text, compared as they stand, as the toolkit does."""

_BLOCK = 1 << 16
_LONGEST_HEAD = 1 << 16
_TRACEBACK = 2000
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 500: "Server Error"}

Transform = Callable[[Any, Any, str, str], Any]
Answer = tuple[int, str, bytes]
"""Status, content type, body."""


class ScriptProblem(Exception):
    """The script cannot serve; the text says what it lacks."""


def load_script(code_folder: str, program: str) -> ModuleType:
    """Import the script by its file's name, with its folder first on the path."""
    if not os.path.isfile(os.path.join(code_folder, program)):
        raise ScriptProblem(f"there is no {program} in {code_folder}")
    # This program's own folder goes: a script may have modules of the same names.
    sys.path[0] = code_folder
    return importlib.import_module(program.removesuffix(".py").replace("/", "."))


def functions_of(script: ModuleType, program: str) -> tuple[Callable[[str], Any], Transform]:
    """``model_fn``, and one function from a request's body to what the script answers.

    Raises:
        ScriptProblem: a function is missing. The images have defaults for some; they are not here.
    """
    names = ("model_fn", "transform_fn", "input_fn", "predict_fn", "output_fn")
    found: dict[str, Callable[..., Any]] = {
        name: function for name in names if callable(function := getattr(script, name, None))
    }
    wanted = ("model_fn",) if "transform_fn" in found else ("model_fn", "input_fn", "predict_fn", "output_fn")
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ScriptProblem(
            f"{program} has no {', '.join(missing)}; the local SageMaker serves through the script's own"
            " functions only"
        )
    if "transform_fn" in found:
        return found["model_fn"], found["transform_fn"]
    input_fn, predict_fn, output_fn = found["input_fn"], found["predict_fn"], found["output_fn"]

    def transform(model: Any, body: Any, content_type: str, accept: str) -> Any:
        return output_fn(predict_fn(input_fn(body, content_type), model), accept)

    return found["model_fn"], transform


class ModelServer:
    """One model and the function that answers with it."""

    def __init__(self, model: Any, transform: Transform, default_accept: str) -> None:
        self._model = model
        self._transform = transform
        self._default_accept = default_accept
        self._turn = threading.Lock()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path == "/ping":
            return 200, JSON, b""
        if path != "/invocations":
            return 404, "text/plain", f"no such path: {path}".encode()
        if method != "POST":
            return 405, "text/plain", b"/invocations takes POST"
        content_type = headers.get("content-type") or JSON
        accept = headers.get("accept") or "*/*"
        if accept == "*/*":
            accept = self._default_accept
        try:
            with self._turn:
                content = body.decode() if content_type in TEXT_TYPES else body
                result = self._transform(self._model, content, content_type, accept)
            output, output_type = result if isinstance(result, tuple) else (result, accept)
            if isinstance(output, str):
                output = output.encode()
            return 200, output_type, bytes(memoryview(output))
        except ValueError as mistake:
            print(f"refused a request: {mistake}", file=sys.stderr, flush=True)
            return 400, "text/plain", str(mistake).encode()
        except Exception:
            # Whatever a script raises must reach the client and leave the server standing.
            trace = traceback.format_exc()
            print(trace, file=sys.stderr, flush=True)
            return 500, "text/plain", trace[-_TRACEBACK:].encode()

    def serve(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        """Requests of one kept-alive connection, one after another, until the client closes it."""
        # The client went away in the middle: nobody is there to be told.
        with connection, contextlib.suppress(ConnectionError):
            rest = b""
            while True:
                head, rest = _read_head(connection, rest)
                if not head:
                    return
                method, path, headers = _parse_head(head)
                body, rest = _read_body(connection, rest, int(headers.get("content-length", "0")))
                status, content_type, answer = self.answer(method, path, headers, body)
                connection.sendall(_head(status, content_type, len(answer)) + answer)


def _read_head(connection: socket.socket, rest: bytes) -> tuple[bytes, bytes]:
    """A request's lines without the empty one, and what came after it; empty at the connection's end."""
    while (end := rest.find(b"\r\n\r\n")) < 0:
        data = connection.recv(_BLOCK)
        if not data or len(rest) > _LONGEST_HEAD:
            return b"", b""
        rest += data
    return rest[:end], rest[end + 4 :]


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return method, path, headers


def _read_body(connection: socket.socket, rest: bytes, length: int) -> tuple[bytes, bytes]:
    if len(rest) >= length:
        return rest[:length], rest[length:]
    body = bytearray(length)
    body[: len(rest)] = rest
    view, position = memoryview(body), len(rest)
    while position < length:
        count = connection.recv_into(view[position:])
        if not count:
            raise ConnectionResetError
        position += count
    return bytes(body), b""


def _head(status: int, content_type: str, length: int) -> bytes:
    lines = (
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {content_type}",
        f"Content-Length: {length}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def listen(path: str) -> socket.socket:
    """Bind by a relative name: a Unix socket's path holds 107 bytes, a folder's path may have more."""
    folder, name = os.path.split(path)
    os.chdir(folder)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(name)
    listener.listen(128)
    return listener


def main(arguments: list[str]) -> None:
    path, code_folder, program, model_folder = arguments
    try:
        script = load_script(code_folder, program)
        model_fn, transform = functions_of(script, program)
    except ScriptProblem as problem:
        sys.exit(f"{problem}.")
    server = ModelServer(
        model_fn(model_folder), transform, os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
    )
    listener = listen(path)
    os.chdir(code_folder)
    print(f"{program} serves {model_folder}", file=sys.stderr, flush=True)
    server.serve(listener)


def run_and_exit(arguments: list[str]) -> NoReturn:
    """Serve. Whatever ends that ends the process at once, with the exit code that Python would give.

    The interpreter is not taken down: a thread that a script's library (Arrow's, for one) left running could
    end the process with SIGABRT meanwhile, and the exit code would be lost.
    """
    code = 1
    try:
        main(arguments)
    except SystemExit as error:  # no script that can serve, or the script's own
        if error.code is None or isinstance(error.code, int):
            code = error.code or 0
        else:
            print(error.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    run_and_exit(sys.argv[1:])
