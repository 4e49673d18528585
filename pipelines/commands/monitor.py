"""`gatehouse monitor`: does what serves still fit what it is asked?"""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.following import follow_to_the_end, report_failure
from pipelines.commands.local_endpoint import connected, home_folder, is_kept_up
from pipelines.commands.options import environment_option, gathered, project_argument, target_option
from pipelines.commands.output import Document, Lines, Output, Table, moment, notice, with_json
from pipelines.commands.plan_report import DONE, plan_in_words
from pipelines.commands.project_context import ProjectContext, find_context
from pipelines.commands.schedule import default_role
from pipelines.commands.whole_file import write_whole
from pipelines.executions import lifecycle as executions
from pipelines.executions import watching
from pipelines.executions.functions import require_functions
from pipelines.executions.outline import read_outline
from pipelines.executions.schedule import (
    Schedule,
    apply_schedule,
    check_timing,
    next_times,
    plan_deletion,
    plan_schedule,
    read_schedule,
)
from pipelines.settings.environments import resolve_environment
from pipelines.settings.monitoring import monitoring_name, schedule_name
from pipelines.upsert.apply import apply_upsert
from pipelines.upsert.plan import plan_upsert
from registry.clients import read_document, read_object
from registry.monitored_windows import ComparedWindow, end_of_now, last_windows, window_of

_SHOWN_TIMES, _SHOWN_WINDOWS = 3, 10
FIND = "FindWindow"


@dataclass(frozen=True)
class MonitorOptions:
    """What should happen: a schedule, its end, a look, or one comparison now."""

    environment: str
    cron: str | None
    rate: str | None
    timezone: str
    end: str | None
    role: str | None
    now: bool
    show: bool
    off: bool
    opens: bool


@click.command("monitor")
@project_argument
@environment_option("--env", "environment", help_text="The environment whose requests are compared.")
@click.option("--rate", metavar="RATE", help='Compare again and again, e.g. "1 day".')
@click.option("--cron", metavar="FIELDS", help='The same at set times, e.g. "0 6 * * ? *".')
@click.option("--timezone", default="UTC", show_default=True, help="Whose clock counts for --cron.")
@click.option("--now", is_flag=True, help="Compare the last requests now, and wait for what is found.")
@click.option("--end", metavar="TIME", help="With --now: the window's end, e.g. 2030-01-31T03:00Z; else now.")
@click.option("--show", is_flag=True, help="Show the schedule and the last windows; change nothing.")
@click.option("--off", is_flag=True, help="Delete the schedule; what was found stays.")
@click.option("--open", "opens", is_flag=True, help="Open the newest report in the browser.")
@click.option(
    "--role",
    metavar="ARN",
    envvar="GATEHOUSE_SCHEDULER_ROLE_ARN",
    show_envvar=True,
    help="The role that EventBridge Scheduler starts it under; default: the one of `gatehouse infra deploy`.",
)
@target_option
@with_json
@gathered(MonitorOptions)
def command(options: MonitorOptions, project: str | None, target: str) -> Output:
    """Compare the requests to an environment's endpoint with what its version was made of.

    The endpoint has to capture them: a table `capture` of the environment in the settings, and a deployment.
    Each column, and the answers, are compared with the version's training and test parts; where labels came
    (`gatehouse labels`), the answers are judged, too. A difference is told once, where the automation runs.

    \b
    Examples:
      gatehouse monitor rc-fraud-detection --env prod --now --open
      gatehouse monitor rc-fraud-detection --env prod --rate "1 day"
      gatehouse monitor rc-fraud-detection --env prod --show
    """
    chosen = [options.cron is not None, options.rate is not None, options.now, options.show, options.off]
    if sum(chosen) != 1:
        raise click.UsageError("Give one of --rate, --cron, --now, --show and --off.")
    if options.end and not options.now:
        raise click.UsageError("--end belongs to --now.")
    expression = _expression(options)
    context = find_context(project, target)
    with connected(context, runs=options.now) as at:
        environment = resolve_environment(at.project, at.target, options.environment).name
        if options.now:
            yield from _compare_now(at, options, environment)
            return
        name = schedule_name(at.project.name, environment)
        changed = "none"
        if options.off:
            plan = plan_deletion(name, at.target)
            apply_schedule(plan, at.target)
            changed = plan.action
        elif expression is not None:
            changed = _set_schedule(at, options, name, environment, expression)
        schedule = read_schedule(name, at.target)
        windows = last_windows(at.target, at.target.bucket, at.project.name, environment, _SHOWN_WINDOWS)
        if options.opens:
            _open_report(at, windows[0].report if windows else None)
    if target == "local" and schedule is not None and not is_kept_up(at.settings):
        notice("It compares nothing until the local SageMaker is kept up: gatehouse local up")
    yield from _described(at, name, environment, changed, schedule, windows)


def _expression(options: MonitorOptions) -> str | None:
    """Of the schedule, checked before anything is sent; None where none is asked for."""
    if options.cron is None and options.rate is None:
        return None
    expression = f"cron({options.cron})" if options.cron is not None else f"rate({options.rate})"
    check_timing(expression, options.timezone)
    return expression


