"""The look at the data with which `plan`, `upsert`, `run` and `start` begin, before anything is paid for."""

from __future__ import annotations

from collections.abc import Callable

from aws_formats.sizes import size_in_words
from pipelines.commands.output import notice
from pipelines.definition.dataset import is_queried, number_of_files
from pipelines.definition.look import Look, look_at, require
from pipelines.settings.project import Project
from pipelines.settings.target import Target

_LONG_TO_READ = 2_000_000_000
"""Bytes; a core digests them in two seconds."""


def look_first(project: Project, connect: Callable[[], Target], target: Target) -> None:
    """Refuse data that preprocessing would refuse, and mention doubts about it on standard error.

    Args:
        connect: waits for the local SageMaker; called only where the data lies in it.

    Raises:
        GatehouseError: all that is wrong with the data and with what the settings say of it.
    """
    in_s3 = project.data.source.startswith("s3://") and not is_queried(project, target)
    at = connect() if in_s3 else target
    if instead := what_is_read_instead(project, target):
        notice(f"Data: {instead}")
    look = look_at(project, at)
    require(project, look)
    if not in_s3 and look.size > _LONG_TO_READ:
        notice(f"Data: {size_in_words(look.size)} are read first, since data in S3 is named by its content")
    _say_what_is_not_shared(project, at)
    if look.whole is None:
        notice(f"Data: {look.said}")
    elif doubts := doubts_of(look):
        count = "1 doubt" if len(doubts) == 1 else f"{len(doubts)} doubts"
        notice(f"Data: {count} about it; `gatehouse data {project.name}{target.option}` says more")


def what_is_read_instead(project: Project, target: Target) -> str | None:
    """Of a project with a query, where it is not run, what is read in its place."""
    query = project.data.query
    if query is None or is_queried(project, target):
        return None
    return f"{query.in_words} is not run on this machine, which reads {project.data.source} instead"


def _say_what_is_not_shared(project: Project, target: Target) -> None:
    """Say where instances that divide the files of the data would have none."""
    wanted = project.processing_instance_count
    if project.processing != "sharded" or wanted == 1:
        return
    files = number_of_files(project, target, wanted)
    if files < wanted:
        notice(
            f"Data: {files} file{'s' if files != 1 else ''} cannot be shared by {wanted} instances, each of"
            f" which reads whole files. Write the data as {wanted} files or more of about one size, CSV with"
            f" its header line in each, or set processing_instance_count = {files}"
        )


def doubts_of(look: Look) -> list[dict[str, str]]:
    """The findings that a person should decide on."""
    return [found for found in look.findings if found.get("level", "warning") == "warning"]
