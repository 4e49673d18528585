"""Creates, stops and awaits jobs: each a document in the store, a folder and a thread.

    create -> InProgress -> (prepare) -> (instances run) -> (collect) -> Completed | Failed | Stopped

The thread (``job_thread``) is the job's only writer, except for the request to stop, so a document never
moves backwards. A job belongs to the process that created it: another process asks it to stop through the
store, and when the owner dies, whoever reads the document next marks it Failed (``abandoned``).

A job's folder stays for its log. What it was given and what it left under /opt/ml is removed once it
has completed and kept when it failed or was stopped, for looking at.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagemaker_local import abandoned, clocks
from sagemaker_local.errors import AwsError, job_not_found, validation_error
from sagemaker_local.jobs import processing, training
from sagemaker_local.jobs.job import DEFAULT_RUNTIME, JobContext, JobKind
from sagemaker_local.jobs.job_thread import GRACE, JobThread, hosts_of
from sagemaker_local.jobs.phases import TERMINAL, end, enter_phase, owned

if TYPE_CHECKING:
    from sagemaker_local.home import Home, Owner
    from sagemaker_local.store import Store

Document = dict[str, Any]

KINDS: dict[str, JobKind] = {kind.kind: kind for kind in (processing.KIND, training.KIND)}


class JobRunner:
    """The jobs of one endpoint."""

    def __init__(self, home: Home, owner: Owner, store: Store, context: JobContext) -> None:
        self._context = context
        self._home = home
        self._owner = owner
        self._store = store
        self._running: dict[tuple[str, str, str], JobThread] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()

    # -- what the operations use -----------------------------------------------------------------

    def record(self, kind: JobKind, region: str, document: Document) -> None:
        """Put a new job into the store; to be called in the transaction that checked its name is free.

        Args:
            document: the request's members, the ARN and ``CreationTime``; the rest is added here.
        """
        name = document[kind.name_member]
        document.setdefault("StoppingCondition", {}).setdefault("MaxRuntimeInSeconds", DEFAULT_RUNTIME)
        document |= {
            kind.status_member: "InProgress",
            "LastModifiedTime": document["CreationTime"],
            "_Owner": self._owner.name,
            "_Folder": self._make_folder(kind, region, name).name,
            "_Hosts": [f"algo-{number + 1}" for number in range(kind.instances(document))],
        }
        enter_phase(kind, document, "Starting")
        self._store.put(kind.kind, region, name, document)

    def start(self, kind: JobKind, region: str, name: str) -> None:
        """Run a job that was recorded; returns at once."""
        document = self._store.get(kind.kind, region, name)
        assert document is not None
        job = JobThread(kind, region, document, self.folder(kind, document), self._store, self._context)
        with self._lock:
            self._running[kind.kind, region, name] = job
        arguments = (kind, region, name, job)
        thread = threading.Thread(target=self._run, args=arguments, name=f"{kind.kind} {name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as problem:  # the system gives this process no more threads
            reason = f"CapacityError: no thread for the job: {problem}."
            self._end(kind, region, name, job, "Failed", {"FailureReason": reason})

    def stop(self, kind: JobKind, region: str, name: str, grace: float = GRACE) -> None:
        """Ask a job to end: SIGTERM, and SIGKILL after `grace` seconds. Does not wait.

        Raises:
            AwsError: there is no such job, or it has ended.
        """

        def change(document: Document) -> None:
            status = document[kind.status_member]
            if status in TERMINAL:
                raise validation_error(
                    f"The request was rejected because the {kind.verb.lower()} job is in status {status}."
                )
            document[kind.status_member] = "Stopping"
            document["_StopGrace"] = grace
            document["LastModifiedTime"] = clocks.now_in(document)
            enter_phase(kind, document, "Stopping")

        document = self._store.update(kind.kind, region, name, change)
        if document is None:
            raise job_not_found(kind.verb, name)
        with self._lock:
            job = self._running.get((kind.kind, region, name))
        if job is not None:
            job.stop(grace)
        else:
            abandoned.end_if_abandoned(self._store, self._owner, owned(kind), document)

    def wait(self, kind: str, region: str, name: str) -> Document:
        """Block until the job has ended; its document.

        Raises:
            AwsError: there is no such job.
            RuntimeError: the job has ended but its end could not be written to the store (e.g. a full disk).
        """
        status = KINDS[kind].status_member
        with self._lock:
            job = self._running.get((kind, region, name))
        if job is not None:
            job.ended.wait()
        while True:
            document = self._store.get(kind, region, name)
            if document is None:
                raise job_not_found(KINDS[kind].verb, name)
            if document[status] in TERMINAL:
                return document
            if job is not None:
                raise RuntimeError(f"the end of {kind} {name} could not be written to the store")
            abandoned.end_if_abandoned(self._store, self._owner, owned(KINDS[kind]), document)
            time.sleep(0.2)  # another process runs it: there is nobody to wake us

    def close(self, grace: float = GRACE) -> None:
        """Stop every job of this process and wait until all have ended."""
        self._closing.set()
        with self._lock:
            under_way = dict(self._running)
        for (kind, region, name), job in under_way.items():
            # A job that ended meanwhile cannot be stopped, and need not be; the signal goes out anyway.
            with contextlib.suppress(AwsError, sqlite3.Error):
                self.stop(KINDS[kind], region, name, grace)
            job.stop(grace)
        for job in under_way.values():
            job.ended.wait()

    def up_to_date(self, kind: JobKind, document: Document) -> Document:
        """The job's document, now Failed if the process that ran it has died."""
        return abandoned.up_to_date(self._store, self._owner, owned(kind), document) or document

    def recover(self) -> list[Document]:
        """Mark jobs Failed whose owner died; the documents that were changed."""
        changed = []
        for kind in KINDS.values():
            for document in abandoned.end_all(self._store, self._owner, owned(kind)):
                for host in hosts_of(document, self.folder(kind, document)):
                    host.remove_shared()
                changed.append(document)
        return changed

    def sweep(self) -> None:
        """Remove the folders of jobs that did not come to be; where no other process works on the home."""
        for kind in KINDS.values():
            for folder in (self._home.jobs / kind.kind).glob("*"):
                with contextlib.suppress(OSError):  # it is not empty
                    folder.rmdir()

    def folder(self, kind: JobKind, document: Document) -> Path:
        """Where a job's instances have their folders."""
        return self._home.jobs / kind.kind / str(document["_Folder"])

    # --------------------------------------------------------------------------------------------

    def _make_folder(self, kind: JobKind, region: str, name: str) -> Path:
        """The job's own folder; under another name where a job of another region has taken it."""
        parent = self._home.jobs / kind.kind
        parent.mkdir(parents=True, exist_ok=True)
        folder = parent / name
        try:
            folder.mkdir()
        except FileExistsError:
            folder = parent / f"{name}.{region}"  # no job's name has a dot
            shutil.rmtree(folder, ignore_errors=True)  # of a creation that did not reach the store
            folder.mkdir()
        return folder

    def _run(self, kind: JobKind, region: str, name: str, job: JobThread) -> None:
        """The job's thread."""
        status, members = "Failed", {"FailureReason": "InternalServerError: the job's thread was ended."}
        try:
            status, members = job.carry_out()
        finally:
            self._end(kind, region, name, job, status, members)

    def _end(
        self, kind: JobKind, region: str, name: str, job: JobThread, status: str, members: Document
    ) -> None:
        try:
            self._store.write_until_possible(
                lambda: self._store.update(
                    kind.kind, region, name, lambda document: end(kind, document, status, members)
                ),
                giving_up=self._closing,
            )
        finally:
            with self._lock:
                del self._running[kind.kind, region, name]
            job.close()
