"""`gatehouse plan`: what an upsert would do, without doing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from pipelines.commands.local_endpoint import reaching
from pipelines.commands.options import json_option, project_argument, target_option
from pipelines.commands.output import document, say
from pipelines.commands.place import find_place
from pipelines.compile import compile_pipeline
from pipelines.plan import Plan, plan_upsert


@click.command("plan")
@project_argument
@target_option
@json_option
def command(project: str | None, target: str, as_json: bool) -> None:
    """Compare the definition with the live pipeline and say what an upsert would change. Changes nothing."""
    place = find_place(project, target)
    with reaching(place.target, place.settings) as reach:
        compiled = compile_pipeline(place.project, place.target)
        plan = plan_upsert(compiled, reach())
    if as_json:
        document(plan_document(place.project.name, plan))
        return
    for line in plan_in_words(plan, PLANNED):
        say(line)
    if plan.changes_something:
        option = "" if target == "local" else " --target aws"
        say(f"Next: gatehouse upsert {place.project.name}{option}")


PLANNED = {
    "create": "would be created",
    "update": "would be updated",
    "none": "up to date",
    "upload": "would be uploaded",
}
DONE = {"create": "created", "update": "updated", "none": "up to date", "upload": "uploaded"}


def plan_in_words(plan: Plan, words: Mapping[str, str]) -> Iterator[str]:
    """The plan line by line; `words` is `PLANNED` before it is carried out, `DONE` after."""
    yield f"Pipeline {plan.compiled.name}: {words[plan.action]}"
    for change in plan.changes:
        yield f"  {change}"
    missing = [*plan.missing_bundles, *plan.missing_data]
    if missing:
        yield f"  {words['upload']}: {', '.join(missing)}"
    if plan.action == "update" and plan.runs_again:
        yield f"  not in the step cache any more: {', '.join(plan.runs_again)}"


def plan_document(pipeline: str, plan: Plan) -> dict[str, Any]:
    """The JSON form of a plan; its keys are part of the interface."""
    return {
        "pipeline": pipeline,
        "action": plan.action,
        "changes": list(plan.changes),
        "runs_again": list(plan.runs_again),
        "missing_bundles": list(plan.missing_bundles),
        "missing_data": list(plan.missing_data),
    }
