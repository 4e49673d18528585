"""`gatehouse definition`: the document itself, to be read, diffed or given to another tool."""

from __future__ import annotations

import json

import click

from pipelines.commands.options import project_argument, target_option
from pipelines.commands.output import Document, JsonText, Lines, Output, with_json
from pipelines.commands.project_context import find_context
from pipelines.definition.compile import compile_pipeline


@click.command("definition")
@project_argument
@target_option
@with_json
def command(project: str | None, target: str) -> Output:
    """Print the definition document that the project compiles to. Touches no network.

    The document is indented for reading; with --json it is given byte for byte as it goes to AWS.
    """
    context = find_context(project, target)
    definition = compile_pipeline(context.project, context.target).definition
    return [
        Document(JsonText(definition)),
        Lines(json.dumps(json.loads(definition), indent=2).splitlines()),
    ]
