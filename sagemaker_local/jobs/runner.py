"""A job's life: its document in the store, a thread that stages, watches and collects, its end.

    create -> InProgress -> (stage) -> (instances run) -> (collect) -> Completed | Failed | Stopped

The thread is the job's only writer, save for the word that it is to stop, so a document never moves
backwards. A job belongs to the process that created it: another process asks it to stop through the
store, and when the owner dies, :meth:`JobRunner.recover` says so in the document.

A job's folder stays for its log. What it was given and what it left under /opt/ml is removed once it
has completed and kept when it failed or was stopped, for looking at.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import sqlite3
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagemaker_local import abandoned
from sagemaker_local.errors import AwsError, job_not_found, validation_error
from sagemaker_local.jobs import job_log, opt_ml, process, processing, training
from sagemaker_local.jobs.failure import LIMIT, JobFailure, JobStopped, algorithm_error, disk_failure
from sagemaker_local.jobs.job import Command, Job, JobKind, Surroundings
from sagemaker_local.jobs.phases import TERMINAL, end, enter_phase, owned
from sagemaker_local.jobs.places import Host

if TYPE_CHECKING:
    from sagemaker_local.home import Home, Owner
    from sagemaker_local.s3.objects import ObjectStore
    from sagemaker_local.store import Store

Document = dict[str, Any]

KINDS: dict[str, JobKind] = {kind.kind: kind for kind in (processing.KIND, training.KIND)}
GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL; AWS gives 120."""

_DEFAULT_RUNTIME = 86400


class _Running:
    """A job of this process: how to reach its thread."""

    def __init__(self) -> None:
        self.grace: float | None = None
        self.ended = threading.Event()
        self.wake, self._wake_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._lock = threading.Lock()

    def stop(self, grace: float) -> None:
        with self._lock:
            self.grace = grace if self.grace is None else min(grace, self.grace)
            if not self.ended.is_set():
                os.write(self._wake_writer, b"s")

    def close(self) -> None:
        with self._lock:
            self.ended.set()
            os.close(self.wake)
            os.close(self._wake_writer)


