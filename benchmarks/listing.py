"""`gatehouse models` over a project with 1 000 registered versions, each with statistics of its own.

Start-up is what no listing can do without: `gatehouse models --help`, and what importing boto3 and making
the three clients costs (SageMaker, S3, Parameter Store). It is shown in two ways: as the sum of two
processes less a bare interpreter, and, more strictly, as one process that does both and so imports
botocore once. All are whole processes, run in turn; the endpoint is kept up first, then starts inside
the command and ends with it.

    python -m benchmarks listing [--versions 1000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measure import Cost, in_turn, process, report
from benchmarks.object_store import free_port, local_sagemaker, server

GATEHOUSE = str(Path(sys.executable).parent / "gatehouse")
GROUP, BUCKET, REGION = "bench-listing", "bench", "eu-west-1"
GOAL_SECONDS = 0.5
_ROUNDS = 5
_WRITERS = 8
_PROJECT = """
[projects.bench.listing]
description = "A benchmark"
owner = "nobody"
region = "eu-west-1"
task = "binary"
accuracy_threshold = 0.5
[projects.bench.listing.data]
source = "rows.csv"
target = "label"
positive_class = "yes"
"""
_HELP = """
from pipelines.commands import main
main(["models", "--help"])
"""
_CLIENTS = f"""
import boto3
for service in ("sagemaker", "s3", "ssm"):
    boto3.client(
        service,
        endpoint_url="http://127.0.0.1:9",
        region_name="{REGION}",
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",
    )
"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks listing", description=__doc__)
    parser.add_argument("--versions", type=int, default=1000, help="how many are registered")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "projects.toml").write_text(_PROJECT)
        home = folder / "home"
        environment = {"GATEHOUSE_HOME": str(home), "GATEHOUSE_SETTINGS": str(folder / "projects.toml")}
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        with server(local_sagemaker(home, port), url) as (s3, _):
            _register(s3, url, options.versions)
            _compare(f"{options.versions:,} versions, the endpoint kept up", environment)
        _compare(f"{options.versions:,} versions, the endpoint inside the command", environment)


def _compare(title: str, environment: Mapping[str, str]) -> None:
    def run(*command: str) -> Cost:
        return process(command, environment=environment)

    listing, usage = "gatehouse models --json", "gatehouse models --help"
    clients, bare, both = 'python -c "import boto3; ..."', "python -c pass", "help and clients in one process"
    ways = {
        listing: lambda: run(GATEHOUSE, "models", GROUP, "--json"),
        usage: lambda: run(GATEHOUSE, "models", "--help"),
        clients: lambda: run(sys.executable, "-c", _CLIENTS),
        bare: lambda: run(sys.executable, "-c", "pass"),
        both: lambda: run(sys.executable, "-c", _HELP + _CLIENTS),
    }
    run(GATEHOUSE, "models", GROUP, "--json")  # the first may compile modules and read cold files
    costs = in_turn(ways, _ROUNDS)
    report(title, costs, listing, {})
    seconds = {name: [run.seconds for run in runs] for name, runs in costs.items()}
    parts = zip(seconds[listing], seconds[usage], seconds[clients], seconds[bare], strict=True)
    _print_beyond("the two processes", [ours - used - (made - empty) for ours, used, made, empty in parts])
    strictly = zip(seconds[listing], seconds[both], strict=True)
    _print_beyond("the one process", [ours - start for ours, start in strictly])


def _print_beyond(start_up: str, beyond: list[float]) -> None:
    print(
        f"  beyond start-up as {start_up}: {statistics.median(beyond):.2f} s"
        f" ({min(beyond):.2f} to {max(beyond):.2f}), goal {GOAL_SECONDS:g} s"
    )


def _register(s3: Any, url: str, count: int) -> None:
    """Register versions by hand, as any pipeline may, with the metrics where evaluation puts them."""
    import boto3

    sagemaker = boto3.client(
        "sagemaker",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",
    )
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)

    def register(number: int) -> None:
        metrics = {name: {"value": 0.5 + number / 10_000} for name in ("accuracy", "auc")}
        key = f"{GROUP}/{number}/statistics.json"
        s3.put_object(
            Bucket=BUCKET, Key=key, Body=json.dumps({"binary_classification_metrics": metrics}).encode()
        )
        statistics_file = {"ContentType": "application/json", "S3Uri": f"s3://{BUCKET}/{key}"}
        sagemaker.create_model_package(
            ModelPackageGroupName=GROUP,
            ModelApprovalStatus="PendingManualApproval",
            ModelMetrics={"ModelQuality": {"Statistics": statistics_file}},
        )

    with ThreadPoolExecutor(_WRITERS) as writers:
        list(writers.map(register, range(count)))


if __name__ == "__main__":
    main()
