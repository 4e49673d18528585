"""The pages of executions: the list, one of them, one of its steps, and two of them side by side."""

from __future__ import annotations

from aws_formats.errors import GatehouseError
from studio.pages.answers import Asked, Shown, query_of
from studio.source import Source
from studio.views import executions
from studio.views.executions_compare import compare_executions
from studio.views.executions_list import STATUSES, Search, list_page
from studio.views.executions_step import read_step

_ROWS = 30


def listed(source: Source, asked: Asked) -> Shown:
    """A page of a project's executions, newest first."""
    project, query = source.project(asked.path["project"]), asked.query
    search = Search(query.get("status", ""), query.get("search", ""), query.get("after", ""))
    values = {"project": project, "search": search, "statuses": STATUSES}
    try:
        shown = list_page(source, project, search, _ROWS)
    except GatehouseError as error:
        if search.after:  # there is no such execution
            raise
        return Shown("executions.html", {**values, "shown": None, "missing": str(error)})
    narrowed = {"status": search.status, "search": search.text}
    addresses = {
        "query": query_of(**narrowed, after=search.after),
        "next_query": query_of(**narrowed, after=shown.next or ""),
    }
    return Shown("executions.html", {**values, **addresses, "shown": shown, "missing": None})


def one(source: Source, asked: Asked) -> Shown:
    """One execution with the graph of its steps."""
    project = source.project(asked.path["project"])
    shown = executions.read_execution(source, project, asked.path["execution"])
    return Shown("execution.html", {"project": project, "shown": shown})


def step(source: Source, asked: Asked) -> Shown:
    """One step with its log.

    Raises:
        GatehouseError: the execution has no such step.
    """
    project = source.project(asked.path["project"])
    shown = executions.read_execution(source, project, asked.path["execution"])
    search, given = asked.query.get("search", ""), asked.query.get("before", "")
    before = int(given) if given.isdecimal() and len(given) < 10 else None
    page = read_step(source, project, shown, asked.path["step"], search, before)
    if page is None:
        raise GatehouseError(f"this execution has no step {asked.path['step']!r}")
    values = {"project": project, "shown": shown, "page": page, "search": search, "before": before}
    earlier = query_of(search=search, before=str(page.log.earlier) if page.log else "")
    query = query_of(search=search, before="" if before is None else str(before))
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
