"""A project's schedule: planned by reading, then carried out.

One EventBridge Scheduler schedule, named after the project, in the group ``default``; its target is the
pipeline with the parameters that were given. What is not given, the pipeline's own defaults say at each
start: so a schedule follows the pipeline as it is upserted.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from botocore.exceptions import ClientError

from aws_formats import schedules
from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from pipelines.settings.target import Target

_EARLIEST_START = timedelta(minutes=5)

_REQUEST_MEMBERS = (
    "Name",
    "Description",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "EndDate",
    "State",
    "FlexibleTimeWindow",
    "Target",
)


@dataclass(frozen=True)
class Schedule:
    """When a pipeline starts, and with what.

    Attributes:
        expression: ``cron(...)``, ``rate(...)`` or ``at(...)``, checked.
        start: not before this; None for at once. Has a time zone.
        end: not after this; only a schedule that others made has one.
        created: where a rate without a start counts from; None for a schedule that does not exist yet.
    """

    expression: str
    time_zone: str
    start: datetime | None
    parameters: tuple[tuple[str, str], ...]
    role_arn: str
    enabled: bool = True
    end: datetime | None = None
    created: datetime | None = None


@dataclass(frozen=True)
class SchedulePlan:
    """What would happen to the schedule of that name.

    Attributes:
        live: the schedule that is there, None if none.
        wanted: what it would be afterwards, where one that is there is changed.
    """

    action: Literal["create", "update", "none", "delete"]
    name: str
    changes: tuple[str, ...] = ()
    request: Mapping[str, Any] | None = None
    live: Schedule | None = None
    wanted: Schedule | None = None


def read_schedule(name: str, target: Target) -> Schedule | None:
    """The schedule of that name, None if there is none."""
    found = _read(name, target)
    return None if found is None else _schedule(found)


def next_times(schedule: Schedule, now: datetime, count: int) -> list[datetime]:
    """The next `count` times on the clock of the schedule's time zone; none where it is switched off."""
    if not schedule.enabled:
        return []
    expression = schedules.parse(schedule.expression)
    start = schedule.start
    if isinstance(expression, schedules.Rate):
        start = schedule.start or schedule.created
    zone = schedules.time_zone(schedule.time_zone)
    return schedules.next_times(expression, zone, now, count, start=start, end=schedule.end)


def plan_schedule(name: str, wanted: Schedule, pipeline_arn: str, target: Target) -> SchedulePlan:
    """Compare the schedule that is wanted with the one that is there. Reads only.

    Raises:
        GatehouseError: a schedule of that name starts something else, or the start date is over.
    """
    live = _read(name, target)
    request = _request(name, wanted, pipeline_arn)
    if live is None:
        _check_start(wanted)
        return SchedulePlan("create", name, request=request)
    if live["Target"]["Arn"] != pipeline_arn:
        raise GatehouseError(
            f"a schedule of that name starts {live['Target']['Arn']}",
            where=f"schedule {name}",
            remedy="Delete or rename it, or choose another name for the project",
        )
    # What this command has no option for stays as somebody set it, an end or a retry policy for example.
    kept = {key: live[key] for key in _REQUEST_MEMBERS if key in live}
    kept.pop("StartDate", None)
    merged = {**kept, **request, "Target": {**live["Target"], **request["Target"]}}
    if "EndDate" in kept:
        merged["EndDate"] = kept["EndDate"]
    changes = tuple(_changes(_schedule(live), _schedule(merged)))
    if changes:
        _check_start(wanted)
    return SchedulePlan("update" if changes else "none", name, changes, merged, _schedule(live))


def plan_deletion(name: str, target: Target) -> SchedulePlan:
    """What deleting the schedule would do. Reads only."""
    live = read_schedule(name, target)
    return SchedulePlan("none" if live is None else "delete", name, live=live)


def plan_switch(name: str, target: Target, *, on: bool) -> SchedulePlan:
    """What switching the schedule on or off would do; everything else of it stays. Reads only."""
    return _plan_change(name, target, {"State": "ENABLED" if on else "DISABLED"})


def plan_timing(name: str, target: Target, expression: str, time_zone: str) -> SchedulePlan:
    """What starting at other times would do; everything else of the schedule stays. Reads only.

    Raises:
        GatehouseError: the expression or the time zone is none.
    """
    check_timing(expression, time_zone)
    changed = {"ScheduleExpression": expression, "ScheduleExpressionTimezone": time_zone}
    return _plan_change(name, target, changed)


