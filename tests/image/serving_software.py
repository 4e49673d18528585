"""The image's serving software, and how it and the local SageMaker are asked: HTTP on a Unix socket."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aws_formats.definition_language import all_steps

ROOT = Path(__file__).resolve().parents[2]
IMAGE = ROOT / ".venv-image"
PYTHON = IMAGE / "bin/python"
WITHOUT_NETWORK = ("unshare", "--map-root-user", "--net")
_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What comes back over the wire."""

    status: int
    content_type: str
    body: bytes


class Unserved(Exception):
    """The serving software ended before it listened; the text is what it printed."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        try:  # a Unix socket's path holds 107 bytes
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)


def ask(server: Path, body: bytes, content_type: str | None, accept: str | None) -> Answer:
    """What a model server that listens on a Unix socket answers to a request; absent headers are None."""
    headers = {"Content-Type": content_type, "Accept": accept}
    given = {name: value for name, value in headers.items() if value is not None}
    return _exchange(server, "POST", "/invocations", body, given)


def _exchange(
    server: Path, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    connection = _Connection(server)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.getheader("Content-Type", ""), response.read())
    finally:
        connection.close()


def registered_environment() -> dict[str, str]:
    """The environment that a registered version gives its container, as an example project compiles."""
    (document,) = (ROOT / "tests/definition/expected").glob("health-tumor-diagnosis.aws.json")
    steps = all_steps(json.loads(document.read_text(encoding="utf-8"))["Steps"])
    register = next(step for step in steps if step["Type"] == "RegisterModel")
    (container,) = register["Arguments"]["InferenceSpecification"]["Containers"]
    environment: dict[str, str] = container["Environment"]
    return environment


def network_can_be_taken_away() -> bool:
    return subprocess.run([*WITHOUT_NETWORK, "true"], capture_output=True, check=False).returncode == 0


def isolated(folder: Path) -> tuple[tuple[str, ...], str, dict[str, str]]:
    """What the image's software runs in, without network: words before the command, a Python, variables.

    The Python has what is in the image, and a place of its own for what is installed beside that.
    """
    own = folder / "environment"
    subprocess.run([str(PYTHON), "-m", "venv", "--without-pip", str(own)], check=True)
    (packages,) = IMAGE.glob("lib/python*/site-packages")
    line = f"import site; site.addsitedir({str(packages)!r})\n"
    (own / packages.relative_to(IMAGE) / "image.pth").write_text(line)
    variables = {
        "PATH": f"{own / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder),
        "SAGEMAKER_BASE_DIR": str(folder),
        "OMP_NUM_THREADS": "1",
        "PIP_RETRIES": "0",
    }
    if network_can_be_taken_away():
        return WITHOUT_NETWORK, str(own / "bin/python"), variables
    return (), str(own / "bin/python"), {**variables, "PIP_NO_INDEX": "1"}


@contextmanager
def toolkit(folder: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """The image's serving software over ``folder``, which stands for /opt/ml; its socket.

    It has no network, as in an isolated VPC. The model's code is installed into an environment of its own, so
    that nothing of it is left for the next one.

    Raises:
        Unserved: it does not come up.
    """
    before, python, variables = isolated(folder)
    variables |= {name: value.replace("/opt/ml", str(folder)) for name, value in environment.items()}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*before, python, str(Path(__file__).with_name("toolkit.py")), "server.sock"],
            cwd=folder,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(process, folder / "server.sock", log)
        yield folder / "server.sock"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], server: Path, log: Path) -> None:
    """Until the server answers a ping."""
    deadline = time.monotonic() + _SECONDS
    while True:
        with suppress(OSError, http.client.HTTPException):
            if _exchange(server, "GET", "/ping").status == 200:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise Unserved(log.read_text(encoding="utf-8", errors="replace"))
        time.sleep(0.1)
