"""S3 on this machine: PUT and GET of a large object against a plain copy, and against `moto_server`.

All three sides are driven by the same unmodified boto3 transfer, in turn, and the memory is that of
the server process alone.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Cost, in_turn, report, timed

SIZE_MB = 500
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


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source, back = folder / "object", folder / "back"
        with source.open("wb") as file:
            for _ in range(SIZE_MB):
                file.write(os.urandom(1 << 20))
        ours_port, moto_port = free_port(), free_port()
        ours_url, moto_url = f"http://127.0.0.1:{ours_port}", f"http://127.0.0.1:{moto_port}"
        gatehouse = [sys.executable, "-m", "sagemaker_local", "--home", str(folder / "home")]
        moto = [str(_BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(moto_port)]
        with (
            server([*gatehouse, "--port", str(ours_port)], ours_url) as (ours, ours_pid),
            server(moto, moto_url) as (theirs, moto_pid),
        ):

            def put(client: Any, pid: int) -> Cost:
                cost = timed(lambda: client.upload_file(str(source), "bench", "object"))
                return Cost(cost.seconds, peak_mb(pid))

            def get(client: Any, pid: int) -> Cost:
                cost = timed(lambda: client.download_file("bench", "object", str(back)))
                return Cost(cost.seconds, peak_mb(pid))

            copy = {"plain copy": lambda: timed(lambda: shutil.copyfile(source, folder / "copy"))}
            for title, transfer in (("PUT", put), ("GET", get)):
                ways = {
                    "the local SageMaker": lambda transfer=transfer: transfer(ours, ours_pid),
                    "moto_server": lambda transfer=transfer: transfer(theirs, moto_pid),
                    **copy,
                }
                report(f"S3 {title} of {SIZE_MB} MB", in_turn(ways, 3), "the local SageMaker", {})


if __name__ == "__main__":
    main()
