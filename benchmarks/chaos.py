"""Kills the local SageMaker at random while it is written to, invoked and updated, and counts what was lost.

One endpoint process is killed (SIGKILL) and started again on the same home and port. All the while threads
write in seven ways and note what was acknowledged, others invoke a model endpoint, and one updates that
endpoint back and forth. At the end everything that was acknowledged is looked for.

A request is interrupted if the process was killed, or not up yet, while it was under way: its client got an
error, and knows that it has to ask. A write is lost if it was acknowledged and is not there. A request has
failed if it got an error although no kill explains it. Where anything was lost or has failed, the exit status
is 1.

    python -m benchmarks.chaos --minutes 5
"""

from __future__ import annotations

import argparse
import io
import json
import random
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.object_store import free_port, local_sagemaker

REGION, BUCKET, GROUP, QUEUE, EVENTS, ENDPOINT = "eu-west-1", "chaos", "chaos", "sent", "routed", "chaos"
_START_SECONDS = 60.0
_QUIET_SECONDS = 30.0
"""How long it may take until the next event is delivered at the end, before the rest counts as lost."""

_SCRIPT = """
import os
def model_fn(model_dir):
    return open(os.path.join(model_dir, "name")).read()
def input_fn(body, content_type):
    return body
def predict_fn(data, model):
    return f"{model} {data}"
def output_fn(prediction, accept):
    return prediction, "text/plain"
"""

Acknowledged = Mapping[int, list[int]]
"""The numbers of a kind's acknowledged writes, in their order, by writer."""


class Server:
    """The endpoint process that is killed and started again."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.kills = 0
        self._command = local_sagemaker(folder / "home", port)
        self._log = folder / "server.log"
        self._up = False
        self._process = self._started()

    @property
    def era(self) -> tuple[int, bool]:
        """Changes with each kill, and when the process is up again."""
        return self.kills, self._up

    def kill_and_start(self) -> None:
        self.kills, self._up = self.kills + 1, False
        self._process.kill()
        self._process.wait()
        self._process = self._started()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(self._command, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"chaos: the local SageMaker does not start:\n{self._log.read_text()}")
            time.sleep(0.02)
        self._up = True
        return process

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Clients:
    """boto3 clients of one thread, made when they are first used; each request is sent once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        if service not in self._made:
            self._made[service] = boto3.session.Session().client(
                service,
                endpoint_url=self._url,
                region_name=REGION,
                aws_access_key_id="chaos",
                aws_secret_access_key="chaos",
                config=Config(
                    s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=120
                ),
            )
        return self._made[service]


@dataclass(frozen=True)
class Kind:
    """A way to write.

    Attributes:
        write: writes number `number` of writer `writer`; it is acknowledged when this returns.
        lost: what is not there of what was acknowledged, in words.
    """

    name: str
    write: Callable[[Clients, int, int], object]
    lost: Callable[[Clients, Acknowledged], Iterable[str]]


def _content(writer: int, number: int) -> bytes:
    return f"{writer}-{number} ".encode() * 2000


def _put_object(clients: Clients, writer: int, number: int) -> None:
    clients("s3").put_object(Bucket=BUCKET, Key=f"new/{writer}/{number}", Body=_content(writer, number))


def _lost_objects(clients: Clients, acknowledged: Acknowledged) -> Iterable[str]:
    s3 = clients("s3")
    for writer, numbers in acknowledged.items():
        for number in numbers:
            key = f"new/{writer}/{number}"
            try:
                body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            except s3.exceptions.NoSuchKey:
                yield f"object {key} is not there"
                continue
            if body != _content(writer, number):
                yield f"object {key} has another content"


def _overwrite_object(clients: Clients, writer: int, number: int) -> None:
    clients("s3").put_object(Bucket=BUCKET, Key=f"last/{writer}", Body=b"%d" % number)


def _lost_overwrites(clients: Clients, acknowledged: Acknowledged) -> Iterable[str]:
    for writer, numbers in acknowledged.items():
        kept = int(clients("s3").get_object(Bucket=BUCKET, Key=f"last/{writer}")["Body"].read())
        yield from (f"overwrite {number} of last/{writer}" for number in numbers if number > kept)


def _delete_object(clients: Clients, writer: int, number: int) -> None:
    key = f"gone/{writer}/{number}"
    clients("s3").put_object(Bucket=BUCKET, Key=key, Body=b"to be deleted")
    clients("s3").delete_object(Bucket=BUCKET, Key=key)


