"""Tags of what is made in AWS: the team, project and owner it belongs to, and the SageMaker Project."""

from __future__ import annotations

from pipelines.settings.project import Project
from pipelines.settings.target import Target

TEAM_TAG, PROJECT_TAG, OWNER_TAG = "gatehouse:team", "gatehouse:project", "gatehouse:owner"


def ownership_tags(team: str, project: str, owner: str | None = None) -> dict[str, str]:
    """Team, project and, where it is known, owner, for cost reports and permissions by tag."""
    tags = {TEAM_TAG: team, PROJECT_TAG: project}
    return tags if owner is None else {**tags, OWNER_TAG: owner}


def resource_tags(project: Project, target: Target) -> dict[str, str]:
    """The ownership tags of a project, and those of the SageMaker Project that it runs in, if any."""
    return {**ownership_tags(project.team, project.short_name, project.owner), **target.tags}
