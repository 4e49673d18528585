"""What serves where and since when, what was there before, and what is being changed."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_denied
from pipelines.settings.project import Project
from registry.deployment_history import DeploymentRecord, read_history, rollback_target
from registry.deployments import UNDER_WAY
from registry.environment_state import State, read_endpoint
from registry.environments import Environment
from studio.source import Source
from studio.works import Work


@dataclass(frozen=True)
class EnvironmentView:
    """One environment.

    Attributes:
        state: None where the caller may not look into it.
        work: the newest deployment that these pages have started there.
        back_to: the version that a rollback goes to.
        promoted_from: the environment before this one, if it serves a version that this one does not.
    """

    environment: Environment
    state: State | None
    history: tuple[DeploymentRecord, ...] = ()
    work: Work | None = None
    back_to: int | None = None
    promoted_from: tuple[str, int] | None = None

    @property
    def is_changing(self) -> bool:
        """Whether the page will soon show something else."""
        endpoint = self.state.endpoint if self.state else None
        is_working = self.work is not None and self.work.ended is None
        return is_working or (endpoint is not None and endpoint.status in UNDER_WAY)

    @property
    def sentence(self) -> str:
        """What is true of the environment now, whoever brought it about."""
        return _sentence(self.environment, self.state) if self.state else ""


def read_environments(source: Source, project: Project) -> list[EnvironmentView]:
    """All environments of a project, in the settings' order, which is the order of promotion."""
    views: list[EnvironmentView] = []
    for environment in source.environments(project):
        views.append(_read(source, environment, views[-1] if views else None))
    return views


def read_environment(source: Source, project: Project, name: str) -> EnvironmentView:
    """One environment. Raises GatehouseError: there is none of that name."""
    for view in read_environments(source, project):
        if view.environment.name == name:
            return view
    raise GatehouseError(f"{project.name} has no environment {name!r}")


def _read(source: Source, environment: Environment, before: EnvironmentView | None) -> EnvironmentView:
    work = source.works.newest((environment.project, environment.name))
    try:
        history = read_history(environment)
        state = State(environment, history[0] if history else None, read_endpoint(environment))
    except ClientError as error:
        if not is_denied(error):
            raise
        return EnvironmentView(environment, None, work=work)
    back = rollback_target(history)
    return EnvironmentView(
        environment,
        state,
        history,
        work,
        back_to=back.version if back else None,
        promoted_from=_promoted_from(before, state),
    )


def _promoted_from(before: EnvironmentView | None, state: State) -> tuple[str, int] | None:
    earlier = before.state if before else None
    if earlier is None or not earlier.serves or earlier.deployed is None or earlier.deployed.version is None:
        return None
    if state.serves and state.deployed is not None and state.deployed.arn == earlier.deployed.arn:
        return None
    return earlier.environment.name, earlier.deployed.version


def _sentence(environment: Environment, state: State) -> str:
    endpoint, deployed, name = state.endpoint, state.deployed, environment.name
    should = deployed.in_words if deployed else ""
    if endpoint is None:
        return (
            f"There is no endpoint, and {should} should serve." if deployed else "Nothing was deployed yet."
        )
    now = f"version {endpoint.version}" if endpoint.version is not None else "something that is no version"
    if endpoint.status == "Creating":
        return f"The endpoint is being made with {now}; nothing serves yet."
    if endpoint.status in UNDER_WAY:
        coming = (
            f", and is being brought to version {endpoint.coming_version}" if endpoint.coming_version else ""
        )
        return f"The endpoint is {endpoint.status}: it serves {now}{coming}."
    if endpoint.status != "InService":
        return f"The endpoint is {endpoint.status} and serves nothing."
    if state.serves:
        return f"It serves {now}, as it should."
    if deployed is None:
        return (
            f"It serves {now}, which has not proven yet that it answers: deploy it to {name} to make it so."
        )
    return (
        f"It serves {now}, and {should} should serve. A deployment was broken off before the version had"
        " answered, or somebody has moved the endpoint by other means."
        f" Deploy {now} to finish, or {should} to go back."
    )
