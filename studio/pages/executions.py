"""The pages of executions: the list, one of them, one of its steps, and two of them side by side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from aws_formats.errors import GatehouseError
from pipelines.executions import watching
from pipelines.executions.lifecycle import find
from registry.clients import read_object
from studio.pages.answers import Asked, Document, Shown, query_of
from studio.source import Source
from studio.views import executions
from studio.views.executions_compare import compare_executions
from studio.views.executions_list import STATUSES, Search, list_page
from studio.views.executions_step import read_step

_ROWS = 30

_FIELDS = ("status", "search", "from", "to", "version", "parameters", "by")
"""Of the form above the list."""

_YEARS = range(2000, 2100)


def listed(source: Source, asked: Asked) -> Shown:
    """A page of a project's executions, newest first."""
    project, query = source.project(asked.path["project"]), asked.query
    search = _search_in(query)
    values = {"project": project, "search": search, "statuses": STATUSES}
    try:
        shown = list_page(source, project, search, _ROWS)
    except GatehouseError as error:
        if search.after:  # there is no such execution
            raise
        return Shown("executions.html", {**values, "shown": None, "missing": str(error)})
    narrowed = {name: query.get(name, "") for name in _FIELDS}
    addresses = {
        "query": query_of(**narrowed, after=search.after),
        "next_query": query_of(**narrowed, after=shown.next or ""),
    }
    return Shown("executions.html", {**values, **addresses, "shown": shown, "missing": None})


def _search_in(query: Mapping[str, str]) -> Search:
    """Raises GatehouseError: a day is no date."""
    given = {name: query.get(name, "").strip() for name in (*_FIELDS, "after")}
    return Search(
        status=given["status"],
        text=given["search"],
        first=_day(given["from"]),
        last=_day(given["to"]),
        version=given["version"].casefold(),
        parameters=given["parameters"],
        by=given["by"],
        after=given["after"],
    )


def _day(text: str) -> date | None:
    """None also for the years that a browser sends while somebody types: 0002, 0020, 0202."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise GatehouseError(f"{text!r} is no day", remedy="Write it like 2026-05-31") from error
    return day if day.year in _YEARS else None


def one(source: Source, asked: Asked) -> Shown:
    """One execution with the graph of its steps."""
    project = source.project(asked.path["project"])
    shown = executions.read_execution(source, project, asked.path["execution"])
    return Shown("execution.html", {"project": project, "shown": shown})


def report(source: Source, asked: Asked) -> Document:
    """What the evaluation has written for people.

    Raises:
        GatehouseError: there is no such execution, or it has no report.
    """
    project = source.project(asked.path["project"])
    target = source.target(project)
    gate = watching.outcome(target, find(target, project.name, asked.path["execution"])).gate
    content = read_object(target.client("s3"), gate.report) if gate and gate.report else None
    if content is None:
        raise GatehouseError("this execution has no report: the step that evaluates its model writes it")
    return Document(content.decode("utf-8", "replace"))


def step(source: Source, asked: Asked) -> Shown:
    """One step with its log.

    Raises:
        GatehouseError: the execution has no such step.
    """
    project = source.project(asked.path["project"])
    shown = executions.read_execution(source, project, asked.path["execution"])
    search, given = asked.query.get("search", ""), asked.query.get("before", "")
    before = int(given) if given.isdecimal() and len(given) < 10 else None
    chosen = asked.query.get("trial", "")
    trial = int(chosen) if chosen.isdecimal() and len(chosen) < 5 else None
    page = read_step(source, project, shown, asked.path["step"], search, before, trial)
    if page is None:
        raise GatehouseError(f"this execution has no step {asked.path['step']!r}")
    values = {"project": project, "shown": shown, "page": page, "search": search, "before": before}
    of_trial = chosen if trial is not None else ""
    earlier = query_of(search=search, before=str(page.log.earlier) if page.log else "", trial=of_trial)
    query = query_of(search=search, before="" if before is None else str(before), trial=of_trial)
    return Shown("step.html", {**values, "query": query, "earlier_query": earlier})


def compared(source: Source, asked: Asked) -> Shown:
    """Two executions side by side.

    Raises:
        GatehouseError: the address does not name two, or there is no such execution.
    """
    project = source.project(asked.path["project"])
    first, second = asked.query.get("first", ""), asked.query.get("second", "")
    if not first or not second:
        raise GatehouseError(
            "the address names no two executions", remedy="Choose the other on the page of one"
        )
    shown = compare_executions(source, project, first, second)
    return Shown("executions_compare.html", {"project": project, "shown": shown})
