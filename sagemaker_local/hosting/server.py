"""The model server: loads an artifact's own script and answers `/ping` and `/invocations` with it.

A program of its own that runs inside the container's folder and imports nothing but the standard library
and the script. It does what the images' serving toolkit does: ``model_fn`` once, then for every request
``input_fn``, ``predict_fn`` and ``output_fn``, or ``transform_fn`` in place of the three.

    python server.py SOCKET CODE_FOLDER PROGRAM MODEL_FOLDER [PROGRAMS DEFAULTS]

Where the image has functions for what a script leaves out, DEFAULTS is the module that holds them, in the
folder PROGRAMS.

It listens on a Unix socket, and only once the model is loaded: whoever can connect can invoke. Each
connection has a thread, which reads, calls the script and answers without handing anything over; the
script's functions run one at a time, as they do in one worker of the image, so they need not be safe for
threads. ``/ping`` does not wait for them.

Whatever a script raises is answered with 500 and Flask's page for that, which does not say why; the traceback
is in the log. A script that wants to refuse a request returns a response of its own, for example Flask's or
Werkzeug's: any WSGI application is one, and is passed on as it answers.
"""

# ruff: noqa: PTH108, PTH113, PTH118
# It is to start fast and to leave nothing imported that a script's own start would not import.
from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import io
import json
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NoReturn

JSON = "application/json"
TEXT_TYPES = (JSON, "text/csv")
"""Content types whose body a script is given as text, compared as they stand, as the toolkit does."""

_BLOCK = 1 << 16
_LONGEST_HEAD = 1 << 16
_PLAIN = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_FAILED = b"""<!doctype html>
<html lang=en>
<title>500 Internal Server Error</title>
<h1>Internal Server Error</h1>
<p>The server encountered an internal error and was unable to complete your request. \
Either the server is overloaded or there is an error in the application.</p>
"""
"""The page that Flask answers an exception with."""

Transform = Callable[[Any, Any, str, str], Any]
Answer = tuple[str, str, bytes]
"""Status with its reason ("200 OK"), content type, body."""


class ScriptProblem(Exception):
    """The script cannot serve; the text says what it lacks."""


def load_script(code_folder: str, program: str) -> ModuleType:
    """Import the script by its file's name, with its folder first on the path."""
    if not os.path.isfile(os.path.join(code_folder, program)):
        raise ScriptProblem(f"there is no {program} in {code_folder}")
    # This program's own folder goes: a script may have modules of the same names.
    sys.path[0] = code_folder
    return importlib.import_module(program.removesuffix(".py").replace("/", "."))


def load_defaults(programs_folder: str, module: str) -> ModuleType:
    """The image's own functions; its folder comes last on the path, where it hides nothing of a script's."""
    sys.path.append(programs_folder)
    return importlib.import_module(module)


def functions_of(
    script: ModuleType, program: str, defaults: Callable[[], ModuleType] | None
) -> tuple[Callable[[str], Any], Transform]:
    """``model_fn``, and one function from a request's body to what the script answers.

    Args:
        defaults: loads the image's own functions, for what a script leaves out; ``model_fn`` has none.

    Raises:
        ScriptProblem: a function is missing, or stands beside one that takes its place.
    """
    names = ("model_fn", "transform_fn", "input_fn", "predict_fn", "output_fn")
    found: dict[str, Callable[..., Any]] = {
        name: function for name in names if callable(function := getattr(script, name, None))
    }
    wanted = ("model_fn",) if "transform_fn" in found else ("model_fn", "input_fn", "predict_fn", "output_fn")
    missing = [name for name in wanted if name not in found]
    if missing and missing[0] != "model_fn" and defaults is not None:
        own = defaults()
        found |= {name: getattr(own, name) for name in missing}
    elif missing:
        raise ScriptProblem(
            f"{program} has no {', '.join(missing)}, and the image has no function that takes its place here"
        )
    if "transform_fn" in found:
        beside = [name for name in names[2:] if name in found]
        if beside:
            raise ScriptProblem(f"{program} has transform_fn, which takes the place of {', '.join(beside)}")
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
            return "200 OK", JSON, b""
        if path != "/invocations":
            return "404 Not Found", _PLAIN, f"no such path: {path}".encode()
        if method != "POST":
            return "405 Method Not Allowed", _PLAIN, b"/invocations takes POST"
        content_type = headers.get("content-type") or JSON
        accept = headers.get("accept") or "*/*"
        if accept == "*/*":
            accept = self._default_accept
        try:
            with self._turn:
                content = body.decode(errors="replace") if content_type in TEXT_TYPES else body
                return _response(self._transform(self._model, content, content_type, accept))
        except Exception as problem:
            # Whatever a script raises must leave the server standing.
            traceback.print_exc()
            sys.stderr.flush()
            if refusal := getattr(problem, "refusal", None):  # of the image's own programs
                return str(refusal), _HTML, str(problem).encode()
            return "500 INTERNAL SERVER ERROR", _HTML, _FAILED

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


def _response(result: Any) -> Answer:
    """What the toolkit, and Flask below it, make of what a script returns.

    Raises:
        TypeError: nothing can be made of it.
    """
    if isinstance(result, tuple):
        return "200 OK", _with_charset(result[1] or JSON), _content(result[0])
    if callable(result):
        return _run(result)
    if isinstance(result, (dict, list)):
        text = json.dumps(result, sort_keys=True, separators=(",", ":"))
        return "200 OK", JSON, f"{text}\n".encode()
    if isinstance(result, (str, bytes, Iterator)):
        return "200 OK", _HTML, _content(result)
    raise TypeError(f"a script returns (body, content type) or a response, not {type(result).__name__}")


def _content(value: Any) -> bytes:
    """A body as Werkzeug and gunicorn take it: text, bytes, nothing, or an iterable of texts and bytes."""
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    return b"".join(part.encode() if isinstance(part, str) else part for part in value)


def _with_charset(content_type: str) -> str:
    """As Werkzeug writes the type of a text."""
    is_text = content_type.startswith("text/") or content_type == "application/xml"
    return f"{content_type}; charset=utf-8" if is_text or content_type.endswith("+xml") else content_type


def _run(application: Callable[..., Any]) -> Answer:
    """The answer of a WSGI application (PEP 3333), whole. The toolkit has read the request's body before."""
    given: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], None]:
        given.append((status, headers))
        return written.append

    parts = application(
        {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/invocations",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8080",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        },
        start_response,
    )
    try:
        written.extend(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    status, headers = given[-1]
    content_type = next((value for name, value in headers if name.lower() == "content-type"), "")
    return status, content_type, b"".join(written)


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


def _head(status: str, content_type: str, length: int) -> bytes:
    lines = (
        f"HTTP/1.1 {status}",
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
    path, code_folder, program, model_folder, *of_image = arguments
    defaults = functools.partial(load_defaults, *of_image) if of_image else None
    try:
        script = load_script(code_folder, program)
        model_fn, transform = functions_of(script, program, defaults)
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
