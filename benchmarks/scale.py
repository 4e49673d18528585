"""The local SageMaker with ten times as much of everything: nothing is lost, and nothing costs more apiece.

An amount and a tenth of it are measured one after the other, each in a server of its own: how many in a
second, p50 and p99 of the requests, what one costs against one of the tenth in time and in processor time of
the server and its jobs (the goal is 1.25 at most: linear), and the server's peak memory. On a machine that
does other work as well, only the processor time says whether it is linear.

- Executions of a pipeline of one job, all started at once by 32 clients; each has to succeed.
- Steps of one definition, each a job, one after another: what a job costs beyond its own process.
- Objects under one prefix: put by 32 clients, listed to the end, and given to a job as its input.
- A large object: uploaded in parts and downloaded, byte for byte. Much of its time is boto3's own.

Whatever is lost or other than it was ends the benchmark with an error.

    python -m benchmarks scale [--executions 1000] [--steps 100] [--objects 10000] [--megabytes 5000]
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.object_store import busy, free_port, local_sagemaker, peak_mb, server
from benchmarks.raw_clients import drive, operation, put_object

CLIENTS = 32
MOST_APIECE = 1.25
MOST_OVERHEAD_MS = 100
BUCKET, PIPELINE = "bench", "bench"
_TENTH = 10
_LEAST = 2 * _TENTH
"""Of an amount: a tenth has a p99 only from two on."""

_IMAGE = "683313688378.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
_ROLE = "arn:aws:iam::000000000000:role/local"
_PROGRAM = ["sh", "-c", "true"]
_BLOCK = 1_000_000
_FILLER = bytes(range(256)) * 3906 + bytes(56)
"""With a number of 8 bytes before it, a block."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks scale", description=__doc__)
    parser.add_argument("--executions", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=5000)
    options = parser.parse_args(arguments)
    for what, amount, measure in (
        ("executions", options.executions, _executions),
        ("steps, each a job", options.steps, _steps),
        ("objects under a prefix", options.objects, _objects),
        ("MB in one object", options.megabytes, _large_object),
    ):
        if amount >= _LEAST:
            _report(what, amount, measure)
        elif amount:
            parser.error(f"{amount} {what}: give {_LEAST} at least, or 0 to leave them out")


