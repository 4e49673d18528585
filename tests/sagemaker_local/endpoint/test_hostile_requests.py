"""Requests that are made to do harm: memory stays flat, reading changes nothing, a full disk can be freed."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from small_disk import run_on_small_disk
from wire_clients import SIGNED, Client, client_of, server_process

from sagemaker_local import endpoint

MEGABYTE = 1 << 20
LIMIT = 24 * MEGABYTE
"""How much more memory the endpoint may use at its peak; each of the requests sends 100 MB and more."""


def peak_memory(pid: int) -> int:
    """The most bytes that a process had in memory so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError("VmHWM")


BEGINNINGS = {
    "one header": (b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"a" * MEGABYTE),
    "many headers": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"".join(b"x-%07d: a\r\n" % n for n in range(70_000))),
    "a URL": (b"GET /", b"a" * MEGABYTE),
    "a trailer": (
        b"PUT /a/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
        b"x: " + b"a" * MEGABYTE,
    ),
}


@pytest.mark.parametrize(("beginning", "rest"), BEGINNINGS.values(), ids=list(BEGINNINGS))
def test_headers_without_end_are_refused_and_fill_no_memory(
    tmp_path: Path, beginning: bytes, rest: bytes
) -> None:
    with server_process(tmp_path) as (process, url):
        before = peak_memory(process.pid)
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=120) as client:
            client.sendall(beginning)
            sent = 0
            try:
                while sent < 100 * MEGABYTE:
                    client.sendall(rest)
                    sent += len(rest)
                answer = client.recv(65536)
            except ConnectionError:
                answer = b""  # it was closed while we were still sending
        assert answer[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 403", b"HTTP/1.1 400", b"")
        assert peak_memory(process.pid) - before < LIMIT
        assert client_of(url, "s3").list_buckets()["Buckets"] == []


def test_large_headers_within_the_limit_and_large_bodies_pass(s3: Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"x" * (8 * MEGABYTE), Metadata={"a": "b" * 2000})
    assert s3.head_object(Bucket=bucket, Key="a")["ContentLength"] == 8 * MEGABYTE


@pytest.mark.parametrize("action", ["CreateTopic&Name=by-get", "Subscribe&TopicArn=a&Protocol=sqs"])
def test_a_get_changes_nothing(
    local: endpoint.Endpoint, exchange: Callable[[bytes], bytes], action: str
) -> None:
    lines = [
        f"GET /?Action={action}&Version=2010-03-31 HTTP/1.1",
        f"Host: {local.url.removeprefix('http://')}",
        f"Authorization: {SIGNED.replace('/s3/', '/sns/')}",
    ]
    answer = exchange("\r\n".join([*lines, "", ""]).encode())
    assert answer.startswith(b"HTTP/1.1 405")
    topics = client_of(local.url, "sns").list_topics()["Topics"]
    assert not [one for one in topics if one["TopicArn"].endswith(":by-get")]


def test_a_get_may_read(local: endpoint.Endpoint, exchange: Callable[[bytes], bytes]) -> None:
    lines = [
        "GET /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1",
        f"Host: {local.url.removeprefix('http://')}",
        f"Authorization: {SIGNED.replace('/s3/', '/sts/')}",
    ]
    assert b"<Account>" in exchange("\r\n".join([*lines, "", ""]).encode())


def test_json_is_only_posted(local: endpoint.Endpoint, exchange: Callable[[bytes], bytes]) -> None:
    lines = [
        "GET / HTTP/1.1",
        f"Host: {local.url.removeprefix('http://')}",
        f"Authorization: {SIGNED.replace('/s3/', '/sqs/')}",
        "X-Amz-Target: AmazonSQS.ListQueues",
    ]
    assert exchange("\r\n".join([*lines, "", ""]).encode()).startswith(b"HTTP/1.1 405")


DELETES_ON_A_FULL_DISK = """
import os, sys
from pathlib import Path
from sagemaker_local.home import Home
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.store import Store
home = Home(Path(sys.argv[1])).create()
objects = ObjectStore(home, Store(home.database))
objects.create_bucket("bucket")
objects.put_bytes("bucket", "large", b"x" * (2 << 20))
objects.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
with open(home.root / "filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(b"x" * 4096)
    except OSError:
        pass
print("deleted", objects.delete("bucket", "large"))
print("free", os.statvfs(home.root).f_bavail * os.statvfs(home.root).f_bsize >= 1 << 20)
print("reserve", (home.root / "reserve").exists())
"""


def test_an_object_can_be_deleted_from_a_full_disk(tmp_path: Path) -> None:
    done = run_on_small_disk(tmp_path / "home", "8m", DELETES_ON_A_FULL_DISK, str(tmp_path / "home"))
    if done is None:
        pytest.skip("this machine gives no disk of its own to a program")
    assert done.stdout.splitlines() == ["deleted True", "free True", "reserve True"], done.stderr
