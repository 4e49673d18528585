"""Watches an execution until it has ended, and says what came out.

:func:`follow` yields a :class:`Snapshot` again and again: the execution at one moment, with every step of
its definition, those that have not started included. :func:`outcome_of` says what the last one means for
a caller: whether the execution succeeded, whether the gate let the model pass, which step failed.

The clients repeat throttled calls themselves (botocore's standard mode). While an AWS endpoint cannot be
reached, :func:`follow` goes on trying for a time, because the execution goes on as well.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from aws_formats.service_errors import is_denied
from evaluation.metric_table import MetricKind
from pipelines.executions import job_records, trials
from pipelines.executions import lifecycle as executions
from pipelines.executions.job_records import StepJob
from pipelines.executions.outline import Outline, read_outline
from pipelines.executions.trials import Search, Trial
from registry import data_findings
from registry.data_findings import NOTHING_NOTICED, DataFindings, findings_in
from registry.model_quality import figure, metric_kind

if TYPE_CHECKING:
    from pipelines.settings.target import Target

UNDER_WAY = frozenset({"Starting", "Executing", "Stopping"})
"""Statuses of an execution or a step that will still change."""

NOT_STARTED = "NotStarted"
"""This module's own status for a step of the definition that SageMaker does not list yet."""

PREPROCESS, QUALITY = "PreprocessData", "quality"
"""The step that reads the data, and that of its outputs which holds what it noticed."""

FIND_SAME_VERSION, IS_NEW = "FindSameVersion", "CheckIfNew"
"""The steps that keep a model from being registered twice."""

REPORT = "report.html"
"""The evaluation's report for people, beside its verdict."""

UNREACHABLE_LIMIT = 600.0
"""Seconds for which an AWS endpoint may be unreachable while an execution is followed."""


@dataclass(frozen=True)
class Step:
    """One step of an execution.

    Attributes:
        status: SageMaker's step status, or `NotStarted`.
        cached_from: ARN of the execution whose result was taken from the step cache, if it was.
        taken_from: ARN of the execution whose result is used because only other steps were to run.
        started, ended: POSIX seconds.
        began: when it started, by `time.monotonic`, which nobody can set; where it is watched under way.
        job: the processing or training job that carries the step out, if it has one.
        produced: what came out in a few words, once the step has succeeded.
        latest: the newest line of the job's log while it runs, if it could be read.
        outputs: what a Lambda step's function returned, by name.
        trials: what a tuning step has tried so far, where that may be looked at.
        search: what a tuning step looks for.
    """

    name: str
    display_name: str
    type: str
    status: str
    cached_from: str | None = None
    taken_from: str | None = None
    started: float | None = None
    ended: float | None = None
    began: float | None = None
    failure_reason: str | None = None
    job: StepJob | None = None
    model_package_arn: str | None = None
    condition_held: bool | None = None
    produced: str | None = None
    latest: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    search: Search | None = None

    @property
    def cached(self) -> bool:
        return self.cached_from is not None

    @property
    def reused(self) -> bool:
        """Whether this execution did not run it, and uses the result of another."""
        return self.cached or self.taken_from is not None

    @property
    def seconds(self) -> float | None:
        """How long the step has taken so far, or took; None before it starts."""
        if self.started is None:
            return None
        if self.ended is None and self.began is not None:
            return time.monotonic() - self.began
        return max(0.0, (self.ended or time.time()) - self.started)


@dataclass(frozen=True)
class GateReading:
    """What an execution's gate compares.

    Attributes:
        metric: of the model, on the test part.
        measured_by: the step that measures it.
        value: of the metric; None before it is measured, or if it cannot be read.
        threshold: what the value is held against; None if it cannot be told.
        verdict: ``verdict.json`` of the evaluation, with every check; None before it is there, or without.
        report: the S3 URI of the HTML report that the evaluation writes beside its verdict; None likewise.
    """

    metric: MetricKind
    measured_by: str
    value: float | None
    threshold: float | None
    verdict: Mapping[str, Any] | None = None
    report: str | None = None

    def in_words(self, passed: bool) -> str:
        """Why it opened or stayed shut, in the verdict's own words if there is one.

        Without one it is the comparison: ``accuracy 0.9556 is above the threshold 0.9``.
        """
        if self.verdict and (self.verdict.get("verdict") == "passed") == passed:
            return str(self.verdict.get("sentence"))
        comparison = f"is {'' if passed else 'not '}{self.side}"
        value = figure(self.value, self.metric, "unknown")
        return f"{self.metric.label} {value} {comparison} {self.threshold_in_words}"

    @property
    def side(self) -> str:
        """On which side of the threshold the metric has to be."""
        return "above" if self.metric.higher_is_better else "below"

    @property
    def threshold_in_words(self) -> str:
        return "an unknown threshold" if self.threshold is None else f"the threshold {self.threshold:g}"


