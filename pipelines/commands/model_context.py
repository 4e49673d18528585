"""The model that a command on registered versions means: of a project of the settings, or of a group alone.

`gatehouse groups setup --env-file` makes groups of projects that no settings file describes, and anybody's
pipeline may register versions there. Such a model is in the region, and has the environments, of the default
project, as its group has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from pipelines.commands.local_endpoint import connected
from pipelines.commands.project_context import ProjectContext, find_context
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import resolve_target


@contextmanager
def connected_to_model(
    project: str | None, target: str, *, changes: bool = False
) -> Iterator[ProjectContext]:
    """What PROJECT and --target mean, with a SageMaker that answers; see `local_endpoint.connected`.

    Raises:
        GatehouseError: as `find_context`; a project that the settings do not know has no group either.
    """
    try:
        context = find_context(project, target)
    except GatehouseError:
        settings = load_settings()
        team, _, short_name = (project or "").partition("-")
        if settings.first_project is None or not short_name or project in settings.projects:
            raise
        described = settings.first_project.model_copy(update={"team": team, "short_name": short_name})
        context = ProjectContext(settings, described, resolve_target(described, target))
        with connected(context, changes=changes) as at:
            if not _has_group(at):
                raise
            yield at
        return
    with connected(context, changes=changes) as at:
        yield at


def _has_group(at: ProjectContext) -> bool:
    try:
        at.target.client("sagemaker").describe_model_package_group(ModelPackageGroupName=at.project.name)
    except ClientError as error:
        if is_absent(error):
            return False
        raise
    return True
