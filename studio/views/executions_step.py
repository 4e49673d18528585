"""One step of an execution: what went in and came out, how it was asked to work, and why it ran at all."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from aws_formats.definition_language import LanguageError, StepReference, all_steps, references
from aws_formats.service_errors import is_denied
from aws_formats.times import duration
from pipelines.executions.job_records import StepJob
from pipelines.executions.trials import Trial, best_of
from pipelines.executions.watching import Snapshot, Step
from pipelines.settings.project import Project
from pipelines.settings.target import Target
from pipelines.upsert.step_cache import StepForecast, explain_steps
from registry.clients import bucket_and_key
from studio import charts
from studio.source import Source
from studio.views.executions import ExecutionPage, read_definition, watch
from studio.views.executions_log import LogPage, job_log
from studio.views.executions_trials import TrialsView, trials_view

_READERS = 6
_MOST_OBJECTS = 1000


@dataclass(frozen=True)
class Content:
    """What lies below an S3 prefix; `is_part` where there are more objects than were counted."""

    objects: int
    size: int
    is_part: bool


@dataclass(frozen=True)
class Place:
    """An input or an output.

    Attributes:
        content: None where it is not there yet, or may not be looked at.
        step: whose output an input is, if the definition says so.
    """

    name: str
    uri: str
    content: Content | None
    step: str | None = None


@dataclass(frozen=True)
class StepPage:
    """One step.

    Attributes:
        step: None where SageMaker has not started it, and the definition alone tells of it.
        facts: what carries it out, in short: name and value.
        command: the program with its arguments, an option with its value in one line.
        why: why it ran or was not run; None where the step cache has nothing to do with it.
        charts: of metrics with several values; `singles` are those with one.
        log: None where there is no job, or its log may not be read.
        trials: what a tuning step has tried; None of any other.
        trial: of a tuning step, the number of the trial whose charts and log are shown.
    """

    name: str
    label: str
    kind: str
    description: str | None
    word: str
    step: Step | None
    job: StepJob | None
    facts: tuple[tuple[str, str], ...]
    command: tuple[str, ...]
    hyperparameters: Mapping[str, str]
    environment: Mapping[str, str]
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]
    phases: tuple[tuple[str, str, str], ...]
    conditions: tuple[str, ...]
    why: str | None
    charts: tuple[charts.LineChart, ...]
    singles: tuple[tuple[str, float], ...]
    log: LogPage | None
    trials: TrialsView | None = None
    trial: int | None = None


def read_step(
    source: Source,
    project: Project,
    shown: ExecutionPage,
    name: str,
    search: str,
    before: int | None,
    trial: int | None = None,
) -> StepPage | None:
    """A step of an execution as it is now; None if the definition has no such step.

    Args:
        shown: the execution.
        search: what the log's lines are to hold; empty for all.
        before: show the log up to this line; None for its end.
        trial: of a tuning step, show this trial's log; None for the best one's, or before there is one the
            newest one's.
    """
    target = source.target(project)
    definition = read_definition(target, shown.arn)
    written = next((step for step in all_steps(definition["Steps"]) if step["Name"] == name), None)
    drawn = next((drawn for drawn in shown.drawn if drawn.node.name == name), None)
    if written is None or drawn is None:
        return None
    step = shown.steps.get(name)
    job = watch(target, shown.arn).job_of(step) if step else None
    described = _describe(target, job) if job else {}
    log: LogPage | None = None
    series: Mapping[str, charts.Series] = {}
    chosen = _chosen(step, trial)
    logged = StepJob("training", chosen.arn) if chosen else job
    if logged:
        kept = job_log(target, logged)
        try:
            kept.read_on()
            log, series = kept.page(search, before), kept.series()
        except ClientError as error:
            if not is_denied(error):
                raise
    moment = (step.ended or 0.0) if step else 0.0
    return StepPage(
        name=name,
        label=drawn.label,
        kind=drawn.kind,
        description=written.get("Description"),
        word=drawn.word,
        step=step,
        job=job,
        facts=tuple(_facts(described, job)),
        command=_command(described),
        hyperparameters=described.get("HyperParameters", {}),
        environment=described.get("Environment", {}),
        inputs=_with_content(target, _inputs(described, written), step.started or 0.0 if step else 0.0),
        outputs=_with_content(target, _outputs(described), moment),
        phases=tuple(_phases(described)),
        conditions=tuple(_conditions(written, shown)),
        why=_why(target, project, shown, step, drawn.word),
        charts=charts.line_charts({name: one for name, one in series.items() if one.rounds > 1}),
        singles=tuple((name, one.last) for name, one in series.items() if one.rounds == 1),
        log=log,
        trials=trials_view(step),
        trial=chosen.number if chosen else None,
    )


def _chosen(step: Step | None, number: int | None) -> Trial | None:
    if step is None or step.search is None or not step.trials:
        return None
    asked = next((trial for trial in step.trials if trial.number == number), None)
    return asked or best_of(step.trials, step.search) or step.trials[-1]


def _describe(target: Target, job: StepJob) -> Mapping[str, Any]:
    sagemaker = target.client("sagemaker")
    if job.kind == "processing":
        answer: Mapping[str, Any] = sagemaker.describe_processing_job(ProcessingJobName=job.name)
    elif job.kind == "training":
        answer = sagemaker.describe_training_job(TrainingJobName=job.name)
    else:
        found = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=job.name)
        definition = found.get("TrainingJobDefinition", {})
        # What all of its training jobs have in common, in the words of a training job.
        answer = {**definition, "HyperParameters": definition.get("StaticHyperParameters", {})}
    return answer


def _facts(described: Mapping[str, Any], job: StepJob | None) -> Iterator[tuple[str, str]]:
    if job is None:
        return
    yield f"{job.kind.capitalize()} job", job.name
    cluster = described.get("ResourceConfig") or described.get("ProcessingResources", {}).get(
        "ClusterConfig", {}
    )
    if "InstanceType" in cluster:
        yield "Instances", f"{cluster.get('InstanceCount', 1)} x {cluster['InstanceType']}"
    if "VolumeSizeInGB" in cluster:
        yield "Disk of each", f"{cluster['VolumeSizeInGB']} GB"
    image = described.get("AppSpecification", {}).get("ImageUri")
    image = image or described.get("AlgorithmSpecification", {}).get("TrainingImage")
    if image:
        yield "Image", image
    limit = described.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
    if limit:
        yield "Stopped after", duration(limit)
    billed = described.get("BillableTimeInSeconds")
    if billed is not None:
        yield "Billed", duration(billed)
    yield "Log group", job.log_group


def _command(described: Mapping[str, Any]) -> tuple[str, ...]:
    processing, training = described.get("AppSpecification", {}), described.get("AlgorithmSpecification", {})
    words = [*processing.get("ContainerEntrypoint", ()), *processing.get("ContainerArguments", ())]
    words = words or [*training.get("ContainerEntrypoint", ()), *training.get("ContainerArguments", ())]
    lines: list[str] = []
    for word in words:
        is_value = len(lines) > 0 and not word.startswith("--")
        is_first = not any(line.startswith("--") for line in lines)
        if is_value and (is_first or " " not in lines[-1]):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return tuple(lines)


def _inputs(described: Mapping[str, Any], written: Mapping[str, Any]) -> list[Place]:
    arguments = written["Arguments"]
    origins = {
        one.get("InputName") or one.get("ChannelName"): _step_of(one)
        for one in (
            *arguments.get("ProcessingInputs", ()),
            *arguments.get("InputDataConfig", ()),
            *arguments.get("TrainingJobDefinition", {}).get("InputDataConfig", ()),
        )
    }
    places = [
        (one["InputName"], one.get("S3Input", {}).get("S3Uri", ""))
        for one in described.get("ProcessingInputs", ())
    ]
    places += [
        (one["ChannelName"], one["DataSource"].get("S3DataSource", {}).get("S3Uri", ""))
        for one in described.get("InputDataConfig", ())
    ]
    return [Place(name, uri, None, origins.get(name)) for name, uri in places]


def _step_of(value: Any) -> str | None:
    try:
        return next((one.step for one in references(value) if isinstance(one, StepReference)), None)
    except LanguageError:
        return None


def _outputs(described: Mapping[str, Any]) -> list[Place]:
    outputs = described.get("ProcessingOutputConfig", {}).get("Outputs", ())
    places = [Place(one["OutputName"], one.get("S3Output", {}).get("S3Uri", ""), None) for one in outputs]
    model = described.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    return [*places, Place("model", model, None)] if model else places


def _with_content(target: Target, places: Sequence[Place], moment: float) -> tuple[Place, ...]:
    with ThreadPoolExecutor(_READERS) as readers:
        contents = list(readers.map(lambda place: _content(target, place.uri, moment), places))
    return tuple(
        Place(place.name, place.uri, content, place.step)
        for place, content in zip(places, contents, strict=True)
    )


@functools.lru_cache(maxsize=500)
def _content(target: Target, uri: str, moment: float) -> Content | None:  # noqa: ARG001
    """What lies there; `moment` is when the step began or ended, after which it stays as it is."""
    if not uri.startswith("s3://"):
        return None
    bucket, prefix = bucket_and_key(uri)
    try:
        listed = target.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=_MOST_OBJECTS)
    except (ClientError, ParamValidationError, BotoCoreError):  # no permission, or no bucket
        return None
    found = [one for one in listed.get("Contents", ()) if _is_below(one["Key"], prefix)]
    if not found:
        return None
    return Content(len(found), sum(one["Size"] for one in found), bool(listed.get("IsTruncated")))


def _is_below(key: str, prefix: str) -> bool:
    """Whether an object is the prefix's own: ``data/train`` is not where ``data/training`` lies."""
    return not prefix or prefix.endswith("/") or key == prefix or key.startswith(f"{prefix}/")


