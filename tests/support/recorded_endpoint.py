"""A local endpoint that stands for AWS: behind a record of every call, and of what may not be called."""

from __future__ import annotations

import http.client
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

READS = re.compile(r"(Describe|Get|List|Search|BatchGet)[A-Z]|(GET|HEAD) ")
"""The calls that change nothing; those of a REST protocol are told by their method."""


@dataclass
class Recorded:
    """The endpoint as its callers see it.

    Attributes:
        calls: the operations that were asked for; of a REST protocol, the method and the path.
        denied: those that are refused from now on.
    """

    url: str
    calls: list[str] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)

    @property
    def changes(self) -> list[str]:
        """The calls that could have changed something."""
        return [call for call in self.calls if not READS.match(call)]


@contextmanager
def recorded(endpoint_url: str) -> Iterator[Recorded]:
    """Pass every request on to an endpoint, and its answer back."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            call = _operation(self.command, self.path, self.headers.get("x-amz-target"), body)
            seen.calls.append(call)
            if call in seen.denied:
                refusal = {"__type": "AccessDeniedException", "message": f"not authorized: {call}"}
                kind = {"content-type": "application/x-amz-json-1.1"}
                self._answer(400, kind, json.dumps(refusal).encode())
                return
            place = urllib.parse.urlsplit(endpoint_url).netloc
            connection = http.client.HTTPConnection(place, timeout=60)
            connection.request(self.command, self.path, body, {**dict(self.headers), "Host": place})
            answer = connection.getresponse()
            self._answer(
                answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
            )
            connection.close()

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _pass_on

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = headers.get("content-length", "0") if self.command == "HEAD" else str(len(body))
            self.send_header("content-length", length)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    seen = Recorded(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()


def _operation(method: str, path: str, target: str | None, body: bytes) -> str:
    if target is not None:
        return target.rpartition(".")[2]
    if "/operation/" in path:  # a protocol that names it in the path
        return path.rpartition("/")[2]
    action = urllib.parse.parse_qs(body.decode("utf-8", "replace")).get("Action")
    return action[0] if action else f"{method} {path}"
