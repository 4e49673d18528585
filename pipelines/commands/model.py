"""`gatehouse model`: everything about one registered version, its card, and notes on it."""

from __future__ import annotations

from pathlib import Path

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import json_option, target_option, version_arguments, which_version
from pipelines.commands.output import document, moment, remark, say, table
from pipelines.commands.project_context import find_context
from registry import card_pages, model_cards
from registry.notes import apply_notes, plan_notes
from registry.review import apply_card, plan_card
from registry.version_details import VersionDetails, read_version


def _pairs(context: click.Context, parameter: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator or not key:
            raise click.BadParameter(
                f"{word!r} is not KEY=VALUE, e.g. dataset_version=2026-10", context, parameter
            )
        if key in pairs:
            raise click.BadParameter(f"{key} is given twice", context, parameter)
        pairs[key] = value
    return pairs


@click.command("model")
@version_arguments
@click.option(
    "--set",
    "changed",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_pairs,
    help="Add or change a note on the version (customer metadata); may be repeated.",
)
@click.option("--unset", "removed", multiple=True, metavar="KEY", help="Take a note away; may be repeated.")
@click.option("--card", is_flag=True, help="Print the model card, as Markdown unless --html is given.")
@click.option("--html", "as_html", is_flag=True, help="With --card: one self-contained HTML page.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="With --card: write it to this file; .html makes it HTML.",
)
@click.option(
    "--request-review", is_flag=True, help="Complete the model card and set its status to PendingReview."
)
@target_option
@json_option
def command(
    words: tuple[str, ...],
    changed: dict[str, str],
    removed: tuple[str, ...],
    card: bool,
    as_html: bool,
    output: Path | None,
    request_review: bool,
    target: str,
    as_json: bool,
) -> None:
    """Show everything about one registered version; add notes to it; print its model card.

    VERSION is its number, as `gatehouse models` lists it.

    \b
    Examples:
      gatehouse model rc-fraud-detection 3
      gatehouse model rc-fraud-detection 3 --set dataset_version=2026-10 --set ticket=RC-7
      gatehouse model rc-fraud-detection 3 --card --output card.html
    """
    project, number = which_version(words)
    if (as_html or output) and not card:
        raise click.UsageError("--html and --output belong to --card.")
    if as_json and (as_html or output):
        raise click.UsageError("The document of --json holds the card; leave out --html and --output.")
    if both := changed.keys() & set(removed):
        raise click.UsageError(f"--set and --unset both name {min(both)}.")
    with connected(find_context(project, target)) as at:
        name = at.project.name
        if changed or removed:
            apply_notes(plan_notes(at.target, name, number, changed, removed), at.target)
        if request_review:
            apply_card(plan_card(at.target, name, number), at.target)
        version = read_version(at.target, name, number)
        where = at.deployed_versions().get(version.arn, ())
    if card and not as_json:
        _print_card(version, as_html, output)
    elif as_json:
        document({**model_document(version), "environments": list(where)})
    else:
        _print(version, where)


def _print_card(version: VersionDetails, as_html: bool, output: Path | None) -> None:
    html = as_html or (output is not None and output.suffix.lower() in (".html", ".htm"))
    text = card_pages.page(version) if html else card_pages.markdown(version)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GatehouseError(f"the card cannot be written: {error.strerror}", where=str(output)) from error
    remark(f"Wrote {output}")


def model_document(version: VersionDetails) -> dict[str, object]:
    """A version as one JSON document."""
    return {
        "project": version.group,
        "version": version.version,
        "arn": version.arn,
        "created": version.created,
        "created_by": version.created_by,
        "description": version.description,
        "status": version.status,
        "approval": version.approval,
        "approval_description": version.approval_description,
        "approvals": [
            {"status": item.status, "who": item.who, "when": item.when, "note": item.note}
            for item in version.decisions
        ],
        "metrics": {
            name: {"value": metric.value, "standard_deviation": metric.standard_deviation}
            for name, metric in version.metrics.items()
        },
        "test_rows": version.test_rows,
        "statistics": version.statistics,
        "data_statistics": version.data_statistics,
        "hyperparameters": dict(version.hyperparameters),
        "metadata": dict(version.metadata),
        "execution": version.execution,
        "jobs": [{"step": job.step, "arn": job.arn} for job in version.jobs],
        "containers": [
            {"image": item.image, "artifact": item.artifact, "environment": dict(item.environment)}
            for item in version.containers
        ],
        "content_types": list(version.content_types),
        "response_types": list(version.response_types),
        "sample_payload": version.sample_payload,
        "card": {"status": version.card_status, "content": model_cards.content(version)},
    }


def _print(version: VersionDetails, where: tuple[str, ...]) -> None:
    say(f"Model {version.group}, version {version.version}")
    facts = {
        "ARN": version.arn,
        "Created": moment(version.created),
        "Status": version.status,
        "Approval": version.approval,
        "Said": version.approval_description,
        "Environments": ", ".join(where) or "none",
        "Data": version.metadata.get("dataset_uri"),
        "Data version": version.metadata.get("dataset_version"),
        "Commit": version.metadata.get("git_commit"),
        "Execution": version.execution,
        "Statistics": version.statistics,
        "Report": model_cards.report_uri(version),
        "Sample": version.sample_payload,
        "Card": version.card_status or "none",
    }
    for job in version.jobs:
        facts[f"Job of {job.step}"] = job.arn
    for number, container in enumerate(version.containers, 1):
        which = f" {number}" if len(version.containers) > 1 else ""
        facts[f"Image{which}"], facts[f"Artifact{which}"] = container.image, container.artifact
    width = max(map(len, facts))
    for name, value in facts.items():
        if value:
            say(f"  {name:<{width}} {value}")
    if version.metrics:
        say()
        table(
            ("Metric", "Value", "Standard deviation"),
            [
                (
                    metric.name,
                    f"{metric.value:.4f}",
                    "-" if metric.standard_deviation is None else f"{metric.standard_deviation:.4f}",
                )
                for metric in version.metrics.values()
            ],
        )
    if version.hyperparameters:
        say()
        table(("Hyperparameter", "Value"), list(version.hyperparameters.items()))
    if version.metadata:
        say()
        table(("Note", "Value"), sorted(version.metadata.items()))
    if version.decisions:
        say()
        table(
            ("When", "Decision", "Who", "Note"),
            [(moment(item.when), item.status, item.who, item.note) for item in version.decisions],
        )
