"""Which steps the next start would take from the step cache: a forecast from earlier executions.

SageMaker looks a step up by its name and certain members of its arguments, within one pipeline, among
runs that succeeded and are young enough ("Caching pipeline steps" in the SageMaker guide). The same is
done here with what earlier executions say of themselves: their definitions, parameters and steps. A
reference to another step's output is the same only if that output is, so a step whose inputs come from
a step that runs again runs again after it.

Nothing is started and nothing written. What an execution under way will have done by then is not known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from aws_formats.definition_language import (
    PropertyFileReference,
    StepReference,
    VariableReference,
    all_steps,
    fill_in,
    references,
)
from aws_formats.step_cache import KEY_MEMBERS, key_members, parse_duration
from pipelines.executions import lifecycle as executions
from pipelines.settings.target import Target
from pipelines.upsert.changes import arguments_in_words

SEARCHED = 20
"""How many executions, newest first, are searched; the results of older ones have mostly expired."""

_SHOWN_DIFFERENCES = 3


@dataclass(frozen=True)
class StepForecast:
    """What the next start is expected to do with one step.

    Attributes:
        step: its name.
        cached_from: ARN of the execution whose result it would be given; None if it runs.
        reason: why it runs, in words; empty where it does not.
    """

    step: str
    cached_from: str | None
    reason: str = ""


def forecast_steps(definition: str, pipeline: str, target: Target) -> tuple[StepForecast, ...]:
    """The steps of a definition that can be cached, in order, for a start with the default parameters.

    Args:
        definition: the document that the next start would run, as JSON.
        pipeline: its name; the pipeline exists.
    """
    wanted = json.loads(definition)
    history = _History(pipeline, target)
    now = datetime.now(UTC)
    forecasts: dict[str, StepForecast] = {}
    for step in all_steps(wanted["Steps"]):
        if step["Type"] in KEY_MEMBERS and step.get("CacheConfig", {}).get("Enabled"):
            forecasts[step["Name"]] = _forecast_step(step, default_values(wanted), history, forecasts, now)
    return tuple(forecasts.values())


def explain_steps(execution_arn: str, pipeline: str, target: Target) -> tuple[StepForecast, ...]:
    """Why each step of an execution ran, or was not run, by the executions that were started before it.

    The steps that have started and can be cached are named, in the definition's order. Where SageMaker took
    a result from the cache, `cached_from` is the execution that it names itself.
    """
    past = PastExecution(execution_arn, target)
    described = target.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=execution_arn)
    history = _History(pipeline, target, before=described["CreationTime"])
    started = {step["StepName"]: step for step in executions.listed_steps(target, execution_arn)}
    reasons: dict[str, StepForecast] = {}
    for step in all_steps(past.definition["Steps"]):
        name, found = step["Name"], started.get(step["Name"])
        if found is None or step["Type"] not in KEY_MEMBERS:
            continue
        source = found.get("CacheHitResult", {}).get("SourcePipelineExecutionArn")
        if source is not None:
            reasons[name] = StepForecast(name, source)
        elif not step.get("CacheConfig", {}).get("Enabled"):
            reasons[name] = StepForecast(name, None, "its definition does not use the step cache")
        else:
            forecast = _forecast_step(step, past.values, history, reasons, found["StartTime"])
            reasons[name] = StepForecast(name, None, forecast.reason or "the cache had no result any more")
    return tuple(reasons.values())


def forecast_first_start(definition: str) -> tuple[StepForecast, ...]:
    """The forecast for a pipeline that does not exist yet: every step runs."""
    return tuple(
        StepForecast(step["Name"], None, "it has not run yet")
        for step in all_steps(json.loads(definition)["Steps"])
        if step["Type"] in KEY_MEMBERS
    )


def _forecast_step(
    step: Mapping[str, Any],
    values: Mapping[str, Any],
    history: _History,
    forecasts: Mapping[str, StepForecast],
    now: datetime,
) -> StepForecast:
    """`forecasts` are those of the steps before this one."""
    name, key = step["Name"], _key(step, values)
    needed = [forecast for forecast in forecasts.values() if forecast.step in _steps_needed(key)]
    running = [forecast.step for forecast in needed if forecast.cached_from is None]
    if running:
        return StepForecast(name, None, f"after {' and '.join(running)}")
    unknown = sorted(_steps_needed(key) - forecasts.keys())
    if unknown:
        return StepForecast(name, None, f"unless {' and '.join(unknown)} gives the same as before")
    if any(isinstance(reference, VariableReference) for reference in references(key)):
        return StepForecast(name, None, "its arguments name the execution")
    reason = "it has not run yet"
    for past in history:
        found = past.succeeded.get(name)
        if found is None:
            continue
        earlier = past.key(name)
        if earlier != key:
            reason = _newest_reason(reason, _differing(step, earlier, key))
        elif any(past.origin(forecast.step) != forecast.cached_from for forecast in needed):
            reason = _newest_reason(reason, "its inputs are of another execution")
        elif now - history.ended(name, past.origin(name)) > _expiry(step["CacheConfig"]):
            reason = _newest_reason(
                reason, f"its last result is older than {step['CacheConfig']['ExpireAfter']}"
            )
        else:
            return StepForecast(name, past.origin(name))
    return StepForecast(name, None, reason)


def _newest_reason(reason: str, found: str) -> str:
    """The reason of the newest execution whose result cannot be used; those of older ones are left out."""
    return found if reason == "it has not run yet" else reason


def _differing(step: Mapping[str, Any], earlier: Mapping[str, Any], key: Mapping[str, Any]) -> str:
    words = arguments_in_words(step["Name"], earlier, key)
    shown, more = words[:_SHOWN_DIFFERENCES], len(words) - _SHOWN_DIFFERENCES
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


class PastExecution:
    """One earlier execution: which steps succeeded, with which arguments, and which execution ran them."""

    def __init__(self, arn: str, target: Target) -> None:
        self.arn = arn
        self._target = target

    @cached_property
    def succeeded(self) -> dict[str, dict[str, Any]]:
        steps = executions.listed_steps(self._target, self.arn)
        return {step["StepName"]: step for step in steps if step["StepStatus"] == "Succeeded"}

    def origin(self, step: str) -> str | None:
        """The execution that ran the step: this one, or the one whose result it took from the cache."""
        found = self.succeeded.get(step)
        if found is None:
            return None
        return str(found.get("CacheHitResult", {}).get("SourcePipelineExecutionArn") or self.arn)

    def key(self, step: str) -> dict[str, Any]:
        found = next((one for one in all_steps(self.definition["Steps"]) if one["Name"] == step), None)
        return {} if found is None else _key(found, self.values)

    @property
    def values(self) -> dict[str, Any]:
        """The parameters' values, by name."""
        return {**default_values(self.definition), **self._parameters}

    @cached_property
    def definition(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(executions.definition_of(self._target, self.arn))
        return document

    @cached_property
    def _parameters(self) -> dict[str, Any]:
        types = {item["Name"]: item["Type"] for item in self.definition.get("Parameters", ())}
        given = executions.given_parameters(self._target, self.arn)
        return {name: _as_text(types.get(name, "String"), value) for name, value in given.items()}


class _History:
    """Earlier executions, newest first; each is read when it is first used."""

    def __init__(self, pipeline: str, target: Target, before: datetime | None = None) -> None:
        self._target = target
        newest_first = executions.list_executions(target, pipeline, SEARCHED, before=before)
        self._known = {one.execution_arn: PastExecution(one.execution_arn, target) for one in newest_first}
        self._newest_first = tuple(self._known.values())

    def __iter__(self) -> Iterator[PastExecution]:
        return iter(self._newest_first)

    def ended(self, step: str, arn: str | None) -> datetime:
        """When the execution finished the step; the earliest possible time if that is not known."""
        assert arn is not None
        past = self._known.setdefault(arn, PastExecution(arn, self._target))
        found: datetime | None = past.succeeded.get(step, {}).get("EndTime")
        return found or datetime.min.replace(tzinfo=UTC)


def _key(step: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return key_members(step["Type"], fill_in(step["Arguments"], values)) or {}


def _steps_needed(key: Mapping[str, Any]) -> set[str]:
    """The steps whose results are part of a key."""
    of_steps = (StepReference, PropertyFileReference)
    return {reference.step for reference in references(key) if isinstance(reference, of_steps)}


def default_values(document: Mapping[str, Any]) -> dict[str, str]:
    return {
        item["Name"]: _as_text(item["Type"], item["DefaultValue"])
        for item in document.get("Parameters", ())
        if "DefaultValue" in item
    }


def _as_text(kind: str, value: Any) -> str:
    """A parameter's value as text, the same for equal values: defaults are JSON numbers, given ones text."""
    if kind == "Float":
        return str(float(value))
    return str(value).lower() if kind == "Boolean" else str(value)


def _expiry(config: Mapping[str, Any]) -> timedelta:
    """How old a result may be; without ExpireAfter it never expires."""
    text = config.get("ExpireAfter")
    return timedelta.max if text is None else timedelta(seconds=parse_duration(text))
