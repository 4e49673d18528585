"""What `gatehouse deploy`, `rollback` and `promote` have in common: show a plan, carry it out, say so."""

from __future__ import annotations

from pipelines.commands.output import Document, Output, Remark, notice
from registry.clients import Clients
from registry.deployments import DeploymentPlan
from registry.rollout import apply_deployment


def carry_out(plan: DeploymentPlan, registry: Clients, *, note: str, only_plan: bool) -> Output:
    """Show a plan and, unless that is all, carry it out."""
    environment = plan.state.environment
    if plan.changes:
        yield Remark(f"{plan.action.capitalize()} version {plan.version} in {environment.name}:")
        for change in plan.changes:
            yield Remark(f"  will {change}")
    if not only_plan:
        apply_deployment(plan, registry, note=note, tell=lambda line: notice(f"  {line}"))
    yield Document(
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
    if not plan.changes:
        yield f"Version {plan.version} of model {environment.project} serves in {environment.name} already."
    elif not only_plan:
        yield f"Version {plan.version} of model {environment.project} serves in {environment.name}."
        yield Remark(f"Next: gatehouse invoke {environment.project} --env {environment.name} --data rows.csv")