@dataclass(frozen=True)
class Snapshot:
    """An execution at one moment; `steps` in the order of the definition.

    `gate` is None if its definition has no condition on a metric; `findings` are what preprocessing noticed
    of the data, once it has succeeded.
    """

    execution_arn: str
    status: str
    failure_reason: str | None
    steps: tuple[Step, ...]
    gate: GateReading | None
    findings: DataFindings = NOTHING_NOTICED

    @property
    def ended(self) -> bool:
        return self.status not in UNDER_WAY


@dataclass(frozen=True)
class SameVersion:
    """The newest version's number, and what was found about it, as a sentence."""

    number: int
    sentence: str


@dataclass(frozen=True)
class ExecutionOutcome:
    """What came out of an execution, as far as it has got.

    Attributes:
        status: SageMaker's: Executing, Stopping, Stopped, Failed, Succeeded, CompletedWithFailures.
        steps: the steps that SageMaker started, in the order of the definition.
        gate: what the gate compared; None if the definition has no condition on a metric.
        gate_shut: the model was evaluated and is not good enough; no error.
        failed_step: the step that ended the execution, if one did.
        same_version: the newest version, where that is this very model; then nothing is registered.
        findings: what preprocessing noticed of the data; none if it did not succeed.
    """

    execution_arn: str
    status: str
    steps: tuple[Step, ...]
    gate: GateReading | None
    model_package_arn: str | None
    gate_shut: bool
    failed_step: Step | None
    failure_reason: str | None
    same_version: SameVersion | None = None
    findings: DataFindings = NOTHING_NOTICED


def follow(target: Target, execution_arn: str) -> Iterator[Snapshot]:
    """Look at the execution again and again until it has ended; the last snapshot is of its end.

    The pauses are short after a change and grow while nothing happens: a short step on this machine is
    seen to end at once, and a long one in AWS costs few calls.
    """
    watch = Watch(target, execution_arn)
    last_change = last_answer = time.monotonic()
    previous: tuple[str, ...] = ()
    while True:
        try:
            snapshot = watch.look()
            last_answer = time.monotonic()
        except (ConnectionError, HTTPClientError):
            if target.name == "local" or time.monotonic() - last_answer > UNREACHABLE_LIMIT:
                raise
            time.sleep(_pause(target, time.monotonic() - last_change))
            continue
        yield snapshot
        if snapshot.ended:
            return
        statuses = tuple(step.status for step in snapshot.steps)
        if statuses != previous:
            previous, last_change = statuses, time.monotonic()
        time.sleep(_pause(target, time.monotonic() - last_change))


def outcome(target: Target, execution_arn: str) -> ExecutionOutcome:
    """What came out of the execution, as far as it has got."""
    return outcome_of(Watch(target, execution_arn).look())


def outcome_of(snapshot: Snapshot) -> ExecutionOutcome:
    """What a snapshot says of the execution's outcome."""
    steps = tuple(step for step in snapshot.steps if step.status != NOT_STARTED)
    failed = [step for step in steps if step.status == "Failed"]
    refused = any(step.condition_held is False and step.name != IS_NEW for step in steps)
    # A condition that could not be evaluated has failed itself: that is an error, not a shut gate. If only
    # some steps were to run, nothing may be there to fail.
    ended = snapshot.status in ("Failed", "Succeeded")
    gate_shut = ended and refused and all(step.type == "Fail" for step in failed)
    packages = [step.model_package_arn for step in steps if step.model_package_arn]
    return ExecutionOutcome(
        execution_arn=snapshot.execution_arn,
        status=snapshot.status,
        steps=steps,
        gate=snapshot.gate,
        model_package_arn=packages[-1] if packages and snapshot.status == "Succeeded" else None,
        gate_shut=gate_shut,
        failed_step=failed[0] if failed else None,
        failure_reason=snapshot.failure_reason,
        same_version=next(filter(None, map(_same_version, steps)), None),
        findings=snapshot.findings,
    )


