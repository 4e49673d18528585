"""One acknowledged write to the registry, against the least that a durable write can cost, and `moto_server`.

The floor is a commit of the same size to SQLite with `synchronous=FULL`; moto keeps nothing on disk.
"""

from __future__ import annotations

import itertools
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import in_turn, report, timed
from benchmarks.object_store import _BIN, free_port, server

WRITES = 100


def main() -> None:
    import boto3

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ours_port, moto_port = free_port(), free_port()
        ours_url, moto_url = f"http://127.0.0.1:{ours_port}", f"http://127.0.0.1:{moto_port}"
        gatehouse = [sys.executable, "-m", "sagemaker_local", "--home", str(folder / "home")]
        moto = [str(_BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(moto_port)]
        database = sqlite3.connect(folder / "floor.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE resource (name TEXT PRIMARY KEY, doc TEXT)")
        number = itertools.count()

        def commit() -> None:
            for _ in range(WRITES):
                database.execute("INSERT INTO resource VALUES (?, ?)", (f"group-{next(number)}", "x" * 200))

        with server([*gatehouse, "--port", str(ours_port)], ours_url), server(moto, moto_url):

            def client(url: str) -> Any:
                return boto3.client(
                    "sagemaker",
                    endpoint_url=url,
                    region_name="eu-west-1",
                    aws_access_key_id="benchmark",
                    aws_secret_access_key="benchmark",
                )

            def groups(service: Any) -> None:
                for _ in range(WRITES):
                    service.create_model_package_group(ModelPackageGroupName=f"group-{next(number)}")

            ours, theirs = client(ours_url), client(moto_url)
            ways = {
                "the local SageMaker": lambda: timed(lambda: groups(ours)),
                "moto_server, in memory": lambda: timed(lambda: groups(theirs)),
                "SQLite commits alone": lambda: timed(commit),
            }
            report(f"{WRITES} CreateModelPackageGroup", in_turn(ways, 5), "the local SageMaker", {})


if __name__ == "__main__":
    main()