def _bring_up_to_date(at: ProjectContext) -> str:
    """Create or update the monitoring pipeline; its ARN."""
    from pipelines.definition.monitoring import compile_monitoring  # imports the SDK, which takes a second

    compiled = compile_monitoring(at.project, at.target)
    require_functions(read_outline(compiled.definition), at.project.name, at.target)
    plan = plan_upsert(compiled, at.target)
    arn = apply_upsert(plan, at.target)
    if plan.changes_something:
        for line in plan_in_words(plan, DONE):
            notice(line)
    return arn


def _set_schedule(
    at: ProjectContext, options: MonitorOptions, name: str, environment: str, expression: str
) -> str:
    arn = _bring_up_to_date(at)
    wanted = Schedule(
        expression=expression,
        time_zone=options.timezone,
        start=None,
        parameters=(("Environment", environment),),
        role_arn=options.role or default_role(at.project.name, at.target),
    )
    plan = plan_schedule(name, wanted, arn, at.target)
    apply_schedule(plan, at.target)
    return plan.action


def _compare_now(at: ProjectContext, options: MonitorOptions, environment: str) -> Output:
    now = end_of_now()
    end = options.end or now
    window_of(at.project.monitoring.hours, now, end)  # a wrong end, before anything is started
    _bring_up_to_date(at)
    name = monitoring_name(at.project.name)
    execution = executions.start(at.target, name, {"Environment": environment, "WindowEnd": end})
    last = follow_to_the_end(at.target, name, execution)
    outcome = watching.outcome_of(last)
    if outcome.status != "Succeeded":
        yield Document({"execution_arn": execution, "status": outcome.status}, exit_code=1)
        yield ""
        yield Lines(report_failure(at.target, name, outcome))
        return
    outputs = next((step.outputs for step in outcome.steps if step.name == FIND), {})
    if outputs.get("Version") == "none":
        raise GatehouseError(str(outputs.get("Sentence")), where=at.project.name)
    report = f"{outputs['ReportUri']}/report.html"
    verdict = read_document(at.target.client("s3"), f"{outputs['ReportUri']}/verdict.json")
    yield Document(
        {"execution_arn": execution, "status": outcome.status, "verdict": verdict, "report": report}
    )
    yield ""
    yield from _verdict_in_words(verdict)
    yield f"Report: {_open_report(at, report) if options.opens else report}"


def _verdict_in_words(verdict: Mapping[str, Any]) -> Iterator[str]:
    sentence = str(verdict["sentence"])
    yield f"{sentence[:1].upper()}{sentence[1:]}."
    for one in verdict["differences"]:
        yield f"  {one['sentence']}"
    for noticed in verdict["noticed"]:
        yield f"Not used: {noticed}"


def _open_report(at: ProjectContext, uri: str | None) -> str:
    """Copy a report into a file and open that; the file's path.

    Raises:
        GatehouseError: there is none.
    """
    content = read_object(at.target.client("s3"), uri) if uri else None
    if content is None:
        raise GatehouseError("there is no report yet", remedy="Make one with --now")
    path = (home_folder(at.settings) / "reports" / f"{at.project.name}-monitoring.html").absolute()
    write_whole(path, content, "the report", makes_folder=True)
    if not webbrowser.open(path.as_uri()):
        notice("There is no browser to open it with.")
    return str(path)


def _described(
    at: ProjectContext,
    name: str,
    environment: str,
    changed: str,
    schedule: Schedule | None,
    windows: Sequence[ComparedWindow],
) -> Output:
    times = next_times(schedule, datetime.now(UTC), _SHOWN_TIMES) if schedule else []
    yield Document(
        {
            "project": at.project.name,
            "environment": environment,
            "schedule": name if schedule else None,
            "action": changed,
            "expression": schedule.expression if schedule else None,
            "timezone": schedule.time_zone if schedule else None,
            "next_times": times,
            "windows": [
                {key: value for key, value in asdict(one).items() if key != "name"} for one in windows
            ],
        }
    )
    if schedule is None:
        yield f"Monitoring of {environment}: {'switched off' if changed == 'delete' else 'no schedule'}"
    else:
        yield f"Monitoring of {environment}: {schedule.expression}, {schedule.time_zone}"
        yield from (f"  next: {one:%a %Y-%m-%d %H:%M %Z}" for one in times)
    if windows:
        yield Table(
            ["Until", "Version", "Rows", "Traffic", "Answers", "Differs"],
            [
                [
                    moment(datetime.fromisoformat(one.end)),
                    str(one.version),
                    f"{one.rows:,}",
                    one.status,
                    one.quality,
                    ", ".join(one.differing),
                ]
                for one in windows
            ],
        )
        yield f"Newest report: {windows[0].report}"
    else:
        yield f"No window was compared yet: gatehouse monitor {at.project.name} --env {environment} --now"
