"""`gatehouse labels`: what turned out to be right, joined with the requests by their inference ids."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import environment_option, project_names, target_option
from pipelines.commands.output import Document, Output, with_json
from pipelines.commands.project_context import find_context
from pipelines.definition.unpacking import DAMAGED, in_utf_8, unpacked
from pipelines.settings.environments import resolve_environment
from registry.ground_truth import put_labels

ID, LABEL = "inference_id", "label"


@click.command("labels")
@click.argument("words", nargs=-1, required=True, metavar="[PROJECT] FILE", shell_complete=project_names)
@environment_option("--env", "environment", help_text="The environment whose requests they belong to.")
@target_option
@with_json
def command(words: tuple[str, ...], environment: str, target: str) -> Output:
    """Upload labels: a CSV file with the columns inference_id and label.

    A request's id is what the client sent as X-Amzn-SageMaker-Inference-Id (`gatehouse invoke
    --inference-id`); a request of several rows has a line for each, in their order. Labels may come late
    and in any number of files; each comparison counts those of the last 35 days to the window of their
    request. The same file again changes nothing.

    \b
    Example:
      gatehouse labels rc-fraud-detection labels.csv --env prod
    """
    if len(words) > 2:
        raise click.UsageError("Give one file, after the project's name if it is not the default project.")
    project, file = words[0] if len(words) == 2 else None, Path(words[-1])
    labels = read_labels(file)
    with connected(find_context(project, target)) as at:
        name = resolve_environment(at.project, at.target, environment).name
        uri = put_labels(at.target.client("s3"), at.target.bucket, at.project.name, name, labels)
    rows = sum(len(texts) for texts in labels.values())
    yield Document({"labels": rows, "requests": len(labels), "uri": uri})
    yield f"Labels: {rows:,}, requests: {len(labels):,}, stored in {uri}"
    yield (
        f"Next: gatehouse monitor {at.project.name} --env {name} --now{at.target.option}, or the next of its"
        " schedule"
    )


def read_labels(file: Path) -> dict[str, list[str]]:
    """The labels by inference id, in the order of the file.

    Raises:
        GatehouseError: the file cannot be read, lacks a column, or has a line without an id; it says which.
    """
    try:
        with file.open("rb") as source:
            text = in_utf_8(unpacked(source, str(file))).read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GatehouseError(
            "the labels cannot be read: this is not UTF-8", where=str(file), remedy="Save it as UTF-8"
        ) from error
    except DAMAGED as error:
        reason = getattr(error, "strerror", None) or error
        raise GatehouseError(f"the labels cannot be read: {reason}", where=str(file)) from error
    rows = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(rows, [])]
    missing = [name for name in (ID, LABEL) if name not in header]
    if missing:
        raise GatehouseError(
            f"there is no column {' and no column '.join(missing)}",
            where=f"{file}, line 1",
            remedy=f"Begin the file with the line {ID},{LABEL}",
        )
    place_of_id, place_of_label = header.index(ID), header.index(LABEL)
    found: dict[str, list[str]] = {}
    try:
        for row in rows:
            if not any(field.strip() for field in row):
                continue
            where = f"{file}, line {rows.line_num}"
            if len(row) != len(header):
                raise GatehouseError(
                    f"it has {len(row)} fields; the first line names {len(header)}",
                    where=where,
                    remedy="Correct or remove that line",
                )
            identity, label = row[place_of_id].strip(), row[place_of_label]
            if not identity or not label:
                raise GatehouseError(
                    f"it has no {LABEL if identity else ID}",
                    where=where,
                    remedy="Correct or remove that line",
                )
            found.setdefault(identity, []).append(label)
    except csv.Error as error:
        raise GatehouseError(f"it is no CSV: {error}", where=f"{file}, line {rows.line_num}") from error
    if not found:
        raise GatehouseError("there are no labels in it", where=str(file))
    return found
