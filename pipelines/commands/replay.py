"""`gatehouse replay`: what would another version have answered to the requests that came?"""

from __future__ import annotations

import click

from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import environment_option, target_option, version_arguments, which_version
from pipelines.commands.output import Document, Output, notice, with_json
from pipelines.commands.project_context import find_context
from pipelines.executions.replays import carry_out, prepare_replay
from registry.monitored_windows import end_of_now, window_of


@click.command("replay")
@version_arguments
@environment_option("--env", "environment", help_text="The environment whose requests are sent again.")
@click.option("--hours", type=click.IntRange(1, 168), default=24, show_default=True, help="Of the window.")
@click.option("--end", metavar="TIME", help="Its end, e.g. 2030-01-31T03:00Z; now if left out.")
@target_option
@with_json
def command(words: tuple[str, ...], environment: str, hours: int, end: str | None, target: str) -> Output:
    """Send an environment's captured requests through another version, before it is promoted.

    Says how many answers flip, or how far they move, for whom, and how long a row takes in each version.
    It takes an environment with `capture`, and needs no labels: which answer is right it cannot say. One
    processing job does it; the endpoint and what it serves stay as they are. `gatehouse promote` does the
    same by itself into an environment with `replay = true`.

    \b
    Examples:
      gatehouse replay rc-fraud-detection 4 --env prod
      gatehouse replay 4 --env prod --hours 168
    """
    project, version = which_version(words)
    now = end_of_now()
    window = window_of(hours, now, end or now)
    context = find_context(project, target, environment)
    with connected(context, runs=True) as at:
        replay = prepare_replay(at.project, at.target, at.environment(environment), version, window)
        outcome = carry_out(replay, at.target, notice)
    yield Document(
        {
            "project": at.project.name,
            "environment": environment,
            "version": replay.served,
            "candidate": version,
            "replay": dict(outcome.document),
            "report": outcome.report,
        }
    )
    yield from outcome.lines()
