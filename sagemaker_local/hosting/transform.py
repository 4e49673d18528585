"""Batch transform jobs: every object under an S3 prefix through a model, to one of its name and `.out`.

A job has a thread. It starts a fleet of its own from the model, as an endpoint would, sends the objects
through it piece by piece, several at once and in order, and writes each object's answers to a file that
becomes the output object when it is whole. Neither an input nor an output is held in memory.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from sagemaker_local import abandoned
from sagemaker_local.abandoned import OwnedKind
from sagemaker_local.hosting import router
from sagemaker_local.hosting.deployment import read_deployment
from sagemaker_local.hosting.fleet import Fleet
from sagemaker_local.hosting.instance import Site
from sagemaker_local.jobs import transfer
from sagemaker_local.jobs.failure import LIMIT, JobFailure, JobStopped, client_error, disk_failure
from sagemaker_local.jobs.phases import UNDER_WAY
from sagemaker_local.jobs.places import OutputFile

if TYPE_CHECKING:
    from sagemaker_local.home import Home, Owner
    from sagemaker_local.jobs.job import JobContext
    from sagemaker_local.store import Document, Key, Store

TRANSFORM_JOB = "transform-job"
LOG_GROUP = "/aws/sagemaker/TransformJobs"
ENDED = ("Completed", "Failed", "Stopped")

DEFAULT_PAYLOAD_MB = 6
_TIMEOUT_SECONDS = 600
_STORE_LOOKS = 1.0
_STOP_LOOKS = 0.05
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a job does with each object.

    Attributes:
        largest: bytes of a payload; None for any number.
        parallel: requests under way at once.
        retries: how often a payload is sent again after an error of the model server's own.
    """

    content_type: str | None
    accept: str | None
    gzipped: bool
    by_line: bool
    one_record_each: bool
    line_after_each: bool
    largest: int | None
    parallel: int
    timeout: float
    retries: int


def read_plan(document: Document) -> Plan:
    """The plan that a request, or a job's document, means."""
    source, target = document["TransformInput"], document["TransformOutput"]
    client = document.get("ModelClientConfig", {})
    megabytes = document.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB)
    instances = document["TransformResources"]["InstanceCount"]
    return Plan(
        content_type=source.get("ContentType"),
        accept=target.get("Accept"),
        gzipped=source.get("CompressionType", "None") == "Gzip",
        by_line=source.get("SplitType", "None") == "Line",
        one_record_each=document.get("BatchStrategy") == "SingleRecord",
        line_after_each=target.get("AssembleWith", "None") == "Line",
        largest=megabytes << 20 if megabytes else None,
        parallel=instances * max(1, document.get("MaxConcurrentTransforms", 1)),
        timeout=client.get("InvocationsTimeoutInSeconds", _TIMEOUT_SECONDS),
        retries=client.get("InvocationsMaxRetries", 0),
    )


def payloads(source: BinaryIO, plan: Plan) -> Iterator[bytes]:
    """One object's content in the pieces that the model is sent; empty lines are no records.

    Raises:
        JobFailure: a record is larger than a payload may be.
    """
    if not plan.by_line:
        content = source.read() if plan.largest is None else source.read(plan.largest + 1)
        _check_size(len(content), plan, "the object")
        yield content
        return
    batch: list[bytes] = []
    size = 0
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        _check_size(len(line), plan, f"line {number}")
        full = plan.largest is not None and size + len(line) > plan.largest
        if batch and (full or plan.one_record_each):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield b"".join(batch)


def _check_size(size: int, plan: Plan, what: str) -> None:
    if plan.largest is not None and size > plan.largest:
        raise client_error(
            f"{what} has more than MaxPayloadInMB, {plan.largest >> 20} MB. Raise it, or split the object by"
            " SplitType Line."
        )


