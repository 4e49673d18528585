"""What steps took in earlier executions, on as many instances of the same type.

What a job was billed for is corrected for other data, rounds and depths in the proportion in which the
calculated time (``calculated.py``) changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aws_formats.definition_language import all_steps, fill_in
from aws_formats.service_errors import is_absent, is_denied
from pipelines.executions import lifecycle as executions
from pipelines.executions.job_records import billed_seconds, job_in
from pipelines.settings.target import Target
from pipelines.upsert import calculated
from pipelines.upsert.calculated import Data
from pipelines.upsert.step_cache import SEARCHED, PastExecution

ENOUGH = 5
"""How many earlier executions of a step are taken, newest first, among as many as the step cache searches."""

_MOST_FILES = 50_000
"""Of data in S3, listed 1 000 at a time."""

_PROGRAMS: Mapping[str, calculated.Program] = {
    "ProfileData": "preprocess",
    "SplitData": "preprocess",
    "PreprocessData": "preprocess",
    "TrainModel": "train",
    "TuneModel": "train",
    "EvaluateModel": "evaluate",
}


@dataclass(frozen=True)
class Asked:
    """What the definition asks for in one step.

    Attributes:
        whole: whether each instance is given all of the data.
        reads: whether it is given any: what joins the counts of other instances is not.
        trials, at_once: of a tuning step, its trainings and how many of them run side by side; else 1.
        kept_seconds: for how long its instances then wait for another job, in a warm pool.
    """

    step: str
    instance_type: str
    instances: int
    spot: bool
    whole: bool
    reads: bool
    rounds: int
    max_depth: int
    trials: int = 1
    at_once: int = 1
    kept_seconds: int = 0

    def job(self, data: Data, cores: int) -> calculated.Job | None:
        program = _PROGRAMS.get(self.step)
        if program is None:
            return None
        read = data if self.reads else Data(0.0)
        return calculated.Job(program, read, cores, self.instances, self.whole, self.rounds, self.max_depth)


def jobs_of(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The steps of a definition that run a job."""
    return (
        step for step in all_steps(document["Steps"]) if step["Type"] in ("Processing", "Training", "Tuning")
    )


def asked_of(step: Mapping[str, Any], values: Mapping[str, Any]) -> Asked:
    """What a step asks for, with these values of the parameters."""
    arguments = fill_in(step["Arguments"], values)
    if step["Type"] == "Processing":
        cluster = arguments["ProcessingResources"]["ClusterConfig"]
        inputs = {one["InputName"]: one.get("S3Input", {}) for one in arguments.get("ProcessingInputs", ())}
        return Asked(
            step["Name"],
            cluster["InstanceType"],
            int(cluster["InstanceCount"]),
            spot=False,
            whole=all(one.get("S3DataDistributionType") != "ShardedByS3Key" for one in inputs.values()),
            reads=not inputs.keys().isdisjoint(("raw", "test")),
            rounds=0,
            max_depth=0,
        )
    tuning = step["Type"] == "Tuning"
    training = arguments["TrainingJobDefinition"] if tuning else arguments
    limits = arguments["HyperParameterTuningJobConfig"]["ResourceLimits"] if tuning else {}
    given = training.get("StaticHyperParameters" if tuning else "HyperParameters", {})
    cluster = training["ResourceConfig"]
    return Asked(
        step["Name"],
        cluster["InstanceType"],
        int(cluster["InstanceCount"]),
        spot=bool(training.get("EnableManagedSpotTraining")),
        whole=False,
        reads=True,
        rounds=_whole_number(given.get("num_round"), 300),
        max_depth=_whole_number(given.get("max_depth"), 6),
        trials=int(limits.get("MaxNumberOfTrainingJobs", 1)),
        at_once=int(limits.get("MaxParallelTrainingJobs", 1)),
        kept_seconds=int(cluster.get("KeepAlivePeriodInSeconds", 0)),
    )


