"""The page of what happens by itself: the schedule, the messages and the dead letters."""

from __future__ import annotations

from aws_formats.errors import GatehouseError
from pipelines.executions.dead_letters import try_again
from pipelines.executions.schedule import apply_schedule, plan_switch, plan_timing
from pipelines.settings.project import Project
from studio.pages.answers import Asked, Redirect, Shown
from studio.source import Source
from studio.views.automation import Proposal, read_automation, times_of


def shown(source: Source, asked: Asked) -> Shown:
    """A project's schedule, rules, the calls of their functions, messages and dead letters."""
    return _page(source, source.project(asked.path["project"]), None)


def _page(source: Source, project: Project, proposal: Proposal | None) -> Shown:
    values = {"project": project, "automation": read_automation(source, project), "proposal": proposal}
    return Shown("automation.html", values)


def switch(source: Source, asked: Asked) -> Redirect:
    """Switch the project's schedule on or off.

    Raises:
        GatehouseError: there is none, or the form says neither.
    """
    project, state = source.project(asked.path["project"]), asked.form.get("state")
    if state not in ("on", "off"):
        raise GatehouseError("the form says neither on nor off")
    target = source.target(project)
    plan = plan_switch(project.name, target, on=state == "on")
    if plan.live is None:
        raise GatehouseError("there is no schedule any more", where=project.name)
    apply_schedule(plan, target)
    return Redirect(f"/p/{project.name}/automation")


def timing(source: Source, asked: Asked) -> Shown | Redirect:
    """Show what other times for the schedule would mean, or give them to it where that was shown.

    Raises:
        GatehouseError: there is no schedule, or the form holds no such times.
    """
    project, form = source.project(asked.path["project"]), asked.form
    target = source.target(project)
    expression, time_zone = form.get("expression", "").strip(), form.get("time_zone", "").strip()
    plan = plan_timing(project.name, target, expression, time_zone)
    if plan.wanted is None:
        raise GatehouseError("there is no schedule any more", where=project.name)
    if form.get("shown") != "yes":
        return _page(source, project, Proposal(plan, times_of(plan.wanted)))
    apply_schedule(plan, target)
    return Redirect(f"/p/{project.name}/automation")


def again(source: Source, asked: Asked) -> Redirect:
    """Give a dead letter once more to the function that could not handle it.

    Raises:
        GatehouseError: it is not there any more, or no function takes it.
    """
    project = source.project(asked.path["project"])
    try_again(source.target(project), project.name, asked.form.get("message", ""))
    return Redirect(f"/p/{project.name}/automation")