class TransformJobs:
    """The transform jobs that this process runs."""

    def __init__(self, home: Home, owner: Owner, store: Store, context: JobContext) -> None:
        self._home = home
        self._owner = owner
        self._store = store
        self._context = context
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], _Run] = {}
        self._closing = threading.Event()

    def start(self, region: str, name: str) -> None:
        """Run a job whose document is in the store; returns at once."""
        run = _Run(self, region, name)
        with self._lock:
            self._running[region, name] = run
        run.thread.start()

    def stop(self, region: str, name: str) -> None:
        """Let a job end whose document says Stopping, if it runs here."""
        with self._lock:
            run = self._running.get((region, name))
        if run is not None:
            run.stop()

    def up_to_date(self, document: Document) -> Document:
        """The job's document, now Failed if the process that ran it has died."""
        return abandoned.up_to_date(self._store, self._owner, OWNED, document) or document

    def recover(self) -> None:
        """Mark jobs Failed whose owner died."""
        abandoned.end_all(self._store, self._owner, OWNED)

    def close(self) -> None:
        """Stop every job of this process and wait until all have ended."""
        self._closing.set()
        with self._lock:
            runs = list(self._running.values())
        for run in runs:
            run.stop()
        for run in runs:
            run.thread.join()

    def _site(self, region: str, name: str) -> Site:
        return Site(self._home, self._owner, self._store, region, name, LOG_GROUP, self._context)