def check_timing(expression: str, time_zone: str) -> None:
    """Raises GatehouseError: the expression or the time zone is none; it says what is allowed."""
    try:
        schedules.parse(expression)
        schedules.time_zone(time_zone)
    except schedules.ExpressionError as error:
        raise GatehouseError(str(error), where="schedule") from error


def _plan_change(name: str, target: Target, changed: dict[str, Any]) -> SchedulePlan:
    live = _read(name, target)
    if live is None:
        return SchedulePlan("none", name)
    request = {key: live[key] for key in _REQUEST_MEMBERS if key in live} | changed
    if "StartDate" in request and _has_passed(request["StartDate"]):
        del request["StartDate"]  # it would be refused
    before, wanted = _schedule(live), _schedule(request | {"CreationDate": live["CreationDate"]})
    changes = tuple(_changes(before, wanted))
    return SchedulePlan("update" if changes else "none", name, changes, request, before, wanted)


def apply_schedule(plan: SchedulePlan, target: Target) -> None:
    """Carry a plan out."""
    scheduler = target.client("scheduler")
    if plan.action == "create":
        assert plan.request is not None
        scheduler.create_schedule(**plan.request, ClientToken=secrets.token_hex(16))
    elif plan.action == "update":
        assert plan.request is not None
        scheduler.update_schedule(**plan.request, ClientToken=secrets.token_hex(16))
    elif plan.action == "delete":
        scheduler.delete_schedule(Name=plan.name)


def _check_start(wanted: Schedule) -> None:
    if wanted.start is not None and _has_passed(wanted.start):
        raise GatehouseError(
            f"the start date {wanted.start:%Y-%m-%d %H:%M %Z} has passed, and EventBridge Scheduler takes"
            " none that is more than five minutes ago",
            where="schedule",
            remedy="Leave --start-date out: then it counts from now on",
        )


def _has_passed(start: datetime) -> bool:
    """Whether EventBridge Scheduler takes it as a start date no more."""
    return start < datetime.now(UTC) - _EARLIEST_START


def _read(name: str, target: Target) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = target.client("scheduler").get_schedule(Name=name)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return found


def _request(name: str, wanted: Schedule, pipeline_arn: str) -> dict[str, Any]:
    parameters = [{"Name": key, "Value": value} for key, value in wanted.parameters]
    request: dict[str, Any] = {
        "Name": name,
        "Description": f"Starts the pipeline {name}; made by gatehouse schedule",
        "ScheduleExpression": wanted.expression,
        "ScheduleExpressionTimezone": wanted.time_zone,
        "State": "ENABLED",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": pipeline_arn,
            "RoleArn": wanted.role_arn,
            # Without the member the Scheduler does not know that a pipeline is meant.
            "SageMakerPipelineParameters": {"PipelineParameterList": parameters} if parameters else {},
        },
    }
    if wanted.start is not None:
        request["StartDate"] = wanted.start.astimezone(UTC)
    return request


def _schedule(found: Mapping[str, Any]) -> Schedule:
    target = found["Target"]
    parameters = target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList", [])
    return Schedule(
        expression=found["ScheduleExpression"],
        time_zone=found.get("ScheduleExpressionTimezone", "UTC"),
        start=found.get("StartDate"),
        parameters=tuple(sorted((one["Name"], one["Value"]) for one in parameters)),
        role_arn=target["RoleArn"],
        enabled=found.get("State", "ENABLED") == "ENABLED",
        end=found.get("EndDate"),
        created=found.get("CreationDate"),
    )


def _changes(live: Schedule, wanted: Schedule) -> list[str]:
    wanted = replace(wanted, created=live.created)
    pairs: dict[str, tuple[str | datetime, str | datetime]] = {
        "expression": (live.expression, wanted.expression),
        "time zone": (live.time_zone, wanted.time_zone),
        "start": (live.start or "at once", wanted.start or "at once"),
        "role": (live.role_arn, wanted.role_arn),
        "parameters": (_in_words(live.parameters), _in_words(wanted.parameters)),
        "state": ("on" if live.enabled else "off", "on" if wanted.enabled else "off"),
    }
    return [
        f"{name}: {_shown(before)} -> {_shown(after)}"
        for name, (before, after) in pairs.items()
        if before != after
    ]


def _shown(value: str | datetime) -> str:
    """AWS's client gives points in time in the zone of the machine, which the schedule does not follow."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else value


def _in_words(parameters: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in parameters) or "none"
