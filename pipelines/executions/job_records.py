"""What is known of a step's job over AWS's protocols: its result, a number it wrote, its log.

Processing jobs leave an exit message (1 KB at most), training jobs their last metrics; both write to
CloudWatch Logs, to a stream for each instance named `<job>/<host>-<time>`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from aws_formats.arns import parse_arn
from aws_formats.service_errors import is_absent
from evaluation.metric_table import readable
from registry.clients import read_document

if TYPE_CHECKING:
    from pipelines.settings.target import Target

LOG_GROUPS = {
    "processing": "/aws/sagemaker/ProcessingJobs",
    "training": "/aws/sagemaker/TrainingJobs",
    "tuning": "/aws/sagemaker/TrainingJobs",
}


@dataclass(frozen=True)
class StepJob:
    """The job that carries a step out; a tuning job's log is that of its training jobs, named after it."""

    kind: Literal["processing", "training", "tuning"]
    arn: str

    @property
    def name(self) -> str:
        return parse_arn(self.arn).name

    @property
    def log_group(self) -> str:
        return LOG_GROUPS[self.kind]

    @property
    def stream_prefix(self) -> str:
        """What the names of its log streams begin with."""
        return f"{self.name}-" if self.kind == "tuning" else f"{self.name}/"


@dataclass(frozen=True)
class LogLine:
    """`timestamp` in POSIX seconds."""

    stream: str
    timestamp: float
    message: str


def job_in(metadata: Mapping[str, Any]) -> StepJob | None:
    """The job that the metadata of a listed step name; None if it has none."""
    kinds: dict[str, Literal["processing", "tuning", "training"]] = {
        "ProcessingJob": "processing",
        "TuningJob": "tuning",
        "TrainingJob": "training",
    }
    for member, kind in kinds.items():
        if arn := metadata.get(member, {}).get("Arn"):
            return StepJob(kind, arn)
    return None


def billed_seconds(sagemaker: Any, job: StepJob) -> float | None:
    """What AWS bills of each of a job's instances; None where it did not run.

    Of a training job that is what SageMaker says itself (``BillableTimeInSeconds`` of DescribeTrainingJob,
    which is less on spot instances); of a processing job the time that it ran; of a tuning job the time of
    its training jobs together.
    """
    if job.kind == "training":
        billed = sagemaker.describe_training_job(TrainingJobName=job.name).get("BillableTimeInSeconds")
        return None if billed is None else float(billed)
    if job.kind == "processing":
        described = sagemaker.describe_processing_job(ProcessingJobName=job.name)
        return _between(described.get("ProcessingStartTime"), described.get("ProcessingEndTime"))
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=job.name
    )
    found = (
        _between(one.get("TrainingStartTime"), one.get("TrainingEndTime"))
        for page in pages
        for one in page["TrainingJobSummaries"]
    )
    return sum(seconds for seconds in found if seconds is not None) or None


def _between(started: datetime | None, ended: datetime | None) -> float | None:
    return None if started is None or ended is None else (ended - started).total_seconds()


def result_in_words(sagemaker: Any, job: StepJob) -> str | None:
    """A processing job's exit message, or a training job's final metrics; of a tuning job, see ``trials``."""
    if job.kind == "tuning":
        return None
    if job.kind == "processing":
        message = sagemaker.describe_processing_job(ProcessingJobName=job.name).get("ExitMessage", "")
        return " ".join(message.split()) or None
    metrics = sagemaker.describe_training_job(TrainingJobName=job.name).get("FinalMetricDataList", [])
    words = (f"{metric['MetricName'].replace(':', ' ')} {_short(metric['Value'])}" for metric in metrics)
    return ", ".join(words) or None