@dataclass(frozen=True)
class Sample:
    """What a step took in an earlier execution.

    Attributes:
        billed: of each instance.
        scaled: whether both were corrected for other data or rounds.
    """

    seconds: float
    billed: float
    scaled: bool


class Past:
    """Earlier executions of a pipeline, read when they are first asked for."""

    def __init__(self, pipeline: str, target: Target) -> None:
        self._target = target
        newest_first = executions.list_executions(target, pipeline, SEARCHED)
        self._executions = [PastExecution(one.execution_arn, target) for one in newest_first]
        self._by_uri: dict[str | None, dict[str, int] | None] = {}

    def samples(self, asked: Asked, data: Data | None) -> list[Sample]:
        """Newest first; none where the jobs may not be read."""
        return [*islice(self._samples(asked, data), ENOUGH)]

    def _samples(self, asked: Asked, data: Data | None) -> Iterator[Sample]:
        from botocore.exceptions import ClientError

        for past in self._executions:
            step = past.succeeded.get(asked.step)
            if step is None or past.origin(asked.step) != past.arn or "EndTime" not in step:
                continue
            written = next(one for one in jobs_of(past.definition) if one["Name"] == asked.step)
            then = asked_of(written, past.values)
            same = ("instance_type", "instances", "spot", "whole", "trials", "at_once")
            job = job_in(step.get("Metadata", {}))
            if job is None or any(getattr(then, name) != getattr(asked, name) for name in same):
                continue
            try:
                billed = billed_seconds(self._target.client("sagemaker"), job)
            except ClientError as error:
                if is_denied(error) or is_absent(error):
                    continue
                raise
            if billed is not None:
                passed = (step["EndTime"] - step["StartTime"]).total_seconds()
                ratio = _proportion(asked, data, then, self._data(past.values.get("InputDataUri"), data))
                waited = max(0.0, passed - billed / asked.trials)
                passed = passed * ratio if asked.trials > 1 else waited + billed * ratio
                yield Sample(passed, billed * ratio, ratio != 1)

    def _data(self, uri: str | None, now: Data | None) -> Data | None:
        """What an earlier execution read; it does not say how its rows were split: as those of now."""
        if uri not in self._by_uri:
            self._by_uri[uri] = stored(uri, self._target) if uri and uri.startswith("s3://") else None
        sizes = self._by_uri[uri]
        if not sizes:
            return None
        return calculated.csv_data(sizes) if now is None else calculated.csv_data(sizes, now.test)


def _proportion(asked: Asked, now: Data | None, then: Asked, of_then: Data | None) -> float:
    """How many times as long the job would work now, by calculation; 1 where that cannot be said."""
    data = now or of_then
    before = of_then or data
    if data is None or before is None:
        return 1.0
    cores = calculated.cores_of(asked.instance_type) or 1
    jobs = asked.job(data, cores), then.job(before, cores)
    if jobs[0] is None or jobs[1] is None or jobs[0] == jobs[1]:
        return 1.0
    return calculated.working_seconds(jobs[0]) / calculated.working_seconds(jobs[1])


def stored(uri: str, target: Target) -> dict[str, int] | None:
    """The files below an S3 URI and their bytes; None where they may not be listed, are none or too many, or
    the URI is empty because a query gives the data."""
    from botocore.exceptions import ClientError

    if not uri:
        return None
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    pages = target.client("s3").get_paginator("list_objects_v2")
    listing = pages.paginate(Bucket=bucket, Prefix=prefix, PaginationConfig={"MaxItems": _MOST_FILES})
    try:
        found = {item["Key"]: item["Size"] for page in listing for item in page.get("Contents", ())}
    except ClientError as error:
        if is_denied(error) or is_absent(error):
            return None
        raise
    if not found or listing.resume_token is not None:
        return None
    return {key.removeprefix(prefix) or key.rpartition("/")[2]: size for key, size in found.items()}


def _whole_number(value: Any, otherwise: int) -> int:
    """A hyperparameter that is text; what a tuning job tries is in no one value."""
    text = str(value)
    return int(text) if text.isdecimal() else otherwise
