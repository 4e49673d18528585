"""Many clients of a server in one thread: sockets that send requests which are written out beforehand.

A client library takes several times the CPU of the server's own work, on the same cores, and threads add
their switching. Here a client's part of a request is some 20 us: what is measured is the server.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

REGION = "eu-west-1"
_SERVICES = {"SageMaker": "sagemaker", "AmazonSSM": "ssm", "AmazonSQS": "sqs"}
_RECEIVED = 1 << 16
_AGENT = "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11 md/pyimpl#CPython"


@dataclass(frozen=True)
class Taken:
    """What requests took: the seconds of each, and of all of them together."""

    each: list[float]
    seconds: float


def operation(target: str, members: Mapping[str, Any]) -> bytes:
    """A request with the headers that boto3 sends; `target` as in ``SageMaker.ListModels``."""
    service = _SERVICES[target.partition(".")[0]]
    body = json.dumps(members).encode()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential=b/20260101/{REGION}/{service}/aws4_request,"
        f" SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={'0' * 64}"
    )
    lines = [
        "POST / HTTP/1.1",
        "Host: localhost",
        "Accept-Encoding: identity",
        f"Authorization: {authorization}",
        "Content-Type: application/x-amz-json-1.1",
        f"User-Agent: {_AGENT}",
        "X-Amz-Date: 20260101T000000Z",
        f"X-Amz-Target: {target}",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def put_object(bucket: str, key: str, body: bytes) -> bytes:
    """A PutObject; its key needs no escapes."""
    credential = f"b/20260101/{REGION}/s3/aws4_request"
    lines = [
        f"PUT /{bucket}/{key} HTTP/1.1",
        "Host: localhost",
        f"Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature={'0' * 64}",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def drive(port: int, clients: int, following: Callable[[], bytes | None]) -> Taken:
    """Clients that each send their next request as soon as the last is answered, until there is no more.

    Args:
        port: of 127.0.0.1; it is put into the requests' Host.
        following: the next request, of whichever client; None ends the client that asks.
    """
    host = b"Host: localhost:%d\r\n" % port
    each: list[float] = []
    begin = time.perf_counter()
    with selectors.DefaultSelector() as selector:

        def send(client: _Client) -> None:
            request = following()
            if request is None:
                selector.unregister(client.socket)
                client.socket.close()
                return
            client.sent = time.perf_counter()
            client.socket.sendall(request.replace(b"Host: localhost\r\n", host, 1))

        for _ in range(clients):
            client = _Client(socket.create_connection(("127.0.0.1", port)))
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client.socket, selectors.EVENT_READ, client)
            send(client)
        while selector.get_map():
            for key, _ in selector.select():
                client = key.data
                if client.is_answered():
                    each.append(time.perf_counter() - client.sent)
                    send(client)
    return Taken(each, time.perf_counter() - begin)


def for_seconds(seconds: float, following: Callable[[], bytes]) -> Callable[[], bytes | None]:
    """Requests until so much time has passed."""
    end = time.perf_counter() + seconds
    return lambda: following() if time.perf_counter() < end else None


@dataclass
class _Client:
    socket: socket.socket
    sent: float = 0.0
    received: bytes = b""

    def is_answered(self) -> bool:
        """Whether all of the answer has come; to be called when some of it can be read."""
        piece = self.socket.recv(_RECEIVED)
        self.received += piece
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not piece or (end and not head.startswith(b"HTTP/1.1 200")):
            raise SystemExit(f"benchmark: a request was answered with {self.received[:300]!r}")
        if not end or len(body) < _length(head):
            return False
        self.received = b""
        return True


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)
