"""`gatehouse promote`: what serves in one environment, by the same ARN, onward to another."""

from __future__ import annotations

import click

from pipelines.commands.deploying import carry_out
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import (
    environment_option,
    note_option,
    plan_option,
    project_argument,
    target_option,
)
from pipelines.commands.output import Output, with_json
from pipelines.commands.project_context import find_context
from registry.rollbacks import plan_promotion


@click.command("promote")
@project_argument
@environment_option("--from", "source", help_text="The environment whose version is taken.")
@environment_option("--to", "destination", help_text="The environment that gets it.")
@note_option
@plan_option
@target_option
@with_json
def command(
    project: str | None,
    source: str,
    destination: str,
    note: str,
    only_plan: bool,
    target: str,
) -> Output:
    """Deploy the version that serves in one environment to another: the same ARN, never "the newest".

    It has to serve in --from, and to be approved still.
    """
    if source == destination:
        raise click.UsageError("--from and --to name the same environment.")
    with connected(find_context(project, target, source, destination)) as at:
        plan = plan_promotion(at.target, at.environment(source), at.environment(destination))
        words = f"from {source}; {note}" if note else f"from {source}"
        yield from carry_out(plan, at.target, note=words, only_plan=only_plan)
