"""The way to one model server: its Unix socket, a ping, and kept-alive connections for requests.

The other end is always server.py, which answers with a Content-Length and keeps connections open, so no
more of HTTP is spoken here than that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from sagemaker_local.hosting.container import SOCKET

CONNECTIONS = 4
"""Requests that one model server is given at once. It runs one; the others are read and waiting."""

_PING = b"GET /ping HTTP/1.1\r\n\r\n"


class ChannelLost(Exception):
    """The connection ended before a whole answer had come; whether the request was carried out is unknown."""


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    body: bytes


class Address:
    """Where a model server listens.

    A Unix socket's path holds 107 bytes and a home folder's may have more, so the socket is reached
    through a descriptor of its folder.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    @property
    def path(self) -> str:
        return f"/proc/self/fd/{self._descriptor}/{SOCKET}"

    def ping(self, timeout: float) -> bool:
        """Whether the server answers `/ping` with 200 within `timeout` seconds."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(timeout)
            probe.connect(self.path)
            probe.sendall(_PING)
            return probe.recv(64).startswith(b"HTTP/1.1 200 ")
        return False

    def close(self) -> None:
        os.close(self._descriptor)


class _Channel(asyncio.Protocol):
    """One connection, which carries one request at a time."""

    def __init__(self) -> None:
        self.is_open = False
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: asyncio.Future[Reply] | None = None
        self._received = bytearray()
        self._head: tuple[int, str, int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ChannelLost(str(exc or "the model server closed the connection")))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._head is None:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = _parse_head(bytes(self._received[:end]))
            del self._received[: end + 4]
        status, content_type, length = self._head
        if len(self._received) < length:
            return
        reply = Reply(status, content_type, bytes(self._received))
        self._received.clear()
        self._head = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(reply)

    async def exchange(self, request: bytes) -> Reply:
        """Raises ChannelLost."""
        if not self.is_open or self._transport is None:
            raise ChannelLost("the connection is closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.close()


class Backend:
    """Requests to one model server, from one event loop, over connections that are kept."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: list[_Channel] = []
        self._room = asyncio.Semaphore(CONNECTIONS)

    async def post(self, body: bytes, headers: dict[str, str]) -> Reply:
        """POST /invocations.

        Raises:
            ChannelLost: the server ended, or is not there.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST /invocations HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")
        async with self._room:
            channel = await self._connected()
            try:
                reply = await channel.exchange(head + body)
            except BaseException:
                # Also where the caller gave up: the answer may still come, to nobody.
                channel.close()
                raise
            self._idle.append(channel)
            return reply

    async def _connected(self) -> _Channel:
        while self._idle:
            channel = self._idle.pop()
            if channel.is_open:
                return channel
        try:
            _, channel = await asyncio.get_running_loop().create_unix_connection(_Channel, self._address.path)
        except OSError as problem:
            raise ChannelLost(f"the model server does not listen: {problem.strerror}") from problem
        return channel


def _parse_head(head: bytes) -> tuple[int, str, int]:
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split(" ", 2)[1]), headers["content-type"], int(headers["content-length"])
