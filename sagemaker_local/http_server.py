"""uvicorn's server without its pauses at the end, which would slow every command with an endpoint of its own.

uvicorn checks ten times a second whether it is to end, and then waits a tenth of a second for connections
to close. This server is woken when it is to end, and waits only for requests that are being answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

import uvicorn

_DATE_SECONDS = 1.0
"""How often the Date header of the answers is written anew."""


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
