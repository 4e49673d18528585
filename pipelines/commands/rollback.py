"""`gatehouse rollback`: an environment back to the version before."""

from __future__ import annotations

import click

from pipelines.commands.deploying import DeploymentOptions, carry_out, deployment_options
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import environment_option
from pipelines.commands.output import Output
from pipelines.commands.project_context import find_context
from pipelines.settings.environments import deployable
from registry.rollbacks import plan_rollback


@click.command("rollback")
@environment_option("--env", "environment", help_text="The environment, for example prod.")
@click.option(
    "--to", "version", type=click.IntRange(min=1), help="A version that was deployed there; by its number."
)
@deployment_options
def command(options: DeploymentOptions, environment: str, version: int | None) -> Output:
    """Bring an environment back to the version that it served before.

    It works also after that version or the newer one was rejected. A rollback after a rollback goes
    further back, never forth to what was rolled back. The deployment history is the version history of
    the environment's parameter: see `gatehouse environments PROJECT --env NAME`.
    """
    with connected(find_context(options.project, options.target, environment), changes=True) as at:
        plan = plan_rollback(at.target, deployable(at.environment(environment)), version)
        yield from carry_out(plan, at.target, options)
