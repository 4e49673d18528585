"""`gatehouse run`: from the settings to a registered version, in one command."""

from __future__ import annotations

import click

from pipelines.commands.following import follow_and_report, say_what_is_not_tracked, say_where_to_watch
from pipelines.commands.local_endpoint import connection
from pipelines.commands.looking import look_first
from pipelines.commands.options import (
    parameter_option,
    project_argument,
    register_again_option,
    target_option,
)
from pipelines.commands.output import Output, notice, with_json
from pipelines.commands.plan_report import DONE, plan_in_words
from pipelines.commands.project_context import find_context
from pipelines.commands.uploading import UploadProgress
from pipelines.definition.compile import begin_imports, compile_pipeline
from pipelines.executions import lifecycle as executions
from pipelines.executions.functions import require_functions
from pipelines.executions.outline import read_outline
from pipelines.executions.overrides import check_overrides, with_dataset, with_registration
from pipelines.upsert.apply import apply_upsert
from pipelines.upsert.plan import plan_upsert


@click.command("run")
@project_argument
@parameter_option
@register_again_option
@target_option
@with_json
def command(project: str | None, parameters: dict[str, str], register_again: bool, target: str) -> Output:
    """Compile the definition, publish code and data, upsert the pipeline, start it, follow it to the end.

    Each step is shown with its status, its time and what it produced. What did not change since an
    earlier execution is taken from the step cache. If the model is good enough it is registered as
    PendingManualApproval; if not, the exit code is 3. A model that is byte for byte the newest version,
    from the same data and with the same evaluation, is not registered again.

    Ctrl-C stops the execution and its jobs.

    \b
    Examples:
      gatehouse run
      gatehouse run health-tumor-diagnosis -p MaxDepth=6 -p AccuracyThreshold=0.95
      gatehouse run --target aws --json > outcome.json
    """
    context = find_context(project, target)
    name = context.project.name
    with connection(context.target, context.settings, runs=True) as connect:
        begin_imports()
        look_first(context.project, connect, context.target)
        compiled = compile_pipeline(context.project, context.target)
        outline = read_outline(compiled.definition)
        overrides = with_registration(check_overrides(outline, parameters, name), outline, register_again)
        live = connect()
        require_functions(outline, name, live)
        plan = plan_upsert(compiled, live)
        apply_upsert(plan, live, UploadProgress())
        for line in plan_in_words(plan, DONE):
            notice(line)
        say_what_is_not_tracked(outline, live)
        execution_arn = executions.start(live, name, with_dataset(overrides, compiled.dataset))
        say_where_to_watch(context, execution_arn)
        yield from follow_and_report(live, name, execution_arn)
