"""`gatehouse schedule`: start the pipeline on time, by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from aws_formats import schedules
from aws_formats.errors import GatehouseError
from pipelines.commands.local_endpoint import connected, is_kept_up
from pipelines.commands.options import gathered, parameter_option, project_argument, target_option
from pipelines.commands.output import Document, Output, notice, with_json
from pipelines.commands.project_context import ProjectContext, find_context
from pipelines.executions import lifecycle as executions
from pipelines.executions.outline import read_outline
from pipelines.executions.overrides import check_overrides
from pipelines.executions.schedule import (
    Schedule,
    SchedulePlan,
    apply_schedule,
    check_timing,
    next_times,
    plan_deletion,
    plan_schedule,
    read_schedule,
)
from pipelines.settings.target import Target
from pipelines.upsert.plan import read_live_pipeline

_SHOWN = 5
_WORDS = {"create": "created", "update": "updated", "none": "up to date", "delete": "deleted"}


@dataclass(frozen=True)
class ScheduleOptions:
    """What the schedule should be, or that it is shown or deleted.

    Attributes:
        cron, rate: what stands in the parentheses of the expression.
        start_date: ISO 8601, on the clock of the time zone if it names none.
    """

    cron: str | None
    rate: str | None
    timezone: str
    start_date: str | None
    parameters: dict[str, str]
    role: str | None
    show: bool
    off: bool


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
@gathered(ScheduleOptions)
def command(options: ScheduleOptions, project: str | None, target: str) -> Output:
    """Start the pipeline on time: create its schedule, change it, show it or delete it.

    Expressions are EventBridge Scheduler's own and are checked before anything is sent. A schedule that
    is as asked for is left alone. On this machine `gatehouse local up` keeps it and starts the pipeline.

    \b
    Examples:
      gatehouse schedule health-tumor-diagnosis --cron "0 3 ? * MON-FRI *" --timezone Europe/Paris
      gatehouse schedule health-tumor-diagnosis --rate "1 day" -p MaxDepth=5
    """
    if [options.cron is not None, options.rate is not None, options.show, options.off].count(True) != 1:
        raise click.UsageError("Give one of --cron, --rate, --show and --off.")
    timing = None if options.show or options.off else _timing(options)
    now = datetime.now(UTC)
    with connected(find_context(project, target)) as at:
        name = at.project.name
        if options.show:
            return _described(name, "none", (), read_schedule(name, at.target), now)
        plan = plan_deletion(name, at.target) if timing is None else _plan(at, options, *timing)
        apply_schedule(plan, at.target)
        schedule = None if timing is None else read_schedule(name, at.target)
    if target == "local" and schedule is not None and not is_kept_up(at.settings):
        notice("It starts nothing until the local SageMaker is kept up: gatehouse local up")
    return _described(name, plan.action, plan.changes, schedule, now)


def _timing(options: ScheduleOptions) -> tuple[str, datetime | None]:
    """(expression, start), checked before anything is sent.

    Raises:
        GatehouseError: it says which field is wrong and what is allowed.
    """
    expression = f"cron({options.cron})" if options.cron is not None else f"rate({options.rate})"
    check_timing(expression, options.timezone)
    if options.start_date is None:
        return expression, None
    try:
        start = datetime.fromisoformat(options.start_date)
    except ValueError as error:
        raise GatehouseError(
            f"--start-date {options.start_date!r} is not a time", remedy="Write it like 2030-01-31T03:00"
        ) from error
    return expression, start if start.tzinfo else start.replace(tzinfo=schedules.time_zone(options.timezone))


def _plan(
    at: ProjectContext, options: ScheduleOptions, expression: str, start: datetime | None
) -> SchedulePlan:
    name = at.project.name
    pipeline = read_live_pipeline(name, at.target)
    if pipeline is None:
        raise executions.no_pipeline(at.target, name)
    overrides = check_overrides(read_outline(pipeline.definition), options.parameters, name)
    schedule = Schedule(
        expression=expression,
        time_zone=options.timezone,
        start=start,
        parameters=tuple(sorted(overrides.items())),
        role_arn=options.role or default_role(name, at.target),
    )
    return plan_schedule(name, schedule, pipeline.arn, at.target)


def default_role(name: str, target: Target) -> str:
    """The role that EventBridge Scheduler starts the project's pipelines under, where none is given."""
    if target.name == "local":
        return target.role_arn
    # The pipeline's own role names the partition, aws-cn for example.
    return f"{target.role_arn.partition(':role/')[0]}:role/gatehouse-{name}-scheduler"


def _described(
    name: str, action: str, changes: Sequence[str], schedule: Schedule | None, now: datetime
) -> Output:
    times = next_times(schedule, now, _SHOWN) if schedule else []
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
