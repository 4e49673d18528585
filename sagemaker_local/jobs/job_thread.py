"""Carries out one job in a thread of its own: prepare, run the instances, collect.

The thread is the job's only writer, except for the request to stop, which the operation writes. It reads
that request here, or, where another process has written it, from the store once a second.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagemaker_local import clocks
from sagemaker_local.jobs import job_log, opt_ml, process
from sagemaker_local.jobs.failure import LIMIT, JobFailure, JobStopped, algorithm_error, disk_failure
from sagemaker_local.jobs.job import Command, JobContext, JobKind, JobRun
from sagemaker_local.jobs.phases import enter_phase
from sagemaker_local.jobs.places import Host

if TYPE_CHECKING:
    from sagemaker_local.store import Store

Document = dict[str, Any]

GRACE = 30.0
"""Seconds between SIGTERM and SIGKILL; AWS gives 120."""

_SILENT = "the job's program ended without a message and without any output"
"""The reason of a failure about which only the exit code or the signal is known."""


def hosts_of(document: Document, folder: Path) -> tuple[Host, ...]:
    """A job's instances, whose folders lie in the job's."""
    return tuple(Host(host, folder / host) for host in document["_Hosts"])


class JobThread:
    """One job that this process runs.

    Attributes:
        ended: set once the thread will write nothing more.
    """

    def __init__(
        self, kind: JobKind, region: str, document: Document, folder: Path, store: Store, context: JobContext
    ) -> None:
        self.ended = threading.Event()
        self._kind = kind
        self._region = region
        self._name: str = document[kind.name_member]
        self._document = document
        self._hosts = hosts_of(document, folder)
        self._store = store
        self._context = context
        self._grace: float | None = None
        self._wake, self._wake_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._lock = threading.Lock()

    # -- from other threads ----------------------------------------------------------------------

    def stop(self, grace: float) -> None:
        """SIGTERM for the job's processes, and SIGKILL after `grace` seconds. Does not wait."""
        with self._lock:
            self._grace = grace if self._grace is None else min(grace, self._grace)
            if not self.ended.is_set():
                os.write(self._wake_writer, b"s")

    def close(self) -> None:
        """To be called once the job's end is written."""
        with self._lock:
            self.ended.set()
            os.close(self._wake)
            os.close(self._wake_writer)

    # -- the thread ------------------------------------------------------------------------------

    def carry_out(self) -> tuple[str, Document]:
        """Run the job; its last status, and what goes into its document with it."""
        try:
            return self._carry_out()
        except JobStopped:
            return "Stopped", {}
        except JobFailure as failure:
            return "Failed", {**failure.members, "FailureReason": str(failure)[:LIMIT]}
        except Exception as problem:
            # A fault of this service must end the job, not leave it InProgress for ever.
            for line in traceback.format_exc().splitlines():
                self._note(line)
            return "Failed", {"FailureReason": f"InternalServerError: {problem!r}"[:LIMIT]}
        finally:
            for host in self._hosts:
                host.remove_shared()

    def _carry_out(self) -> tuple[str, Document]:
        with self._launchers() as instances:
            given = opt_ml.for_instances(opt_ml.detect(), len(self._hosts))
            job = JobRun(
                name=self._name,
                region=self._region,
                document=self._document,
                hosts=self._hosts,
                rewrite=given.mode == "rewrite",
                in_namespace=given.mode == "namespace",
                context=self._context,
                check=self._check,
                note=self._note,
            )
            self._advance("Downloading")
            commands = self._prepare(job, given)
            with self._kind.running(job):
                ending = self._run_instances(job, instances, commands, given)
        for problem in ending.log_problems:
            job.note(problem)
        if ending.failed is not None:
            raise _failure_of(self._kind, ending.failed, job.hints, several=len(self._hosts) > 1)
        stopped = self._grace is not None or ending.timed_out
        if not stopped:
            self._advance("Uploading")
        else:
            job = dataclasses.replace(job, check=lambda: None)
        members = self._collect(job, stopped)
        if ending.timed_out:
            limit = self._document["StoppingCondition"]["MaxRuntimeInSeconds"]
            reason = (
                f"ClientError: the job ran longer than its MaxRuntimeInSeconds, {limit} s, and was stopped."
            )
            return "Stopped", members | {"FailureReason": reason, "_MaxRuntimeExceeded": True}
        if stopped:
            return "Stopped", members
        for host in self._hosts:
            shutil.rmtree(host.ml, ignore_errors=True)
        return "Completed", members

    def _check(self) -> None:
        if self._grace is not None:
            raise JobStopped

    def _note(self, text: str) -> None:
        job_log.note(self._hosts[0].log, text)

    def _prepare(self, job: JobRun, given: opt_ml.OptMl) -> list[Command]:
        try:
            names = " ".join(job.host_names)
            for host in job.hosts:
                host.ml.mkdir(parents=True)
                host.hosts_file.write_text(f"127.0.0.1 localhost {names}\n::1 localhost\n")
            if given.remark:
                job.note(given.remark)
            commands = self._kind.stage(job)
        except OSError as problem:
            raise disk_failure("preparing the job", problem) from problem
        if len(job.hosts) > 1:
            # Each instance uses its part of this machine's cores, not all of them.
            cores = str(max(1, (os.cpu_count() or 1) // len(job.hosts)))
            for command in commands:
                command.environment.setdefault("OMP_NUM_THREADS", cores)
        if job.rewrite:
            commands = [command.rewritten(host.ml) for host, command in zip(job.hosts, commands, strict=True)]
        return commands

    @contextmanager
    def _launchers(self) -> Iterator[list[process.InstanceProcess]]:
        """A launcher for each instance, which starts while the block prepares what it will run."""
        instances: list[process.InstanceProcess] = []
        try:
            for host in self._hosts:
                instances.append(process.InstanceProcess(host))
            yield instances
        except BaseException:
            for instance in instances:
                instance.kill()
            raise

    def _run_instances(
        self,
        job: JobRun,
        instances: list[process.InstanceProcess],
        commands: list[Command],
        given: opt_ml.OptMl,
    ) -> process.InstancesEnd:
        job.check()
        for instance, command in zip(instances, commands, strict=True):
            instance.run(command, given)
        return process.watch(
            instances,
            limit=job.document["StoppingCondition"]["MaxRuntimeInSeconds"],
            grace=GRACE,
            wake=self._wake,
            stop_requested=self._stop_requested,
            on_start=self._note_start,
        )

    def _stop_requested(self) -> float | None:
        if self._grace is None:
            current = self._store.get(self._kind.kind, self._region, self._name)
            if current is not None and "_StopGrace" in current:
                self._grace = current["_StopGrace"]
        return self._grace

    def _collect(self, job: JobRun, stopped: bool) -> Document:
        try:
            return self._kind.collect(job, stopped)
        except OSError as problem:
            raise disk_failure("collecting what the job left", problem) from problem

    def _note_start(self) -> None:
        now = clocks.now_in(self._document)
        self._advance(self._kind.verb, {f"{self._kind.verb}StartTime": now})

    def _advance(self, phase: str, members: Document | None = None) -> None:
        """Note that the job has come to its next phase, unless there is nothing to note."""
        if not self._kind.has_phases and not members:
            return

        def change(document: Document) -> None:
            document |= {**(members or {}), "LastModifiedTime": clocks.now_in(document)}
            if document[self._kind.status_member] == "InProgress":
                enter_phase(self._kind, document, phase)

        self._store.update(self._kind.kind, self._region, self._name, change)


def _failure_of(
    kind: JobKind, ending: process.InstanceEnd, hints: Sequence[str], *, several: bool
) -> JobFailure:
    """The message that the job left about its end, else the end of what it printed; and what may help."""
    if ending.failure is not None:
        return ending.failure
    assert ending.code is not None
    message = kind.message(ending.host)
    text = message or job_log.end_of_output(ending.host.log) or _SILENT
    if ending.log_problem and not message:
        text = f"{text}\n{ending.log_problem}".strip()
    text = "\n".join([f"{ending.host.name}: {text}" if several else text, *hints])
    failure = algorithm_error(text, ending.code)
    if message and kind.message_member:
        failure.members[kind.message_member] = message
    return failure
