"""The page of what happens by itself: the schedule, the messages and the dead letters."""

from __future__ import annotations

from aws_formats.errors import GatehouseError
from pipelines.executions.dead_letters import try_again
from pipelines.executions.schedule import apply_schedule, plan_switch
from studio.pages.answers import Asked, Redirect, Shown
from studio.source import Source
from studio.views.automation import read_automation


def shown(source: Source, asked: Asked) -> Shown:
    """A project's schedule, messages and dead letters."""
    project = source.project(asked.path["project"])
    return Shown("automation.html", {"project": project, "automation": read_automation(source, project)})


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


def again(source: Source, asked: Asked) -> Redirect:
    """Give a dead letter once more to the function that could not handle it.

    Raises:
        GatehouseError: it is not there any more, or no function takes it.
    """
    project = source.project(asked.path["project"])
    try_again(source.target(project), project.name, asked.form.get("message", ""))
    return Redirect(f"/p/{project.name}/automation")
