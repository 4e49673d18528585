"""`gatehouse invoke`: rows to an environment's endpoint, predictions back."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import (
    environment_option,
    format_option,
    header_option,
    project_argument,
    target_option,
)
from pipelines.commands.output import Document, Output, Table, with_json
from pipelines.commands.payloads import form_of, read_payloads
from pipelines.commands.project_context import find_context
from registry.invocations import invoke


def _checked_id(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
    """By AWS's limits of InferenceId, which boto3 checks in part."""
    if given is not None and not re.fullmatch(r"[!-~][ -~]{0,63}", given):
        raise click.BadParameter("it has 1 to 64 letters, digits and signs of ASCII, and no space first")
    return given


@click.command("invoke")
@project_argument
@environment_option("--env", "environment", help_text="The environment, for example dev.")
@click.option(
    "--data",
    required=True,
    metavar="FILE",
    type=click.Path(allow_dash=True, path_type=Path),
    help="A CSV, JSON, JSON lines or Parquet file; - reads standard input.",
)
@format_option("CSV on standard input")
@header_option
@click.option(
    "--inference-id",
    metavar="ID",
    callback=_checked_id,
    help="The request's name in what the endpoint captures; for rows that fit one request.",
)
@target_option
@with_json
def command(
    project: str | None,
    environment: str,
    data: Path,
    form: str | None,
    header: bool | None,
    inference_id: str | None,
    target: str,
) -> Output:
    """Send rows to the version that serves in an environment and print its predictions.

    Rows are as they came from the source, which may be packed: the features alone or all columns, with or
    without a header. Many rows go in several requests, since one carries 6 MB.

    \b
    Examples:
      gatehouse invoke rc-fraud-detection --env dev --data rows.csv
      head -3 rows.csv | gatehouse invoke rc-fraud-detection --env dev --data - --json
    """
    known = form or ("csv" if str(data) == "-" else form_of(data))
    context = find_context(project, target, environment)
    with opened(data) as source, connected(context) as at:
        name = "standard input" if str(data) == "-" else str(data)
        csv = {"delimiter": at.project.data.delimiter, "quote": at.project.data.quote}
        payloads = read_payloads(source, known, name, header=header, **csv)
        predictions = list(invoke(at.environment(environment), payloads, inference_id=inference_id))
    return [Document(predictions), _table(predictions)]


def _table(predictions: Sequence[Mapping[str, Any]]) -> Table:
    """A line for each row: class and probability, a regression's number, or what else is answered."""
    numbered = [(str(number), prediction) for number, prediction in enumerate(predictions, 1)]
    if predictions and "value" in predictions[0]:
        return Table(
            ("Row", "Value"), [(number, _figure(prediction.get("value"))) for number, prediction in numbered]
        )
    if predictions and "class" not in predictions[0]:
        members = list(dict.fromkeys(name for prediction in predictions for name in prediction))
        return Table(
            ("Row", *members),
            [
                (number, *(_figure(prediction.get(name)) for name in members))
                for number, prediction in numbered
            ],
        )
    return Table(
        ("Row", "Class", "Probability"),
        [
            (number, str(prediction.get("class", "")), _figure(prediction.get("probability")))
            for number, prediction in numbered
        ],
    )


@contextmanager
def opened(data: Path) -> Iterator[BinaryIO]:
    """The file's bytes, or standard input's for `-`.

    Raises:
        GatehouseError: the file cannot be read.
    """
    if str(data) == "-":
        yield sys.stdin.buffer
        return
    try:
        source = data.open("rb")
    except OSError as error:
        raise GatehouseError(f"the file cannot be read: {error.strerror}", where=str(data)) from error
    with source:
        yield source


def _figure(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str("-" if value is None else value)
