"""`gatehouse definition`: the document itself, to be read, diffed or given to another tool."""

from __future__ import annotations

import json

import click

from pipelines.commands.options import json_option, project_argument, target_option
from pipelines.commands.output import say
from pipelines.commands.project_context import find_context
from pipelines.definition.compile import compile_pipeline


@click.command("definition")
@project_argument
@target_option
@json_option
def command(project: str | None, target: str, as_json: bool) -> None:
    """Print the definition document that the project compiles to. Touches no network.

    The document is indented for reading; with --json it is given byte for byte as it goes to AWS.
    """
    context = find_context(project, target)
    definition = compile_pipeline(context.project, context.target).definition
    say(definition if as_json else json.dumps(json.loads(definition), indent=2))
