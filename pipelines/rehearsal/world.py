"""The project as it is rehearsed: its own settings, but for what would reach beyond this machine.

One environment, to which an approved version goes by itself and whose endpoint captures everything; data in a
folder of the rehearsal's; one instance of each kind. What the data looks like and what the gate asks stays.
"""

from __future__ import annotations

from pathlib import Path

from aws_formats.errors import GatehouseError
from pipelines.rehearsal.rows import Rows
from pipelines.settings.environments import resolve_environment
from pipelines.settings.project import Capture, Data, EnvironmentSettings, Project
from pipelines.settings.target import resolve_target


def rehearsed_environment(project: Project, name: str | None) -> str:
    """The name of the environment that is rehearsed.

    Args:
        name: if None, the first environment that captures its requests, or else the first.

    Raises:
        GatehouseError: there is no such environment.
    """
    if name is not None:
        return resolve_environment(project, resolve_target(project, "local"), name).name
    with_capture = [name for name, one in project.environments.items() if one.capture is not None]
    return (with_capture or list(project.environments))[0]


def rehearsed_project(project: Project, environment: str, hours: int, rows: Rows, source: Path) -> Project:
    """The project over the rows in a folder, with windows of so many hours.

    Raises:
        GatehouseError: the gate names as slices what is no feature.
    """
    absent = [name for name in project.gate.slices if name not in rows.kinds]
    if absent:
        raise GatehouseError(
            f"the gate's slices name {absent[0]!r}, which is no feature; a rehearsal's rows lack it",
            where=f"{project.file}: project {project.name}",
            remedy="Rehearse a project without it in its slices",
        )
    data = Data(
        source=str(source),
        target=rows.target,
        positive_class=project.data.positive_class,
        kinds=dict(rows.kinds),
        split=project.data.split,
        seed=project.data.seed,
        max_categories=project.data.max_categories,
        stratify=project.data.stratify,
        missing_values=(),
    )
    champion = environment if project.gate.champion is not None else None
    return project.model_copy(
        update={
            "data": data,
            "environments": {environment: EnvironmentSettings(promotion="automatic", capture=Capture())},
            "gate": project.gate.model_copy(update={"champion": champion}),
            "monitoring": project.monitoring.model_copy(update={"hours": hours}),
            "processing": "replicated",
            "processing_instance_count": 1,
            "training_instance_count": 1,
            "mlflow": None,
        }
    )
