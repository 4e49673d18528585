"""The local SageMaker under load: who waits, long logs, long lists. Every figure is a ratio.

- While 64 long polls wait for messages, ListModels is asked for; against the same with nobody waiting.
- A log of a job is searched for a line by FilterLogEvents; against `grep` on the same file. The longest page
  says how long a client waits at most, and the server's memory is taken before and after.
- Pages of ten among 10 000 objects; against the same among ten objects of another region of the same home.

    python -m benchmarks load [--objects 10000] [--log-mb 2000]
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Cost, in_turn, report, timed
from benchmarks.object_store import free_port, local_sagemaker, peak_mb, server

POLLS = 64
FEW, FEW_REGION, MANY_REGION = 10, "eu-west-1", "eu-central-1"
_ROUNDS = 7
_PAGES = 40
_IMAGE = "683313688378.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
_ROLE = "arn:aws:iam::000000000000:role/local"

Send = Callable[..., Any]
"""Sends one request: its target, its members, and perhaps the region."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks load", description=__doc__)
    parser.add_argument("--objects", type=int, default=10_000, help="in the long lists")
    parser.add_argument("--log-mb", type=int, default=2000, help="of the log that is searched")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder) / "home", free_port()
        with server(local_sagemaker(home, port), f"http://127.0.0.1:{port}") as (_, pid):
            _waiting(port)
            _lists(port, options.objects)
            _long_log(port, pid, home, options.log_mb)


def connection(port: int) -> Send:
    """A kept-alive connection, without the cost of a client library."""
    wire = http.client.HTTPConnection("127.0.0.1", port)

    def send(target: str, members: dict[str, Any], region: str = FEW_REGION) -> Any:
        service = {"SageMaker": "sagemaker", "AmazonSQS": "sqs", "AmazonSSM": "ssm", "Logs_20140328": "logs"}[
            target.partition(".")[0]
        ]
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential=b/20260101/{region}/{service}/aws4_request",
            "X-Amz-Target": target,
        }
        wire.request("POST", "/", json.dumps(members), headers)
        response = wire.getresponse()
        body = response.read()
        if response.status != 200:
            raise SystemExit(f"benchmark: {target} was answered with {response.status}: {body!r}")
        return json.loads(body or b"{}")

    return send


@contextmanager
def _long_polls(port: int) -> Iterator[None]:
    """64 receivers that wait; they are given a message each in the end."""
    send = connection(port)
    queue = send("AmazonSQS.CreateQueue", {"QueueName": "waited-for"})["QueueUrl"]
    request = {"QueueUrl": queue, "WaitTimeSeconds": 20}

    def poll() -> None:
        while not connection(port)("AmazonSQS.ReceiveMessage", request).get("Messages"):
            pass

    polls = [threading.Thread(target=poll) for _ in range(POLLS)]
    for one in polls:
        one.start()
    time.sleep(1)  # until all of them wait
    yield
    for _ in polls:
        send("AmazonSQS.SendMessage", {"QueueUrl": queue, "MessageBody": "x"})
    for one in polls:
        one.join()


def _waiting(port: int) -> None:
    send = connection(port)

    def lists() -> Cost:
        return timed(lambda: [send("SageMaker.ListModels", {}) for _ in range(_PAGES)])

    lists()
    waiting, nobody = f"{POLLS} long polls wait", "nobody waits"
    costs: dict[str, list[Cost]] = {waiting: [], nobody: []}
    for _ in range(3):
        costs[nobody].append(lists())
        with _long_polls(port):
            costs[waiting].append(lists())
    report(f"{_PAGES} ListModels, one after another", costs, waiting, {nobody: 1.5})


