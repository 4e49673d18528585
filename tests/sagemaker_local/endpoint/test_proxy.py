"""The proxy: clients that name AWS's hosts themselves reach the local endpoint, and nothing else changes."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from wire_clients import REGION, Client

from sagemaker_local import endpoint
from sagemaker_local.access import is_of_aws
from sagemaker_local.proxy.certificates import Authority
from sagemaker_local.proxy.server import Proxy, open_proxy
from sagemaker_local.proxy.upstream import upstream_of


@pytest.fixture(scope="module")
def proxy(local: endpoint.Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    authority = Authority(tmp_path_factory.mktemp("authority") / "proxy")
    opened = Proxy(authority, int(local.url.rpartition(":")[2]))
    yield opened
    opened.close()


def at_aws(proxy: Proxy, service: str, host: str, **members: object) -> Client:
    return boto3.client(
        service,
        endpoint_url=f"https://{host}",
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        verify=str(proxy.authority.bundle),
        config=Config(proxies={"https": proxy.url}, retries={"total_max_attempts": 1}, **members),
    )


def connect(proxy: Proxy, line: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])), timeout=120)
    connection.sendall(line + b"\r\n\r\n")
    return connection


def test_a_host_of_aws_is_this_endpoint(proxy: Proxy) -> None:
    caller = at_aws(proxy, "sts", f"sts.{REGION}.amazonaws.com").get_caller_identity()
    assert caller["Account"] == "000000000000"


def test_a_bucket_in_the_hosts_name_is_that_bucket(proxy: Proxy, s3: Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b/c", Body=b"here")
    virtual = at_aws(proxy, "s3", f"s3.{REGION}.amazonaws.com", s3={"addressing_style": "virtual"})
    assert virtual.get_object(Bucket=bucket, Key="a b/c")["Body"].read() == b"here"
    assert [one["Key"] for one in virtual.list_objects_v2(Bucket=bucket)["Contents"]] == ["a b/c"]


def test_other_hosts_are_passed_on_as_they_are(proxy: Proxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                said = connection.recv(100)
                connection.sendall(said[::-1])

        thread = threading.Thread(target=answer)
        thread.start()
        port = server.getsockname()[1]
        with connect(
            proxy, f"CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}".encode()
        ) as tunnel:
            assert tunnel.recv(1000).startswith(b"HTTP/1.1 200 ")
            tunnel.sendall(b"\x16\x03\x01 as it is")
            assert tunnel.recv(100) == b"\x16\x03\x01 as it is"[::-1]
            assert tunnel.recv(100) == b""
        thread.join()


def test_other_hosts_are_asked_through_the_proxy_of_the_environment(
    local: endpoint.Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = []

    def answer(server: socket.socket) -> None:
        for status in (b"200 Connection established", b"407 Proxy Authentication Required"):
            with server.accept()[0] as connection:
                heads.append(connection.recv(1000))
                connection.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")
                if status.startswith(b"200"):
                    connection.sendall(connection.recv(100)[::-1])

    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://anna:se%20cret@127.0.0.1:{server.getsockname()[1]}")
        for name in ("https_proxy", "no_proxy", "NO_PROXY", "AWS_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        chained = open_proxy(tmp_path / "proxy", int(local.url.rpartition(":")[2]))
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        try:
            with connect(chained, b"CONNECT example.org:443 HTTP/1.1") as tunnel:
                assert tunnel.recv(1000).startswith(b"HTTP/1.1 200 ")
                tunnel.sendall(b"abc")
                assert tunnel.recv(100) == b"cba"
            with connect(chained, b"CONNECT example.org:443 HTTP/1.1") as tunnel:
                assert b"answered HTTP/1.1 407" in tunnel.recv(1000)
            caller = at_aws(chained, "sts", f"sts.{REGION}.amazonaws.com").get_caller_identity()
            assert caller["Account"] == "000000000000"
        finally:
            chained.close()
            thread.join()
    assert heads[0].startswith(b"CONNECT example.org:443 HTTP/1.1\r\n")
    assert base64.b64encode(b"anna:se cret") in heads[0]
    monkeypatch.setenv("AWS_CA_BUNDLE", str(chained.authority.bundle))
    assert upstream_of(chained.authority.bundle) is None  # the shell's proxy is one of an endpoint


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET http://example.invalid/ HTTP/1.1\r\nHost: example.invalid", b"405"),
        (b"CONNECT name.invalid:443 HTTP/1.1", b"502"),
        (b"CONNECT localhost:99999 HTTP/1.1", b"502"),
    ],
)
def test_what_cannot_be_done_is_said(proxy: Proxy, line: bytes, status: bytes) -> None:
    with connect(proxy, line) as connection:
        assert connection.recv(1000).split(b" ")[1] == status


def test_only_services_of_aws_are_answered_here() -> None:
    here = (
        "sts.amazonaws.com",
        "STS.eu-west-1.amazonaws.com.",
        "b.s3.cn-north-1.amazonaws.com.cn",
        "a.b.api.aws",
        "rds.eu-west-1.amazonaws.com",
    )
    others = (
        *("amazonaws.com.evil.example", "evilamazonaws.com", "aws.amazon.com", "127.0.0.1", "localhost"),
        *("ec2-1-2-3-4.eu-west-1.compute.amazonaws.com", "mine-1.eu-west-1.elb.amazonaws.com"),
        *("mine-1.elb.eu-west-1.amazonaws.com", "ec2-1-2-3-4.cn-north-1.compute.amazonaws.com.cn"),
        *("mine.a1b2.eu-west-1.rds.amazonaws.com", "mine.a1b2.rds.cn-north-1.amazonaws.com.cn"),
    )
    assert [name for name in (*here, *others) if is_of_aws(name)] == list(here)


def test_the_authority_stays_the_same_and_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    first = Authority(tmp_path / "proxy").bundle.read_bytes()
    file = tmp_path / "proxy" / "authority.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Authority(tmp_path / "proxy").bundle.read_bytes() == first
    file.write_text("cut short")
    assert Authority(tmp_path / "proxy").bundle.read_bytes() != first


@pytest.mark.parametrize("name", ["é" * 60, os.fsdecode(b"\xff\xfe"), "n" * 200])
def test_a_folder_of_any_name_has_an_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    bundle = Authority(Path(name) / "proxy").bundle
    assert ssl.create_default_context(cadata=bundle.read_text()).cert_store_stats()["x509_ca"] >= 1


def test_a_client_that_does_not_trust_the_authority_is_not_deceived(proxy: Proxy) -> None:
    with connect(proxy, b"CONNECT sts.amazonaws.com:443 HTTP/1.1") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        context = ssl.create_default_context()
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(connection, server_hostname="sts.amazonaws.com")


SDK = """
import socket
asked, real = set(), socket.getaddrinfo
def recorded(host, *args, **named):
    asked.add(host.decode() if isinstance(host, bytes) else host)
    return real(host, *args, **named)
socket.getaddrinfo = recorded
from sagemaker.core.helper.session_helper import Session, get_execution_role
session = Session()
print(session.default_bucket(), get_execution_role(session))
print(sorted(asked))
"""


def test_the_sdk_finds_its_bucket_and_its_role_and_asks_for_no_other_host(
    local: endpoint.Endpoint, proxy: Proxy
) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = own | {
        **{"AWS_ENDPOINT_URL": local.url, "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"},
        **{"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"},
        **{"HTTPS_PROXY": proxy.url, "NO_PROXY": "127.0.0.1", "AWS_CA_BUNDLE": str(proxy.authority.bundle)},
    }
    command = [sys.executable, "-c", SDK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"sagemaker-{REGION}-000000000000 arn:aws:iam::000000000000:role/local",
        "['127.0.0.1']",
    ]