class JobRunner:
    """Creates, runs, stops and awaits the jobs of one endpoint.

    Args:
        interpreters: paths of Pythons by image: a glob pattern for its whole name, or a part of it.

    Attributes:
        endpoint_url: where the jobs' own boto3 finds AWS; set by the endpoint once it has an address.
    """

    def __init__(
        self, home: Home, owner: Owner, store: Store, objects: ObjectStore, interpreters: Mapping[str, str]
    ) -> None:
        self.endpoint_url: str | None = None
        self._home = home
        self._owner = owner
        self._store = store
        self._objects = objects
        self._interpreters = dict(interpreters)
        self._running: dict[tuple[str, str, str], _Running] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()

    # -- what the operations use -----------------------------------------------------------------

    def record(self, kind: JobKind, region: str, document: Document) -> None:
        """Put a new job into the store; to be called in the transaction that checked its name is free.

        Args:
            document: the request's members, the ARN and ``CreationTime``; the rest is added here.
        """
        name = document[kind.name_member]
        document.setdefault("StoppingCondition", {}).setdefault("MaxRuntimeInSeconds", _DEFAULT_RUNTIME)
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
        running = _Running()
        with self._lock:
            self._running[kind.kind, region, name] = running
        arguments = (kind, region, name, running)
        threading.Thread(target=self._run, args=arguments, name=f"{kind.kind} {name}", daemon=True).start()

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
            document["LastModifiedTime"] = time.time()
            enter_phase(kind, document, "Stopping")

        document = self._store.update(kind.kind, region, name, change)
        if document is None:
            raise job_not_found(kind.verb, name)
        with self._lock:
            running = self._running.get((kind.kind, region, name))
        if running is not None:
            running.stop(grace)
        else:
            abandoned.end_if_abandoned(self._store, self._owner, owned(kind), document)

    def wait(self, kind: str, region: str, name: str) -> Document:
        """Block until the job has ended; its document.

        Raises:
            AwsError: there is no such job.
            RuntimeError: the job has ended but the store could not take that in (e.g. a full disk).
        """
        status = KINDS[kind].status_member
        with self._lock:
            running = self._running.get((kind, region, name))
        if running is not None:
            running.ended.wait()
        while True:
            document = self._store.get(kind, region, name)
            if document is None:
                raise job_not_found(KINDS[kind].verb, name)
            if document[status] in TERMINAL:
                return document
            if running is not None:
                raise RuntimeError(f"the end of {kind} {name} could not be written to the store")
            abandoned.end_if_abandoned(self._store, self._owner, owned(KINDS[kind]), document)
            time.sleep(0.2)  # another process runs it: there is nobody to wake us

    def close(self, grace: float = GRACE) -> None:
        """Stop every job of this process and wait until all have ended."""
        self._closing.set()
        with self._lock:
            under_way = dict(self._running)
        for (kind, region, name), running in under_way.items():
            # A job that ended meanwhile cannot be stopped, and need not be; the signal goes out anyway.
            with contextlib.suppress(AwsError, sqlite3.Error):
                self.stop(KINDS[kind], region, name, grace)
            running.stop(grace)
        for running in under_way.values():
            running.ended.wait()

    def up_to_date(self, kind: JobKind, document: Document) -> Document:
        """The job's document, now Failed if the process that ran it has died."""
        return abandoned.up_to_date(self._store, self._owner, owned(kind), document) or document

    def recover(self) -> list[Document]:
        """Mark jobs Failed whose owner died; the documents that were changed."""
        return [
            document
            for kind in KINDS.values()
            for document in abandoned.end_all(self._store, self._owner, owned(kind))
        ]

    def folder(self, kind: JobKind, document: Document) -> Path:
        """Where a job's instances have their folders."""
        return self._home.jobs / kind.kind / str(document["_Folder"])

    # -- a job's documents and folders -----------------------------------------------------------

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

    # -- the job's thread ------------------------------------------------------------------------

    def _run(self, kind: JobKind, region: str, name: str, running: _Running) -> None:
        try:
            status, members = self._outcome(kind, region, name, running)
            self._store.write_until_possible(
                lambda: self._store.update(
                    kind.kind, region, name, lambda document: end(kind, document, status, members)
                ),
                giving_up=self._closing,
            )
        finally:
            with self._lock:
                del self._running[kind.kind, region, name]
            running.close()

    def _outcome(self, kind: JobKind, region: str, name: str, running: _Running) -> tuple[str, Document]:
        """The job's last status and what goes into its document with it."""
        document = self._store.get(kind.kind, region, name)
        assert document is not None
        folder = self.folder(kind, document)
        first_log = folder / document["_Hosts"][0] / "log"
        try:
            return self._carry_out(kind, region, document, folder, running)
        except JobStopped:
            return "Stopped", {}
        except JobFailure as failure:
            return "Failed", {**failure.members, "FailureReason": str(failure)[:LIMIT]}
        except Exception as problem:
            # A fault of this service must end the job, not leave it InProgress for ever.
            for line in traceback.format_exc().splitlines():
                job_log.note(first_log, line)
            return "Failed", {"FailureReason": f"InternalServerError: {problem!r}"[:LIMIT]}

    def _carry_out(
        self, kind: JobKind, region: str, document: Document, folder: Path, running: _Running
    ) -> tuple[str, Document]:
        name = document[kind.name_member]
        hosts = tuple(Host(host, folder / host) for host in document["_Hosts"])
        given = opt_ml.for_instances(opt_ml.detect(), len(hosts))

        def check() -> None:
            if running.grace is not None:
                raise JobStopped

        job = Job(
            name=name,
            region=region,
            document=document,
            hosts=hosts,
            rewrite=given.mode == "rewrite",
            surroundings=Surroundings(self._objects, self._interpreters, self.endpoint_url),
            check=check,
            note=lambda text: job_log.note(hosts[0].log, text),
        )
        self._advance(kind, region, name, "Downloading")
        commands = self._prepare(kind, job, given)
        watched = self._run_instances(kind, job, commands, given, running)
        for problem in watched.log_problems:
            job.note(problem)
        if watched.failed is not None:
            raise _failure_of(kind, watched.failed, several=len(hosts) > 1)
        stopped = running.grace is not None or watched.timed_out
        if not stopped:
            self._advance(kind, region, name, "Uploading")
        else:
            job = dataclasses.replace(job, check=lambda: None)
        members = self._collected(kind, job, stopped)
        if watched.timed_out:
            limit = document["StoppingCondition"]["MaxRuntimeInSeconds"]
            reason = (
                f"ClientError: the job ran longer than its MaxRuntimeInSeconds, {limit} s, and was stopped."
            )
            return "Stopped", members | {"FailureReason": reason, "_MaxRuntimeExceeded": True}
        if stopped:
            return "Stopped", members
        for host in hosts:
            shutil.rmtree(host.ml, ignore_errors=True)
        return "Completed", members

    def _prepare(self, kind: JobKind, job: Job, given: opt_ml.OptMl) -> list[Command]:
        try:
            names = " ".join(job.host_names)
            for host in job.hosts:
                host.ml.mkdir(parents=True)
                host.hosts_file.write_text(f"127.0.0.1 localhost {names}\n::1 localhost\n")
            if given.remark:
                job.note(given.remark)
            commands = kind.stage(job)
        except OSError as problem:
            raise disk_failure("preparing the job", problem) from problem
        if len(job.hosts) > 1:
            # The instances share this machine's cores instead of fighting for them.
            share = str(max(1, (os.cpu_count() or 1) // len(job.hosts)))
            for command in commands:
                command.environment.setdefault("OMP_NUM_THREADS", share)
        if job.rewrite:
            commands = [command.rewritten(host.ml) for host, command in zip(job.hosts, commands, strict=True)]
        return commands

    def _run_instances(
        self, kind: JobKind, job: Job, commands: list[Command], given: opt_ml.OptMl, running: _Running
    ) -> process.Watched:
        def stop_asked() -> float | None:
            if running.grace is None:
                current = self._store.get(kind.kind, job.region, job.name)
                if current is not None and "_StopGrace" in current:
                    running.grace = current["_StopGrace"]
            return running.grace

        def on_start(when: float) -> None:
            self._advance(kind, job.region, job.name, kind.verb, {f"{kind.verb}StartTime": when})

        job.check()
        instances: list[process.Instance] = []
        try:
            for host, command in zip(job.hosts, commands, strict=True):
                instances.append(process.Instance(host, command, given))
            return process.watch(
                instances,
                limit=job.document["StoppingCondition"]["MaxRuntimeInSeconds"],
                grace=GRACE,
                wake=running.wake,
                stop_asked=stop_asked,
                on_start=on_start,
            )
        except BaseException:
            for instance in instances:
                instance.abandon()
            raise

    def _collected(self, kind: JobKind, job: Job, stopped: bool) -> Document:
        try:
            return kind.collect(job, stopped)
        except OSError as problem:
            raise disk_failure("collecting what the job left", problem) from problem

    def _advance(
        self, kind: JobKind, region: str, name: str, phase: str, members: Document | None = None
    ) -> None:
        """Note that the job has come to its next phase, unless there is nothing to note."""
        if not kind.has_phases and not members:
            return

        def change(document: Document) -> None:
            document |= {**(members or {}), "LastModifiedTime": time.time()}
            if document[kind.status_member] == "InProgress":
                enter_phase(kind, document, phase)

        self._store.update(kind.kind, region, name, change)


def _failure_of(kind: JobKind, ending: process.Ending, *, several: bool) -> JobFailure:
    """The job's words about its end, else the end of its log."""
    if ending.failure is not None:
        return ending.failure
    assert ending.code is not None
    words = kind.explain(ending.host)
    text = words or job_log.end_of(ending.host.log)
    if ending.log_problem and not words:
        text = f"{text}\n{ending.log_problem}".strip()
    failure = algorithm_error(f"{ending.host.name}: {text}" if several else text, ending.code)
    if words and kind.words_member:
        failure.members[kind.words_member] = words
    return failure
