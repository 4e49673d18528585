"""Runs one step: resolves its arguments, does what its type says, and says how it ended.

A step that creates something goes through the same API as a client's request, so its arguments pass the
same checks; its properties are the Describe response, as on AWS. Every transition is in the step's document
before the next thing happens.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import string
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from aws_formats.definition_language import LanguageError, Scope, resolve
from sagemaker_local import clocks
from sagemaker_local.api import Api
from sagemaker_local.errors import AwsError
from sagemaker_local.execution import cache, conditions, retry
from sagemaker_local.execution.function_outputs import declared_outputs, output_text
from sagemaker_local.execution.graph import Step
from sagemaker_local.execution.quality_checks import Check
from sagemaker_local.execution.records import RESULT, Record, result_parent, shortened
from sagemaker_local.execution.slots import Slots

_NAME_LENGTH = 63
_NAME_LENGTHS = {"HyperParameterTuningJobName": 32}
_RANDOM_LENGTH = 10
_LONGEST_ERROR = 3072  # of FailStepMetadata
_MOST_TRIED = 50
"""Training jobs of a tuning job that a definition can refer to; SageMaker's steps have the best 50."""

_SHOWN = {"HyperParameterTuningJob": "TuningJob"}
"""What a step's metadata call what it has created, where that is not what the API calls it."""

_TOKEN_LENGTH = 36
_ALPHANUMERIC = string.ascii_letters + string.digits


JOBS = {
    "Processing": "ProcessingJob",
    "Training": "TrainingJob",
    "Transform": "TransformJob",
    "Tuning": "HyperParameterTuningJob",
    "QualityCheck": "ProcessingJob",
}
"""What the API calls the job of a step, by the step's type: CreateProcessingJob, ProcessingJobName, ..."""

Wait = Callable[[str, str], object]
"""Waits for a job's end, given its region and its name."""


@dataclass(frozen=True)
class Outcome:
    """How a step, or one attempt at it, ended.

    Attributes:
        status: ``Succeeded``, ``Failed`` or ``Stopped``.
        members: of the step's document that this outcome sets (Metadata, CacheHitResult).
        exception_type: for a failure, what a retry policy would call it.
    """

    status: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None
    members: Mapping[str, Any] = field(default_factory=dict)
    exception_type: str | None = None
    cache_key: str | None = None


