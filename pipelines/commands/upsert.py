"""`gatehouse upsert`: carry out the plan."""

from __future__ import annotations

import click

from pipelines.commands.local_endpoint import reaching
from pipelines.commands.options import json_option, project_argument, target_option
from pipelines.commands.output import document, say
from pipelines.commands.place import find_place
from pipelines.commands.plan import DONE, plan_document, plan_in_words
from pipelines.compile import compile_pipeline
from pipelines.plan import plan_upsert
from pipelines.upsert import apply_plan


@click.command("upsert")
@project_argument
@target_option
@json_option
def command(project: str | None, target: str, as_json: bool) -> None:
    """Upload what code and data are missing, and create the pipeline or bring it up to date.

    Does what `gatehouse plan` announces. A pipeline that is up to date is left alone.
    """
    place = find_place(project, target)
    with reaching(place.target, place.settings) as reach:
        compiled = compile_pipeline(place.project, place.target)
        live = reach()
        plan = plan_upsert(compiled, live)
        pipeline_arn = apply_plan(plan, live)
    if as_json:
        document({**plan_document(place.project.name, plan), "pipeline_arn": pipeline_arn})
        return
    for line in plan_in_words(plan, DONE):
        say(line)
    option = "" if target == "local" else " --target aws"
    say(f"ARN: {pipeline_arn}")
    say(f"Next: gatehouse start {place.project.name} --wait{option}")
