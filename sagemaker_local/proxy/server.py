"""The proxy: AWS's hosts are this machine's endpoint, every other host is tunnelled as it is.

A client that has a proxy for HTTPS asks it to CONNECT. Where the host is one of AWS's, the proxy answers the
TLS handshake in its place and passes what comes on to the endpoint, which reads the request as any other. So
nothing that is signed with local credentials ever reaches AWS. Of other hosts it sees nothing but the name.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
from pathlib import Path

from sagemaker_local.access import is_of_aws
from sagemaker_local.proxy.certificates import Authority
from sagemaker_local.proxy.upstream import Upstream, is_direct, upstream_of

_log = logging.getLogger(__name__)
_ADDRESS = "127.0.0.1"
_CONNECT = re.compile(rb"CONNECT (\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+):(\d{1,5}) HTTP/1\.[01]\r\n")
_HEAD_SECONDS = 10.0
_LARGEST_HEAD = 16 << 10
_PIECE = 64 << 10
_LAST_WORDS_SECONDS = 5.0
"""For the other direction to end, once one has."""

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """A proxy on this machine's loopback, in a thread of its own.

    Attributes:
        url: for ``HTTPS_PROXY``.
        authority: whom its clients have to trust.
    """

    def __init__(self, authority: Authority, endpoint_port: int, upstream: Upstream | None = None) -> None:
        """`upstream`: through which other hosts are reached."""
        self.authority = authority
        self._upstream = upstream
        self._endpoint_port = endpoint_port
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        starting = asyncio.start_server(self._accept, _ADDRESS, 0, limit=_LARGEST_HEAD)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.url = f"http://{_ADDRESS}:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """End every connection and the thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):  # a broken connection, a handshake that failed, or the end
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        asked = _CONNECT.match(head)
        if asked is None:
            await _refuse(writer, 405, "This proxy is for HTTPS: it knows CONNECT only.")
            return
        host, port = asked[1].decode("latin-1").strip("[]"), int(asked[2])
        here = is_of_aws(host)
        try:
            if here:
                other = await asyncio.open_connection(_ADDRESS, self._endpoint_port)
            elif self._upstream is None or is_direct(host):
                other = await asyncio.open_connection(host, port)
            else:
                other = await self._upstream.connect(host, port)
        except (OSError, OverflowError, UnicodeError) as problem:
            await _refuse(writer, 502, f"{host}:{port} cannot be reached: {problem}")
            return
        try:
            writer.write(_ESTABLISHED)
            await writer.drain()
            if here:
                await writer.start_tls(self.authority.context(host))
            await _join((reader, writer), other)
        finally:
            other[1].close()


def open_proxy(folder: Path, endpoint_port: int) -> Proxy:
    """A proxy with the authority of a folder; it asks the environment's own proxy for other hosts.

    Raises:
        OSError: the folder cannot be read or written.
    """
    authority = Authority(folder)
    try:
        upstream = upstream_of(authority.bundle)
    except ValueError as problem:
        _log.warning("%s; other hosts are reached without it", problem)
        upstream = None
    return Proxy(authority, endpoint_port, upstream)


_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(one: _Stream, other: _Stream) -> None:
    """Pass on both directions until both have ended, or one has and the other says nothing more."""
    pumps = [asyncio.create_task(_pump(one[0], other[1])), asyncio.create_task(_pump(other[0], one[1]))]
    try:
        _, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        if pending:
            await asyncio.wait(pending, timeout=_LAST_WORDS_SECONDS)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()


async def _refuse(writer: asyncio.StreamWriter, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    head = f"HTTP/1.1 {status} Refused\r\ncontent-type: text/plain; charset=utf-8\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
    await writer.drain()
