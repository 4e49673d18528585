"""What a tuning job's request asks for: its definitions of training jobs, its limits, and what is refused."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sagemaker_local.errors import AwsError, not_implemented, validation_error
from sagemaker_local.jobs import training
from sagemaker_local.store import Document
from sagemaker_local.tuning.ranges import CATEGORICAL, Parameter, read_ranges
from sagemaker_local.tuning.strategies import Strategy, make_strategy

STRATEGIES = ("Bayesian", "Random", "Grid")
MOST_JOBS, MOST_PARALLEL = 750, 100
"""AWS's own quotas; that of parallel ones is raised to so many where somebody asks for it."""

_PARALLEL_HERE = 10

OBJECTIVE_PARAMETER = "_tuning_objective_metric"
"""The hyperparameter by which the service tells a built-in algorithm what is tuned for."""

SEED_MEMBER = "_Seed"
_OF_TUNING = ("DefinitionName", "TuningObjective", "HyperParameterRanges", "StaticHyperParameters")
_RESOURCES = "HyperParameterTuningResourceConfig"


@dataclass(frozen=True)
class Definition:
    """One kind of training job that is tried.

    Attributes:
        name: ``DefinitionName``; None where the only definition has none.
        metric: the objective's name.
        sign: 1 where it is to be great, -1 where it is to be small.
    """

    name: str | None
    parameters: tuple[Parameter, ...]
    metric: str
    sign: int
    request: Mapping[str, Any]

    @property
    def objective(self) -> dict[str, str]:
        return {"Type": "Maximize" if self.sign > 0 else "Minimize", "MetricName": self.metric}

    def training_job(self, name: str, values: Mapping[str, str]) -> dict[str, Any]:
        """The request of a training job with these values."""
        kept = {key: value for key, value in self.request.items() if key not in (*_OF_TUNING, _RESOURCES)}
        static = self.request.get("StaticHyperParameters") or {}
        return {
            **kept,
            "ResourceConfig": self.request.get("ResourceConfig") or self.request[_RESOURCES],
            "TrainingJobName": name,
            "HyperParameters": {**static, **values, OBJECTIVE_PARAMETER: self.metric},
        }


@dataclass(frozen=True)
class Limits:
    """When a tuning job ends.

    Attributes:
        jobs: the most training jobs; None where the strategy's own end is the end.
        parallel: the most at once; not more than this machine runs, however many are asked for.
        seconds: after which nothing more is started, and what runs is stopped.
        target: an objective that is good enough.
        not_improving: the end comes after this many training jobs without a better objective.
    """

    jobs: int | None
    parallel: int
    seconds: float | None
    target: float | None
    not_improving: int | None


def definitions(request: Document) -> list[Definition]:
    """Of a request or a tuning job's document.

    Raises:
        AwsError: one is not complete, or has no ranges of its own.
    """
    config = request["HyperParameterTuningJobConfig"]
    several = request.get("TrainingJobDefinitions") or []
    one = request.get("TrainingJobDefinition")
    if bool(several) == (one is not None):
        raise validation_error("A tuning job needs TrainingJobDefinition or TrainingJobDefinitions.")
    given = several or [one]
    found = [_definition(each, config, own=bool(several)) for each in given]
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise validation_error("Each of TrainingJobDefinitions needs a DefinitionName of its own.")
    return found


def _definition(given: Mapping[str, Any], config: Mapping[str, Any], *, own: bool) -> Definition:
    objective = given.get("TuningObjective") or config.get("HyperParameterTuningJobObjective")
    ranges = given.get("HyperParameterRanges") or config.get("ParameterRanges")
    if objective is None:
        raise validation_error("A tuning job needs HyperParameterTuningJobObjective or a TuningObjective.")
    if own and not given.get("DefinitionName"):
        raise validation_error("Each of TrainingJobDefinitions needs a DefinitionName of its own.")
    parameters = read_ranges(ranges)
    static = given.get("StaticHyperParameters") or {}
    if both := sorted(static.keys() & {one.name for one in parameters}):
        raise validation_error(f"The hyperparameter {both[0]} is static and has a range.")
    sign = 1 if objective["Type"] == "Maximize" else -1
    return Definition(given.get("DefinitionName"), parameters, objective["MetricName"], sign, given)


