"""Runs executions, each in a thread of its own with a thread for every step that runs.

An execution's thread owns its schedule: it starts what is ready, waits for a step to end or for a stop,
and writes the execution's end. The store is the truth throughout, so an endpoint beside this one can
read every transition, ask for a stop or change the parallelism; it never runs what this one runs, since
the document names the owner and is claimed in one transaction. What others change is looked for by one thread
for all executions; those that wait hold no connection, so that there can be thousands.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_formats.definition_language import LanguageError, Scope
from sagemaker_local.api import Api
from sagemaker_local.errors import AwsError, not_found, validation_error
from sagemaker_local.execution.graph import Graph, check_definition
from sagemaker_local.execution.records import ACTIVE, EXECUTION, Record
from sagemaker_local.execution.recovery import Recovery, abandon
from sagemaker_local.execution.schedule import Schedule
from sagemaker_local.execution.slots import Slots
from sagemaker_local.execution.steps import Outcome, StepRun, Wait, timestamp_text
from sagemaker_local.home import Owner
from sagemaker_local.jobs.runner import KINDS, JobRunner
from sagemaker_local.runs import Runs
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.store import Document, Store

MAX_PARALLEL_STEPS = 50
"""SageMaker's own number where no ParallelismConfiguration is given."""

FAILURE = "Step failure: One or multiple steps failed."

