"""The proxy that this machine's programs need for other hosts, which the proxy here must ask in its turn.

It is the one that the environment names where the endpoint is started (``HTTPS_PROXY``, ``NO_PROXY``), unless
that is a proxy of an endpoint itself: in a shell after ``local env`` it is, and its bundle of certificates
shows it.
"""

from __future__ import annotations

import asyncio
import base64
import os
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

_LARGEST_ANSWER = 16 << 10
_SECONDS = 30.0


@dataclass(frozen=True)
class Upstream:
    """A proxy for HTTPS that is asked by plain HTTP; `authorization` is empty where its URL names nobody."""

    host: str
    port: int
    authorization: str

    async def connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection through it.

        Raises:
            OSError: it cannot be reached, or refuses.
        """
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=_LARGEST_ANSWER)
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        own = f"Proxy-Authorization: Basic {self.authorization}\r\n" if self.authorization else ""
        writer.write(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{own}\r\n".encode("latin-1"))
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await reader.readuntil(b"\r\n\r\n")
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            writer.close()
            raise OSError(f"the proxy {self.host}:{self.port} did not answer") from error
        status = answer.split(b"\r\n")[0].decode("latin-1")
        if status.split(" ")[1:2] != ["200"]:
            writer.close()
            raise OSError(f"the proxy {self.host}:{self.port} answered {status}")
        return reader, writer


def upstream_of(bundle: Path) -> Upstream | None:
    """The environment's proxy; None without one, or if it is one that signs with `bundle`.

    Raises:
        ValueError: its URL cannot be understood, or is none of http://.
    """
    url = urllib.request.getproxies_environment().get("https")
    if not url or os.environ.get("AWS_CA_BUNDLE") == str(bundle):
        return None
    parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(
            f"HTTPS_PROXY is {parts.scheme}://{parts.hostname}: a proxy is asked by http:// here"
        )
    user, password = (urllib.parse.unquote(text or "") for text in (parts.username, parts.password))
    known = base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
    return Upstream(parts.hostname, parts.port or 80, known)


def is_direct(host: str) -> bool:
    """Whether the environment (``NO_PROXY``) says that a host is asked without a proxy."""
    return bool(urllib.request.proxy_bypass(host))
