"""The page of a project's environments, and how a version gets into one: a plan, then the change."""

from __future__ import annotations

from aws_formats.errors import GatehouseError
from pipelines.settings.environments import resolve_environment
from pipelines.settings.project import Project
from registry.deployments import DeploymentPlan, plan_deployment
from registry.model_packages import APPROVED, list_versions, version_arn
from registry.rollbacks import plan_promotion, plan_rollback
from registry.rollout import apply_deployment
from studio.pages.answers import Asked, Redirect, Shown
from studio.source import Source
from studio.views.environments import read_environments

_VERSIONS = 50


def listed(source: Source, asked: Asked) -> Shown:
    """All environments of a project."""
    project = source.project(asked.path["project"])
    approved = list_versions(source.target(project), project.name, approval=APPROVED, limit=_VERSIONS)
    values = {"project": project, "environments": read_environments(source, project), "approved": approved}
    return Shown("environments.html", values)


def plan(source: Source, asked: Asked) -> Shown:
    """What a deployment, promotion or rollback would do.

    Raises:
        GatehouseError: it cannot be done.
    """
    project = source.project(asked.path["project"])
    made = _plan(source, project, asked)
    return Shown("deployment.html", {"project": project, "plan": made, "form": asked.form})


def change(source: Source, asked: Asked) -> Redirect:
    """Carry out what was planned; returns when the version serves.

    Raises:
        GatehouseError: it cannot be done, or would do something else than the page showed.
    """
    project = source.project(asked.path["project"])
    made = _plan(source, project, asked)
    if made.arn != asked.form.get("arn"):
        raise GatehouseError(
            f"by now it would bring version {made.version}, not the one that was shown",
            remedy="Look at the plan again",
        )
    apply_deployment(made, source.target(project), note=asked.form.get("note", ""))
    return Redirect(f"/p/{project.name}/environments")


def _plan(source: Source, project: Project, asked: Asked) -> DeploymentPlan:
    target = source.target(project)
    environment = resolve_environment(project, target, asked.path["environment"])
    action, version = asked.form.get("action"), asked.form.get("version", "")
    if action == "rollback":
        return plan_rollback(target, environment, None)
    if action == "promote":
        return plan_promotion(
            target, resolve_environment(project, target, asked.form.get("from", "")), environment
        )
    if action == "deploy" and version.isdecimal() and len(version) < 10:
        return plan_deployment(target, environment, version_arn(target, project.name, int(version)))
    raise GatehouseError("the form says neither which version nor what to do with it")
