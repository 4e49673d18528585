"""`gatehouse promote`: what serves in one environment, by the same ARN, onward to another."""

from __future__ import annotations

from dataclasses import replace

import click

from pipelines.commands.deploying import DeploymentOptions, carry_out, deployment_options
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import environment_option
from pipelines.commands.output import Output, Remark, confirm, notice
from pipelines.commands.project_context import ProjectContext, find_context
from pipelines.executions.replays import NothingToReplay, prepare_replay
from pipelines.executions.replays import carry_out as run_replay
from pipelines.settings.environments import deployable
from registry.monitored_windows import end_of_now, window_of
from registry.rollbacks import plan_promotion, promotion_note


@click.command("promote")
@environment_option("--from", "source", help_text="The environment whose version is taken.")
@environment_option("--to", "destination", help_text="The environment that gets it.")
@click.option("--yes", is_flag=True, help="Do not ask after a replay.")
@deployment_options
def command(options: DeploymentOptions, source: str, destination: str, yes: bool) -> Output:
    """Deploy the version that serves in one environment to another: the same ARN, never "the newest".

    It has to serve in --from, and to be approved still. Where the settings of --to say `replay = true`,
    the requests that were captured there are sent through the version first: what it would have answered
    otherwise is shown, and a person is asked whether to go on.
    """
    if source == destination:
        raise click.UsageError("--from and --to name the same environment.")
    note = promotion_note(source, options.note)
    with connected(find_context(options.project, options.target, source, destination), changes=True) as at:
        plan = plan_promotion(at.target, at.environment(source), deployable(at.environment(destination)))
        if plan.changes and at.project.environments[destination].replay:
            if options.only_plan:
                yield Remark(f"The requests that were captured in {destination} are sent through it first.")
            else:
                yield from _replay(at, destination, plan.version)
                if not yes:
                    confirm(f"Promote version {plan.version} to {destination}?")
        yield from carry_out(plan, at.target, replace(options, note=note))


def _replay(at: ProjectContext, destination: str, version: int) -> Output:
    now = end_of_now()
    window = window_of(at.project.monitoring.hours, now, now)
    try:
        replay = prepare_replay(at.project, at.target, at.environment(destination), version, window)
    except NothingToReplay as error:
        yield Remark(f"Nothing is replayed: {error.what}.")
        return
    for line in run_replay(replay, at.target, notice).lines():
        yield Remark(line)
