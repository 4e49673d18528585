"""uvicorn's server with a limit on headers, answers in one piece, and without its pauses at the end.

uvicorn collects a request's headers whatever their size. A connection here takes a limited number of bytes
that are not a body's, so a client cannot fill the memory.

uvicorn writes the head and the body of an answer apart, which are two system calls, and the client is woken
twice. Here a head waits for the body that comes in the same turn of the event loop.

uvicorn checks ten times a second whether it is to end, and then waits a tenth of a second for connections
to close. This server is woken when it is to end, and waits only for requests that are being answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_DATE_SECONDS = 1.0
"""How often the Date header of the answers is written anew."""


_MOST_HEADER_BYTES = 64 << 10
"""Of one request, before its body or behind a body in chunks; the last piece that comes may pass it."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
_READ_ON_SECONDS = 1.0
"""For which a client that is refused may go on sending, so that it gets to read the answer."""


_SMALL = 16 << 10
"""Bytes up to which two pieces are put together: copying more costs more than a second system call."""


class _Gathering:
    """A transport that sends two small pieces, written in one turn of the event loop, as one."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""

    def write(self, data: bytes) -> None:
        if not self._held and len(data) <= _SMALL:
            self._held = data
            self._loop.call_soon(self._send_held)
        elif len(data) <= _SMALL:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        else:
            self._send_held()
            self._transport.write(data)

    def close(self) -> None:
        self._send_held()
        self._transport.close()

    def _send_held(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class HttpConnection(HttpToolsProtocol):
    """uvicorn's connection that gathers what it sends, and limits the bytes between a request's parts."""

    _since_last_part = 0
    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", _Gathering(transport, self.loop)))

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._since_last_part += len(data)
        super().data_received(data)
        if self._since_last_part > _MOST_HEADER_BYTES and not self.transport.is_closing():
            self._is_refused = True
            self.transport.write(_TOO_LARGE)
            self.loop.call_later(_READ_ON_SECONDS, self.transport.close)

    def on_headers_complete(self) -> None:
        self._since_last_part = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._since_last_part = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._since_last_part = 0
        super().on_message_complete()


class HttpServer(uvicorn.Server):
    """To be run in a thread, and to be ended from another one by :meth:`leave`."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def leave(self) -> None:
        """Answer what is under way and end; returns at once."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._woken.set)

    async def main_loop(self) -> None:
        # In this order: a thread that finds no loop to wake has already set `should_exit`.
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DATE_SECONDS):
                    await self._woken.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)  # the end of a connection is taken in with the loop's next turn
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
