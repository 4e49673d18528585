"""`gatehouse rollback`: an environment back to the version before."""

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
from registry.rollbacks import plan_rollback


@click.command("rollback")
@project_argument
@environment_option("--env", "environment", help_text="The environment, for example prod.")
@click.option(
    "--to", "version", type=click.IntRange(min=1), help="A version that was deployed there; by its number."
)
@note_option
@plan_option
@target_option
@with_json
def command(
    project: str | None,
    environment: str,
    version: int | None,
    note: str,
    only_plan: bool,
    target: str,
) -> Output:
    """Bring an environment back to the version that it served before.

    It works also after that version or the newer one was rejected. A rollback after a rollback goes
    further back, never forth to what was rolled back. The deployment history is the version history of
    the environment's parameter: see `gatehouse environments PROJECT --env NAME`.
    """
    with connected(find_context(project, target, environment)) as at:
        plan = plan_rollback(at.target, at.environment(environment), version)
        yield from carry_out(plan, at.target, note=note, only_plan=only_plan)
