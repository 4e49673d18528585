"""The page of what happens by itself: the schedule, the messages and the dead letters."""

from __future__ import annotations

from studio.pages.answers import Asked, Shown
from studio.source import Source
from studio.views.automation import read_automation


def shown(source: Source, asked: Asked) -> Shown:
    """A project's schedule, messages and dead letters."""
    project = source.project(asked.path["project"])
    return Shown("automation.html", {"project": project, "automation": read_automation(source, project)})