_RETRIABLE = ("Failed", "Stopped", "CompletedWithFailures")
_LOOK_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Engine:
    """Every execution that this process runs."""

    def __init__(
        self,
        owner: Owner,
        store: Store,
        objects: ObjectStore,
        jobs: JobRunner,
        runs: Mapping[str, Runs],
        api: Api,
        prepare: Callable[[str, str], None],
        job_slots: int | None = None,
    ) -> None:
        """
        Args:
            runs: what else a step can wait for, by what the API calls it.
            prepare: told a region and the ARN of a function that a step will soon call.
            job_slots: how many jobs run at once in this process; by default one a CPU, two at least.
        """
        self._owner, self._store, self._objects = owner, store, objects
        self._api, self._prepare = api, prepare
        self._waits: dict[str, Wait] = {
            kind.prefix: functools.partial(jobs.wait, kind.kind) for kind in KINDS.values()
        }
        self._waits |= {name: one.wait for name, one in runs.items()}
        self._recovery = Recovery(owner, store, jobs)
        self._slots = Slots(job_slots or max(2, os.cpu_count() or 1))
        self._runs: dict[tuple[str, str], _Run] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._looking: threading.Thread | None = None

    def start(self, region: str, arn: str) -> None:
        """Run an execution whose document names this process as its owner."""
        run = _Run(
            Record(self._store, region, arn),
            self._objects,
            self._waits,
            self._api,
            functools.partial(self._prepare, region),
            self._slots,
        )
        thread = threading.Thread(target=self._run, args=(run,), name=f"execution {arn}", daemon=True)
        with self._lock:
            if self._closed.is_set():
                run.stop.set()
            try:
                if self._looking is None:
                    looking = threading.Thread(target=self._look, name="changed executions", daemon=True)
                    looking.start()
                    self._looking = looking
                thread.start()
            except RuntimeError as error:  # the system gives this process no more threads
                why = f"The execution could not be started: {error}."
                self._store.write_with_reserve(lambda: abandon(run.record, why))
                raise AwsError("InternalFailure", f"{arn} could not be started: {error}.", 500) from error
            run.thread = thread
            self._runs[region, arn] = run

    def stop(self, region: str, arn: str, token: str | None = None) -> None:
        """Ask an execution to stop, whichever process runs it; returns at once.

        A request with the token of one that was already accepted does nothing.

        Raises:
            AwsError: ResourceNotFound, or ValidationException if it does not run.
        """
        self._recovery.end_if_abandoned(region, arn)

        def mark(doc: Document) -> None:
            if token is not None and doc.get("_StopToken") == token:
                return
            if doc["PipelineExecutionStatus"] not in ACTIVE:
                raise validation_error(
                    f"Only an execution that runs can be stopped; {arn} is {doc['PipelineExecutionStatus']}."
                )
            doc.update(PipelineExecutionStatus="Stopping", _StopToken=token)

        if Record(self._store, region, arn).change_execution(mark) is None:
            raise not_found("Pipeline execution", arn)
        with self._lock:
            run = self._runs.get((region, arn))
        if run is not None:
            run.wake()

    def retry(
        self,
        region: str,
        arn: str,
        token: str | None = None,
        parallelism: Mapping[str, Any] | None = None,
    ) -> None:
        """Run an execution again under its ARN: what succeeded stays, everything else runs.

        A request with the token of one that was already accepted does nothing.

        Raises:
            AwsError: ResourceNotFound, or ValidationException if it has not failed or been stopped.
        """
        self._recovery.end_if_abandoned(region, arn)
        record = Record(self._store, region, arn)
        with record.store.transaction():
            doc = record.execution()
            if doc is None:
                raise not_found("Pipeline execution", arn)
            if token is not None and doc.get("_RetryToken") == token:
                return
            if doc["PipelineExecutionStatus"] not in _RETRIABLE:
                raise validation_error(
                    f"Only a failed or stopped execution can be retried; {arn} is"
                    f" {doc['PipelineExecutionStatus']}."
                )
            record.begin_again(self._owner.name, token, parallelism)
        self.start(region, arn)

    def recover(self) -> list[Document]:
        """Executions that a dead process left under way, now Failed with a reason that says so."""
        return self._recovery.recover()

    def up_to_date(self, region: str, arn: str, doc: Document) -> Document:
        """An execution's document that was just read, ended first if its owner has died."""
        return self._recovery.end_if_abandoned(region, arn, doc) or doc

    def close(self, grace: float = 60.0) -> None:
        """Stop everything that runs here and wait until it is Stopped, for at most `grace` seconds."""
        with self._lock:
            self._closed.set()
            runs = list(self._runs.values())
        for run in runs:
            run.stop.set()
            run.wake()
        deadline = time.monotonic() + grace
        for run in runs:
            if run.thread is not None:
                run.thread.join(max(0.0, deadline - time.monotonic()))

    def _look(self) -> None:
        """The thread that wakes the executions whose documents were changed, by whichever process."""
        seen: dict[str, float] = {}
        while True:
            with self._lock:
                runs = {arn: run for (_, arn), run in self._runs.items()}
                if not runs:
                    self._looking = None
                    return
            try:
                modified = self._store.modified_among(EXECUTION, "PipelineExecutionStatus", ACTIVE)
            except sqlite3.Error:
                _log.exception("it cannot be seen whether executions have been changed")
                modified = seen
            modified = {arn: when for arn, when in modified.items() if arn in runs}
            for arn, when in modified.items():
                if seen.get(arn) != when:
                    runs[arn].wake()
            seen = modified
            if self._closed.wait(_LOOK_SECONDS):
                return

    def _run(self, run: _Run) -> None:
        try:
            run.run()
        except Exception as error:
            # A full disk or a mistake of ours: it must not leave an execution that runs for ever.
            if isinstance(error, sqlite3.Error):
                _log.error("running %s broke down: %s", run.record.arn, error)
            else:
                _log.exception("running %s broke down", run.record.arn)
            self._fail_when_possible(run, f"{type(error).__name__}: {error}")
        finally:
            with self._lock:
                # A retry may already have put its own run here.
                if self._runs.get((run.record.region, run.record.arn)) is run:
                    del self._runs[run.record.region, run.record.arn]

    def _fail_when_possible(self, run: _Run, why: str) -> None:
        """Fail an execution whose thread broke down, and cancel what still runs for it.

        While the store cannot be written (the disk is full), keep trying.
        """
        run.cancel()
        self._store.write_until_possible(
            lambda: abandon(run.record, f"The local SageMaker broke down ({why})."),
            giving_up=self._closed,
        )