def _phases(described: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What a training job went through: name, how long it took, what SageMaker says of it."""
    for one in described.get("SecondaryStatusTransitions", ()):
        start, end = one.get("StartTime"), one.get("EndTime")
        took = duration((end - start).total_seconds()) if start and end else ""
        yield one["Status"], took, one.get("StatusMessage", "")


_OPERATORS = {
    "GreaterThan": ">",
    "GreaterThanOrEqualTo": ">=",
    "LessThan": "<",
    "LessThanOrEqualTo": "<=",
    "Equals": "=",
}


def _conditions(written: Mapping[str, Any], shown: ExecutionPage) -> Iterator[str]:
    if written["Type"] != "Condition":
        return
    for one in written["Arguments"].get("Conditions", ()):
        negated = one["Type"] == "Not"
        inner = one.get("Expression", one) if negated else one
        operator = _OPERATORS.get(inner["Type"], inner["Type"])
        sides = [
            _value_in_words(inner[key], shown.parameters, shown.snapshot)
            for key in ("LeftValue", "QueryValue", "RightValue", "Value", "Values")
            if key in inner
        ]
        yield ("not " if negated else "") + f" {operator} ".join(sides)


def _value_in_words(value: Any, parameters: Mapping[str, str], snapshot: Snapshot) -> str:
    """What stands on one side of a comparison: what it refers to, and its value where it is known."""
    if isinstance(value, dict) and isinstance(value.get("Get"), str):
        kind, _, rest = value["Get"].partition(".")
        if kind == "Parameters":
            return f"{rest} ({parameters.get(rest, 'unknown')})"
        name, _, path = rest.partition(".")
        outputs = next((dict(step.outputs) for step in snapshot.steps if step.name == name), {})
        found = next((text for key, text in outputs.items() if f"'{key}'" in path), None)
        return f"{name}.{path}" + (f" ({found})" if found is not None else "")
    if isinstance(value, dict) and "Std:JsonGet" in value:
        inner = value["Std:JsonGet"]
        path, gate = inner.get("Path", ""), snapshot.gate
        if gate and gate.value is not None and f".{gate.metric.name}." in f".{path}.":
            return f"{path} ({gate.metric.shown(gate.value)})"
        if gate and gate.verdict and path == "verdict":
            return f"verdict ({gate.verdict.get('verdict')})"
        return str(path)
    if isinstance(value, list):
        return ", ".join(_value_in_words(one, parameters, snapshot) for one in value)
    return str(value)


def _why(target: Target, project: Project, shown: ExecutionPage, step: Step | None, word: str) -> str | None:
    """Why it was run or not, in a sentence."""
    if word == "skipped":
        return "It was not started: its branch was not taken, or a step before it ended the execution."
    if step is None or step.started is None:
        return None
    if step.taken_from:
        return "Only other steps were to run in this execution, so it is given an earlier result."
    found = {one.step: one for one in explanations(target, project.name, shown.arn, step.started)}.get(
        step.name
    )
    if found is None:
        return None
    return _explained(found)


def _explained(found: StepForecast) -> str:
    if found.cached_from is not None:
        return "The same step had succeeded with the same code, inputs and settings, so it was not run again."
    if found.reason.startswith("after "):
        return f"It ran because it uses what {found.reason.removeprefix('after ')} made, which ran as well."
    if found.reason.startswith("unless "):
        return "It ran because what it uses may have been different from before."
    return f"It ran, and was not taken from the step cache: {found.reason}."


@functools.lru_cache(maxsize=200)
def explanations(
    target: Target,
    pipeline: str,
    arn: str,
    started: float,  # noqa: ARG001
) -> tuple[StepForecast, ...]:
    """Why the steps of an execution ran; `started` is when the newest of them began, for what is kept."""
    return explain_steps(arn, pipeline, target)
