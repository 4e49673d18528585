"""What the next start would take and cost: from earlier executions, and calculated where there are none.

An earlier execution counts for a step if the step ran in it on as many instances of the same type. What its
job was billed for is corrected for other data, rounds and depths in the proportion in which the calculated
time (``calculated.py``) changes. How sure that is, is part of the result: a median of several executions with
their lowest and highest value is one thing, a calculation another.

AWS bills the seconds of processing and training jobs from when their instances run, not the minutes before.
Storage, requests, logs and functions, mostly cents, are left out, and so is every discount.
"""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from aws_formats.definition_language import all_steps, fill_in
from aws_formats.service_errors import is_absent, is_denied
from pipelines.definition.bucket import stored_sizes
from pipelines.definition.dataset import Dataset
from pipelines.executions import lifecycle as executions
from pipelines.executions.job_records import billed_seconds, job_in
from pipelines.settings.target import Target
from pipelines.upsert import calculated
from pipelines.upsert.plan import UpsertPlan
from pipelines.upsert.prices import Prices
from pipelines.upsert.step_cache import PastExecution, StepForecast, default_values

SEARCHED = 5
"""How many executions, newest first, are looked at for what their jobs took."""

_PROGRAMS: Mapping[str, calculated.Program] = {
    "ProfileData": "preprocess",
    "SplitData": "preprocess",
    "PreprocessData": "preprocess",
    "TrainModel": "train",
    "TuneModel": "train",
    "EvaluateModel": "evaluate",
}


@dataclass(frozen=True)
class Span:
    """A number with the lowest and the highest that it may be."""

    low: float
    expected: float
    high: float

    def times(self, factor: float) -> Span:
        return Span(self.low * factor, self.expected * factor, self.high * factor)


@dataclass(frozen=True)
class StepEstimate:
    """One step that runs.

    Attributes:
        seconds: from the step's start to its end; None where nothing is known.
        billed: instance-seconds that AWS would bill; None likewise.
        cost: in the price list's currency; None where nothing is known, or there is no price.
        executions: how many earlier ones this is from; 0: calculated.
        why: where the numbers come from, or why there are none, in words.
    """

    step: str
    instance_type: str
    instances: int
    seconds: Span | None
    billed: Span | None
    cost: Span | None
    executions: int
    why: str


@dataclass(frozen=True)
class Estimate:
    """What a start would take.

    Attributes:
        place: ``aws``, or ``local``, where it costs nothing.
        steps: those that run.
        gigabytes: of the data, as CSV; None where it could not be looked at.
        region: where it would run.
        spot: whether spot instances train: what is calculated does not count what they save.
        prices: None where it costs nothing.
    """

    place: str
    steps: tuple[StepEstimate, ...]
    gigabytes: float | None
    region: str
    spot: bool
    prices: Prices | None

    @property
    def seconds(self) -> Span | None:
        """Of all steps, one after another; None where one is not known."""
        return _sum([step.seconds for step in self.steps])

    @property
    def cost(self) -> Span | None:
        """Of all steps; None where one is not known, or it costs nothing."""
        return _sum([step.cost for step in self.steps]) if self.prices else None

    @property
    def sureness(self) -> tuple[str, ...]:
        """How sure it is, in sentences."""
        return tuple(_sureness(self))


def estimate_next_start(
    plan: UpsertPlan, forecasts: Sequence[StepForecast], target: Target, prices: Prices
) -> tuple[Estimate, ...]:
    """Estimate a start once the plan has been carried out, with the default parameters. Reads only.

    Returns:
        As of :func:`estimate_start`.
    """
    compiled = plan.compiled
    pipeline = compiled.name if plan.live is not None else None
    return estimate_start(compiled.definition, compiled.dataset, pipeline, forecasts, target, prices)


def estimate_start(
    definition: str,
    dataset: Dataset,
    pipeline: str | None,
    forecasts: Sequence[StepForecast],
    target: Target,
    prices: Prices,
) -> tuple[Estimate, ...]:
    """Estimate what a definition takes.

    Args:
        definition: the document, as JSON.
        dataset: what it reads.
        pipeline: whose earlier executions are looked at; None for none.
        forecasts: which steps the cache gives; they take no time and cost nothing.

    Returns:
        In AWS one estimate. On this machine two: what the start takes here, and what it would in AWS.
    """
    document = json.loads(definition)
    cached = {forecast.step for forecast in forecasts if forecast.cached_from is not None}
    wanted = [
        _asked(step, default_values(document)) for step in _jobs(document) if step["Name"] not in cached
    ]
    sizes = {file.key: file.size for file in dataset.files} or _sizes(dataset.uri, target)
    gigabytes = None if sizes is None else calculated.csv_gigabytes(sizes)
    past = _Past(pipeline, target) if pipeline is not None else None
    spot = any(asked.spot for asked in wanted)
    everywhere = Estimate("aws", (), gigabytes, target.region, spot, prices)
    if target.name == "aws":
        steps = (_estimate(asked, gigabytes, past, prices) for asked in wanted)
        return (replace(everywhere, steps=tuple(steps)),)
    here = replace(everywhere, place="local", spot=False, prices=None)
    return (
        replace(here, steps=tuple(_estimate(asked, gigabytes, past, None) for asked in wanted)),
        replace(everywhere, steps=tuple(_estimate(asked, gigabytes, None, prices) for asked in wanted)),
    )


