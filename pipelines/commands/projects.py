"""`gatehouse projects`: a line on every project of the settings."""

from __future__ import annotations

import click

from pipelines.commands.local_endpoint import connection
from pipelines.commands.options import target_option
from pipelines.commands.output import Document, Output, Table, with_json
from pipelines.commands.project_context import report_denied
from pipelines.settings.environments import all_environments
from pipelines.settings.project import Project
from pipelines.settings.projects_file import load_settings
from pipelines.settings.target import resolve_target
from registry.model_quality import ACCURACY, figure
from registry.overview import Model, Overview, read_overviews

_WAITING_SHOWN = 3
"""Numbers of versions that wait, in a table's cell; the rest is counted."""


@click.command("projects")
@target_option
@with_json
def command(target: str) -> Output:
    """Show every project of the settings: its newest version, what waits for approval, what serves where.

    The metric is the one that the version's gate judged; of a version without a verdict it is accuracy.
    """
    settings = load_settings()
    projects = list(settings.projects.values())
    targets = [resolve_target(project, target) for project in projects]
    with connection(targets[0], settings) as connect:
        url = connect().endpoint_url
        places = [at.at(url) if url else at for at in targets]
        models = [
            Model(project.name, at, all_environments(project, at))
            for project, at in zip(projects, places, strict=True)
        ]
        found = read_overviews(models, report_denied)
    yield Document([_document(project, one) for project, one in zip(projects, found, strict=True)])
    yield Table(("Project", "Version", "Metric", "Waiting", "Serves"), [_row(one) for one in found])


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


def _document(project: Project, model: Overview) -> dict[str, object]:
    newest = model.newest
    verdict = newest.verdict if newest else None
    return {
        "project": project.name,
        "description": project.description,
        "owner": project.owner,
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