def _lost_deletions(clients: Clients, acknowledged: Acknowledged) -> Iterable[str]:
    pages = clients("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="gone/")
    there = {item["Key"] for page in pages for item in page.get("Contents", [])}
    deleted = {f"gone/{writer}/{number}" for writer, numbers in acknowledged.items() for number in numbers}
    return (f"deletion of {key}" for key in sorted(there & deleted))


def _register(clients: Clients, writer: int, number: int) -> None:
    description = f"{writer}-{number}"
    clients("sagemaker").create_model_package(
        ModelPackageGroupName=GROUP, ModelPackageDescription=description
    )


def _lost_versions(clients: Clients, acknowledged: Acknowledged) -> Iterable[str]:
    pages = clients("sagemaker").get_paginator("list_model_packages").paginate(ModelPackageGroupName=GROUP)
    found = [item for page in pages for item in page["ModelPackageSummaryList"]]
    there = Counter(item["ModelPackageDescription"] for item in found)
    yield from (f"version {name}" for name in _names(acknowledged) if not there[name])
    numbers = [item["ModelPackageVersion"] for item in found]
    if sorted(numbers) != list(range(1, len(numbers) + 1)):
        yield "numbers of versions: they have a gap, or one was given twice"


def _put_parameter(clients: Clients, writer: int, number: int) -> None:
    clients("ssm").put_parameter(Name=f"/chaos/{writer}", Value=str(number), Type="String", Overwrite=True)


def _lost_parameters(clients: Clients, acknowledged: Acknowledged) -> Iterable[str]:
    for writer, numbers in acknowledged.items():
        kept = int(clients("ssm").get_parameter(Name=f"/chaos/{writer}")["Parameter"]["Value"])
        yield from (f"value {number} of /chaos/{writer}" for number in numbers if number > kept)


def _queue_url(clients: Clients, name: str) -> str:
    return str(clients("sqs").get_queue_url(QueueName=name)["QueueUrl"])


def _send_message(clients: Clients, writer: int, number: int) -> None:
    clients("sqs").send_message(QueueUrl=_queue_url(clients, QUEUE), MessageBody=f"{writer}-{number}")


def _lost_messages(clients: Clients, acknowledged: Acknowledged) -> Iterable[str]:
    there = _received(clients, QUEUE, set(), quiet=0.0)
    return (f"message {name}" for name in _names(acknowledged) if name not in there)


def _put_event(clients: Clients, writer: int, number: int) -> None:
    detail = json.dumps({"write": f"{writer}-{number}"})
    entry = {"Source": "chaos", "DetailType": "write", "Detail": detail}
    answer = clients("events").put_events(Entries=[entry])
    assert not answer["FailedEntryCount"], answer


def _lost_events(clients: Clients, acknowledged: Acknowledged) -> Iterable[str]:
    names = set(_names(acknowledged))
    bodies = _received(clients, EVENTS, names, quiet=_QUIET_SECONDS)
    return (f"event {name}" for name in sorted(names - bodies))


def _received(clients: Clients, queue: str, awaited: set[str], quiet: float) -> set[str]:
    """What is in a queue, read until it is empty and nothing awaited comes for `quiet` seconds."""
    sqs, url = clients("sqs"), _queue_url(clients, queue)
    found: set[str] = set()
    last = time.monotonic()
    while True:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=43_200)
        for message in messages.get("Messages", []):
            body = message["Body"]
            found.add(json.loads(body)["detail"]["write"] if body.startswith("{") else body)
            last = time.monotonic()
        if not messages.get("Messages"):
            if awaited <= found or time.monotonic() - last > quiet:
                return found
            time.sleep(0.1)


def _names(acknowledged: Acknowledged) -> list[str]:
    return [f"{writer}-{number}" for writer, numbers in acknowledged.items() for number in numbers]


KINDS = (
    Kind("objects", _put_object, _lost_objects),
    Kind("overwrites", _overwrite_object, _lost_overwrites),
    Kind("deletions", _delete_object, _lost_deletions),
    Kind("versions", _register, _lost_versions),
    Kind("parameters", _put_parameter, _lost_parameters),
    Kind("messages", _send_message, _lost_messages),
    Kind("events", _put_event, _lost_events),
)


@dataclass
class Counts:
    """What has happened, by kind of write; requests are those to the model endpoint."""

    acknowledged: dict[str, dict[int, list[int]]] = field(
        default_factory=lambda: {kind.name: defaultdict(list) for kind in KINDS}
    )
    interrupted: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    updates: int = 0
    failures: list[str] = field(default_factory=list)