def limits(request: Document) -> Limits:
    """Of a request or a tuning job's document."""
    config = request["HyperParameterTuningJobConfig"]
    resources = config["ResourceLimits"]
    criteria = config.get("TuningJobCompletionCriteria") or {}
    return Limits(
        jobs=resources.get("MaxNumberOfTrainingJobs"),
        parallel=min(resources["MaxParallelTrainingJobs"], _PARALLEL_HERE),
        seconds=resources.get("MaxRuntimeInSeconds"),
        target=criteria.get("TargetObjectiveMetricValue"),
        not_improving=(criteria.get("BestObjectiveNotImproving") or {}).get(
            "MaxNumberOfTrainingJobsNotImproving"
        ),
    )


def new_seed(request: Document) -> int:
    """The request's seed, or one that nobody has asked for."""
    seed: int | None = request["HyperParameterTuningJobConfig"].get("RandomSeed")
    return secrets.randbits(32) if seed is None else seed


def strategies(document: Document) -> list[tuple[Definition, Strategy]]:
    """Of a tuning job's document, which holds its seed: a strategy for each definition."""
    name = document["HyperParameterTuningJobConfig"]["Strategy"]
    return [
        (each, make_strategy(name, each.parameters, document[SEED_MEMBER] + number))
        for number, each in enumerate(definitions(document))
    ]


def check(request: Document) -> None:
    """Refuse what is not done here, or cannot be meant, before anything is created.

    Raises:
        AwsError: with what was asked for.
    """
    for asked in _refused(request):
        raise not_implemented(f"{asked} of a tuning job")
    found, bounds = definitions(request), limits(request)
    if request["HyperParameterTuningJobConfig"]["Strategy"] == "Grid":
        _check_grid(found, bounds)
    elif bounds.jobs is None:
        raise validation_error("ResourceLimits needs MaxNumberOfTrainingJobs, except for Strategy Grid.")
    if bounds.jobs is not None and bounds.jobs > MOST_JOBS:
        raise AwsError(
            "ResourceLimitExceeded",
            f"A tuning job runs at most {MOST_JOBS} training jobs, not {bounds.jobs}.",
        )
    parallel = request["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"]
    if parallel > MOST_PARALLEL:
        raise AwsError(
            "ResourceLimitExceeded",
            f"A tuning job runs at most {MOST_PARALLEL} training jobs at once, not {parallel}.",
        )
    for each in found:
        if not each.request.get("ResourceConfig") and not each.request.get(_RESOURCES):
            raise validation_error("A training job definition needs ResourceConfig.")
        training.KIND.check(each.training_job("", {one.name: one.value(0.0) for one in each.parameters}))


def _refused(request: Document) -> Iterator[str]:
    """What AWS does and this machine does not, by the request's members."""
    config = request["HyperParameterTuningJobConfig"]
    if config["Strategy"] not in STRATEGIES:
        yield f"Strategy {config['Strategy']}"
    for member in ("WarmStartConfig", "Autotune"):
        if request.get(member):
            yield member
    if (config.get("TuningJobCompletionCriteria") or {}).get("ConvergenceDetected"):
        yield "ConvergenceDetected"
    one = request.get("TrainingJobDefinition")
    for each in [*(request.get("TrainingJobDefinitions") or []), *([one] if one else [])]:
        if (each.get(_RESOURCES) or {}).get("InstanceConfigs"):
            yield "InstanceConfigs (several types of instances)"


def _check_grid(found: list[Definition], bounds: Limits) -> None:
    if any(one.kind != CATEGORICAL for each in found for one in each.parameters):
        raise validation_error("Strategy Grid takes CategoricalParameterRanges only.")
    total = sum(math.prod(len(one.values) for one in each.parameters) for each in found)
    if bounds.jobs not in (None, total):
        raise validation_error(
            f"Strategy Grid tries every combination: MaxNumberOfTrainingJobs has to be {total} or left out,"
            f" not {bounds.jobs}."
        )