@dataclass(frozen=True)
class _Asked:
    """What the definition asks for in one step.

    Attributes:
        whole: whether each instance is given all of the data.
        reads: whether it is given any: what joins the counts of other instances is not.
        trials, at_once: of a tuning step, its trainings and how many of them run side by side; else 1.
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

    def job(self, gigabytes: float, cores: int) -> calculated.Job | None:
        program = _PROGRAMS.get(self.step)
        if program is None:
            return None
        size = gigabytes if self.reads else 0.0
        return calculated.Job(program, size, cores, self.instances, self.whole, self.rounds, self.max_depth)


def _jobs(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (
        step for step in all_steps(document["Steps"]) if step["Type"] in ("Processing", "Training", "Tuning")
    )


def _asked(step: Mapping[str, Any], values: Mapping[str, Any]) -> _Asked:
    arguments = fill_in(step["Arguments"], values)
    if step["Type"] == "Processing":
        cluster = arguments["ProcessingResources"]["ClusterConfig"]
        inputs = {one["InputName"]: one.get("S3Input", {}) for one in arguments.get("ProcessingInputs", ())}
        return _Asked(
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
    return _Asked(
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
    )


def _estimate(
    asked: _Asked, gigabytes: float | None, past: _Past | None, prices: Prices | None
) -> StepEstimate:
    """`prices`: None for this machine."""
    blank = StepEstimate(asked.step, asked.instance_type, asked.instances, None, None, None, 0, "")
    samples = past.samples(asked, gigabytes) if past else []
    if samples:
        seconds = _span([sample.seconds for sample in samples])
        billed = _span([sample.billed * asked.instances for sample in samples])
        count = len(samples)
        said = f"from {count} earlier executions" if count > 1 else "from the one earlier execution"
        said += " of other data or rounds" if any(sample.scaled for sample in samples) else ""
        found = replace(blank, seconds=seconds, billed=billed, executions=count, why=said)
    else:
        found = _calculate(blank, asked, gigabytes, in_aws=prices is not None)
    if prices is None or found.billed is None:
        return found
    price = prices.per_hour.get(asked.instance_type)
    if price is None:
        why = f"no price for {asked.instance_type}: add it to {prices.file.name}"
        return replace(found, why=f"{found.why}; {why}")
    return replace(found, cost=found.billed.times(price / 3600))


def _calculate(blank: StepEstimate, asked: _Asked, gigabytes: float | None, in_aws: bool) -> StepEstimate:
    cores = calculated.cores_of(asked.instance_type) if in_aws else os.cpu_count() or 1
    if gigabytes is None:
        return replace(blank, why="nothing is known of the size of the data")
    if cores is None:
        return replace(blank, why=f"nothing was measured that tells what {asked.instance_type} takes")
    job = asked.job(gigabytes, cores)
    if job is None:
        return replace(blank, why="nothing is known of this step's program")
    apiece = calculated.working_seconds(job)
    waiting = 0.0
    if in_aws:
        apiece += calculated.loading_seconds(job)
        waiting = calculated.start_seconds()
    one_after_another = math.ceil(asked.trials / asked.at_once)
    return replace(
        blank,
        seconds=_unsure(one_after_another * (waiting + apiece)),
        billed=_unsure(asked.trials * asked.instances * apiece),
        why=f"calculated from {_size(gigabytes)}",
    )


@dataclass(frozen=True)
class _Sample:
    """What a step took in an earlier execution.

    Attributes:
        billed: of each instance.
        scaled: whether both were corrected for other data or rounds.
    """

    seconds: float
    billed: float
    scaled: bool


class _Past:
    """Earlier executions of a pipeline, read when they are first asked for."""

    def __init__(self, pipeline: str, target: Target) -> None:
        self._pipeline, self._target = pipeline, target
        self._found: list[tuple[PastExecution, float | None]] | None = None

    def samples(self, asked: _Asked, gigabytes: float | None) -> list[_Sample]:
        """Newest first; none where the jobs may not be read."""
        return [*self._samples(asked, gigabytes)]

    def _samples(self, asked: _Asked, gigabytes: float | None) -> Iterator[_Sample]:
        from botocore.exceptions import ClientError

        for past, of_then in self._executions():
            step = past.succeeded.get(asked.step)
            if step is None or past.origin(asked.step) != past.arn or "EndTime" not in step:
                continue
            written = next(one for one in _jobs(past.definition) if one["Name"] == asked.step)
            then = _asked(written, past.values)
            same = ("instance_type", "instances", "whole", "trials", "at_once")
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
                ratio = _proportion(asked, gigabytes, then, of_then)
                waited = max(0.0, passed - billed / asked.trials)
                passed = passed * ratio if asked.trials > 1 else waited + billed * ratio
                yield _Sample(passed, billed * ratio, ratio != 1)

    def _executions(self) -> list[tuple[PastExecution, float | None]]:
        if self._found is None:
            newest_first = executions.each_execution(self._target, self._pipeline, SEARCHED)
            pasts = [PastExecution(one.execution_arn, self._target) for one in islice(newest_first, SEARCHED)]
            by_uri = {
                uri: self._gigabytes(uri) for uri in {past.values.get("InputDataUri") for past in pasts}
            }
            self._found = [(past, by_uri[past.values.get("InputDataUri")]) for past in pasts]
        return self._found

    def _gigabytes(self, uri: str | None) -> float | None:
        sizes = _sizes(uri, self._target) if uri and uri.startswith("s3://") else None
        return calculated.csv_gigabytes(sizes) if sizes else None


def _proportion(asked: _Asked, now: float | None, then: _Asked, of_then: float | None) -> float:
    """How many times as long the job would work now, by calculation; 1 where that cannot be said."""
    size = now if now is not None else of_then
    before = of_then if of_then is not None else size
    if size is None or before is None:
        return 1.0
    cores = calculated.cores_of(asked.instance_type) or 1
    jobs = asked.job(size, cores), then.job(before, cores)
    if jobs[0] is None or jobs[1] is None or jobs[0] == jobs[1]:
        return 1.0
    return calculated.working_seconds(jobs[0]) / calculated.working_seconds(jobs[1])


def _sizes(uri: str, target: Target) -> dict[str, int] | None:
    """The files below an S3 URI and their bytes; None where they may not be listed, there are none, or the
    URI is empty because a query gives the data."""
    from botocore.exceptions import ClientError

    if not uri:
        return None
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    try:
        found = stored_sizes(bucket, prefix, target.client("s3"))
    except ClientError as error:
        if is_denied(error):
            return None
        raise
    return {key.removeprefix(prefix) or key.rpartition("/")[2]: size for key, size in found.items()} or None


def _sureness(estimate: Estimate) -> Iterator[str]:
    known = [step for step in estimate.steps if step.seconds is not None]
    if len(known) < len(estimate.steps):
        yield "nothing is said of all of it, since some steps are not known"
    if any(not step.executions for step in known):
        of = calculated.figures()["measured"]
        yield (
            f"what is calculated rests on measurements of {of['date']} ({of['on']}), not on AWS: it may be"
            f" {calculated.factor():g} times too high or too low; early stopping is not counted"
        )
    counts = [step.executions for step in known if step.executions]
    if counts and min(counts) == 1:
        yield "one execution says little: the next may differ"
    elif counts:
        yield "earlier executions are given by their median, their lowest and their highest"
    if estimate.prices is None:
        return
    prices = estimate.prices
    yield f"prices: {prices.region}, {prices.date}, on demand, from {prices.file.name}"
    if estimate.region != prices.region:
        yield f"the list is of {prices.region}: {estimate.region} has prices of its own"
    if estimate.spot:
        yield "spot instances cost less than what is calculated"


def _sum(spans: Iterable[Span | None]) -> Span | None:
    low = expected = high = 0.0
    for span in spans:
        if span is None:
            return None
        low, expected, high = low + span.low, expected + span.expected, high + span.high
    return Span(low, expected, high)


def _unsure(calculation: float) -> Span:
    factor = calculated.factor()
    return Span(calculation / factor, calculation, calculation * factor)


def _span(values: Sequence[float]) -> Span:
    return Span(min(values), statistics.median(values), max(values))


def _whole_number(value: Any, otherwise: int) -> int:
    """A hyperparameter that is text; what a tuning job tries is in no one value."""
    text = str(value)
    return int(text) if text.isdecimal() else otherwise


def _size(gigabytes: float) -> str:
    if gigabytes < 0.001:
        return f"{gigabytes * 1e6:,.0f} KB of data"
    return f"{gigabytes * 1000:,.0f} MB of data" if gigabytes < 1 else f"{gigabytes:,.1f} GB of data"
