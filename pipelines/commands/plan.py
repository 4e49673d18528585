"""`gatehouse plan`: what an upsert would do, without doing it."""

from __future__ import annotations

from collections.abc import Callable

import click

from pipelines.commands.estimate_report import (
    estimate_document,
    estimates_in_markdown,
    estimates_in_words,
)
from pipelines.commands.local_endpoint import connection
from pipelines.commands.looking import look_first
from pipelines.commands.options import project_argument, target_option
from pipelines.commands.output import Document, Lines, Output, with_json_excluding
from pipelines.commands.plan_report import plan_document, plan_in_markdown, preview_in_words
from pipelines.commands.project_context import ProjectContext, find_context
from pipelines.definition.compile import begin_imports, compile_pipeline
from pipelines.settings.target import Target
from pipelines.upsert.estimate import estimate_next_start
from pipelines.upsert.plan import UpsertPlan, forecast_next_start, plan_upsert
from pipelines.upsert.prices import read_prices


@click.command("plan")
@project_argument
@target_option
@with_json_excluding(as_markdown="--json and --markdown exclude each other")
@click.option("--markdown", "as_markdown", is_flag=True, help="Markdown, for a pull request's page.")
def command(project: str | None, target: str, as_markdown: bool) -> Output:
    """Compare the definition with the live pipeline and say what an upsert would change. Changes nothing.

    Says, too, which steps the next start would take from the step cache and which would run, and why;
    what these would take and cost, from earlier executions or calculated, and how sure that is. Prices
    come from a dated list; a file prices.toml beside the settings file replaces it.

    The exit code is 0 with and without changes, and 1 if AWS would not take the definition or
    preprocessing would refuse the data, which it looks at first (gatehouse data).

    \b
    Examples:
      gatehouse plan health-tumor-diagnosis
      gatehouse plan --target aws --markdown > plan.md
    """
    context = find_context(project, target)
    prices = read_prices(context.project.root)
    with connection(context.target, context.settings) as connect:
        plan, live = compile_and_plan(context, connect)
        forecasts = forecast_next_start(plan, live)
        estimates = estimate_next_start(plan, forecasts, live, prices, context.project.data.split)
    document = plan_document(plan, forecasts)
    yield Document({**document, "estimates": [estimate_document(one) for one in estimates]})
    if as_markdown:
        yield Lines(plan_in_markdown(plan, forecasts))
        yield Lines(estimates_in_markdown(estimates))
        return
    yield Lines(preview_in_words(plan, forecasts))
    yield Lines(estimates_in_words(estimates))
    if plan.changes_something:
        yield f"Next: gatehouse upsert {context.project.name}{context.target.option}"


def compile_and_plan(context: ProjectContext, connect: Callable[[], Target]) -> tuple[UpsertPlan, Target]:
    """What an upsert would do, and the target that was read; compiles while the local SageMaker starts."""
    begin_imports()
    look_first(context.project, connect, context.target)
    compiled = compile_pipeline(context.project, context.target)
    live = connect()
    return plan_upsert(compiled, live), live
