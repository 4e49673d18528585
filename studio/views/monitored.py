"""What monitoring found of an environment's requests: the last windows, newest first."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from aws_formats.service_errors import is_denied
from pipelines.settings.project import Project
from registry.monitored_windows import ComparedWindow, last_windows
from studio.source import Source
from studio.views.environments import EnvironmentView

_WINDOWS = 14


@dataclass(frozen=True)
class Windows:
    """The last windows of an environment whose requests are kept.

    Attributes:
        denied: whether the caller may not read them.
    """

    found: tuple[ComparedWindow, ...] = ()
    denied: bool = False


def read(source: Source, project: Project, view: EnvironmentView) -> Windows | None:
    """None where no request is kept, so that there is nothing to compare."""
    endpoint = view.state.endpoint if view.state else None
    if endpoint is None or endpoint.capture is None:
        return None
    target = source.target(project)
    try:
        found = last_windows(target, target.bucket, project.name, view.environment.name, _WINDOWS)
    except ClientError as error:
        if not is_denied(error):
            raise
        return Windows(denied=True)
    return Windows(tuple(found))