def output_uri(target: Target, job: StepJob, output: str) -> str | None:
    """The S3 URI of a processing job's output, without a slash at its end; None if it has no such output."""
    described = target.client("sagemaker").describe_processing_job(ProcessingJobName=job.name)
    for found in described.get("ProcessingOutputConfig", {}).get("Outputs", []):
        if found["OutputName"] == output:
            return str(found["S3Output"]["S3Uri"]).rstrip("/")
    return None


def read_json(target: Target, uri: str) -> Any:
    """A JSON file that a job wrote.

    None where it is missing or broken: SageMaker's own condition decides what that means.
    """
    try:
        return read_document(target.client("s3"), uri)
    except ClientError:
        return None


def number_at(value: Any, path: Sequence[str]) -> float | None:
    """The number that some keys lead to in a JSON value; None where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def log_lines(target: Target, job: StepJob) -> list[LogLine]:
    """Everything that a job has written so far, instance by instance, in order."""
    return list(LogTail(target, job).new_lines())


class LogTail:
    """Reads a job's log in parts: each call continues where the one before ended."""

    def __init__(self, target: Target, job: StepJob) -> None:
        self._logs = target.client("logs")
        self._job = job
        self._tokens: dict[str, str] = {}

    def new_lines(self) -> Iterator[LogLine]:
        """The lines written since the last call; none while the job has no log yet."""
        for stream in _streams(self._logs, self._job):
            while True:
                token = self._tokens.get(stream)
                page = self._logs.get_log_events(
                    logGroupName=self._job.log_group,
                    logStreamName=stream,
                    startFromHead=True,
                    **({"nextToken": token} if token else {}),
                )
                for event in page["events"]:
                    yield LogLine(stream, event["timestamp"] / 1000, event["message"])
                self._tokens[stream] = page["nextForwardToken"]
                # At the end of a stream the service hands back the token it was given.
                if page["nextForwardToken"] == token or not page["events"]:
                    break


class LogReader:
    """Reads the newest line of running jobs; a log that cannot be read has none."""

    INTERVAL = 0.5
    """Seconds between two readings of one job's log."""

    def __init__(self, target: Target) -> None:
        self._logs = target.client("logs")
        self._streams: dict[str, str] = {}
        self._known: dict[str, tuple[float, str | None]] = {}
        self._refused = False

    def latest_line(self, job: StepJob) -> str | None:
        """The last line with any text, from the job's first instance."""
        looked, line = self._known.get(job.arn, (0.0, None))
        if self._refused or time.monotonic() - looked < self.INTERVAL:
            return line
        try:
            line = self._read(job) or line
        except ClientError as error:
            # Not allowed to read logs: do not ask again each time.
            self._refused = not is_absent(error)
        except BotoCoreError:
            pass
        self._known[job.arn] = (time.monotonic(), line)
        return line

    def _read(self, job: StepJob) -> str | None:
        stream = self._streams.get(job.arn) or next(iter(_streams(self._logs, job)), None)
        if stream is None:
            return None
        self._streams[job.arn] = stream
        page = self._logs.get_log_events(
            logGroupName=job.log_group, logStreamName=stream, startFromHead=False, limit=5
        )
        lines = [" ".join(event["message"].split()) for event in page["events"]]
        return next((line for line in reversed(lines) if line), None)


def stream_name(target: Target, job: StepJob) -> str:
    """The CloudWatch stream of the job's first instance; its prefix where it cannot be looked up."""
    try:
        return next(iter(_streams(target.client("logs"), job)), job.stream_prefix)
    except (ClientError, BotoCoreError):
        return job.stream_prefix


def _streams(logs: Any, job: StepJob) -> list[str]:
    """The job's log streams, sorted by host; none before the first line is written."""
    pages = logs.get_paginator("describe_log_streams").paginate(
        logGroupName=job.log_group, logStreamNamePrefix=job.stream_prefix
    )
    try:
        return sorted(stream["logStreamName"] for page in pages for stream in page["logStreams"])
    except ClientError as error:
        if is_absent(error):
            return []
        raise


def _short(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else readable(value, 4)
