"""An endpoint over a real socket, and the clients that talk to it."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator

import pytest
from wire_clients import REGION, Client, client_of

from sagemaker_local import endpoint


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[endpoint.Endpoint]:
    with endpoint.start(tmp_path_factory.mktemp("front")) as started:
        yield started


@pytest.fixture(scope="session")
def sagemaker(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "sagemaker")


@pytest.fixture(scope="session")
def s3(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "s3")


@pytest.fixture
def name() -> str:
    """A name that no other test uses, good for any resource."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def bucket(s3: Client, name: str) -> str:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


@pytest.fixture(scope="session")
def exchange(local: endpoint.Endpoint) -> Callable[[bytes], bytes]:
    """Sends one raw request, asks for the connection to be closed, returns all that comes back."""
    address = ("127.0.0.1", int(local.url.rpartition(":")[2]))

    def send(request: bytes) -> bytes:
        with socket.create_connection(address, timeout=120) as connection:
            line, _, rest = request.partition(b"\r\n")
            connection.sendall(line + b"\r\nConnection: close\r\n" + rest)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer

    return send
