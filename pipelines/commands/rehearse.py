"""`gatehouse rehearse`: does what is set up hold, once requests change?"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.commands.local_endpoint import endpoint_with_clock
from pipelines.commands.options import gathered, project_argument
from pipelines.commands.output import Document, Output, notice, with_json
from pipelines.commands.project_context import find_context

if TYPE_CHECKING:
    from pipelines.rehearsal.play import Entry
    from pipelines.settings.project import Project

_LEAST_DAYS, _LEAST_ROWS = 2, 250
NOT_EXPECTED = "not expected: "
_DRIFT_AFTER = 3
"""A third of the days has passed when the drift comes, where none is named."""


@dataclass(frozen=True)
class RehearseOptions:
    """What is rehearsed."""

    environment: str | None
    days: int
    hours: int | None
    drifts: bool
    drift_day: int | None
    column: str | None
    size: float
    count: int | None
    label_days: int
    seed: int


@click.command("rehearse")
@project_argument
@click.option("--env", "environment", metavar="NAME", help="Which environment; else the first that captures.")
@click.option("--days", type=click.IntRange(_LEAST_DAYS), default=180, show_default=True, help="How many.")
@click.option("--hours", type=click.IntRange(1, 168), help="Of a window, instead of the settings'.")
@click.option("--drift/--no-drift", "drifts", default=True, help="Whether requests change at some time.")
@click.option("--drift-day", type=click.IntRange(2), help="Its first day; else after a third of them.")
@click.option("--column", metavar="NAME", help="What drifts; else the number that tells most.")
@click.option("--size", type=float, default=2.0, show_default=True, help="A number's shift, in deviations.")
@click.option(
    "--rows", "count", type=click.IntRange(200, 5000), help="Of a window; else enough to renew all."
)
@click.option(
    "--label-days", type=click.IntRange(0, 30), default=3, show_default=True, help="Until labels come."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@with_json
@gathered(RehearseOptions)
def command(options: RehearseOptions, project: str | None) -> Output:
    """Play half a year of a project on a clock that is set: requests, drift, labels, retraining, deployment.

    It runs on a local SageMaker of its own, in a temporary folder, with real trainings, comparisons and
    requests; nothing of yours is changed. The rows are the project's own: one half is the source, the other
    half comes as requests, and those whose labels have come take the place of the oldest in the source. A
    person who is told of a change does what the message asks for: trains anew after the cool-down, approves
    what passed the gate. `monitoring` in the settings says what happens by itself.

    A window takes some seconds; longer ones (--hours 168) are fewer. The same seed gives the same log. The
    exit code is 1 if a drift was not told, or its alarm did not end with a new version, or if without a drift
    anything was told.

    \b
    Examples:
      gatehouse rehearse rc-fraud-detection
      gatehouse rehearse --days 60 --drift-day 30 --column amount --size 3
      gatehouse rehearse --days 180 --hours 168 --seed 7
      gatehouse rehearse --no-drift --json > log.json
    """
    # Here: pyarrow and the SDK's compiler take seconds to import.
    from pipelines.rehearsal.play import Plan, play
    from pipelines.rehearsal.rows import find_drift, read_rows
    from pipelines.rehearsal.world import rehearsed_environment, rehearsed_project

    context = find_context(project, "local")
    environment = rehearsed_environment(context.project, options.environment)
    hours = options.hours or context.project.monitoring.hours
    windows = options.days * 24 // hours
    drift_day = options.drift_day or options.days // _DRIFT_AFTER + 1
    drift_at = -(-(drift_day - 1) * 24 // hours)
    if windows < 1:
        raise click.UsageError(f"--days: a window of this project takes {hours / 24:g} days.")
    if options.drifts and drift_at >= windows:
        raise click.UsageError(f"--drift-day {drift_day} is after the beginning of the last window.")
    if not options.drifts and (options.drift_day or options.column):
        raise click.UsageError("--no-drift excludes --drift-day and --column.")
    rows = read_rows(context.project, options.seed)
    drift = find_drift(rows, options.column, options.size) if options.drifts else None
    log: list[Entry] = []
    with tempfile.TemporaryDirectory(prefix="gatehouse-rehearsal-") as folder:
        rehearsed = rehearsed_project(context.project, environment, hours, rows, Path(folder) / "source")
        settings = replace(context.settings, projects={rehearsed.name: rehearsed})
        plan = Plan(
            project=rehearsed,
            environment=environment,
            rows=rows,
            windows=windows,
            count=options.count or _rows_of_a_window(rehearsed, len(rows.past), options.label_days),
            label_days=options.label_days,
            drift=drift,
            drift_at=drift_at,
            seed=options.seed,
        )
        notice(
            f"{rehearsed.name}, {options.days} days: {len(rows.past):,} rows known, {plan.count:,} requested"
            f" in each window of {hours} hours"
        )
        with endpoint_with_clock(Path(folder) / "home", settings) as (url, set_clock):
            for entry in play(plan, context.target.at(url), set_clock, notice):
                log.append(entry)
                yield f"day {entry.day:>3}  {entry.what:<10}  {entry.text}"
    wrong = _wrong(log, rehearsed.monitoring.retrain)
    yield Document(
        {
            "project": rehearsed.name,
            "environment": environment,
            "days": options.days,
            "seed": options.seed,
            "drift": {**asdict(drift), "day": plan.day(plan.window(drift_at).start)} if drift else None,
            "log": [asdict(entry) for entry in log],
            "wrong": wrong,
        },
        exit_code=1 if wrong else 0,
    )
    yield f"As it should be: {_summary(log)}" if not wrong else f"Not as it should be: {wrong}"


def _rows_of_a_window(project: Project, known: int, label_days: int) -> int:
    """As many as renew the whole source within a cool-down, with their labels; enough to be compared."""
    monitoring = project.monitoring
    windows = max(1, (monitoring.cool_down_days - label_days) * 24 // monitoring.hours)
    return max(_LEAST_ROWS, -(-known // windows))


def _wrong(log: Sequence[Entry], retrain: str) -> str | None:
    """What should not have happened, or did not happen; None if all is as it should be."""
    drift = next((place for place, entry in enumerate(log) if entry.what == "drift"), len(log))
    told = [(place, entry.day) for place, entry in enumerate(log) if entry.what == "told"]
    unexpected = [entry for entry in log if entry.what == "message" and entry.text.startswith(NOT_EXPECTED)]
    if unexpected:
        return f"a message that nothing explains: {unexpected[0].text.removeprefix(NOT_EXPECTED)}"
    if told and told[0][0] < drift:
        return f"a change was told on day {told[0][1]}, and there was none"
    if drift == len(log):
        return None
    if not told:
        return "the drift was not told"
    if retrain != "never" and not any(entry.what == "over" for entry in log):
        return f"the alarm of day {told[0][1]} did not end"
    return None


def _summary(log: Sequence[Entry]) -> str:
    words = {"told": "told on day", "serves": "a version deployed on day", "over": "the alarm over on day"}
    said = [f"{words[entry.what]} {entry.day}" for entry in log if entry.what in words]
    return "; ".join(said[1:]) or "nothing happened"
