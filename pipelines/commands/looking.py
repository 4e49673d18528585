"""The look at the data with which `plan`, `upsert`, `run` and `start` begin, before anything is paid for."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.commands.output import notice
from pipelines.definition.look import Look, look_at, require
from pipelines.settings.project import Project
from pipelines.settings.target import Target


def look_first(project: Project, connect: Callable[[], Target], target: Target) -> None:
    """Refuse data that preprocessing would refuse, and mention doubts about it on standard error.

    Args:
        connect: waits for the local SageMaker; called only where the data lies in it.

    Raises:
        GatehouseError: all that is wrong with the data and with what the settings say of it.
    """
    in_s3 = project.data.source.startswith("s3://")
    look = look_at(project, connect() if in_s3 else target)
    require(project, look)
    if look.whole is None:
        notice(f"Data: {look.said}")
    elif doubts := doubts_of(look):
        count = "1 doubt" if len(doubts) == 1 else f"{len(doubts)} doubts"
        notice(f"Data: {count} about it; `gatehouse data {project.name}{target.option}` says more")


def doubts_of(look: Look) -> list[dict[str, str]]:
    """The findings that a person should decide on."""
    return [found for found in look.findings if found.get("level", "warning") == "warning"]
