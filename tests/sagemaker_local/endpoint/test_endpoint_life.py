from __future__ import annotations

import ctypes
import hashlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from wire_clients import SIGNED, Client, client_of, server_process, wait_for

from sagemaker_local import advertisement, endpoint
from sagemaker_local.errors import CannotStart
from sagemaker_local.home import Home, Owner

# Files may not grow beyond 3 MiB: the kernel answers like a full disk, without root and without one.
FULL_DISK = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
runpy.run_module("sagemaker_local", run_name="__main__")
"""


def content(number: int) -> bytes:
    return b"%09d" % number * 20_000


def write_until_it_breaks(write: Callable[[int], Any], acknowledged: list[int]) -> None:
    """Writes 0, 1, 2, ... and notes each one that was acknowledged, until the server is gone."""
    try:
        for number in range(1_000_000):
            write(number)
            acknowledged.append(number)
    except (BotoCoreError, ClientError, OSError):
        return


def stored_files(home: Path) -> set[Path]:
    places = [Home(home).objects / "bucket", Home(home).objects / ".keys"]
    return {path for place in places for path in place.rglob("*") if path.is_file()}


def test_a_kill_amid_writes_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    new: list[int] = []
    overwritten: list[int] = []
    versions: list[int] = []
    with server_process(tmp_path) as (process, url):
        clients = [client_of(url, "s3"), client_of(url, "s3"), client_of(url, "sagemaker")]
        clients[0].create_bucket(Bucket="bucket")
        clients[2].create_model_package_group(ModelPackageGroupName="group")

        def put_new(number: int) -> None:
            clients[0].put_object(Bucket="bucket", Key=f"new/{number}", Body=content(number))

        def overwrite(number: int) -> None:
            clients[1].put_object(Bucket="bucket", Key="same", Body=content(number))

        def register(_number: int) -> None:
            clients[2].create_model_package(ModelPackageGroupName="group")

        writers = [
            threading.Thread(target=write_until_it_breaks, args=arguments)
            for arguments in ((put_new, new), (overwrite, overwritten), (register, versions))
        ]
        for writer in writers:
            writer.start()
        wait_for(lambda: True if min(map(len, (new, overwritten, versions))) >= 15 else None)
        process.kill()
        for writer in writers:
            writer.join()
    with endpoint.start(tmp_path) as started:
        s3, sagemaker = client_of(started.url, "s3"), client_of(started.url, "sagemaker")
        for number in new:
            assert s3.get_object(Bucket="bucket", Key=f"new/{number}")["Body"].read() == content(number)
        last = s3.get_object(Bucket="bucket", Key="same")
        body = last["Body"].read()
        assert body in (content(overwritten[-1]), content(overwritten[-1] + 1))
        assert last["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
        pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName="group")
        numbers = [item["ModelPackageVersion"] for page in pages for item in page["ModelPackageSummaryList"]]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) - len(versions) in (0, 1)
        keys = [
            item["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket="bucket")
            for item in page["Contents"]
        ]
    assert len(stored_files(tmp_path)) == len(keys)


def test_a_file_that_no_object_names_is_swept_at_the_next_start(tmp_path: Path) -> None:
    with endpoint.start(tmp_path) as started:
        s3 = client_of(started.url, "s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="kept", Body=b"x")
    orphan = Home(tmp_path).objects / "bucket/left/behind"
    orphan.parent.mkdir()
    orphan.write_bytes(b"by a killed process")
    with endpoint.start(tmp_path) as started:
        assert client_of(started.url, "s3").get_object(Bucket="bucket", Key="kept")["Body"].read() == b"x"
    assert not orphan.parent.exists()


def test_a_full_disk_is_a_clean_error_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    with server_process(tmp_path, program=FULL_DISK) as (_, url):
        s3 = client_of(url, "s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="k", Body=b"old")
        with pytest.raises(ClientError, match="full") as caught:
            s3.put_object(Bucket="bucket", Key="k", Body=bytes(8 << 20))
        assert caught.value.response["Error"]["Code"] == "InsufficientStorage"
        assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"old"
        assert list((Home(tmp_path).objects / ".incoming").iterdir()) == []
        s3.put_object(Bucket="bucket", Key="k", Body=b"new")
        assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"new"


def test_a_client_that_goes_away_in_the_middle_of_a_body_leaves_nothing(
    local: endpoint.Endpoint, s3: Client, bucket: str
) -> None:
    host = local.url.removeprefix("http://")
    head = f"PUT /{bucket}/k HTTP/1.1\r\nHost: {host}\r\nAuthorization: {SIGNED}\r\n"
    head += "Content-Length: 9999999\r\n\r\n"
    incoming = local.home.objects / ".incoming"
    with socket.create_connection(("127.0.0.1", int(host.partition(":")[2]))) as connection:
        connection.sendall(head.encode() + bytes(2 << 20))
        wait_for(lambda: next(incoming.glob("*"), None))
    wait_for(lambda: True if next(incoming.glob("*"), None) is None else None)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_objects_overwritten_and_read_at_once_are_never_mixed(s3: Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=content(0))

    def use(number: int) -> None:
        if number % 2:
            s3.put_object(Bucket=bucket, Key="k", Body=content(number))
            return
        found = s3.get_object(Bucket=bucket, Key="k")
        assert found["ETag"] == f'"{hashlib.md5(found["Body"].read()).hexdigest()}"'

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(120)))


def _advertised(home: Path) -> tuple[str, int] | None:
    found = advertisement.running(home)
    return (found.url, found.pid) if found else None


def test_an_advertised_endpoint_is_found_until_it_is_killed(tmp_path: Path) -> None:
    assert advertisement.running(tmp_path) is None
    with server_process(tmp_path) as (process, url):
        assert _advertised(tmp_path) == (url, process.pid)
        process.kill()
        process.wait()
        assert Home(tmp_path).advertisement.exists()
        assert advertisement.running(tmp_path) is None
    with server_process(tmp_path) as (process, url):
        assert _advertised(tmp_path) == (url, process.pid)


def test_an_advertisement_that_a_power_cut_left_empty_is_none(tmp_path: Path) -> None:
    place = Home(tmp_path).create()
    place.advertisement.touch()
    assert advertisement.running(tmp_path) is None
    with endpoint.start(tmp_path, advertise=True) as started:
        found = advertisement.running(tmp_path)
        assert found is not None
        assert found.url == started.url


def test_a_home_is_opened_while_another_process_removes_files_of_the_store(tmp_path: Path) -> None:
    home, ended = Home(tmp_path / "home").create(), threading.Event()
    passing = home.root / "state.db-wal"

    def come_and_go() -> None:
        while not ended.is_set():
            passing.touch()
            passing.unlink()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(1000):
            home.create()
    finally:
        ended.set()
        thread.join()


def test_an_endpoint_that_is_not_advertised_is_not_found_and_stands_beside_one_that_is(
    tmp_path: Path,
) -> None:
    with endpoint.start(tmp_path) as short:
        assert advertisement.running(tmp_path) is None
        with endpoint.start(tmp_path, advertise=True) as kept_up:
            found = advertisement.running(tmp_path)
            assert found is not None
            assert found.url == kept_up.url
            client_of(short.url, "s3").create_bucket(Bucket="shared")
            assert client_of(kept_up.url, "s3").head_bucket(Bucket="shared")
        assert advertisement.running(tmp_path) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_kept_up_endpoint_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with server_process(tmp_path) as (process, _):
        process.send_signal(number)
        assert process.wait(timeout=120) == 0
    assert advertisement.running(tmp_path) is None
    assert list(Home(tmp_path).owners.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which threads a process has")
def test_a_signal_that_another_thread_is_given_ends_a_kept_up_endpoint(tmp_path: Path) -> None:
    with server_process(tmp_path / "home") as (process, _):
        threads = {int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir()}
        other = max(threads - {process.pid})
        assert ctypes.CDLL(None).tgkill(process.pid, other, signal.SIGTERM) == 0
        assert process.wait(120) == 0


def test_closing_twice_does_nothing_more(tmp_path: Path) -> None:
    started = endpoint.start(tmp_path)
    started.close()
    started.close()


def test_a_request_under_way_is_answered_before_the_endpoint_closes(tmp_path: Path) -> None:
    with endpoint.start(tmp_path) as started:
        client_of(started.url, "s3").create_bucket(Bucket="bucket")
        with socket.create_connection(
            ("127.0.0.1", int(started.url.rpartition(":")[2])), timeout=120
        ) as wire:
            host = started.url.removeprefix("http://")
            head = f"PUT /bucket/k HTTP/1.1\r\nHost: {host}\r\nAuthorization: {SIGNED}\r\nContent-Length: 2"
            wire.sendall(f"{head}\r\n\r\na".encode())
            wait_for(lambda: True if list((Home(tmp_path).objects / ".incoming").glob("*")) else None)
            closing = threading.Thread(target=started.close)
            closing.start()
            wire.sendall(b"b")
            assert wire.recv(65536).startswith(b"HTTP/1.1 200 ")
            closing.join()
    with endpoint.start(tmp_path) as started:
        assert client_of(started.url, "s3").get_object(Bucket="bucket", Key="k")["Body"].read() == b"ab"


def failing(*arguments: str) -> str:
    """What `python -m sagemaker_local` says when it cannot start: one line."""
    command = [sys.executable, "-m", "sagemaker_local", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = failing("--home", str(tmp_path), "--port", str(port))
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in line


def test_a_home_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert "cannot keep its state in" in failing("--home", str(tmp_path / "file" / "home"))


def test_a_database_that_is_none_is_said_in_one_line(tmp_path: Path) -> None:
    home = Home(tmp_path).create()
    home.database.write_text("this is no database" * 100)
    assert "file is not a database" in failing("--home", str(tmp_path))


def test_another_that_is_about_to_come_up_or_to_end_is_waited_for(tmp_path: Path) -> None:
    home = Home(tmp_path).create()

    def take() -> bool:
        with advertisement.sole_advertiser(home):
            return True

    with ThreadPoolExecutor(2) as threads:
        with advertisement.sole_advertiser(home):
            waiting = threads.submit(take)
            assert not wait([waiting], timeout=0.5).done
        assert waiting.result()
        with advertisement.sole_advertiser(home):
            refused = threads.submit(take)
            owner = Owner(home)
            advertisement.write(home, owner, "http://127.0.0.1:1", "http://127.0.0.1:2", tmp_path)
            with pytest.raises(CannotStart, match=r"is up already at http://127\.0\.0\.1:1 "):
                refused.result()
        owner.release()


def test_a_second_advertised_endpoint_is_refused_with_the_address_of_the_first(tmp_path: Path) -> None:
    with endpoint.start(tmp_path, advertise=True) as first:
        line = failing("--home", str(tmp_path))
        assert f"is up already at {first.url}" in line
        with pytest.raises(CannotStart, match="up already"):
            endpoint.start(tmp_path, advertise=True)
        found = advertisement.running(tmp_path)
        assert found is not None
        assert found.url == first.url


def test_state_outlives_the_endpoint(tmp_path: Path) -> None:
    with endpoint.start(tmp_path) as started:
        client_of(started.url, "sagemaker").create_model_package_group(
            ModelPackageGroupName="kept", Tags=[{"Key": "a", "Value": "b"}]
        )
    with endpoint.start(tmp_path) as started:
        sagemaker = client_of(started.url, "sagemaker")
        found = sagemaker.describe_model_package_group(ModelPackageGroupName="kept")
        tags = sagemaker.list_tags(ResourceArn=found["ModelPackageGroupArn"])["Tags"]
        assert tags == [{"Key": "a", "Value": "b"}]
