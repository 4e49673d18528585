"""S3 on this machine: PUT and GET of a large object against a plain copy, moto, and another S3 server.

All servers are driven by the same unmodified boto3 transfer, in turn; processor time and memory are those of
the server process alone. What the rivals do not do: moto keeps everything in memory and loses it when it
ends; localbucket keeps objects as files, without versions, metadata that S3 would keep, or a promise that
what was acknowledged is on the disk. Ours is durable before it answers, and keeps what a SageMaker needs.

    python -m benchmarks object_store [--megabytes 500] [--rounds 3]
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Cost, in_turn, report, timed

OURS = "the local SageMaker"
_BIN = Path(sys.executable).parent


@contextmanager
def server(command: list[str], url: str) -> Iterator[tuple[Any, int]]:
    """Start a server, wait until it answers, give an S3 client and the server's process id."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import EndpointConnectionError

    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="eu-west-1",
            aws_access_key_id="benchmark",
            aws_secret_access_key="benchmark",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                client.create_bucket(
                    Bucket="bench", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
                )
                break
            except EndpointConnectionError:
                if time.monotonic() > deadline or child.poll() is not None:
                    raise SystemExit(f"benchmark: `{' '.join(command)}` does not answer at {url}") from None
                time.sleep(0.05)
        yield client, child.pid
    finally:
        child.terminate()
        child.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def peak_mb(pid: int) -> float:
    """The largest resident set the process has had, from /proc."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def busy(pid: int, with_children: bool = False) -> float:
    """The processor seconds that a process has used so far, from /proc; and its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_children else 13])) / os.sysconf("SC_CLK_TCK")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks object_store", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        source = folder / "object"
        with source.open("wb") as file:
            for _ in range(options.megabytes):
                file.write(os.urandom(1 << 20))
        servers = {name: stack.enter_context(started) for name, started in _servers(folder).items()}
        copy = {"plain copy": lambda: timed(lambda: shutil.copyfile(source, folder / "copy"))}
        for title, transfer in (("PUT", put), ("GET", get)):
            ways = {name: partial(transfer, *one, source) for name, one in servers.items()} | copy
            costs = in_turn(ways, options.rounds)
            report(f"S3 {title} of {options.megabytes} MB", costs, OURS, {})


def put(client: Any, pid: int, source: Path) -> Cost:
    """Upload the file; the server's processor time and peak memory."""
    return _of_server(pid, lambda: client.upload_file(str(source), "bench", "object"))


def get(client: Any, pid: int, source: Path) -> Cost:
    """Download it again, to another file."""
    back = source.with_name("back")
    return _of_server(pid, lambda: client.download_file("bench", "object", str(back)))


def _of_server(pid: int, work: Callable[[], object]) -> Cost:
    before = busy(pid)
    cost = timed(work)
    return Cost(cost.seconds, peak_mb(pid), busy(pid) - before)


def local_sagemaker(home: Path, port: int) -> list[str]:
    """The command of a local SageMaker over a home."""
    return [sys.executable, "-m", "sagemaker_local", "--home", str(home), "--port", str(port)]


def _servers(folder: Path) -> dict[str, AbstractContextManager[tuple[Any, int]]]:
    """The servers of this machine by name, not started yet."""
    ports = [free_port() for _ in range(3)]
    commands = {
        OURS: local_sagemaker(folder / "home", ports[0]),
        "moto": [str(_BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(ports[1])],
    }
    if importlib.util.find_spec("localbucket") is None:
        print("  left out: localbucket; `pip install -r benchmarks/requirements.txt` installs it")
    else:
        (folder / "localbucket").mkdir()
        place = str(folder / "localbucket")
        commands["localbucket"] = [sys.executable, "-m", "localbucket", "--port", str(ports[2]), place]
    pairs = zip(commands.items(), ports, strict=False)
    return {name: server(command, f"http://127.0.0.1:{port}") for (name, command), port in pairs}


if __name__ == "__main__":
    main()
