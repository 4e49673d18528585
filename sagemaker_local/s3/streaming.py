"""Bodies of any size between the socket and the disk, in bounded memory.

The event loop moves blocks, a thread digests and writes them (or reads them), and each works on one
block while the other works on the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from concurrent.futures import Executor
from typing import Any

from sagemaker_local.protocols.http import FileBody

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_BLOCK = 1 << 20
"""Bytes that change hands at once."""


class ClientGone(Exception):
    """The client closed the connection before the request was complete."""


class RequestBody:
    """A request's body as it comes from the socket, to be read once."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """What is left of the body. Raises ClientGone if it breaks off."""
        while not self._ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            self._ended = not message.get("more_body", False)
            if piece := message.get("body", b""):
                yield piece

    async def discard(self) -> None:
        """Read what a client still sends, so that it gets to read the answer. Raises ClientGone."""
        async for _ in self.pieces():
            pass

    async def disconnection(self) -> None:
        """Returns when the client closes the connection; to be awaited once the body has ended."""
        await self._receive()


async def receive_body(body: RequestBody, feed: Callable[[bytes], None], pool: Executor) -> None:
    """Feed a request's whole body, block by block, to `feed` in a thread.

    Raises:
        ClientGone: the body broke off.
    """
    loop = asyncio.get_running_loop()
    pending: asyncio.Future[None] | None = None
    collected: list[bytes] = []
    size = 0
    try:
        async for piece in body.pieces():
            collected.append(piece)
            size += len(piece)
            if size >= _BLOCK:
                if pending is not None:
                    await pending
                pending = loop.run_in_executor(pool, feed, b"".join(collected))
                collected, size = [], 0
    finally:
        # Whatever happened, nobody may close the file while the thread still writes to it.
        if pending is not None:
            await pending
    if collected:
        await loop.run_in_executor(pool, feed, b"".join(collected))


async def send_file(send: Send, request: RequestBody, body: FileBody, pool: Executor) -> None:
    """Send part of a file as the response's body, unless the client goes."""
    loop = asyncio.get_running_loop()
    left = body.length

    def read() -> bytes:
        return body.opened.read(min(_BLOCK, left))

    gone = asyncio.ensure_future(request.disconnection())
    await loop.run_in_executor(pool, body.opened.seek, body.offset)
    reading = loop.run_in_executor(pool, read)
    try:
        while left and not gone.done():
            block = await reading
            if not block:
                raise OSError(f"{body.opened.name} ended {left} bytes early")
            left -= len(block)
            if left:
                reading = loop.run_in_executor(pool, read)
            await send({"type": "http.response.body", "body": block, "more_body": left > 0})
    finally:
        gone.cancel()
        await reading
