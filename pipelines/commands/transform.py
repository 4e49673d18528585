"""`gatehouse transform`: scores what is too big for an endpoint, as a batch transform job."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.invoke import opened
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import format_option, gathered, header_option, project_argument, target_option
from pipelines.commands.output import Document, Output, Remark, notice, with_json
from pipelines.commands.payloads import (
    CONTENT_TYPES,
    JSON_LINES,
    SUFFIXES,
    form_of,
    is_packed,
    read_payloads,
)
from pipelines.commands.project_context import ProjectContext, find_context
from pipelines.commands.whole_file import whole_file
from pipelines.definition.bucket import ensure_bucket
from pipelines.settings.project import Data
from pipelines.settings.tags import resource_tags
from pipelines.settings.target import Target
from registry.batch_transforms import (
    TransformPlan,
    plan_transform,
    refuse_blank_lines,
    results,
    start_transform,
    upload_parts,
    wait,
)
from registry.invocations import HEADER_REMEDY, Payload
from registry.network import Network


@dataclass(frozen=True)
class TransformOptions:
    """What is scored, by which version, on what.

    Attributes:
        source, output: a file, or an S3 URI.
        form: csv, json or parquet; None for what the name of the source says.
        capture: the environment for which the job captures; None for none.
        header: whether a CSV file begins with its columns' names; None for what its first line says.
    """

    version: int | None
    source: str
    output: str
    form: str | None
    header: bool | None
    split_lines: bool
    capture: str | None
    instance_type: str | None
    instance_count: int
    only_plan: bool

    @property
    def from_s3(self) -> bool:
        return self.source.startswith("s3://")

    @property
    def to_s3(self) -> bool:
        return self.output.startswith("s3://")


@click.command("transform")
@project_argument
@click.option("--version", type=click.IntRange(min=1), help="Its number; the newest approved if left out.")
@click.option("--input", "source", required=True, metavar="FILE|S3", help="A file, or s3://bucket/prefix.")
@click.option(
    "--output", required=True, metavar="FILE|S3", help="A CSV file to write, or s3://bucket/prefix."
)
@format_option("CSV for S3")
@header_option
@click.option(
    "--split-lines", is_flag=True, help="For CSV without header in S3: send it line by line, 6 MB at most."
)
@click.option(
    "--capture",
    metavar="NAME",
    help="Capture input and results where this environment captures its requests.",
)
@click.option("--instance-type", metavar="TYPE", help="The version's first for batch if left out.")
@click.option("--instance-count", type=click.IntRange(min=1), default=1, show_default=True, help="How many.")
@click.option("--plan", "only_plan", is_flag=True, help="Show the job; upload and start nothing.")
@target_option
@with_json
@gathered(TransformOptions)
def command(options: TransformOptions, project: str | None, target: str) -> Output:
    """Score many rows with an approved version, in a batch transform job.

    A file is uploaded in parts of at most 6 MB, each with the header; the answers, one line
    `class,probability` a row in the input's order, or the number that a regression predicts, are written
    to --output. Input in S3 is used as it lies there, and each of its objects must fit one request unless
    --split-lines is given.
    """
    _check(options)
    form = _form(options)
    with connected(find_context(project, target)) as at:
        plan = _plan(at, options, form)
        for line in plan.notes:
            yield Remark(line)
        if options.split_lines:
            refuse_blank_lines(at.target, plan.input, at.project.data.delimiter)
        if not options.only_plan:
            _carry_out(plan, at, options, form)
    yield Document(
        {
            "project": at.project.name,
            "version": plan.version,
            "arn": plan.arn,
            "job": plan.name,
            "input": plan.input,
            "output": options.output,
            "done": not options.only_plan,
        }
    )
    if options.only_plan:
        yield f"Would run {plan.name}: version {plan.version} on {plan.input}, results to {plan.output}"
    else:
        yield f"Scored with version {plan.version}: {options.output}"


def _check(options: TransformOptions) -> None:
    """What would otherwise be found out after the job."""
    if options.split_lines and not options.from_s3:
        raise click.UsageError("--split-lines is for input in S3; a file is cut on row boundaries anyway.")
    source = Path(options.source)
    if options.from_s3 and (is_packed(source) or source.suffix.lower() in JSON_LINES):
        raise GatehouseError(
            "a job sends what lies in S3 as it is, and the model reads neither JSON lines nor what is packed",
            where=options.source,
            remedy="Give a copy on this machine, whose rows are sent as the model reads them",
        )
    output = Path(options.output)
    if not options.to_s3 and (output.is_dir() or not output.absolute().parent.is_dir()):
        raise GatehouseError(
            "the results cannot be written there", where=options.output, remedy="Name a file"
        )


def _form(options: TransformOptions) -> str:
    if options.form is not None:
        return options.form
    source = Path(options.source)
    return SUFFIXES.get(source.suffix.lower(), "csv") if options.from_s3 else form_of(source)


def _plan(at: ProjectContext, options: TransformOptions, form: str) -> TransformPlan:
    root = f"s3://{at.target.bucket}/{at.project.name}/transforms/{secrets.token_hex(6)}"
    return plan_transform(
        at.target,
        at.project.name,
        options.version,
        role_arn=at.target.role_arn,
        network=Network(**dict(at.project.network)),
        input_uri=options.source if options.from_s3 else f"{root}/input",
        output_uri=options.output if options.to_s3 else f"{root}/output",
        content_type=CONTENT_TYPES[form],
        split_lines=options.split_lines,
        instance_type=options.instance_type,
        instance_count=options.instance_count,
        capture=_capture(at, options.capture) if options.capture else None,
        tags=resource_tags(at.project, at.target),
    )


def _capture(at: ProjectContext, name: str) -> str:
    destination = at.environment(name).transform_captures
    if destination is None:
        raise GatehouseError(
            f"environment {name!r} captures nothing",
            where=f"{at.project.file}: project {at.project.name}",
            remedy="Give it a table capture, or leave out --capture",
        )
    return destination


def _carry_out(plan: TransformPlan, at: ProjectContext, options: TransformOptions, form: str) -> None:
    rows = None
    if not options.from_s3:
        ensure_bucket(at.target, at.target.client("s3"))
        payloads = _payloads(Path(options.source), form, options.header, at.project.data)
        rows = upload_parts(at.target, plan.input, payloads, f".{form}")
        notice(f"  {rows} rows uploaded to {plan.input}")
    start_transform(plan, at.target)
    wait(plan, at.target, tell=lambda line: notice(f"  {line}"))
    if not options.to_s3:
        answers = _download(plan, at.target, Path(options.output))
        if rows is not None and answers != rows:
            raise GatehouseError(
                f"{rows} rows were sent and {answers} answered",
                where=options.source,
                remedy=HEADER_REMEDY,
            )


def _payloads(source: Path, form: str, header: bool | None, data: Data) -> Iterator[Payload]:
    csv = {"delimiter": data.delimiter, "quote": data.quote}
    with opened(source) as content:
        yield from read_payloads(content, form, str(source), header=header, **csv)


def _download(plan: TransformPlan, target: Target, output: Path) -> int:
    """Write the answers to a file; how many there are."""
    count = 0
    try:
        with whole_file(output) as file:
            for answer in results(plan, target):
                file.write(answer)
                count += 1
    except OSError as error:
        raise GatehouseError(
            f"the results cannot be written: {error.strerror}",
            where=str(output),
            remedy=f"They are in {plan.output}",
        ) from error
    return count
