"""What is told of an execution in a list beyond its summary.

It takes several requests for each execution. They are made in threads, and a page does not wait for them for
long: it is shown without, and asks again. What has succeeded does not change any more and is read once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from pipelines.executions import lifecycle
from pipelines.executions.lifecycle import ExecutionSummary
from pipelines.executions.watching import UNDER_WAY, GateReading, Watch, outcome_of
from pipelines.settings.target import Target
from studio.views.executions_origin import changed_parameters, started_by
from studio.views.known import Known

_RUNNING_AGE, _UNREADABLE_AGE, _RETRIABLE_AGE = 1.0, 10.0, 60.0
"""Seconds for which the details count of an execution that runs, cannot be read, or can be retried."""


@dataclass(frozen=True)
class ExecutionDetails:
    """What takes requests for each execution.

    Attributes:
        gate_shut: the model was evaluated and is not good enough; that is no failure.
        seconds: how long it took, or has taken.
        parameters: every one, as text.
        changed: those that differ from the defaults of the definition that it ran.
        by: who or what started it.
        version: that it registered, if it did.
    """

    gate: GateReading | None
    gate_shut: bool
    seconds: float
    parameters: Mapping[str, str]
    changed: Mapping[str, str]
    by: str | None
    version: str | None


def details_of(
    target: Target, executions: Sequence[ExecutionSummary], patience: float
) -> list[ExecutionDetails | None]:
    """The details of each, in their order; None for what could not be read within `patience` seconds."""
    return _KNOWN.of({_key(target, one): partial(_read_details, target, one) for one in executions}, patience)


def are_being_read(target: Target, executions: Sequence[ExecutionSummary]) -> bool:
    """Whether the details of any of them are being read for the first time."""
    return _KNOWN.are_being_read([_key(target, one) for one in executions])


_Key = tuple[Target, str, str]
"""Where, execution and status."""


def _key(target: Target, one: ExecutionSummary) -> _Key:
    return target, one.execution_arn, one.status


def _age(key: _Key, details: ExecutionDetails | None) -> float:
    """Seconds for which details count; they are None where they could not be read."""
    _, _, status = key
    if status in UNDER_WAY:
        return _RUNNING_AGE
    if details is None:
        return _UNREADABLE_AGE
    return float("inf") if status == "Succeeded" else _RETRIABLE_AGE


_KNOWN: Known[_Key, ExecutionDetails] = Known(
    ThreadPoolExecutor(4, thread_name_prefix="studio-executions"), _age, most=3000
)


def _read_details(target: Target, one: ExecutionSummary) -> ExecutionDetails:
    arn = one.execution_arn
    described = target.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    snapshot = Watch(target, arn).look(briefly=True)
    outcome = outcome_of(snapshot)
    ends = [step.ended for step in snapshot.steps if step.ended is not None]
    ended = datetime.fromtimestamp(max(ends), UTC) if ends else described["LastModifiedTime"]
    given = lifecycle.given_parameters(target, arn)
    version = outcome.model_package_arn
    return ExecutionDetails(
        gate=outcome.gate,
        gate_shut=outcome.gate_shut,
        seconds=max(0.0, ((ended if snapshot.ended else datetime.now(UTC)) - one.started).total_seconds()),
        parameters=given,
        changed=changed_parameters(json.loads(lifecycle.definition_of(target, arn)), given),
        by=started_by(described),
        version=version.rpartition("/")[2] if version else None,
    )