class _Run:
    """One job under way."""

    def __init__(self, jobs: TransformJobs, region: str, name: str) -> None:
        self._jobs = jobs
        self._region = region
        self._name = name
        self._asked = threading.Event()
        self._looked = time.monotonic()
        self._fleet: Fleet | None = None
        self._lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, name=f"transform job {name}", daemon=True)

    def stop(self) -> None:
        with self._lock:
            self._asked.set()
            if self._fleet is not None:
                self._fleet.cancel()

    def _run(self) -> None:
        status, reason = "Completed", None
        try:
            self._carry_out()
        except JobStopped:
            status = "Stopped"
        except JobFailure as failure:
            status, reason = ("Stopped", None) if self._asked.is_set() else ("Failed", str(failure)[:LIMIT])
        except Exception as problem:
            # A fault of this service must end the job, not leave it InProgress for ever.
            _log.exception("transform job %s broke down", self._name)
            status, reason = "Failed", f"InternalServerError: {problem!r}"[:LIMIT]
        try:
            self._jobs._store.write_until_possible(
                lambda: self._update(lambda document: _end(document, status, reason)),
                giving_up=self._jobs._closing,
            )
        finally:
            with self._jobs._lock:
                del self._jobs._running[self._region, self._name]

    def _update(self, change: Callable[[Document], None]) -> None:
        self._jobs._store.update(TRANSFORM_JOB, self._region, self._name, change)

    def _carry_out(self) -> None:
        document = self._jobs._store.get(TRANSFORM_JOB, self._region, self._name)
        assert document is not None
        objects = self._jobs._context.objects
        source = document["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        target = document["TransformOutput"]["S3OutputPath"]
        inputs = transfer.sources(objects, source, self._region, "")
        transfer.require_bucket(objects, target, "TransformOutput")
        folder = self._jobs._home.jobs / TRANSFORM_JOB / f"{self._name}.{self._region}"
        folder.mkdir(parents=True, exist_ok=True)
        fleet = Fleet(self._jobs._site(self._region, self._name), read_deployment(document["_Deployment"]))
        with self._lock:
            self._fleet = fleet
        self._check()
        try:
            fleet.start()
            self._update(lambda current: current.update(TransformStartTime=time.time()))
            work = self._transform_all(fleet, read_plan(document), inputs, folder / "output", target)
            asyncio.run(work)
        except OSError as problem:
            raise disk_failure("transforming", problem) from problem
        finally:
            fleet.close()
            shutil.rmtree(folder, ignore_errors=True)

    async def _transform_all(
        self, fleet: Fleet, plan: Plan, inputs: list[transfer.Source], output: Path, target: str
    ) -> None:
        """All objects, one after another, in one event loop: the fleet's connections belong to it."""
        work = asyncio.current_task()
        assert work is not None
        watch = asyncio.create_task(self._cancel_when_stopped(work))
        try:
            for one in inputs:
                await self._transform(fleet, plan, one, output)
                left = OutputFile(f"{one.name}.out", output, shared=False)
                transfer.upload(self._jobs._context.objects, [left], target, "TransformOutput", self._check)
        except asyncio.CancelledError as cancelled:
            raise JobStopped from cancelled
        finally:
            watch.cancel()

    async def _cancel_when_stopped(self, work: asyncio.Task[None]) -> None:
        """A model may compute for long: whoever stops the job does not wait for it."""
        while not self._stop_is_asked():
            await asyncio.sleep(_STOP_LOOKS)
        work.cancel()

    async def _transform(self, fleet: Fleet, plan: Plan, one: transfer.Source, output: Path) -> None:
        """One object's answers, in its own order, to a file."""
        under_way: deque[asyncio.Task[bytes]] = deque()
        with one.info.path.open("rb") as raw, output.open("wb") as writer:
            source = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if plan.gzipped else raw
            try:
                for body in payloads(source, plan):
                    self._check()
                    under_way.append(asyncio.create_task(self._send(fleet, plan, body, one.info.key)))
                    if len(under_way) >= plan.parallel:
                        _add(writer, await under_way.popleft(), plan)
                while under_way:
                    _add(writer, await under_way.popleft(), plan)
            except (gzip.BadGzipFile, EOFError) as broken:
                raise client_error(f"{one.info.key} is no gzip file: {broken}.") from broken
            finally:
                for task in under_way:
                    task.cancel()

    async def _send(self, fleet: Fleet, plan: Plan, body: bytes, key: str) -> bytes:
        request = router.Request(body, plan.content_type, plan.accept)
        left = plan.retries
        while True:
            try:
                answer = await router.send(fleet, router.choose_variant(fleet), request, plan.timeout)
            except router.NotReady as problem:
                raise JobFailure("AlgorithmError", "the model server keeps ending; see its log.") from problem
            except router.ContainerError as problem:
                if problem.status in range(400, 500) or not left:
                    kind = "ClientError" if problem.status in range(400, 500) else "AlgorithmError"
                    raise JobFailure(
                        kind, f"{key}: the model answered {problem.status}: {problem.message}"
                    ) from problem
                left -= 1
            else:
                return answer.body

    def _check(self) -> None:
        """Raises JobStopped once somebody has asked for it."""
        if self._stop_is_asked():
            raise JobStopped

    def _stop_is_asked(self) -> bool:
        """By this process, or by another one through the store."""
        if time.monotonic() - self._looked > _STORE_LOOKS:
            self._looked = time.monotonic()
            document = self._jobs._store.get(TRANSFORM_JOB, self._region, self._name)
            if document is not None and document["TransformJobStatus"] == "Stopping":
                self._asked.set()
        return self._asked.is_set()


def _add(writer: BinaryIO, answer: bytes, plan: Plan) -> None:
    writer.write(answer)
    if plan.line_after_each and not answer.endswith(b"\n"):
        writer.write(b"\n")


def _end(document: dict[str, Any], status: str, reason: str | None) -> None:
    document.update(TransformJobStatus=status, TransformEndTime=time.time())
    if reason is not None:
        document["FailureReason"] = reason


def _fail_abandoned(store: Store, key: Key, document: Document) -> None:
    _end(document, "Failed", "InternalServerError: the process that ran this job ended before the job did.")
    store.put(key.kind, key.region, key.name, document)


OWNED = OwnedKind(
    kind=TRANSFORM_JOB,
    name_member="TransformJobName",
    arn_member="TransformJobArn",
    status_member="TransformJobStatus",
    under_way=UNDER_WAY,
    end=_fail_abandoned,
)
