"""The pages of registered versions: the list, one of them, and the decision on it."""

from __future__ import annotations

from aws_formats.errors import GatehouseError
from registry.model_packages import APPROVED, REJECTED
from registry.review import apply_review, plan_review
from studio.pages.answers import Asked, Redirect, Shown
from studio.source import Source
from studio.views.versions import read_page, read_versions

_ROWS = 50
_DECISIONS = {"approve": APPROVED, "reject": REJECTED}


def listed(source: Source, asked: Asked) -> Shown:
    """The newest versions of a project."""
    project = source.project(asked.path["project"])
    return Shown("versions.html", {"project": project, "shown": read_versions(source, project, _ROWS)})


def one(source: Source, asked: Asked) -> Shown:
    """One version."""
    project = source.project(asked.path["project"])
    return Shown("version.html", {"project": project, "shown": read_page(source, project, asked.number)})


def decide(source: Source, asked: Asked) -> Redirect:
    """Approve or reject a version.

    Raises:
        GatehouseError: it cannot be decided on, or somebody else decided at the same moment.
    """
    project = source.project(asked.path["project"])
    status = _DECISIONS.get(asked.form.get("decision", ""))
    if status is None:
        raise GatehouseError("the form says neither approve nor reject")
    target = source.target(project)
    anew = asked.form.get("anew") == "yes"
    plan = plan_review(target, project.name, asked.number, status, asked.form.get("note", ""), force=anew)
    ended = apply_review(plan, target)
    if ended.approval != status:
        raise GatehouseError(
            f"somebody set version {asked.number} to {ended.approval} at the same moment",
            remedy="Talk to each other and decide anew",
        )
    return Redirect(f"/p/{project.name}/versions/{asked.number}")