def _same_version(step: Step) -> SameVersion | None:
    number = step.outputs.get("Version", "") if step.name == FIND_SAME_VERSION else ""
    return SameVersion(int(number), step.outputs.get("Sentence", "")) if number.isdecimal() else None


class Watch:
    """Takes snapshots of one execution; remembers what does not change between two of them."""

    def __init__(self, target: Target, execution_arn: str) -> None:
        self._target = target
        self._arn = execution_arn
        self._sagemaker = target.client("sagemaker")
        self._logs = job_records.LogReader(target)
        self._outline: Outline = read_outline(executions.definition_of(target, execution_arn))
        self._gate = self._unmeasured_gate()
        self._findings: DataFindings | None = None
        # A step's result by its name, job and attempt: read once, when the step has succeeded.
        self._produced: dict[tuple[str, str, float | None], str | None] = {}
        # What a tuning job has tried, by its ARN and the step's end.
        self._tried: dict[tuple[str, float | None], tuple[Trial, ...]] = {}
        # When a step began, by its name and start: known from the first look at it.
        self._began: dict[tuple[str, float | None], float] = {}

    def look(self, *, briefly: bool = False) -> Snapshot:
        """The execution now.

        Args:
            briefly: without what each step produced and what was noticed of the data: fewer requests.
        """
        # Status before steps: once the status is final, the steps read after it are final, too.
        described = self._sagemaker.describe_pipeline_execution(PipelineExecutionArn=self._arn)
        listed = {found["StepName"]: found for found in executions.listed_steps(self._target, self._arn)}
        steps = []
        for outlined in self._outline.steps:
            found = listed.pop(outlined.name, None)
            if found is not None:
                steps.append(_step(found, outlined.display_name, outlined.type))
            elif outlined.type != "Fail":  # a step that fails the execution is shown only if it runs
                steps.append(Step(outlined.name, outlined.display_name, outlined.type, NOT_STARTED))
        steps += [_step(found, found["StepName"], "Unknown") for found in listed.values()]
        self._gate = self._measured(self._gate, steps)
        if self._findings is None and not briefly:
            self._findings = self._read_findings(steps)
        return Snapshot(
            execution_arn=self._arn,
            status=described["PipelineExecutionStatus"],
            failure_reason=described.get("FailureReason"),
            steps=tuple(steps if briefly else map(self._with_details, steps)),
            gate=self._gate,
            findings=self._findings or NOTHING_NOTICED,
        )

    def _with_details(self, step: Step) -> Step:
        search = self._outline.tuning.get(step.name)
        if search is not None:
            step = replace(step, search=search, trials=self._trials(step))
        if step.status in UNDER_WAY:
            began = self._began.setdefault(
                (step.name, step.started), time.monotonic() - (step.seconds or 0.0)
            )
            latest = None if step.job is None else self._logs.latest_line(step.job)
            if search is not None:
                latest = trials.progress_in_words(step.trials, search) if step.trials else None
            return replace(step, began=began, latest=latest)
        if step.status != "Succeeded":
            return step
        key = (step.name, step.job.arn if step.job else "", step.ended)
        if key not in self._produced:
            self._produced[key] = self._read_result(step)
        return replace(step, produced=self._produced[key])

    def _trials(self, step: Step) -> tuple[Trial, ...]:
        """Those of a tuning step, read until the step has ended and once after that."""
        job = self.job_of(step) if step.status != NOT_STARTED else None
        if job is None:
            return ()
        key = (job.arn, step.ended)
        if step.ended is None or key not in self._tried:
            try:
                self._tried[key] = trials.list_trials(self._sagemaker, job.name)
            except ClientError as error:
                if not is_denied(error):
                    raise
                self._tried[key] = ()
        return self._tried[key]

    def _read_result(self, step: Step) -> str | None:
        if step.search is not None:
            return trials.outcome_in_words(step.trials, step.search)
        gate = self._outline.gate
        if step.condition_held is not None and gate and self._gate and step.name == gate.step:
            return self._gate.in_words(step.condition_held)
        if step.condition_held is not None and step.display_name.endswith("?"):
            return "yes" if step.condition_held else "no"
        if step.condition_held is not None:
            return "the condition holds" if step.condition_held else "the condition does not hold"
        if step.model_package_arn is not None:
            found = self._sagemaker.describe_model_package(ModelPackageName=step.model_package_arn)
            return f"version {found['ModelPackageVersion']}, {found['ModelApprovalStatus']}"
        if step.type == "Lambda":
            return step.outputs.get("Sentence")
        job = self.job_of(step)
        return job_records.result_in_words(self._sagemaker, job) if job else None

    def job_of(self, step: Step) -> StepJob | None:
        """The job behind a step, also where it was another execution's; None if it has none."""
        source = step.cached_from or step.taken_from
        if step.job is not None or source is None:
            return step.job
        for found in executions.listed_steps(self._target, source):
            if found["StepName"] == step.name:
                return job_records.job_in(found.get("Metadata", {}))
        return None

    def _unmeasured_gate(self) -> GateReading | None:
        gate = self._outline.gate
        if gate is None:
            return None
        threshold = gate.threshold
        if gate.threshold_parameter is not None:
            given = executions.given_parameters(self._target, self._arn).get(gate.threshold_parameter)
            threshold = gate.threshold if given is None else float(given)
        return GateReading(metric_kind(gate.metric), gate.metric_step, None, threshold)

    def _measured(self, reading: GateReading | None, steps: list[Step]) -> GateReading | None:
        """The reading with the metric from the property file, once the step that writes it has succeeded."""
        gate = self._outline.gate
        if gate is None or reading is None or reading.value is not None:
            return reading
        for step in steps:
            if step.name == gate.metric_step and step.status == "Succeeded":
                job = self.job_of(step)
                place = job and job_records.output_uri(self._target, job, gate.output)
                if place:
                    read = functools.partial(job_records.read_json, self._target)
                    value = job_records.number_at(read(f"{place}/{gate.file}"), gate.path)
                    verdict = read(f"{place}/{gate.verdict_file}") if gate.verdict_file else None
                    report = f"{place}/{REPORT}" if gate.verdict_file else None
                    return replace(reading, value=value, verdict=verdict, report=report)
        return reading

    def _read_findings(self, steps: list[Step]) -> DataFindings | None:
        """What preprocessing noticed; None until its step has succeeded, here or where it is taken from."""
        for step in steps:
            if step.name == PREPROCESS and step.status == "Succeeded":
                job = self.job_of(step)
                place = job and job_records.output_uri(self._target, job, QUALITY)
                read = job_records.read_json
                return findings_in(place and read(self._target, f"{place}/{data_findings.FILE}"))
        return None


