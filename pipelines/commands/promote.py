"""`gatehouse promote`: what serves in one environment, by the same ARN, onward to another."""

from __future__ import annotations

from dataclasses import replace

import click

from pipelines.commands.deploying import DeploymentOptions, carry_out, deployment_options
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import environment_option
from pipelines.commands.output import Output
from pipelines.commands.project_context import find_context
from registry.rollbacks import plan_promotion, promotion_note


@click.command("promote")
@environment_option("--from", "source", help_text="The environment whose version is taken.")
@environment_option("--to", "destination", help_text="The environment that gets it.")
@deployment_options
def command(options: DeploymentOptions, source: str, destination: str) -> Output:
    """Deploy the version that serves in one environment to another: the same ARN, never "the newest".

    It has to serve in --from, and to be approved still.
    """
    if source == destination:
        raise click.UsageError("--from and --to name the same environment.")
    note = promotion_note(source, options.note)
    with connected(find_context(options.project, options.target, source, destination), changes=True) as at:
        plan = plan_promotion(at.target, at.environment(source), at.environment(destination))
        yield from carry_out(plan, at.target, replace(options, note=note))
