"""What `gatehouse deploy`, `rollback` and `promote` have in common: show a plan, carry it out, say so."""

from __future__ import annotations

from pipelines.commands.output import document, remark, say
from registry.clients import Clients
from registry.deployments import DeploymentPlan
from registry.rollout import apply_deployment


def carry_out(plan: DeploymentPlan, registry: Clients, *, note: str, only_plan: bool, as_json: bool) -> None:
    """Show a plan and, unless that is all, carry it out; progress goes to standard error."""
    environment = plan.state.environment
    if not as_json:
        _show(plan)
    if not only_plan:
        apply_deployment(plan, registry, note=note, tell=lambda line: remark(f"  {line}"))
    if as_json:
        document(
            {
                "project": environment.project,
                "environment": environment.name,
                "version": plan.version,
                "arn": plan.arn,
                "before": plan.state.deployed.known_version if plan.state.deployed else None,
                "endpoint": environment.endpoint,
                "changes": list(plan.changes),
                "done": not only_plan,
            }
        )
    elif not plan.changes:
        say(f"Version {plan.version} of model {environment.project} serves in {environment.name} already.")
    elif not only_plan:
        say(f"Version {plan.version} of model {environment.project} serves in {environment.name}.")
        remark(f"Next: gatehouse invoke {environment.project} --env {environment.name} --data rows.csv")


def _show(plan: DeploymentPlan) -> None:
    if plan.changes:
        remark(f"{plan.action.capitalize()} version {plan.version} in {plan.state.environment.name}:")
        for change in plan.changes:
            remark(f"  will {change}")
