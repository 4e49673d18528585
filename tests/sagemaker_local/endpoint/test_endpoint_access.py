from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from wire_clients import SIGNED

from sagemaker_local import endpoint

Exchange = Callable[[bytes], bytes]


def request(local: endpoint.Endpoint, path: str = "/", *, method: str = "GET", **headers: str) -> bytes:
    given = {"Host": local.url.removeprefix("http://"), "Authorization": SIGNED}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


def port_of(local: endpoint.Endpoint) -> int:
    return int(local.url.rpartition(":")[2])


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_a_request_to_this_machine_by_its_own_names_is_answered(
    local: endpoint.Endpoint, exchange: Exchange, name: str
) -> None:
    answer = exchange(request(local, Host=f"{name}:{port_of(local)}"))
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "127.0.0.1:1", "127.0.0.1", ""],
)
def test_a_foreign_host_header_is_refused(local: endpoint.Endpoint, exchange: Exchange, host: str) -> None:
    answer = exchange(request(local, Host=host.format(port=port_of(local))))
    assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 400"))
    assert b"ListAllMyBucketsResult" not in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_web_page_from_elsewhere_is_refused_even_with_credentials(
    local: endpoint.Endpoint, exchange: Exchange, headers: dict[str, str]
) -> None:
    answer = exchange(request(local, **headers))
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"AccessDenied" in answer
    assert b"access-control-allow-origin" not in answer.lower()


def test_a_page_of_this_endpoint_itself_may_ask(local: endpoint.Endpoint, exchange: Exchange) -> None:
    assert exchange(request(local, Origin=local.url)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", b"MissingAuthenticationToken"),
        ("Bearer x", b"IncompleteSignature"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c", b"IncompleteSignature"),
    ],
)
def test_a_request_without_the_scope_of_credentials_is_refused(
    local: endpoint.Endpoint, exchange: Exchange, authorization: str, code: bytes
) -> None:
    answer = exchange(request(local, Authorization=authorization))
    assert answer.startswith(b"HTTP/1.1 403")
    assert code in answer


def test_anybody_on_this_machine_may_ask_whether_it_lives(
    local: endpoint.Endpoint, exchange: Exchange
) -> None:
    assert exchange(request(local, "/_health", Authorization="")).endswith(b"\r\n\r\nok\n")
    assert b"403" in exchange(request(local, "/_health", Host="evil.example"))


def test_it_listens_on_the_loopback_address_only(local: endpoint.Endpoint) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", port_of(local)))


def test_a_service_that_is_not_here_is_said_so(local: endpoint.Endpoint, exchange: Exchange) -> None:
    answer = exchange(request(local, Authorization=SIGNED.replace("/s3/", "/ec2/")))
    assert answer.startswith(b"HTTP/1.1 501")
    assert b"not implemented" in answer


@pytest.mark.parametrize("body", [b"{", b"[]", b"nonsense", b"[" * 100_000, b"\xff"])
def test_a_json_request_that_is_no_object_is_a_serialization_error(
    local: endpoint.Endpoint, exchange: Exchange, body: bytes
) -> None:
    head = request(
        local,
        method="POST",
        Authorization=SIGNED.replace("/s3/", "/sagemaker/"),
        X_Amz_Target="SageMaker.ListPipelines",
        Content_Length=str(len(body)),
    )
    answer = exchange(head + body)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'"__type": "SerializationException"' in answer


def test_a_body_beyond_the_cap_is_refused(local: endpoint.Endpoint, exchange: Exchange) -> None:
    size = 9 << 20
    head = request(
        local,
        method="POST",
        Authorization=SIGNED.replace("/s3/", "/sagemaker/"),
        X_Amz_Target="SageMaker.ListPipelines",
        Content_Length=str(size),
    )
    answer = exchange(head + b" " * size)
    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "/bucket/%ff", "/bucket/..%2f..%2fetc%2fpasswd", "/%00/x", "/.keys/x/y"],
)
def test_a_path_that_points_outside_finds_nothing(
    local: endpoint.Endpoint, exchange: Exchange, path: str
) -> None:
    answer = exchange(request(local, path))
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501"))
    assert b"root:" not in answer


def test_every_answer_carries_a_request_id(local: endpoint.Endpoint, exchange: Exchange) -> None:
    for answer in (exchange(request(local)), exchange(request(local, Authorization=""))):
        assert b"\r\nx-amzn-requestid: " in answer
