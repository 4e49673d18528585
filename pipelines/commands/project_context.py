"""The settings, the project and the target that a command line means."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.commands.output import notice
from pipelines.settings.environments import all_environments, resolve_environment
from pipelines.settings.monitoring import monitoring_name
from pipelines.settings.project import Project
from pipelines.settings.projects_file import Settings, load_settings
from pipelines.settings.target import Target, resolve_target
from registry.deployment_history import deployed_versions
from registry.environments import Environment


@dataclass(frozen=True)
class ProjectContext:
    """What PROJECT and --target mean.

    A local `target` has no URL, and so no clients, until `local_endpoint.connected` gives it one.
    """

    settings: Settings
    project: Project
    target: Target

    def environment(self, name: str) -> Environment:
        """The project's environment of that name.

        Raises:
            GatehouseError: there is no such environment, or one in another account lacks a role there.
        """
        return resolve_environment(self.project, self.target, name)

    def environments(self) -> tuple[Environment, ...]:
        return all_environments(self.project, self.target)

    def deployed_versions(self) -> dict[str, tuple[str, ...]]:
        """Model package ARN -> the environments that should serve it, without those that we may not read."""
        return deployed_versions(self.environments(), denied=report_denied)


def find_context(project: str | None, target: str, *environments: str | None) -> ProjectContext:
    """What PROJECT (the default project if None) and --target mean.

    Args:
        environments: names that must be among the project's; None stands for an option that is left out.

    Raises:
        GatehouseError: no settings, wrong settings, an unknown project or environment, or a target that
            lacks something.
    """
    settings = load_settings()
    found = settings.project(project)
    context = ProjectContext(settings, found, resolve_target(found, target))
    for name in environments:
        if name is not None:
            context.environment(name)
    return context


def find_pipeline_context(name: str | None, target: str) -> ProjectContext:
    """The same for commands on executions, where the name may also be that of a project's second pipeline.

    The context's project is then called as the pipeline is.
    """
    settings = load_settings()
    for known in settings.projects.values():
        if name == monitoring_name(known.name):
            found = known.model_copy(update={"short_name": name.removeprefix(f"{known.team}-")})
            return ProjectContext(settings, found, resolve_target(known, target))
    return find_context(name, target)


def report_denied(environment: Environment) -> None:
    """Say that an environment may not be read."""
    which = f"{environment.name} of {environment.project}"
    notice(f"Environment {which} is left out: there is no permission to look into it.")
