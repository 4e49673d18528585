"""`gatehouse upsert`: carry out the plan."""

from __future__ import annotations

import click

from pipelines.commands.local_endpoint import connection
from pipelines.commands.options import project_argument, target_option
from pipelines.commands.output import Document, Lines, Output, with_json
from pipelines.commands.plan import compile_and_plan
from pipelines.commands.plan_report import plan_document, preview_in_words
from pipelines.commands.project_context import find_context
from pipelines.commands.uploading import UploadProgress
from pipelines.upsert.apply import apply_upsert
from pipelines.upsert.plan import forecast_next_start


@click.command("upsert")
@project_argument
@target_option
@with_json
def command(project: str | None, target: str) -> Output:
    """Upload what code and data are missing, and create the pipeline or bring it up to date.

    Prints the plan, as `gatehouse plan` does, then carries it out. A pipeline that is up to date is left
    alone, and so is one that somebody else changed meanwhile.
    """
    context = find_context(project, target)
    with connection(context.target, context.settings) as connect:
        plan, live = compile_and_plan(context, connect)
        forecasts = forecast_next_start(plan, live)
        yield Lines(preview_in_words(plan, forecasts))
        pipeline_arn = apply_upsert(plan, live, UploadProgress())
    yield Document({**plan_document(plan, forecasts), "pipeline_arn": pipeline_arn})
    done = {"create": "Created", "update": "Updated", "none": "Left alone"}[plan.action]
    yield f"{done}: {pipeline_arn}"
    yield f"Next: gatehouse start {context.project.name} --wait{context.target.option}"
