"""`gatehouse transform`: scores what is too big for an endpoint, as a batch transform job."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.invoke import opened
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import project_argument, target_option
from pipelines.commands.output import Document, Output, notice, with_json
from pipelines.commands.payloads import CONTENT_TYPES, SUFFIXES, form_of, read_payloads
from pipelines.commands.project_context import find_context
from pipelines.definition.bucket import ensure_bucket
from pipelines.settings.environments import ownership_tags
from pipelines.settings.target import Target
from registry.batch_transforms import (
    TransformPlan,
    plan_transform,
    results,
    start_transform,
    upload_parts,
    wait,
)
from registry.invocations import Payload


@click.command("transform")
@project_argument
@click.option("--version", type=click.IntRange(min=1), help="Its number; the newest approved if left out.")
@click.option("--input", "source", required=True, metavar="FILE|S3", help="A file, or s3://bucket/prefix.")
@click.option(
    "--output", required=True, metavar="FILE|S3", help="A CSV file to write, or s3://bucket/prefix."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "parquet"]),
    help="What the input is; by the file's name if left out, CSV for S3.",
)
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether a CSV file begins with its columns' names; judged by the first line if left out.",
)
@click.option(
    "--split-lines", is_flag=True, help="For CSV without header in S3: send it line by line, 6 MB at most."
)
@click.option("--instance-type", metavar="TYPE", help="The version's first for batch if left out.")
@click.option("--instance-count", type=click.IntRange(min=1), default=1, show_default=True, help="How many.")
@click.option("--plan", "only_plan", is_flag=True, help="Show the job; upload and start nothing.")
@target_option
@with_json
def command(
    project: str | None,
    version: int | None,
    source: str,
    output: str,
    form: str | None,
    header: bool | None,
    split_lines: bool,
    instance_type: str | None,
    instance_count: int,
    only_plan: bool,
    target: str,
) -> Output:
    """Score many rows with an approved version, in a batch transform job.

    A file is uploaded in parts of at most 6 MB, each with the header; the answers, one line
    `class,probability` a row in the input's order, are written to --output. Input in S3 is used as it
    lies there, and each of its objects must fit one request unless --split-lines is given.
    """
    in_s3, out_s3 = source.startswith("s3://"), output.startswith("s3://")
    if split_lines and not in_s3:
        raise click.UsageError("--split-lines is for input in S3; a file is cut on row boundaries anyway.")
    if not out_s3 and (Path(output).is_dir() or not Path(output).absolute().parent.is_dir()):
        # Found out now, and not after the job.
        raise GatehouseError("the results cannot be written there", where=output, remedy="Name a file")
    known = form or (_form_in_s3(source) if in_s3 else form_of(Path(source)))
    with connected(find_context(project, target)) as at:
        name = at.project.name
        root = f"s3://{at.target.bucket}/{name}/transforms/{secrets.token_hex(6)}"
        plan = plan_transform(
            at.target,
            name,
            version,
            role_arn=at.target.role_arn,
            input_uri=source if in_s3 else f"{root}/input",
            output_uri=output if out_s3 else f"{root}/output",
            content_type=CONTENT_TYPES[known],
            split_lines=split_lines,
            instance_type=instance_type,
            instance_count=instance_count,
            tags={**ownership_tags(at.project), **at.target.tags},
        )
        if not only_plan:
            if not in_s3:
                ensure_bucket(at.target, at.target.client("s3"))
                delimiter = at.project.data.delimiter
                rows = upload_parts(
                    at.target, plan.input, _payloads(Path(source), known, header, delimiter), f".{known}"
                )
                notice(f"  {rows} rows uploaded to {plan.input}")
            start_transform(plan, at.target)
            wait(plan, at.target, tell=lambda line: notice(f"  {line}"))
            if not out_s3:
                _download(plan, at.target, Path(output))
    yield Document(
        {
            "project": name,
            "version": plan.version,
            "arn": plan.arn,
            "job": plan.name,
            "input": plan.input,
            "output": output,
            "done": not only_plan,
        }
    )
    if only_plan:
        yield f"Would run {plan.name}: version {plan.version} on {plan.input}, results to {plan.output}"
    else:
        yield f"Scored with version {plan.version}: {output}"


def _payloads(source: Path, form: str, header: bool | None, delimiter: str) -> Iterator[Payload]:
    with opened(source) as content:
        yield from read_payloads(content, form, str(source), header=header, delimiter=delimiter)


def _form_in_s3(uri: str) -> str:
    return SUFFIXES.get(Path(uri).suffix.lower(), "csv")


def _download(plan: TransformPlan, target: Target, output: Path) -> None:
    try:
        with output.open("wb") as file:
            for part in results(plan, target):
                file.write(part if part.endswith(b"\n") else part + b"\n")
    except OSError as error:
        raise GatehouseError(
            f"the results cannot be written: {error.strerror}",
            where=str(output),
            remedy=f"They are in {plan.output}",
        ) from error