def _step(found: Mapping[str, Any], display_name: str, kind: str) -> Step:
    metadata = found.get("Metadata", {})
    outcome_word = metadata.get("Condition", {}).get("Outcome")
    return Step(
        name=found["StepName"],
        display_name=found.get("StepDisplayName") or display_name,
        type=kind,
        status=found["StepStatus"],
        cached_from=found.get("CacheHitResult", {}).get("SourcePipelineExecutionArn"),
        taken_from=found.get("SelectiveExecutionResult", {}).get("SourcePipelineExecutionArn"),
        started=_seconds(found.get("StartTime")),
        ended=_seconds(found.get("EndTime")),
        failure_reason=found.get("FailureReason") or metadata.get("Fail", {}).get("ErrorMessage"),
        job=job_records.job_in(metadata),
        model_package_arn=metadata.get("RegisterModel", {}).get("Arn"),
        condition_held=None if outcome_word is None else outcome_word == "True",
        outputs={
            output["Name"]: output["Value"]
            for output in metadata.get("Lambda", {}).get("OutputParameters", ())
        },
    )


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _pause(target: Target, quiet: float) -> float:
    """Seconds until the next snapshot: a twentieth of the time without change, within the target's bounds."""
    shortest, longest = (0.1, 1.0) if target.name == "local" else (2.0, 10.0)
    return min(longest, max(shortest, quiet / 20))