def _lists(port: int, count: int) -> None:
    def put_model(send: Send, number: int, region: str) -> None:
        container = {"Image": _IMAGE, "ModelDataUrl": "s3://bench/model.tar.gz"}
        members = {"ModelName": f"m-{number:06}", "PrimaryContainer": container, "ExecutionRoleArn": _ROLE}
        send("SageMaker.CreateModel", members, region)

    def put_version(send: Send, number: int, region: str) -> None:
        approval = "Approved" if number % 2 else "PendingManualApproval"
        members = {"ModelPackageGroupName": "bench", "ModelApprovalStatus": approval}
        send("SageMaker.CreateModelPackage", {**members, "ClientToken": f"token-{number}"}, region)

    def put_parameter(send: Send, number: int, region: str) -> None:
        send("AmazonSSM.PutParameter", {"Name": f"/b/{number:06}", "Value": "v", "Type": "String"}, region)

    group = {"ModelPackageGroupName": "bench", "MaxResults": 10}
    asked = {
        put_model: {
            "ListModels": ("SageMaker.ListModels", {"MaxResults": 10}),
            "ListModels by name": ("SageMaker.ListModels", {"MaxResults": 10, "SortBy": "Name"}),
            "ListModels, NameContains": ("SageMaker.ListModels", {"MaxResults": 10, "NameContains": "m-00"}),
        },
        put_version: {
            "ListModelPackages": ("SageMaker.ListModelPackages", group),
            "ListModelPackages, five that are pending": (
                "SageMaker.ListModelPackages",
                {**group, "ModelApprovalStatus": "PendingManualApproval", "MaxResults": 5},
            ),
        },
        put_parameter: {
            "GetParametersByPath": ("AmazonSSM.GetParametersByPath", {"Path": "/b", "MaxResults": 10}),
            "DescribeParameters": ("AmazonSSM.DescribeParameters", {"MaxResults": 10}),
        },
    }
    send = connection(port)
    for put, operations in asked.items():
        for region, objects in ((FEW_REGION, FEW), (MANY_REGION, count)):
            if put is put_version:
                send("SageMaker.CreateModelPackageGroup", {"ModelPackageGroupName": "bench"}, region)
            _fill(port, put, objects, region)
        for name, (target, members) in operations.items():
            ways = {
                f"among {count:,}": _paging(send, target, members, MANY_REGION),
                f"among {FEW}": _paging(send, target, members, FEW_REGION),
            }
            costs = in_turn(ways, _ROUNDS)
            report(f"{name}: {_PAGES} times a page of ten", costs, f"among {count:,}", {f"among {FEW}": 1.5})


def _paging(send: Send, target: str, members: dict[str, Any], region: str) -> Callable[[], Cost]:
    return lambda: timed(lambda: [send(target, members, region) for _ in range(_PAGES)])


def _fill(port: int, put: Callable[[Send, int, str], None], count: int, region: str) -> None:
    numbers = iter(range(count))
    lock = threading.Lock()

    def write(_worker: int) -> None:
        send = connection(port)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            put(send, number, region)

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(write, range(8)))


def _long_log(port: int, pid: int, home: Path, megabytes: int) -> None:
    send = connection(port)
    job = {
        "ProcessingJobName": "prints",
        "RoleArn": _ROLE,
        "AppSpecification": {
            "ImageUri": _IMAGE,
            "ContainerEntrypoint": [
                "bash",
                "-c",
                "yes 'a line of a job that prints a lot and that nobody looks for'"
                f" | head -c {megabytes}M; echo; echo 'ERROR what is looked for'",
            ],
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
    }
    send("SageMaker.CreateProcessingJob", job)
    while send("SageMaker.DescribeProcessingJob", {"ProcessingJobName": "prints"})[
        "ProcessingJobStatus"
    ] not in ("Completed", "Failed"):
        time.sleep(0.2)
    (log,) = home.glob("jobs/*/prints/*/log")
    pages: list[float] = []

    def search() -> None:
        request = {"logGroupName": "/aws/sagemaker/ProcessingJobs", "filterPattern": "ERROR"}
        found, answer = [], {"nextToken": None}
        while "nextToken" in answer:
            token = {"nextToken": answer["nextToken"]} if answer["nextToken"] else {}
            started = time.perf_counter()
            answer = send("Logs_20140328.FilterLogEvents", {**request, **token})
            pages.append(time.perf_counter() - started)
            found += answer["events"]
        if len(found) != 1:
            raise SystemExit(f"benchmark: {len(found)} lines were found instead of 1")

    def grep() -> None:
        subprocess.run(["grep", "-c", "ERROR", str(log)], stdout=subprocess.DEVNULL, check=True)

    before = peak_mb(pid)
    ways = {"FilterLogEvents": lambda: timed(search), "grep": lambda: timed(grep)}
    costs = in_turn(ways, 3)
    size = log.stat().st_size >> 20
    report(f"One line in a log of {size:,} MB", costs, "FilterLogEvents", {})
    print(
        f"  {len(pages) // 3} pages, the longest {max(pages):.2f} s; the server's peak memory grew by"
        f" {peak_mb(pid) - before:.0f} MB"
    )


if __name__ == "__main__":
    main()
