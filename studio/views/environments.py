"""What serves where and since when, and what was there before."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from aws_formats.service_errors import is_denied
from pipelines.settings.project import Project
from registry.deployment_history import DeploymentRecord, read_history
from registry.environment_state import State, read_state
from registry.environments import Environment
from studio.source import Source


@dataclass(frozen=True)
class EnvironmentView:
    """One environment; ``state`` is None where the caller may not look into it."""

    environment: Environment
    state: State | None
    history: tuple[DeploymentRecord, ...]


def read_environments(source: Source, project: Project) -> list[EnvironmentView]:
    """All environments of a project, in the settings' order."""
    return [_read(environment) for environment in source.environments(project)]


def _read(environment: Environment) -> EnvironmentView:
    try:
        return EnvironmentView(environment, read_state(environment), read_history(environment))
    except ClientError as error:
        if not is_denied(error):
            raise
        return EnvironmentView(environment, None, ())
