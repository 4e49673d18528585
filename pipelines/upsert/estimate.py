"""What the next start would take and cost: from earlier executions, and calculated where there are none.

How sure it is, is part of the result: a median of several executions (``earlier.py``) with their lowest and
highest value is one thing, a calculation (``calculated.py``) another.

AWS bills the seconds of processing and training jobs from when their instances run, not the minutes before.
Storage, requests, logs and functions, mostly cents, are left out, and so is every discount.
"""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pipelines.definition.dataset import Dataset
from pipelines.settings.project import Split
from pipelines.settings.target import Target
from pipelines.upsert import calculated
from pipelines.upsert.calculated import Data
from pipelines.upsert.earlier import Asked, Past, asked_of, jobs_of, stored
from pipelines.upsert.plan import UpsertPlan
from pipelines.upsert.prices import Prices
from pipelines.upsert.step_cache import StepForecast, default_values


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
    plan: UpsertPlan, forecasts: Sequence[StepForecast], target: Target, prices: Prices, split: Split
) -> tuple[Estimate, ...]:
    """Estimate a start once the plan has been carried out, with the default parameters. Reads only.

    Returns:
        As of :func:`estimate_start`.
    """
    compiled = plan.compiled
    pipeline = compiled.name if plan.live is not None else None
    return estimate_start(compiled.definition, compiled.dataset, pipeline, forecasts, target, prices, split)


def estimate_start(
    definition: str,
    dataset: Dataset,
    pipeline: str | None,
    forecasts: Sequence[StepForecast],
    target: Target,
    prices: Prices,
    split: Split = calculated.MEASURED,
) -> tuple[Estimate, ...]:
    """Estimate what a definition takes.

    Args:
        definition: the document, as JSON.
        dataset: what it reads.
        pipeline: whose earlier executions are looked at; None for none.
        forecasts: which steps the cache gives; they take no time and cost nothing.
        split: of its rows.

    Returns:
        In AWS one estimate. On this machine two: what the start takes here, and what it would in AWS.
    """
    document = json.loads(definition)
    cached = {forecast.step for forecast in forecasts if forecast.cached_from is not None}
    wanted = [
        asked_of(step, default_values(document)) for step in jobs_of(document) if step["Name"] not in cached
    ]
    sizes = {file.key: file.size for file in dataset.files} or stored(dataset.uri, target)
    data = None if sizes is None else calculated.csv_data(sizes, split.test)
    gigabytes = None if data is None else data.gigabytes
    past = Past(pipeline, target) if pipeline is not None else None
    spot = any(asked.spot for asked in wanted)
    everywhere = Estimate("aws", (), gigabytes, target.region, spot, prices)
    if target.name == "aws":
        steps = (_estimate(asked, data, past, prices) for asked in wanted)
        return (replace(everywhere, steps=tuple(steps)),)
    here = replace(everywhere, place="local", spot=False, prices=None)
    return (
        replace(here, steps=tuple(_estimate(asked, data, past, None) for asked in wanted)),
        replace(everywhere, steps=tuple(_estimate(asked, data, None, prices) for asked in wanted)),
    )


def _estimate(asked: Asked, data: Data | None, past: Past | None, prices: Prices | None) -> StepEstimate:
    """`prices`: None for this machine."""
    blank = StepEstimate(asked.step, asked.instance_type, asked.instances, None, None, None, 0, "")
    samples = past.samples(asked, data) if past else []
    if samples:
        seconds = _span([sample.seconds for sample in samples])
        billed = _span([sample.billed * asked.instances for sample in samples])
        count = len(samples)
        said = f"from {count} earlier executions" if count > 1 else "from the one earlier execution"
        said += " of other data or rounds" if any(sample.scaled for sample in samples) else ""
        found = replace(blank, seconds=seconds, billed=billed, executions=count, why=said)
    else:
        found = _calculate(blank, asked, data, in_aws=prices is not None)
    if prices is not None and asked.kept_seconds:
        kept = f"not counted: its warm pool, up to {asked.kept_seconds / 60:g} minutes more"
        found = replace(found, why=f"{found.why}; {kept}")
    if prices is None or found.billed is None:
        return found
    price = prices.per_hour.get(asked.instance_type)
    if price is None:
        why = f"no price for {asked.instance_type}: add it to {prices.file.name}"
        return replace(found, why=f"{found.why}; {why}")
    return replace(found, cost=found.billed.times(price / 3600))


def _calculate(blank: StepEstimate, asked: Asked, data: Data | None, in_aws: bool) -> StepEstimate:
    cores = calculated.cores_of(asked.instance_type) if in_aws else os.cpu_count() or 1
    if data is None:
        return replace(blank, why="nothing is known of the size of the data")
    if cores is None:
        return replace(blank, why=f"nothing was measured that tells what {asked.instance_type} takes")
    job = asked.job(data, cores)
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
        why=f"calculated from {_size(data.gigabytes)}",
    )


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
    if estimate.spot and any(not step.executions for step in known):
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


def _size(gigabytes: float) -> str:
    if gigabytes < 0.001:
        return f"{gigabytes * 1e6:,.0f} KB of data"
    return f"{gigabytes * 1000:,.0f} MB of data" if gigabytes < 1 else f"{gigabytes:,.1f} GB of data"