@dataclass(frozen=True)
class Local:
    """A server: boto3's clients of it, its port, its process."""

    url: str
    port: int
    pid: int
    s3: Any

    def client(self, service: str, **config: Any) -> Any:
        """A client with its defaults but for these members of its configuration."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="eu-west-1",
            aws_access_key_id="benchmark",
            aws_secret_access_key="benchmark",
            config=Config(**config),
        )


@dataclass(frozen=True)
class Measured:
    """What was done.

    Attributes:
        count: how many of it, in `seconds` together.
        busy: processor seconds of the server and of its jobs meanwhile.
        each: the seconds of each request, where they were taken.
        remark: what else there is to say.
    """

    name: str
    count: int
    seconds: float
    busy: float
    each: Sequence[float] = ()
    remark: str = ""


Measure = Callable[[Local, int], Iterator[Measured]]


@dataclass(frozen=True)
class Watch:
    """What has passed since it was made."""

    pid: int
    begun: float
    busy: float

    @staticmethod
    def start(local: Local) -> Watch:
        return Watch(local.pid, time.perf_counter(), busy(local.pid, with_children=True))

    def read(self, name: str, count: int, each: Sequence[float] = (), remark: str = "") -> Measured:
        seconds = time.perf_counter() - self.begun
        return Measured(name, count, seconds, busy(self.pid, with_children=True) - self.busy, each, remark)


@contextmanager
def _local() -> Iterator[Local]:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        with server(local_sagemaker(Path(folder) / "home", port), url) as (s3, pid):
            yield Local(url, port, pid, s3)


def _report(what: str, amount: int, measure: Measure) -> None:
    print(f"\n{amount:,} {what}, against {amount // _TENTH:,}")
    tenth: dict[str, Measured] = {}
    for count in (amount // _TENTH, amount):
        with _local() as local:
            for one in measure(local, count):
                apiece = one.seconds / one.count
                line = f"  {one.name + f' ({one.count:,})':<34}{one.seconds:8.2f} s {1 / apiece:10,.0f}/s"
                if one.each:
                    p50, p99 = statistics.median(one.each), statistics.quantiles(one.each, n=100)[98]
                    line += f"   p50 {p50 * 1000:6.1f} ms   p99 {p99 * 1000:7.1f} ms"
                if less := tenth.get(one.name):
                    times = one.count / less.count
                    ratio, of_busy = one.seconds / less.seconds / times, _ratio(one.busy, less.busy) / times
                    line += f"   apiece / of the tenth {ratio:.2f}, busy {of_busy:.2f}, goal {MOST_APIECE:g}"
                tenth.setdefault(one.name, one)
                print(line + (f"   {one.remark}" if one.remark else ""), flush=True)
            print(f"  the server's peak memory {peak_mb(local.pid):6,.0f} MB", flush=True)


def _ratio(more: float, less: float) -> float:
    """Of processor times, whose clock counts in hundredths of a second."""
    return more / less if less else float("nan")


def _job(**members: Any) -> dict[str, Any]:
    return {
        "RoleArn": _ROLE,
        "AppSpecification": {"ImageUri": _IMAGE, "ContainerEntrypoint": _PROGRAM},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        **members,
    }


def _create_pipeline(sagemaker: Any, steps: int, in_parallel: int) -> None:
    definition = {
        "Version": "2020-12-01",
        "Parameters": [],
        "Steps": [
            {"Name": f"s{number}", "Type": "Processing", "Arguments": _job()} for number in range(steps)
        ],
    }
    sagemaker.create_pipeline(
        PipelineName=PIPELINE,
        PipelineDefinition=json.dumps(definition),
        RoleArn=_ROLE,
        ClientRequestToken="t" * 32,
        ParallelismConfiguration={"MaxParallelExecutionSteps": in_parallel},
    )


def _executions(local: Local, count: int) -> Iterator[Measured]:
    sagemaker = local.client("sagemaker")
    _create_pipeline(sagemaker, 1, 1)
    watch = Watch.start(local)
    starts = iter(
        operation(
            "SageMaker.StartPipelineExecution", {"PipelineName": PIPELINE, "ClientRequestToken": f"{n:032}"}
        )
        for n in range(count)
    )
    taken = drive(local.port, CLIENTS, lambda: next(starts, None))
    yield watch.read("StartPipelineExecution", count, taken.each)
    # The newest end last: asking for all of them again and again would be work of its own.
    while _statuses(sagemaker, newest=100)["Executing"] or (statuses := _statuses(sagemaker))["Executing"]:
        time.sleep(0.2)
    if statuses != {"Executing": 0, "Succeeded": count}:
        raise SystemExit(f"benchmark: of {count} executions there are {statuses}")
    yield watch.read("executions ended", count)


def _statuses(sagemaker: Any, newest: int | None = None) -> dict[str, int]:
    """How many executions have each status, of the newest or of all."""
    found = {"Executing": 0}
    paging = {"PageSize": 100} | ({"MaxItems": newest} if newest else {})
    pages = sagemaker.get_paginator("list_pipeline_executions")
    for page in pages.paginate(PipelineName=PIPELINE, SortOrder="Descending", PaginationConfig=paging):
        for one in page["PipelineExecutionSummaries"]:
            status = one["PipelineExecutionStatus"]
            found[status] = found.get(status, 0) + 1
    return found


def _steps(local: Local, count: int) -> Iterator[Measured]:
    sagemaker = local.client("sagemaker")
    _create_pipeline(sagemaker, count, 1)
    watch = Watch.start(local)
    arn = sagemaker.start_pipeline_execution(PipelineName=PIPELINE)["PipelineExecutionArn"]
    while True:
        found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if found["PipelineExecutionStatus"] != "Executing":
            break
        time.sleep(0.05)
    whole = watch.read("jobs", count)
    if found["PipelineExecutionStatus"] != "Succeeded":
        raise SystemExit(f"benchmark: an execution of {count} steps ended as {found}")
    begin, children = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(count):
        subprocess.run(_PROGRAM, check=True)
    alone, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    alone_busy = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    overhead, of_busy = (
        (mine - theirs) / count * 1000 for mine, theirs in ((whole.seconds, alone), (whole.busy, alone_busy))
    )
    beyond = (
        f"beyond its process a job took {overhead:.0f} ms, busy {of_busy:.0f} ms, goal {MOST_OVERHEAD_MS}"
    )
    yield replace(whole, remark=beyond)


def _objects(local: Local, count: int) -> Iterator[Measured]:
    numbers = itertools.count()

    def following() -> bytes | None:
        number = next(numbers)
        return put_object(BUCKET, f"many/{number:06}", b"x" * 1000) if number < count else None

    watch = Watch.start(local)
    taken = drive(local.port, CLIENTS, following)
    yield watch.read("PutObject", count, taken.each)
    watch = Watch.start(local)
    pages = local.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="many/")
    keys = [one["Key"] for page in pages for one in page["Contents"]]
    if keys != [f"many/{number:06}" for number in range(count)]:
        raise SystemExit(f"benchmark: of {count} objects {len(set(keys))} are listed")
    yield watch.read("ListObjectsV2", count)
    watch = Watch.start(local)
    source = {
        "S3Uri": f"s3://{BUCKET}/many/",
        "LocalPath": "/opt/ml/processing/input/many",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    app = {
        "ImageUri": _IMAGE,
        "ContainerEntrypoint": ["sh", "-c", f"test $(ls /opt/ml/processing/input/many | wc -l) = {count}"],
    }
    sagemaker = local.client("sagemaker")
    sagemaker.create_processing_job(
        **_job(
            ProcessingJobName="many",
            ProcessingInputs=[{"InputName": "many", "S3Input": source}],
            AppSpecification=app,
        )
    )
    while (job := sagemaker.describe_processing_job(ProcessingJobName="many"))["ProcessingJobStatus"] in (
        "InProgress",
        "Stopping",
    ):
        time.sleep(0.02)
    if job["ProcessingJobStatus"] != "Completed":
        raise SystemExit(f"benchmark: the job did not get its {count} objects: {job.get('FailureReason')}")
    yield watch.read("a job's input", count)


def _large_object(local: Local, megabytes: int) -> Iterator[Measured]:
    client = local.client("s3", read_timeout=600)
    joining: list[float] = []
    for event in ("before-call", "after-call"):
        client.meta.events.register(
            f"{event}.s3.CompleteMultipartUpload", lambda **_: joining.append(time.perf_counter())
        )
    watch = Watch.start(local)
    client.upload_fileobj(_Blocks(megabytes), BUCKET, "large")
    joined = joining[-1] - joining[0]
    remark = (
        f"its parts were joined in {joined:.1f} s; boto3 waits for an answer for 60 s unless told otherwise"
    )
    yield watch.read("uploaded", megabytes, remark=remark)
    watch = Watch.start(local)
    body = client.get_object(Bucket=BUCKET, Key="large")["Body"]
    for number in range(megabytes):
        if body.read(_BLOCK) != _block(number):
            raise SystemExit(f"benchmark: MB {number} of {megabytes} came back as something else")
    if body.read(1):
        raise SystemExit(f"benchmark: more than {megabytes} MB came back")
    yield watch.read("downloaded", megabytes)


def _block(number: int) -> bytes:
    """One MB that is unlike every other."""
    return number.to_bytes(8, "big") + _FILLER


class _Blocks(io.RawIOBase):
    """A file of so many blocks that takes no space."""

    def __init__(self, blocks: int) -> None:
        self._size, self._place = blocks * _BLOCK, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        count = self._size - self._place if size < 0 else min(size, self._size - self._place)
        first, skipped = divmod(self._place, _BLOCK)
        last = (self._place + count - 1) // _BLOCK
        self._place += count
        return b"".join(map(_block, range(first, last + 1)))[skipped : skipped + count]


if __name__ == "__main__":
    main()
