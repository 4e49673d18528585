"""A request and a response of HTTP, as every protocol reads and writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        id: which the response repeats, and every error.
        raw_path, query_string: percent-encoded, as they came.
        headers: by name in lower case; one that came several times has its values joined by commas.
        body: all of it; empty as long as it has not been read.
    """

    id: str
    method: str
    raw_path: bytes
    query_string: bytes
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class FileBody:
    """Part of an open file, which is closed by the function that sends it."""

    opened: BinaryIO
    offset: int
    length: int


@dataclass(frozen=True)
class Response:
    """What is sent; to a HEAD request a ``content-length`` header and no body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | FileBody = b""
