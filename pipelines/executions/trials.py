"""The trials of a tuning step: its training jobs, one for each set of values, and which of them is the best.

What is looked for stands in the definition, what was tried is asked of SageMaker. A trial's number is its
place in the order in which the tuning job made its training jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evaluation.metric_table import readable

_KINDS = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")


@dataclass(frozen=True)
class Range:
    """What a hyperparameter may be: from ``low`` to ``high``, None where not known, or one of ``values``."""

    name: str
    low: float | None = None
    high: float | None = None
    is_log: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Search:
    """What a tuning step looks for.

    Attributes:
        metric: by which trials are compared, without SageMaker's ``best:``.
        jobs: how many trials there are at most; None where the definition does not say.
    """

    metric: str
    greater_is_better: bool
    jobs: int | None
    ranges: tuple[Range, ...]


@dataclass(frozen=True)
class Trial:
    """One training job of a tuning job.

    Attributes:
        status: SageMaker's: InProgress, Completed, Failed, Stopping, Stopped.
        result: of the metric; None before it is known, or where it never was.
        seconds: how long it has trained; None before it does.
    """

    number: int
    arn: str
    status: str
    values: Mapping[str, str]
    result: float | None
    seconds: float | None
    failure_reason: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in ("Completed", "Failed", "Stopped")


def read_search(arguments: Mapping[str, Any]) -> Search:
    """Of a tuning step's arguments."""
    config = arguments.get("HyperParameterTuningJobConfig", {})
    ranges = config.get("ParameterRanges") or {}
    objective = config.get("HyperParameterTuningJobObjective") or {}
    jobs = config.get("ResourceLimits", {}).get("MaxNumberOfTrainingJobs")
    return Search(
        metric=str(objective.get("MetricName", "objective")).removeprefix("best:"),
        greater_is_better=objective.get("Type") == "Maximize",
        jobs=jobs if isinstance(jobs, int) else None,
        ranges=tuple(_range(one) for kind in _KINDS for one in ranges.get(kind, ())),
    )


def _range(found: Mapping[str, Any]) -> Range:
    if "Values" in found:
        return Range(found["Name"], values=tuple(found["Values"]))
    is_log = found.get("ScalingType") == "Logarithmic"
    return Range(found["Name"], _number(found.get("MinValue")), _number(found.get("MaxValue")), is_log)


def _number(value: object) -> float | None:
    """What the definition says; None where it refers to what is not known before the start."""
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def list_trials(sagemaker: Any, tuning_job: str) -> tuple[Trial, ...]:
    """Those that a tuning job has made so far, by their numbers."""
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=tuning_job
    )
    found = [one for page in pages for one in page["TrainingJobSummaries"]]
    found.sort(key=lambda one: (one["CreationTime"], one["TrainingJobName"]))
    return tuple(_trial(number, one) for number, one in enumerate(found, 1))


def _trial(number: int, found: Mapping[str, Any]) -> Trial:
    started: datetime | None = found.get("TrainingStartTime")
    ended: datetime | None = found.get("TrainingEndTime")
    return Trial(
        number=number,
        arn=found["TrainingJobArn"],
        status=found["TrainingJobStatus"],
        values=found["TunedHyperParameters"],
        result=found.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value"),
        seconds=((ended or datetime.now(UTC)) - started).total_seconds() if started else None,
        failure_reason=found.get("FailureReason"),
    )


def best_of(trials: Sequence[Trial], search: Search) -> Trial | None:
    """The best trial that has trained to its end, the first of several; None before there is one."""
    known = [(one.result, one) for one in trials if one.result is not None and one.status == "Completed"]
    sign = 1 if search.greater_is_better else -1
    return max(known, key=lambda pair: sign * pair[0])[1] if known else None


def document(trials: Sequence[Trial], search: Search) -> dict[str, Any]:
    """What was tried, for machines."""
    best = best_of(trials, search)
    return {
        "metric": search.metric,
        "best": best.number if best else None,
        "trials": [
            {
                "number": trial.number,
                "status": trial.status,
                "values": dict(trial.values),
                "result": trial.result,
                "seconds": None if trial.seconds is None else round(trial.seconds, 3),
            }
            for trial in trials
        ],
    }


def values_in_words(trial: Trial) -> str:
    """``max_depth 4, eta 0.1235``"""
    return ", ".join(f"{name} {shown(value)}" for name, value in trial.values.items())


def shown(value: str) -> str:
    """A hyperparameter's value for people: a number with four digits."""
    try:
        number = float(value)
    except ValueError:
        return value
    return value if number.is_integer() and "." not in value else readable(number, 4)


def result_in_words(trial: Trial, search: Search) -> str:
    """``logloss 0.0812``, or what became of the trial."""
    if trial.result is None:
        return trial.status.lower()
    return f"{search.metric} {readable(trial.result, 4)}"


def progress_in_words(trials: Sequence[Trial], search: Search) -> str:
    """How far the step has got: ``3 of 6 tried, the best so far has logloss 0.0812``."""
    ended = sum(trial.has_ended for trial in trials)
    said = f"{ended} of {search.jobs} tried" if search.jobs else f"{ended} tried"
    best = best_of(trials, search)
    return f"{said}, the best so far has {result_in_words(best, search)}" if best else said


def outcome_in_words(trials: Sequence[Trial], search: Search) -> str | None:
    """``the best of 6 has logloss 0.0812 with max_depth 4, eta 0.1235``"""
    best = best_of(trials, search)
    if best is None:
        return None
    return f"the best of {len(trials)} has {result_in_words(best, search)} with {values_in_words(best)}"
