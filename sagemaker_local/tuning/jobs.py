"""The tuning jobs that this process runs: each creates training jobs, waits for them, chooses the next ones.

A training job is created as a client would create it, so it passes the same checks and is a training job like
any other; it only knows its tuning job's ARN besides. A stop reaches those that are under way.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import secrets
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from sagemaker_local import clocks
from sagemaker_local.abandoned import OwnedKind
from sagemaker_local.errors import AwsError, validation_error
from sagemaker_local.jobs import training
from sagemaker_local.jobs.failure import LIMIT
from sagemaker_local.jobs.phases import TERMINAL, UNDER_WAY
from sagemaker_local.runs import Runs
from sagemaker_local.tuning import outcome, request
from sagemaker_local.tuning.outcome import JOBS_MEMBER, Trained
from sagemaker_local.tuning.strategies import Tried

if TYPE_CHECKING:
    from sagemaker_local.api import Api
    from sagemaker_local.home import Owner
    from sagemaker_local.jobs.runner import JobRunner
    from sagemaker_local.store import Document, Key, Store

TUNING_JOB = "hyper-parameter-tuning-job"
_STATUS = "HyperParameterTuningJobStatus"
_FAILURES_WITHOUT_SUCCESS = 5
_LOOK_EVERY = 1.0
_log = logging.getLogger(__name__)


class TuningJobs(Runs):
    """The tuning jobs that this process runs."""

    def __init__(self, owner: Owner, store: Store, jobs: JobRunner, api: Api) -> None:
        super().__init__(owner, store, OWNED, TERMINAL, _end, not_found)
        self._jobs, self._api = jobs, api

    def start(self, region: str, document: Document) -> None:
        """Run a tuning job that is in the store; returns at once."""
        self.begin(region, TuningRun(region, document, self._store, self._jobs, self._api))


def not_found(name: str) -> AwsError:
    return AwsError(
        "ResourceNotFound", f"Amazon SageMaker can't find a tuning job with the name {name}.", 400
    )


class TuningRun:
    """A tuning job that this process runs.

    Attributes:
        ended: set once its end is written.
    """

    def __init__(self, region: str, document: Document, store: Store, jobs: JobRunner, api: Api) -> None:
        self.ended = threading.Event()
        self.name: str = document["HyperParameterTuningJobName"]
        self._arn: str = document["HyperParameterTuningJobArn"]
        self._region, self._store, self._jobs, self._api = region, store, jobs, api
        self._limits = request.limits(document)
        self._strategies = itertools.cycle(request.strategies(document))
        self._definitions = len(request.definitions(document))
        self._stop = threading.Event()
        self._created = 0
        self._under_way: dict[Future[Document], str] = {}

    def stop(self) -> None:
        """Let it end soon, with its training jobs, from another thread."""
        self._stop.set()

    def carry_out(self) -> Document:
        """Try values until one of the limits is reached; how it ended."""
        try:
            return self._carry_out()
        except AwsError as error:  # the first training job may already be refused
            return _failed(f"ClientError: {error.message}")
        except Exception as problem:
            # A fault of this service must end the tuning job, not leave it InProgress for ever.
            _log.exception("tuning job %s failed unexpectedly", self.name)
            return _failed(f"InternalServerError: {problem!r}")

    def _carry_out(self) -> Document:
        began, ending, reason = time.monotonic(), False, None
        with ThreadPoolExecutor(self._limits.parallel) as waiting:
            try:
                while True:
                    tried = self._tried()
                    reason = reason or _hopeless(tried)
                    out_of_time = (
                        self._limits.seconds is not None and time.monotonic() - began > self._limits.seconds
                    )
                    if reason or out_of_time or self._must_stop():
                        ending = True
                        self._stop_all()
                    ending = ending or self._is_good_enough(tried)
                    while not ending and len(self._under_way) < self._limits.parallel:
                        ending = not self._create_next(waiting, tried)
                        tried = self._tried()
                    if not self._under_way:
                        break
                    done, _ = wait(self._under_way, timeout=_LOOK_EVERY, return_when=FIRST_COMPLETED)
                    for future in done:
                        del self._under_way[future]
                        future.result()
            finally:
                self._stop_all()
        if self._must_stop():
            return {_STATUS: "Stopped"}
        reason = reason or _fruitless(self._tried())
        return _failed(reason) if reason else {_STATUS: "Completed"}

    def _create_next(self, waiting: ThreadPoolExecutor, tried: list[Trained]) -> bool:
        """Create one more training job; whether there was anything left to try."""
        if self._limits.jobs is not None and self._created >= self._limits.jobs:
            return False
        for _ in range(self._definitions):
            definition, strategy = next(self._strategies)
            values = strategy(
                [
                    Tried(dict(one.values), one.goodness, one.status not in TERMINAL)
                    for one in tried
                    if one.definition.name == definition.name
                ]
            )
            if values is not None:
                break
        else:
            return False
        self._created += 1
        name = f"{self.name}-{self._created:03d}-{secrets.token_hex(4)}"
        entry = {"Name": name, "Definition": definition.name, "Values": values}
        self._store.update(TUNING_JOB, self._region, self.name, lambda it: it[JOBS_MEMBER].append(entry))
        self._api(self._region, "sagemaker", "CreateTrainingJob", definition.training_job(name, values))
        self._store.update(
            training.KIND.kind, self._region, name, lambda it: it.update(TuningJobArn=self._arn)
        )
        future = waiting.submit(self._jobs.wait, training.KIND.kind, self._region, name)
        self._under_way[future] = name
        return True

    def _tried(self) -> list[Trained]:
        document = self._store.get(TUNING_JOB, self._region, self.name)
        return [] if document is None else outcome.training_jobs(self._store, self._region, document)

    def _is_good_enough(self, tried: list[Trained]) -> bool:
        found = outcome.best(tried)
        if found is None or found.result is None:
            return False
        target, patience = self._limits.target, self._limits.not_improving
        if target is not None and (found.result - target) * found.definition.sign >= 0:
            return True
        ended = [one for one in tried if one.status in TERMINAL]
        return patience is not None and len(ended) - 1 - ended.index(found) >= patience

    def _must_stop(self) -> bool:
        """Whether this process, or another one through the store, has stopped the tuning job."""
        if not self._stop.is_set():
            document = self._store.get(TUNING_JOB, self._region, self.name)
            if document is None or document[_STATUS] == "Stopping":
                self._stop.set()
        return self._stop.is_set()

    def _stop_all(self) -> None:
        for name in self._under_way.values():
            # One that has just ended, or is stopping, cannot be stopped any more and need not be.
            with contextlib.suppress(AwsError):
                self._api(self._region, "sagemaker", "StopTrainingJob", {"TrainingJobName": name})


def _hopeless(tried: list[Trained]) -> str | None:
    """Why nothing more is tried: so many training jobs have failed, and none has done better."""
    failed = [one for one in tried if one.status == "Failed"]
    if len(failed) < _FAILURES_WITHOUT_SUCCESS or any(one.status == "Completed" for one in tried):
        return None
    return _no_success(failed)


def _fruitless(tried: list[Trained]) -> str | None:
    """Why an end without a result is a failure."""
    if any(one.goodness is not None for one in tried):
        return None
    by_status = {
        status: [one for one in tried if one.status == status]
        for status in ("Completed", "Failed", "Stopped")
    }
    if not by_status["Completed"]:
        if failed := by_status["Failed"]:
            return _no_success(failed)
        if stopped := by_status["Stopped"]:
            return (
                f"No training job was completed after {len(stopped)} attempts: each was stopped, by its own"
                " MaxRuntimeInSeconds or that of the tuning job."
            )
    metric = tried[0].definition.metric if tried else "the objective"
    return (
        f"No objective metrics found after running {len(tried)} training jobs. The regular expression of"
        f" {metric} has to match what the algorithm writes to its log."
    )


def _no_success(failed: list[Trained]) -> str:
    last = failed[-1]
    said = last.document.get("FailureReason", "")
    return f"No training job succeeded after {len(failed)} attempts. The last one, {last.name}: {said}"


def _failed(reason: str) -> Document:
    return {_STATUS: "Failed", "FailureReason": reason[:LIMIT]}


def _end(document: Document, members: Document) -> None:
    now = clocks.now_in(document)
    document |= {"HyperParameterTuningEndTime": now, "LastModifiedTime": now, **members}


def _fail_abandoned(store: Store, key: Key, document: Document) -> None:
    _end(document, _failed("InternalServerError: the process that ran this job ended before the job did."))
    store.put(key.kind, key.region, key.name, document)


def mark_stopping(document: Document) -> None:
    """Raises AwsError where the tuning job has ended."""
    if document[_STATUS] in TERMINAL:
        raise validation_error(
            "The request was rejected because the hyperparameter tuning job is in status"
            f" {document[_STATUS]}."
        )
    document |= {_STATUS: "Stopping", "LastModifiedTime": clocks.now_in(document)}


OWNED = OwnedKind(
    kind=TUNING_JOB,
    name_member="HyperParameterTuningJobName",
    arn_member="HyperParameterTuningJobArn",
    status_member=_STATUS,
    under_way=UNDER_WAY,
    end=_fail_abandoned,
)
