"""The pages of executions: the list, one of them, one of its steps."""

from __future__ import annotations

from aws_formats.errors import GatehouseError
from studio.pages.answers import Asked, Shown
from studio.source import Source
from studio.views import executions

_ROWS = 30


def listed(source: Source, asked: Asked) -> Shown:
    """The newest executions of a project."""
    project = source.project(asked.path["project"])
    try:
        rows, missing = executions.list_rows(source, project, _ROWS), None
    except GatehouseError as error:  # there is no pipeline yet
        rows, missing = [], str(error)
    return Shown("executions.html", {"project": project, "rows": rows, "missing": missing})


def one(source: Source, asked: Asked) -> Shown:
    """One execution with the graph of its steps."""
    project = source.project(asked.path["project"])
    shown = executions.read_execution(source, project, asked.path["execution"])
    return Shown("execution.html", {"project": project, "shown": shown})


def step(source: Source, asked: Asked) -> Shown:
    """One step with its log."""
    project = source.project(asked.path["project"])
    shown = executions.read_execution(source, project, asked.path["execution"])
    found = shown.steps.get(asked.path["step"])
    if found is None:
        raise GatehouseError(f"this execution has no step {asked.path['step']!r}")
    search = asked.query.get("search", "")
    lines, before = executions.read_log(source.target(project), found.job, search) if found.job else ([], 0)
    values = {"project": project, "shown": shown, "step": found, "lines": lines, "before": before}
    return Shown("step.html", {**values, "search": search})
