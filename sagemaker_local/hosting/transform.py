"""Batch transform jobs: every object under an S3 prefix through a model, to one of its name and `.out`.

A job has a thread, which starts a fleet of its own from the model, as an endpoint would (``transform_run``).
"""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING, Any

from sagemaker_local import abandoned, clocks
from sagemaker_local.abandoned import OwnedKind
from sagemaker_local.errors import job_not_found
from sagemaker_local.hosting.instance import FleetContext
from sagemaker_local.hosting.transform_run import TRANSFORM_JOB, TransformRun
from sagemaker_local.jobs.phases import TERMINAL, UNDER_WAY

if TYPE_CHECKING:
    from sagemaker_local.home import Home, Owner
    from sagemaker_local.jobs.job import JobContext
    from sagemaker_local.store import Document, Key, Store

LOG_GROUP = "/aws/sagemaker/TransformJobs"
_POLL_SECONDS = 0.2


class TransformJobs:
    """The transform jobs that this process runs."""

    def __init__(self, home: Home, owner: Owner, store: Store, context: JobContext) -> None:
        self._home = home
        self._owner = owner
        self._store = store
        self._context = context
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], TransformRun] = {}
        self._closing = threading.Event()

    def start(self, region: str, document: Document) -> None:
        """Run a job that is in the store; returns at once."""
        context = FleetContext(self._home, self._owner, self._store, region, LOG_GROUP, self._context)
        run = TransformRun(document, context)
        thread = threading.Thread(
            target=self._run, args=(region, run), name=f"transform job {run.name}", daemon=True
        )
        with self._lock:
            self._running[region, run.name] = run
        try:
            thread.start()
        except RuntimeError:  # the system gives this process no more threads: the fleet will get none either
            self._run(region, run)

    def stop(self, region: str, name: str) -> None:
        """Let a job end whose document says Stopping, if it runs here."""
        with self._lock:
            run = self._running.get((region, name))
        if run is not None:
            run.stop()

    def wait(self, region: str, name: str) -> Document:
        """Block until the job has ended; its document.

        Raises:
            AwsError: there is no such job.
            RuntimeError: the job has ended but its end could not be written to the store (e.g. a full disk).
        """
        with self._lock:
            run = self._running.get((region, name))
        if run is not None:
            run.ended.wait()
        while True:
            document = self._store.get(TRANSFORM_JOB, region, name)
            if document is None:
                raise job_not_found("Transform", name)
            document = self.up_to_date(document)
            if document["TransformJobStatus"] in TERMINAL:
                return document
            if run is not None:
                raise RuntimeError(f"the end of {TRANSFORM_JOB} {name} could not be written to the store")
            time.sleep(_POLL_SECONDS)  # another process runs it: there is nobody to wake us

    def up_to_date(self, document: Document) -> Document:
        """The job's document, now Failed if the process that ran it has died."""
        return abandoned.up_to_date(self._store, self._owner, OWNED, document) or document

    def sweep(self) -> None:
        """Remove what jobs were writing that ended with their process; where no other works on the home."""
        shutil.rmtree(self._home.jobs / TRANSFORM_JOB, ignore_errors=True)

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
            run.ended.wait()

    def _run(self, region: str, run: TransformRun) -> None:
        """The job's thread."""
        status, reason = run.carry_out()
        try:
            self._store.write_until_possible(
                lambda: self._store.update(
                    TRANSFORM_JOB, region, run.name, lambda document: _end(document, status, reason)
                ),
                giving_up=self._closing,
            )
        finally:
            with self._lock:
                del self._running[region, run.name]
            run.ended.set()


def _end(document: dict[str, Any], status: str, reason: str | None) -> None:
    ended = max(clocks.now_in(document), document.get("TransformStartTime", 0.0))
    document.update(TransformJobStatus=status, TransformEndTime=ended)
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
