"""`gatehouse projects`: a line on every project of the settings."""

from __future__ import annotations

from collections.abc import Iterator

import click

from pipelines.commands.local_endpoint import connection
from pipelines.commands.options import target_option
from pipelines.commands.output import Document, Output, Table, with_json
from pipelines.commands.project_context import report_denied
from pipelines.settings.environments import all_environments
from pipelines.settings.project import Project
from pipelines.settings.projects_file import Settings, load_settings
from pipelines.settings.tags import OWNER_TAG, PROJECT_TAG, TEAM_TAG
from pipelines.settings.target import Target, resolve_target
from registry.groups import tagged_groups
from registry.model_quality import ACCURACY, figure
from registry.overview import Model, Overview, read_overviews

_WAITING_SHOWN = 3
"""Numbers of versions that wait, in a table's cell; the rest is counted."""


@click.command("projects")
@target_option
@with_json
def command(target: str) -> Output:
    """Show every project of the settings: its newest version, what waits for approval, what serves where.

    Below them come the projects that `gatehouse groups setup` made and the settings do not have. The
    metric is the one that the version's gate judged; of a version without a verdict it is accuracy.
    """
    settings = load_settings()
    projects = list(settings.projects.values())
    targets = [resolve_target(project, target) for project in projects]
    with connection(targets[0], settings) as connect:
        url = connect().endpoint_url
        places = [at.at(url) if url else at for at in targets]
        described: list[tuple[Project, str, str | None]] = [
            (project, project.description, project.owner) for project in projects
        ]
        if settings.first_project:
            at = places[projects.index(settings.first_project)]
            described += _others(settings, settings.first_project, at)
            places += [at] * (len(described) - len(places))
        models = [
            Model(project.name, at, all_environments(project, at))
            for (project, _, _), at in zip(described, places, strict=True)
        ]
        found = read_overviews(models, report_denied)
    yield Document(
        [_document(text, owner, one) for (_, text, owner), one in zip(described, found, strict=True)]
    )
    yield Table(("Project", "Version", "Metric", "Waiting", "Serves"), [_row(one) for one in found])


def _others(settings: Settings, default: Project, at: Target) -> Iterator[tuple[Project, str, str | None]]:
    """The projects that have a group but no table in the settings, each with its description and owner; see
    `model_context` for where they are."""
    for group in tagged_groups(at, (TEAM_TAG, PROJECT_TAG), settings.projects):
        names = {"team": group.tags[TEAM_TAG], "short_name": group.tags[PROJECT_TAG]}
        project = default.model_copy(update=names)
        if project.name == group.name:
            yield project, group.description, group.tags.get(OWNER_TAG)


def _row(model: Overview) -> tuple[str, ...]:
    serves = [f"{name} {version or '?'}" for name, version in model.serves.items()]
    return (
        model.name,
        str(model.newest.version) if model.newest else "-",
        _metric(model),
        _waiting(model.waiting),
        ", ".join(serves) or "-",
    )


def _metric(model: Overview) -> str:
    if model.newest is None:
        return "-"
    verdict = model.newest.verdict
    if verdict is None or verdict.measured is None:
        return f"{ACCURACY.label} {figure(model.newest.accuracy, ACCURACY)}"
    return f"{verdict.kind.label} {figure(verdict.measured.value, verdict.kind)}"


def _waiting(versions: tuple[int, ...]) -> str:
    shown = [str(version) for version in versions[:_WAITING_SHOWN]]
    if len(versions) > _WAITING_SHOWN:
        shown.append(f"{len(versions) - _WAITING_SHOWN} more")
    return ", ".join(shown) or "-"


def _document(description: str, owner: str | None, model: Overview) -> dict[str, object]:
    newest = model.newest
    verdict = newest.verdict if newest else None
    return {
        "project": model.name,
        "description": description,
        "owner": owner,
        "version": newest.version if newest else None,
        "arn": newest.arn if newest else None,
        "created": newest.created if newest else None,
        "accuracy": newest.accuracy if newest else None,
        "verdict": verdict.verdict if verdict else None,
        "metric": verdict.metric if verdict else None,
        "value": verdict.measured.value if verdict and verdict.measured else None,
        "status": newest.status if newest else None,
        "approval": newest.approval if newest else None,
        "waiting": list(model.waiting),
        "environments": model.serves,
    }