class Chaos:
    """The threads of one run."""

    def __init__(self, server: Server) -> None:
        self.counts = Counts()
        self._server = server
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self, writers: int, invokers: int) -> None:
        works: list[Callable[[], None]] = [
            lambda kind=kind, writer=writer: self._write(kind, writer)  # type: ignore[misc]
            for kind in KINDS
            for writer in range(writers)
        ]
        works += [self._invoke] * invokers + [self._update]
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _attempt(self, what: str, request: Callable[[], object]) -> bool:
        """Whether a request was acknowledged; if not, it is counted."""
        before = self._server.era
        try:
            request()
        except Exception as error:
            with self._lock:
                if before == self._server.era and before[1]:
                    self.counts.failures.append(f"{what}: {type(error).__name__}: {error}")
                else:
                    self.counts.interrupted[what] += 1
            self._ended.wait(0.05)
            return False
        return True

    def _write(self, kind: Kind, writer: int) -> None:
        clients, number = Clients(self._server.url), 0
        while not self._ended.is_set():
            if self._attempt(kind.name, lambda: kind.write(clients, writer, number)):  # noqa: B023
                self.counts.acknowledged[kind.name][writer].append(number)
            number += 1

    def _invoke(self) -> None:
        clients = Clients(self._server.url)

        def request() -> None:
            answer = clients("sagemaker-runtime").invoke_endpoint(
                EndpointName=ENDPOINT, Body=b"row", ContentType="text/csv"
            )
            body = answer["Body"].read()
            if body not in (b"blue row", b"green row"):
                raise ValueError(f"answered {body!r}")

        while not self._ended.is_set():
            if self._attempt("requests", request):
                with self._lock:
                    self.counts.answered += 1

    def _update(self) -> None:
        sagemaker = Clients(self._server.url)("sagemaker")

        def status() -> str:
            return str(sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointStatus"])

        def update() -> None:
            if status() == "InService":
                config = ("green", "blue")[self.counts.updates % 2]
                sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=config)
            while not self._ended.is_set() and status() == "Updating":
                self._ended.wait(0.05)

        while not self._ended.is_set():
            if self._attempt("updates", update):
                self.counts.updates += 1


def prepare(clients: Clients) -> None:
    """Make what is written to, and a model endpoint with two configurations."""
    s3, sagemaker, sqs = clients("s3"), clients("sagemaker"), clients("sqs")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    sqs.create_queue(QueueName=QUEUE)
    url = sqs.create_queue(QueueName=EVENTS)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    clients("events").put_rule(Name="writes", EventPattern=json.dumps({"source": ["chaos"]}))
    clients("events").put_targets(Rule="writes", Targets=[{"Id": "queue", "Arn": arn}])
    for colour in ("blue", "green"):
        s3.put_object(Bucket=BUCKET, Key=f"{colour}/model.tar.gz", Body=_artifact(colour))
        container = {
            "Image": "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0",
            "ModelDataUrl": f"s3://{BUCKET}/{colour}/model.tar.gz",
            "Environment": {
                "SAGEMAKER_PROGRAM": "inference.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            },
        }
        sagemaker.create_model(ModelName=colour, PrimaryContainer=container)
        variant = {"VariantName": "all", "ModelName": colour, "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(
            EndpointConfigName=colour, ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}]
        )
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="blue")
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName=ENDPOINT, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )


def _artifact(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, text in (("name", name), ("code/inference.py", _SCRIPT)):
            member = tarfile.TarInfo(path)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def lost(clients: Clients, acknowledged: Mapping[str, Acknowledged]) -> dict[str, list[str]]:
    """What is not there of what was acknowledged, by kind of write."""
    return {kind.name: list(kind.lost(clients, acknowledged[kind.name])) for kind in KINDS}


def report(counts: Counts, missing: Mapping[str, list[str]], kills: int) -> bool:
    """Print the counts; whether nothing was lost and nothing has failed."""
    print(f"{kills} kills, {counts.updates} endpoint updates")
    totals = {name: sum(map(len, writers.values())) for name, writers in counts.acknowledged.items()}
    for name, total in (*totals.items(), ("all writes", sum(totals.values()))):
        interrupted = (
            counts.interrupted[name] if name in totals else sum(counts.interrupted[n] for n in totals)
        )
        gone = len(missing[name]) if name in totals else sum(map(len, missing.values()))
        print(f"  {name:<12} acknowledged {total:>7,}   lost {gone:>3}   interrupted {interrupted:>5,}")
    print(f"  {'requests':<12} answered     {counts.answered:>7,}   failed {len(counts.failures)}", end="")
    print(f"   interrupted {counts.interrupted['requests']:>5,}")
    for problem in [*counts.failures, *(one for found in missing.values() for one in found)][:20]:
        print(f"  {problem}")
    return not counts.failures and not any(missing.values())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default %(default)s)")
    parser.add_argument("--kill-every", type=float, default=8.0, help="seconds, on average (%(default)s)")
    parser.add_argument("--writers", type=int, default=2, help="threads for each kind of write (%(default)s)")
    parser.add_argument("--invokers", type=int, default=3, help="threads that invoke (%(default)s)")
    parser.add_argument("--seed", type=int, help="of the times between kills")
    options = parser.parse_args(arguments)
    choices = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        clients = Clients(server.url)
        try:
            prepare(clients)
            chaos = Chaos(server)
            chaos.start(options.writers, options.invokers)
            until = time.monotonic() + options.minutes * 60
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(left, options.kill_every * choices.uniform(0.3, 1.7)))
                server.kill_and_start()
            chaos.end()
            missing = lost(Clients(server.url), chaos.counts.acknowledged)
        finally:
            server.stop()
    return 0 if report(chaos.counts, missing, server.kills) else 1


if __name__ == "__main__":
    sys.exit(main())
