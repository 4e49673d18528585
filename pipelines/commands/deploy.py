"""`gatehouse deploy`: an approved version to an environment's endpoint."""

from __future__ import annotations

import click

from pipelines.commands.deploying import DeploymentOptions, carry_out, deployment_options
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import environment_option
from pipelines.commands.output import Output
from pipelines.commands.project_context import find_context
from pipelines.settings.environments import deployable
from registry.deployments import plan_deployment
from registry.model_packages import newest_approved, version_arn


@click.command("deploy")
@environment_option("--env", "environment", help_text="The environment, for example dev.")
@click.option("--version", type=click.IntRange(min=1), help="Its number; the newest approved if left out.")
@deployment_options
def command(options: DeploymentOptions, environment: str, version: int | None) -> Output:
    """Deploy an approved version to an environment, and make sure that it answers.

    The version is deployed by its ARN. Its own sample payload is sent to the endpoint; only when the
    answer is valid does the environment's parameter name the version. Until then, and if anything goes
    wrong, the version before goes on serving.
    """
    with connected(find_context(options.project, options.target, environment), changes=True) as at:
        name = at.project.name
        number = version or newest_approved(at.target, name)
        where = deployable(at.environment(environment))
        plan = plan_deployment(at.target, where, version_arn(at.target, name, number))
        yield from carry_out(plan, at.target, options)
