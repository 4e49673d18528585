"""What the pages refuse and bear over a real socket: sizes, slow clients, foreign names and origins."""

from __future__ import annotations

import socket
import urllib.parse
from typing import Any

import pytest

from studio import app
from studio.access import COOKIE, Access


def exchange(studio: Any, request: bytes) -> str:
    """The first line of the answer to what is sent as it is."""
    place = urllib.parse.urlsplit(studio.url)
    with socket.create_connection((place.hostname, place.port), timeout=120) as connection:
        connection.sendall(request)
        return connection.makefile("rb").readline().decode("latin-1").strip()


def head(studio: Any, method: str = "GET", path: str = "/studio/", **headers: str) -> bytes:
    host = urllib.parse.urlsplit(studio.url).netloc
    given = {"host": host, "cookie": f"{COOKIE}={studio.token}", "origin": studio.url, **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "evil.example"}, 403),
        ({"cookie": "other=1"}, 403),
        ({"x-long": "x" * 200_000}, 431),
    ],
)
def test_a_request_is_answered_by_its_headers(studio: Any, headers: dict[str, str], status: int) -> None:
    assert f" {status} " in exchange(studio, head(studio, **headers))


@pytest.mark.parametrize(
    ("origin", "length", "status"),
    [(None, 70_000, 413), ("http://evil.example", 0, 403), ("null", 0, 403), (None, 0, 404)],
)
def test_a_form_is_answered_by_its_size_and_origin(
    studio: Any, origin: str | None, length: int, status: int
) -> None:
    body = f"form_token={Access(studio.token).form_token}&note={'x' * length}".encode()
    path = f"/studio/p/{studio.project}/automation/again"
    headers = {"content-length": str(len(body)), **({"origin": origin} if origin else {})}
    assert f" {status} " in exchange(studio, head(studio, "POST", path, **headers) + body)


def test_clients_that_never_end_their_requests_keep_nobody_waiting(
    studio: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_FORM_SECONDS", 0.5)
    place = urllib.parse.urlsplit(studio.url)
    path = f"/studio/p/{studio.project}/automation/again"
    begun = (head(studio)[:-2], head(studio, "POST", path, **{"content-length": "9000"}) + b"form_token=")
    slow = [socket.create_connection((place.hostname, place.port)) for _ in range(200)]
    try:
        for number, connection in enumerate(slow):
            connection.sendall(begun[number % 2])
        assert " 200 " in exchange(studio, head(studio))
        slow[1].settimeout(20)
        assert b" 408 " in slow[1].recv(100)
    finally:
        for connection in slow:
            connection.close()
