"""The settings, the project and the target that a command line means."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.settings.project import Project
from pipelines.settings.projects_file import Settings, load_settings
from pipelines.settings.target import Target, resolve_target


@dataclass(frozen=True)
class Place:
    """`target` has no URL yet where it is local; `local_endpoint.reaching` gives it one."""

    settings: Settings
    project: Project
    target: Target


def find_place(project: str | None, target: str) -> Place:
    """What PROJECT (the default project if None) and --target mean.

    Raises:
        GatehouseError: no settings, wrong settings, an unknown project, or a target that lacks something.
    """
    settings = load_settings()
    found = settings.project(project)
    return Place(settings, found, resolve_target(found, target))