@dataclass
class _Run:
    """One execution under way."""

    record: Record
    objects: ObjectStore
    waits: Mapping[str, Wait]
    api: Api
    prepare: Callable[[str], None]
    slots: Slots
    thread: threading.Thread | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    _news: queue.SimpleQueue[tuple[str, Outcome | BaseException] | None] = field(
        default_factory=queue.SimpleQueue
    )
    _steps: dict[str, StepRun] = field(default_factory=dict)
    _properties: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _prepared: set[str] = field(default_factory=set)
    _stopping: bool = False

    def wake(self) -> None:
        """Let the execution's thread read its document again."""
        self._news.put(None)

    def run(self) -> None:
        document = self._document()
        graph = check_definition(json.loads(self.record.definition()))
        self._properties = {
            name: step["_Properties"]
            for name, step in self.record.steps().items()
            if step["StepStatus"] == "Succeeded"
        }
        selected = document.get("_Selected")
        schedule = Schedule.begin(graph, self._properties, None if selected is None else frozenset(selected))
        scope = self._scope(document, graph)
        while True:
            document = self._document()
            if self.stop.is_set() or document["PipelineExecutionStatus"] == "Stopping":
                self._stop_steps()
            else:
                self._start_ready(schedule, document, scope)
            if not schedule.running():
                break
            self._wait(schedule)
        self._finish(schedule)

    def _document(self) -> Document:
        document = self.record.execution()
        if document is None:
            raise LookupError(f"{self.record.arn} is missing from the store")
        return document

    def _scope(self, document: Document, graph: Graph) -> Scope:
        pipeline_arn = document["PipelineArn"]
        return Scope(
            parameters=document["_Parameters"],
            variables={
                "PipelineName": document["_PipelineName"],
                "PipelineArn": pipeline_arn,
                "PipelineExecutionId": self.record.execution_id,
                "PipelineExecutionArn": self.record.arn,
                "StartDateTime": timestamp_text(document["CreationTime"]),
            },
            properties=self._properties,
            property_files=graph.property_files,
            read=self._read,
        )

    def _read(self, uri: str) -> bytes | None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket or not key:
            raise LanguageError(f"'{uri}' is not the S3 URI of an object.")
        opened = self.objects.open(bucket, key)
        if opened is None:
            return None
        with opened[1] as content:
            return content.read()

    def _start_ready(self, schedule: Schedule, document: Document, scope: Scope) -> None:
        parallelism = document.get("ParallelismConfiguration") or {}
        limit = parallelism.get("MaxParallelExecutionSteps", MAX_PARALLEL_STEPS)
        for step in schedule.ready()[: max(0, limit - schedule.running())]:
            run = StepRun(
                record=self.record,
                waits=self.waits,
                api=self.api,
                slots=self.slots,
                execution=document,
                step=step,
                scope=scope,
                stop=self.stop,
                earlier_attempts=document.get("_Attempts", {}).get(step.name, 0),
            )
            self._steps[step.name] = run
            schedule.started(step.name)
            threading.Thread(
                target=self._run_step, args=(run,), name=f"step {step.name} of {self.record.arn}", daemon=True
            ).start()
        for name, step in schedule.graph.steps.items():
            if step.type == "Lambda" and name not in self._prepared and schedule.is_imminent(step):
                self._prepared.add(name)
                self.prepare(step.function)

    def _run_step(self, run: StepRun) -> None:
        try:
            outcome: Outcome | BaseException = run.run()
        except BaseException as error:
            outcome = error
        self._news.put((run.step.name, outcome))

    def _wait(self, schedule: Schedule) -> None:
        """Wait until a step ends or :meth:`wake` is called."""
        self.record.store.rest()
        news = self._news.get()
        if news is None:
            return
        name, outcome = news
        if isinstance(outcome, BaseException):
            raise outcome
        del self._steps[name]
        if outcome.status == "Succeeded":
            self._properties[name] = outcome.properties
        schedule.ended(name, outcome.status, outcome.properties)

    def _stop_steps(self) -> None:
        """Once: say in every document that it is stopping, and stop the jobs."""
        if self._stopping:
            return
        self._stopping = True
        # First of all, so that no step calls itself Executing after this called it Stopping.
        self.stop.set()
        with self.record.store.transaction():
            self.record.change_execution(lambda doc: doc.update(PipelineExecutionStatus="Stopping"))
            for name in self._steps:
                doc = self.record.step(name)
                if doc is not None and doc["StepStatus"] in ("Starting", "Executing"):
                    self.record.change_step(name, StepStatus="Stopping")
        self.cancel()

    def cancel(self) -> None:
        """End every step's waiting and its job."""
        self.stop.set()
        self.slots.wake()
        for run in self._steps.values():
            run.stop_job()

    def _finish(self, schedule: Schedule) -> None:
        status, reason = schedule.final_status(), None
        steps = self.record.steps()
        if status == "Failed" and not (self._stopping and _only_stopped(schedule)):
            reasons = [
                f"{name}: {steps[name].get('FailureReason') or 'failed'}" for name in schedule.unhandled()
            ]
            reason = " ".join([FAILURE, *reasons])
        elif self._stopping:
            status = "Stopped"
        self.record.finish_execution(status, reason)


def _only_stopped(schedule: Schedule) -> bool:
    return all(schedule.states[name] == "Stopped" for name in schedule.unhandled())