@dataclass
class StepRun:
    """One run of one step, in a thread of its own.

    Attributes:
        waits: how a job's end is awaited, by what the API calls the job.
        api: calls an operation as a client does.
        slots: this process's places for running jobs.
        scope: everything that is known when the step begins.
        execution: the execution's document as it was then.
        earlier_attempts: attempts before this run (a retry of the execution counts on).
        stop: set when the execution is to stop.
    """

    record: Record
    waits: Mapping[str, Wait]
    api: Api
    slots: Slots
    execution: Mapping[str, Any]
    step: Step
    scope: Scope
    stop: threading.Event
    earlier_attempts: int = 0
    _job: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> Outcome:
        """Run to the end, retries included, and leave the step's document in its last state."""
        self.record.put_step(
            {
                "StepName": self.step.name,
                "StepDisplayName": self.step.display_name,
                "StepDescription": self.step.description,
                "_StepType": self.step.type,
                "StepStatus": "Starting",
                "StartTime": self.record.now(),
                "AttemptCount": self.earlier_attempts + 1,
            }
        )
        outcome = self._run_with_retries()
        with self.record.store.transaction():
            self.record.finish_step(
                self.step.name,
                outcome.status,
                outcome.reason,
                _Properties=dict(outcome.properties),
                **outcome.members,
            )
            self._keep_result(outcome)
        return outcome

    def stop_job(self) -> None:
        """Ask the job that runs for this step, if any, to stop."""
        with self._lock:
            name = self._job
        if name is None:
            return
        prefix = JOBS[self.step.type]
        # A job that has just ended cannot be stopped any more, and need not be.
        with contextlib.suppress(AwsError):
            self._call(f"Stop{prefix}", {f"{prefix}Name": name})

    def _run_with_retries(self) -> Outcome:
        attempts = retry.Attempts(self.step.retries)
        started = time.monotonic()
        number = self.earlier_attempts + 1
        while True:
            outcome = self._attempt()
            if outcome.status != "Failed" or self.stop.is_set():
                return outcome
            delay = attempts.next_delay(outcome.exception_type, time.monotonic() - started)
            if delay is None:
                return outcome
            self.record.change_step(self.step.name, StepStatus="Starting", FailureReason=outcome.reason)
            if self.stop.wait(delay):
                return Outcome("Stopped")
            number += 1
            self.record.change_step(self.step.name, AttemptCount=number, FailureReason=None)

    def _attempt(self) -> Outcome:
        if self.stop.is_set():
            return Outcome("Stopped")
        try:
            return _ATTEMPTS[self.step.type](self)
        except LanguageError as error:
            return Outcome("Failed", reason=f"ClientError: {error}")
        except AwsError as error:
            kind = retry.call_exception_type(error)
            return Outcome("Failed", reason=f"ClientError: {error.message}", exception_type=kind)

    def _call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.api(self.record.region, "sagemaker", operation, arguments)
        except AwsError as error:
            told = f"Failed to invoke sagemaker:{operation}. Error Details: {error.message}"
            raise AwsError(error.code, told, error.status) from error

    def _executing(self, **members: Any) -> None:
        status = "Stopping" if self.stop.is_set() else "Executing"
        self.record.change_step(self.step.name, StepStatus=status, **members)

    def _scope_now(self, **variables: str) -> Scope:
        now = {"CurrentDateTime": timestamp_text(self.record.now())}
        return replace(self.scope, variables={**self.scope.variables, **now, **variables})

    def _resolved(self, **variables: str) -> dict[str, Any]:
        arguments: dict[str, Any] = resolve(self.step.arguments, self._scope_now(**variables))
        return arguments

    def run_job(self) -> Outcome:
        """Reuse an earlier result, or create the job and wait for its end."""
        prefix = JOBS[self.step.type]
        arguments = self._named(f"{prefix}Name")

        def metadata(arn: str) -> dict[str, Any]:
            return {_SHOWN.get(prefix, prefix): {"Arn": arn}}

        key = cache.cache_key(self.step.type, arguments)
        return self._cached(key) or self._run_new(key, lambda: self._run_one_job(prefix, arguments, metadata))

    def run_quality_check(self) -> Outcome:
        """QualityCheck: a processing job, and what it says of the dataset and its baselines."""
        given = resolve(self.step.check, self._scope_now())
        arguments = self._named("ProcessingJobName")

        def run() -> Outcome:
            check = Check.begun(given, self._call)
            ended = self._run_one_job("ProcessingJob", check.job(arguments), check.metadata)
            if ended.status != "Succeeded":
                return ended
            job, reason = ended.properties, check.failure(ended.properties)
            shown = {"Metadata": check.metadata(job["ProcessingJobArn"], job)}
            return Outcome("Failed" if reason else "Succeeded", check.properties(job), reason, shown)

        key = cache.cache_key(self.step.type, {**arguments, **given})
        return self._cached(key) or self._run_new(key, run)

    def _run_new(self, key: str | None, run: Callable[[], Outcome]) -> Outcome:
        """What could not be reused is done, once there is a place for it."""
        self.record.store.rest()
        with self.slots.taken(self.stop) as granted:
            return replace(run(), cache_key=key) if granted else Outcome("Stopped")

    def _named(self, member: str) -> dict[str, Any]:
        """The step's arguments, with a new name for what it creates; they may refer to that name."""
        name = new_name(self.record.execution_id, self.step, member)
        return {**self._resolved(**{member: name}), member: name}

    def _run_one_job(
        self, prefix: str, arguments: dict[str, Any], metadata: Callable[[str], dict[str, Any]]
    ) -> Outcome:
        name = arguments[f"{prefix}Name"]
        created = self._call(f"Create{prefix}", arguments)
        self._executing(Metadata=metadata(created[f"{prefix}Arn"]))
        with self._lock:
            self._job = name
        if self.stop.is_set():
            self.stop_job()
        try:
            self.waits[prefix](self.record.region, name)
        finally:
            with self._lock:
                self._job = None
        described = self._call(f"Describe{prefix}", {f"{prefix}Name": name})
        status = described[f"{prefix}Status"]
        reason = described.get("FailureReason")
        if status == "Completed":
            return Outcome("Succeeded", described | self._tried(prefix, described))
        # A job that was stopped and has a reason ran longer than it may.
        if status == "Stopped" and not reason:
            outside = (
                None if self.stop.is_set() else f"ClientError: {name} was stopped outside of the pipeline."
            )
            return Outcome("Stopped", reason=outside)
        reason = reason or f"{name} failed without a reason."
        kind = retry.job_exception_type(reason)
        return Outcome("Failed", reason=f"ClientError: {reason}", exception_type=kind)

    def _tried(self, prefix: str, described: Mapping[str, Any]) -> dict[str, Any]:
        """The training jobs of a tuning job, the best first: properties of its step as well."""
        if prefix != JOBS["Tuning"]:
            return {}
        best = described["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
        asked = {
            f"{prefix}Name": described[f"{prefix}Name"],
            "SortBy": "FinalObjectiveMetricValue",
            "SortOrder": "Descending" if best["Type"] == "Maximize" else "Ascending",
            "MaxResults": _MOST_TRIED,
        }
        return {
            "TrainingJobSummaries": self._call(f"ListTrainingJobsFor{prefix}", asked)["TrainingJobSummaries"]
        }

    def _cached(self, key: str | None) -> Outcome | None:
        if key is None or not self.step.cache.enabled:
            return None
        parent = result_parent(dict(self.execution), self.step.name, key)
        entries = self.record.store.list(RESULT, self.record.region, parent)
        found = cache.newest_valid(entries, self.step.cache, clocks.now())
        if found is None:
            return None
        hit = {"SourcePipelineExecutionArn": found["SourcePipelineExecutionArn"]}
        return Outcome(
            "Succeeded", found["Properties"], members={"CacheHitResult": hit, "Metadata": found["Metadata"]}
        )

    def _keep_result(self, outcome: Outcome) -> None:
        """Make a job's result available to later executions, cached or not this time."""
        if outcome.status != "Succeeded" or outcome.cache_key is None:
            return
        doc = self.record.step(self.step.name) or {}
        self.record.store.put(
            RESULT,
            self.record.region,
            f"{self.record.arn}#{self.step.name}",
            {
                "SourcePipelineExecutionArn": self.record.arn,
                "EndTime": doc["EndTime"],
                "Properties": dict(outcome.properties),
                "Metadata": doc["Metadata"],
            },
            parent=result_parent(dict(self.execution), self.step.name, outcome.cache_key),
        )

    def run_condition(self) -> Outcome:
        """Condition: its outcome is what the branches wait for."""
        self._executing()
        outcome = conditions.evaluate_all(self.step.arguments["Conditions"], self._scope_now())
        metadata = {"Condition": {"Outcome": str(outcome)}}
        return Outcome("Succeeded", {"Outcome": outcome}, members={"Metadata": metadata})

    def run_model(self) -> Outcome:
        """Model: makes a model, which transform steps and endpoints name."""
        self._executing()
        arguments = self._named("ModelName")
        arn = self._call("CreateModel", arguments)["ModelArn"]
        described = self._call("DescribeModel", {"ModelName": arguments["ModelName"]})
        return Outcome("Succeeded", described, members={"Metadata": {"Model": {"Arn": arn}}})

    def run_registration(self) -> Outcome:
        """RegisterModel: a new version in its group, which is created if there is none.

        The client token is the same for every attempt at this step of this execution, so neither a retry
        nor a process that died after registering registers twice.
        """
        self._executing()
        token = hashlib.sha256(f"{self.record.arn}#{self.step.name}".encode()).hexdigest()[:_TOKEN_LENGTH]
        arguments = {"ClientToken": token, **self._resolved()}
        # With the store's write lock held: of executions that register at once, one makes the group.
        with self.record.store.transaction():
            if "ModelPackageGroupName" in arguments:
                self._ensure_group(arguments["ModelPackageGroupName"], arguments.pop("Tags", []))
            arn = self._call("CreateModelPackage", arguments)["ModelPackageArn"]
        described = self._call("DescribeModelPackage", {"ModelPackageName": arn})
        return Outcome("Succeeded", described, members={"Metadata": {"RegisterModel": {"Arn": arn}}})

    def _ensure_group(self, group: Any, tags: Any) -> None:
        """Make the group if there is none. A step's tags are the new group's: its versions have none."""
        if not isinstance(group, str) or group.startswith("arn:"):
            return
        if self.record.store.get("model-package-group", self.record.region, group) is None:
            self._call("CreateModelPackageGroup", {"ModelPackageGroupName": group, "Tags": tags})

    def run_function(self) -> Outcome:
        """Lambda: calls the function with the step's arguments, and keeps what it returns by name."""
        self._executing()
        payload = base64.b64encode(json.dumps(self._resolved()).encode()).decode()
        name = self.step.function
        answer = self.api(self.record.region, "lambda", "Invoke", {"FunctionName": name, "Payload": payload})
        returned = json.loads(base64.b64decode(answer["Payload"]))
        metadata: dict[str, Any] = {"Arn": name, "OutputParameters": []}
        if answer.get("FunctionError"):
            why = f"ClientError: {name} failed: {returned.get('errorType')}: {returned.get('errorMessage')}"
            return Outcome("Failed", reason=why, members={"Metadata": {"Lambda": metadata}})
        values = declared_outputs(returned, self.step.outputs)
        metadata["OutputParameters"] = [
            {"Name": output, "Value": output_text(value)} for output, value in values.items()
        ]
        return Outcome("Succeeded", {"OutputParameters": values}, members={"Metadata": {"Lambda": metadata}})

    def run_fail(self) -> Outcome:
        """Fail: ends the execution with the message that the definition gives it."""
        message = str(self._resolved().get("ErrorMessage", ""))
        metadata = {"Fail": {"ErrorMessage": shortened(message, _LONGEST_ERROR)}}
        return Outcome("Failed", reason=message or None, members={"Metadata": metadata})


_ATTEMPTS: dict[str, Callable[[StepRun], Outcome]] = {
    "Processing": StepRun.run_job,
    "Training": StepRun.run_job,
    "Transform": StepRun.run_job,
    "Tuning": StepRun.run_job,
    "QualityCheck": StepRun.run_quality_check,
    "Model": StepRun.run_model,
    "Condition": StepRun.run_condition,
    "RegisterModel": StepRun.run_registration,
    "Lambda": StepRun.run_function,
    "Fail": StepRun.run_fail,
}


def new_name(execution_id: str, step: Step, member: str) -> str:
    """``pipelines-<execution id>-<step name>-<10 random characters>``, as AWS names what a step creates.

    A definition that gives the name itself, as `member` of the step's arguments (the SDK's
    ``use_custom_job_prefix``), has it in place of ``pipelines-<execution id>-<step name>``. Names are cut
    to 63 characters, those of tuning jobs, which begin with the execution's id, to 32.
    """
    custom = step.arguments.get(member)
    usual = (
        f"{execution_id}-{step.name}" if member in _NAME_LENGTHS else f"pipelines-{execution_id}-{step.name}"
    )
    prefix = custom if isinstance(custom, str) else usual
    random = "".join(secrets.choice(_ALPHANUMERIC) for _ in range(_RANDOM_LENGTH))
    length = _NAME_LENGTHS.get(member, _NAME_LENGTH)
    head = prefix.replace("_", "-")[: length - _RANDOM_LENGTH - 1].strip("-")
    return f"{head}-{random}"


def timestamp_text(seconds: float) -> str:
    """POSIX seconds as the execution variables show times: ``2026-01-31T12:00:00.000Z``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
