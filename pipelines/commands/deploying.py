"""What `gatehouse deploy`, `rollback` and `promote` have in common: show a plan, carry it out, say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.commands.options import gathered, note_option, plan_option, project_argument, target_option
from pipelines.commands.output import Document, Output, Remark, notice, with_json
from registry.clients import Clients
from registry.deployments import DeploymentPlan
from registry.rollout import apply_deployment


@dataclass(frozen=True)
class DeploymentOptions:
    """What can be said of each deployment; `only_plan` shows it and changes nothing."""

    project: str | None
    note: str
    only_plan: bool
    target: str


def deployment_options(function: Callable[..., Output]) -> Callable[..., int]:
    """PROJECT and the options of each deployment, which the command takes as `DeploymentOptions`."""
    command = with_json(gathered(DeploymentOptions)(function))
    return project_argument(note_option(plan_option(target_option(command))))


def carry_out(plan: DeploymentPlan, registry: Clients, options: DeploymentOptions) -> Output:
    """Show a plan and, unless that is all, carry it out."""
    environment = plan.state.environment
    if plan.changes:
        yield Remark(f"{plan.action.capitalize()} version {plan.version} in {environment.name}:")
        for change in plan.changes:
            yield Remark(f"  will {change}")
    for line in plan.notes:
        yield Remark(line)
    if not options.only_plan:
        apply_deployment(plan, registry, note=options.note, tell=lambda line: notice(f"  {line}"))
    yield Document(
        {
            "project": environment.project,
            "environment": environment.name,
            "version": plan.version,
            "arn": plan.arn,
            "before": plan.state.deployed.version if plan.state.deployed else None,
            "endpoint": environment.endpoint,
            "changes": list(plan.changes),
            "done": not options.only_plan,
        }
    )
    if not plan.changes:
        yield f"Version {plan.version} of model {environment.project} serves in {environment.name} already."
    elif not options.only_plan:
        yield f"Version {plan.version} of model {environment.project} serves in {environment.name}."
        yield Remark(f"Next: gatehouse invoke {environment.project} --env {environment.name} --data rows.csv")
