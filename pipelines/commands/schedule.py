"""`gatehouse schedule`: start the pipeline on time, by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from aws_formats import schedules
from aws_formats.errors import GatehouseError
from pipelines.commands.local_endpoint import connected, is_kept_up
from pipelines.commands.options import parameter_option, project_argument, target_option
from pipelines.commands.output import Document, Output, notice, with_json
from pipelines.commands.project_context import ProjectContext, find_context
from pipelines.executions import lifecycle as executions
from pipelines.executions.overrides import check_overrides
from pipelines.executions.schedule import (
    Plan,
    Schedule,
    apply_plan,
    plan_off,
    plan_schedule,
    read_schedule,
)
from pipelines.settings.target import Target
from pipelines.upsert.plan import read_live

_SHOWN = 5
_WORDS = {"create": "created", "update": "updated", "none": "up to date", "delete": "deleted"}


@click.command("schedule")
@project_argument
@click.option("--cron", metavar="FIELDS", help='Six fields, e.g. "0 3 * * ? *": every day at 03:00.')
@click.option("--rate", metavar="RATE", help='A length of time, e.g. "1 day" or "12 hours".')
@click.option("--timezone", default="UTC", show_default=True, help="Whose clock counts, e.g. Europe/Paris.")
@click.option(
    "--start-date",
    metavar="TIME",
    help="Not before this, e.g. 2030-01-31T00:00; in the time zone above unless it names one.",
)
@parameter_option
@click.option(
    "--role",
    metavar="ARN",
    envvar="GATEHOUSE_SCHEDULER_ROLE_ARN",
    show_envvar=True,
    help="The role that EventBridge Scheduler starts the pipeline under; default: the one that"
    " `gatehouse infra deploy` makes.",
)
@click.option("--show", is_flag=True, help="Show the schedule and its next five times; change nothing.")
@click.option("--off", is_flag=True, help="Delete the schedule; what it has started goes on.")
@target_option
@with_json
def command(
    project: str | None,
    cron: str | None,
    rate: str | None,
    timezone: str,
    start_date: str | None,
    parameters: dict[str, str],
    role: str | None,
    show: bool,
    off: bool,
    target: str,
) -> Output:
    """Start the pipeline on time: create its schedule, change it, show it or delete it.

    Expressions are EventBridge Scheduler's own and are checked before anything is sent. A schedule that
    is as asked for is left alone. On this machine `gatehouse local up` keeps it and starts the pipeline.

    \b
    Examples:
      gatehouse schedule health-tumor-diagnosis --cron "0 3 ? * MON-FRI *" --timezone Europe/Paris
      gatehouse schedule health-tumor-diagnosis --rate "1 day" -p MaxDepth=5
    """
    if [cron is not None, rate is not None, show, off].count(True) != 1:
        raise click.UsageError("Give one of --cron, --rate, --show and --off.")
    expression = f"cron({cron})" if cron is not None else f"rate({rate})"
    start = None
    if not (show or off):
        _check(expression, timezone)
        start = _start_date(start_date, timezone)
    now = datetime.now(UTC)
    with connected(find_context(project, target)) as context:
        name, live = context.project.name, context.target
        if show:
            return _described(name, "none", (), read_schedule(name, live), now)
        if off:
            plan, schedule = plan_off(name, live), None
        else:
            plan, schedule = _wanted(context, expression, timezone, start, parameters, role)
        apply_plan(plan, live)
        if schedule is not None:
            schedule = read_schedule(name, live)
    if target == "local" and schedule is not None and not is_kept_up(context.settings):
        notice("It starts nothing until the local SageMaker is kept up: gatehouse local up")
    return _described(name, plan.action, plan.changes, schedule, now)


def _wanted(
    context: ProjectContext,
    expression: str,
    zone: str,
    start: datetime | None,
    parameters: dict[str, str],
    role: str | None,
) -> tuple[Plan, Schedule]:
    name, live = context.project.name, context.target
    pipeline = read_live(name, live)
    if pipeline is None:
        raise GatehouseError(
            "there is no such pipeline yet",
            where=f"pipeline {name}",
            remedy=f"Create it: gatehouse upsert {name} --target {live.name}",
        )
    overrides = check_overrides(executions.live_outline(live, name), parameters, name)
    schedule = Schedule(
        expression=expression,
        time_zone=zone,
        start=start,
        parameters=tuple(sorted(overrides.items())),
        role_arn=role or _default_role(name, live),
    )
    return plan_schedule(name, schedule, pipeline.arn, live), schedule


def _default_role(name: str, target: Target) -> str:
    if target.name == "local":
        return target.role_arn
    # The pipeline's own role names the partition, aws-cn for example.
    return f"{target.role_arn.partition(':role/')[0]}:role/gatehouse-{name}-scheduler"


def _check(expression: str, zone: str) -> None:
    """Raises GatehouseError that says which field is wrong and what is allowed."""
    try:
        schedules.parse(expression)
        schedules.time_zone(zone)
    except schedules.ExpressionError as error:
        raise GatehouseError(str(error), where="schedule") from error


def _next_times(schedule: Schedule, now: datetime) -> list[datetime]:
    """The next times on the clock of the schedule's time zone; none where it is switched off."""
    if not schedule.enabled:
        return []
    expression = schedules.parse(schedule.expression)
    start = schedule.start
    if isinstance(expression, schedules.Rate):
        start = schedule.start or schedule.created
    zone = schedules.time_zone(schedule.time_zone)
    return schedules.next_times(expression, zone, now, _SHOWN, start=start, end=schedule.end)


def _start_date(text: str | None, zone: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise GatehouseError(
            f"--start-date {text!r} is not a time", remedy="Write it like 2030-01-31T03:00"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=schedules.time_zone(zone))


def _described(
    name: str, action: str, changes: Sequence[str], schedule: Schedule | None, now: datetime
) -> Output:
    times = _next_times(schedule, now) if schedule else []
    yield Document(
        {
            "schedule": name,
            "action": action,
            "changes": list(changes),
            "expression": schedule.expression if schedule else None,
            "timezone": schedule.time_zone if schedule else None,
            "start_date": schedule.start if schedule else None,
            "enabled": schedule.enabled if schedule else False,
            "parameters": dict(schedule.parameters) if schedule else {},
            "role_arn": schedule.role_arn if schedule else None,
            "next_times": times,
        }
    )
    if schedule is None:
        yield f"Schedule {name}: {'deleted' if action == 'delete' else 'there is none'}"
        return
    yield f"Schedule {name}: {_WORDS[action]}"
    for change in changes:
        yield f"  {change}"
    yield f"{schedule.expression}, {schedule.time_zone}{'' if schedule.enabled else ', switched off'}"
    for key, value in schedule.parameters:
        yield f"  {key}={value}"
    yield "The next times:" if times else "It has no next time."
    for moment in times:
        yield f"  {moment:%a %Y-%m-%d %H:%M:%S %Z (%z)}"
