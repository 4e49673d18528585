"""One batch transform job that runs: a fleet of its own, and every object through it.

The objects are sent piece by piece, several pieces at once, and each object's answers are written in their
order to a file that becomes the output object when it is whole. Neither an input nor an output is held in
memory. A stop is read here, or, where another process has written it, from the store once a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import shutil
import sqlite3
import threading
import time
import zlib
from collections import deque
from pathlib import Path
from typing import BinaryIO, cast

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError
from sagemaker_local.hosting import router
from sagemaker_local.hosting.batch_capture import BatchCapture
from sagemaker_local.hosting.capture_writer import note
from sagemaker_local.hosting.fleet import Fleet
from sagemaker_local.hosting.fleet_spec import read_spec
from sagemaker_local.hosting.instance import FleetContext
from sagemaker_local.hosting.payloads import TransformPlan, payloads, read_plan
from sagemaker_local.jobs import transfer
from sagemaker_local.jobs.failure import LIMIT, JobFailure, JobStopped, client_error, disk_failure
from sagemaker_local.jobs.places import OutputFile
from sagemaker_local.store import Document

TRANSFORM_JOB = "transform-job"

_READ_STORE_EVERY = 1.0
_CHECK_EVERY = 0.05
_log = logging.getLogger(__name__)


class TransformRun:
    """A transform job that this process runs.

    Attributes:
        ended: set once the job's end is written.
    """

    def __init__(self, document: Document, context: FleetContext) -> None:
        self.ended = threading.Event()
        self.name: str = document["TransformJobName"]
        self._document = document
        self._context = context
        self._store = context.store
        self._region = context.region
        self._objects = context.job_context.objects
        self._folder = context.home.jobs / TRANSFORM_JOB / f"{self.name}.{context.region}"
        self._fleet = Fleet(context, read_spec(document))
        self._stop_requested = threading.Event()
        self._store_read = time.monotonic()
        self._started = 0.0

    def stop(self) -> None:
        """Let the job end soon, from another thread."""
        self._stop_requested.set()
        self._fleet.cancel()

    def carry_out(self) -> Document:
        """Run the job; how it ended."""
        try:
            self._carry_out()
        except JobStopped:
            return {"TransformJobStatus": "Stopped"}
        except JobFailure as failure:
            if self._stop_requested.is_set():
                return {"TransformJobStatus": "Stopped"}
            return _failed(str(failure))
        except Exception as problem:
            # A fault of this service must end the job, not leave it InProgress for ever.
            _log.exception("transform job %s failed unexpectedly", self.name)
            return _failed(f"InternalServerError: {problem!r}")
        return {"TransformJobStatus": "Completed"}

    def _carry_out(self) -> None:
        source = self._document["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        target = self._document["TransformOutput"]["S3OutputPath"]
        inputs = transfer.sources(self._objects, source, self._region, "")
        transfer.require_bucket(self._objects, target, "TransformOutput")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._check()
            self._fleet.start()
            self._started = self._note_start()
            plan = read_plan(self._document)
            asyncio.run(self._transform_all(plan, inputs, target))
            self._capture(plan.capture, inputs, target)
        except OSError as problem:
            raise disk_failure("transforming", problem) from problem
        finally:
            self._fleet.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _note_start(self) -> float:
        """Write when the job started; POSIX seconds."""
        started = clocks.now_in(self._document)

        def change(document: Document) -> None:
            document["TransformStartTime"] = started

        self._store.update(TRANSFORM_JOB, self._region, self.name, change)
        return started

    def _capture(self, capture: BatchCapture | None, inputs: list[transfer.Source], target: str) -> None:
        """Write the manifests; what cannot be written is said in the log, and fails no job."""
        if capture is None:
            return
        output = transfer.parse_uri(target)
        try:
            capture.write_manifests(
                self._objects, self.name, self._started, inputs, (output.bucket, output.key.rstrip("/"))
            )
        except (OSError, sqlite3.Error, AwsError) as problem:
            text = f"what was captured of {self.name} could not be written: {problem}"
            _log.warning(text)
            there = self._context
            with contextlib.suppress(OSError, sqlite3.Error):
                note(there.home, there.owner, self._store, self._region, there.log_group, self.name, text)

    async def _transform_all(self, plan: TransformPlan, inputs: list[transfer.Source], target: str) -> None:
        """All objects, one after another, in one event loop: the fleet's connections belong to it."""
        work = asyncio.current_task()
        assert work is not None
        watch = asyncio.create_task(self._cancel_when_stopped(work))
        output = self._folder / "output"
        try:
            for one in inputs:
                await self._transform(plan, one, output)
                file = OutputFile(f"{one.name}.out", output, shared=False)
                transfer.upload(self._objects, [file], target, "TransformOutput", self._check)
        except asyncio.CancelledError as cancelled:
            raise JobStopped from cancelled
        finally:
            watch.cancel()

    async def _cancel_when_stopped(self, work: asyncio.Task[None]) -> None:
        """A model may compute for long: a stop does not wait for its answer."""
        while not self._must_stop():
            await asyncio.sleep(_CHECK_EVERY)
        work.cancel()

    async def _transform(self, plan: TransformPlan, one: transfer.Source, output: Path) -> None:
        """One object's answers, in its own order, to a file."""
        under_way: deque[asyncio.Task[bytes]] = deque()
        with one.info.path.open("rb") as raw, output.open("wb") as writer:
            source = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if plan.gzipped else raw
            try:
                for body in payloads(source, plan):
                    self._check()
                    under_way.append(asyncio.create_task(self._answered(plan, body, one.info.key)))
                    if len(under_way) >= plan.parallel:
                        _add(writer, await under_way.popleft(), plan)
                while under_way:
                    _add(writer, await under_way.popleft(), plan)
            except (gzip.BadGzipFile, EOFError, zlib.error) as broken:
                raise client_error(f"{one.info.key} is no gzip file: {broken}.") from broken
            finally:
                for task in under_way:
                    task.cancel()

    async def _answered(self, plan: TransformPlan, body: bytes, key: str) -> bytes:
        """The model's answer to a payload, as it is written."""
        if plan.processing is None:
            answer = await self._send(plan, body, key)
        else:
            answer = await self._send(plan, plan.processing.before(body), key)
            answer = plan.processing.after(body, answer)
        return answer if plan.capture is None else plan.capture.with_ids(answer, self._started)

    async def _send(self, plan: TransformPlan, body: bytes, key: str) -> bytes:
        request = router.Request(body, plan.content_type, plan.accept)
        retries = plan.retries
        while True:
            try:
                answer = await router.send(
                    self._fleet, router.choose_variant(self._fleet), request, plan.timeout
                )
            except router.NotReady as problem:
                raise JobFailure("AlgorithmError", "the model server keeps ending; see its log.") from problem
            except router.ContainerError as problem:
                if problem.status in range(400, 500) or not retries:
                    kind = "ClientError" if problem.status in range(400, 500) else "AlgorithmError"
                    is_page = problem.message.startswith("<!doctype html>")
                    said = "see its log." if is_page else problem.message
                    raise JobFailure(kind, f"{key}: the model answered {problem.status}: {said}") from problem
                retries -= 1
            else:
                return answer.body

    def _check(self) -> None:
        """Raises JobStopped once the job is to stop."""
        if self._must_stop():
            raise JobStopped

    def _must_stop(self) -> bool:
        """Whether this process, or another one through the store, has stopped the job."""
        if time.monotonic() - self._store_read > _READ_STORE_EVERY:
            self._store_read = time.monotonic()
            document = self._store.get(TRANSFORM_JOB, self._region, self.name)
            if document is not None and document["TransformJobStatus"] == "Stopping":
                self._stop_requested.set()
        return self._stop_requested.is_set()


def _add(writer: BinaryIO, answer: bytes, plan: TransformPlan) -> None:
    """As AWS does, a line's end comes after each answer, also after one that ends with one of its own."""
    writer.write(answer)
    if plan.line_after_each:
        writer.write(b"\n")


def _failed(reason: str) -> Document:
    return {"TransformJobStatus": "Failed", "FailureReason": reason[:LIMIT]}
