"""The pages of registered versions: the list, one of them, two beside each other, and the decision on one."""

from __future__ import annotations

from collections.abc import Mapping

from aws_formats.errors import GatehouseError
from registry.model_packages import APPROVALS, APPROVED, REJECTED
from registry.review import apply_review, plan_review
from studio.pages.answers import Asked, Redirect, Shown, query_of, version_number
from studio.source import Source
from studio.views.versions import CODE_OF, read_page
from studio.views.versions_compare import compare_versions, start_scoring
from studio.views.versions_list import Search, list_page

_ROWS = 50
_CHOICE = "version-"
_DECISIONS = {"approve": APPROVED, "reject": REJECTED}


def listed(source: Source, asked: Asked) -> Shown:
    """A page of a project's versions, newest first."""
    project, query = source.project(asked.path["project"]), asked.query
    approval, after = query.get("approval", ""), query.get("after", "")
    search = Search(
        approval=approval if approval in APPROVALS else "",
        serves=query.get("serves", ""),
        text=query.get("search", ""),
        after=int(after) if after.isdecimal() and len(after) < 10 else None,
    )
    shown = list_page(source, project, search, _ROWS)
    narrowed = {"approval": search.approval, "serves": search.serves, "search": search.text}
    values = {
        "query": query_of(**narrowed, after=after),
        "next_query": query_of(**narrowed, after=str(shown.next or "")),
        "approvals": APPROVALS,
        "chosen": _chosen(query),
        "environments": [environment.name for environment in source.environments(project)],
    }
    return Shown("versions.html", {"project": project, "search": search, "shown": shown, **values})


def one(source: Source, asked: Asked) -> Shown:
    """One version."""
    project = source.project(asked.path["project"])
    values = {"project": project, "shown": read_page(source, project, asked.number), "code_of": CODE_OF}
    return Shown("version.html", values)


def compared(source: Source, asked: Asked) -> Shown | Redirect:
    """Two versions laid over each other: ``first`` and ``second``, or the two that are chosen in the list.

    Raises:
        GatehouseError: there is no such version.
    """
    project, query = source.project(asked.path["project"]), asked.query
    if "first" in query and "second" in query:
        first, second = (version_number(query[name]) for name in ("first", "second"))
        shown = compare_versions(source, project, first, second)
        return Shown("versions_compare.html", {"project": project, "shown": shown})
    chosen = sorted(_chosen(query))
    if len(chosen) != 2:
        text = f"Two versions can be compared, and {len(chosen) or 'none'} of the list are chosen"
        return Shown("problem.html", {"heading": "Choose two versions", "text": text})
    return Redirect(f"/p/{project.name}/versions/compare?first={chosen[0]}&second={chosen[1]}")


def scored(source: Source, asked: Asked) -> Redirect:
    """Two versions are scored on the same rows; their page shows it when that is done.

    Raises:
        GatehouseError: there is no such version.
    """
    project = source.project(asked.path["project"])
    first, second = (version_number(asked.form.get(name, "")) for name in ("first", "second"))
    start_scoring(source, project, first, second)
    return Redirect(f"/p/{project.name}/versions/compare?first={first}&second={second}")


def _chosen(query: Mapping[str, str]) -> frozenset[int]:
    """The versions whose boxes are ticked in the list."""
    named = (name.removeprefix(_CHOICE) for name in query if name.startswith(_CHOICE))
    return frozenset(version_number(text) for text in named)


def decide(source: Source, asked: Asked) -> Redirect:
    """Approve or reject a version.

    Raises:
        GatehouseError: it cannot be decided on, or somebody else decided at the same moment.
    """
    project = source.project(asked.path["project"])
    status = _DECISIONS.get(asked.form.get("decision", ""))
    if status is None:
        raise GatehouseError("the form says neither approve nor reject")
    target = source.target(project)
    anew = asked.form.get("anew") == "yes"
    plan = plan_review(target, project.name, asked.number, status, asked.form.get("note", ""), force=anew)
    ended = apply_review(plan, target)
    if ended.approval != status:
        raise GatehouseError(
            f"somebody set version {asked.number} to {ended.approval} at the same moment",
            remedy="Talk to each other and decide anew",
        )
    return Redirect(f"/p/{project.name}/versions/{asked.number}")
