"""`gatehouse model`: everything about one registered version, its card, and notes on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from pipelines.commands.model_context import connected_to_model
from pipelines.commands.options import gathered, pairs_like, target_option, version_arguments, which_version
from pipelines.commands.output import Document, Lines, Output, Remark, Table, moment, with_json_excluding
from pipelines.commands.whole_file import write_whole
from registry import card_pages, model_cards
from registry.model_quality import figure, is_of_constant
from registry.notes import apply_notes, plan_notes
from registry.review import apply_card, plan_card
from registry.verdicts import Measured
from registry.version_details import VersionDetails, read_version

_CARD_IN_JSON = "The document of --json holds the card; leave out --html and --output."


@dataclass(frozen=True)
class ModelOptions:
    """What is changed of a version before it is shown, and how it is shown.

    Attributes:
        changed, removed: notes, by key.
        output: the file that the card is written to; standard output if None.
    """

    changed: dict[str, str]
    removed: tuple[str, ...]
    request_review: bool
    card: bool
    as_html: bool
    output: Path | None


@click.command("model")
@version_arguments
@click.option(
    "--set",
    "changed",
    multiple=True,
    metavar="KEY=VALUE",
    callback=pairs_like("dataset_version=2026-10", "KEY=VALUE"),
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
@with_json_excluding(as_html=_CARD_IN_JSON, output=_CARD_IN_JSON)
@gathered(ModelOptions)
def command(options: ModelOptions, words: tuple[str, ...], target: str) -> Output:
    """Show everything about one registered version; add notes to it; print its model card.

    VERSION is its number, as `gatehouse models` lists it.

    \b
    Examples:
      gatehouse model rc-fraud-detection 3
      gatehouse model rc-fraud-detection 3 --set dataset_version=2026-10 --set ticket=RC-7
      gatehouse model rc-fraud-detection 3 --card --output card.html
    """
    project, number = which_version(words)
    if (options.as_html or options.output) and not options.card:
        raise click.UsageError("--html and --output belong to --card.")
    if both := options.changed.keys() & set(options.removed):
        raise click.UsageError(f"--set and --unset both name {min(both)}.")
    with connected_to_model(project, target) as at:
        name = at.project.name
        if options.changed or options.removed:
            apply_notes(plan_notes(at.target, name, number, options.changed, options.removed), at.target)
        if options.request_review:
            apply_card(plan_card(at.target, name, number), at.target)
        version = read_version(at.target, name, number)
        where = at.deployed_versions().get(version.arn, ())
    yield Document({**_document(version), "environments": list(where)})
    yield from _card(version, options) if options.card else _details(version, where)


def _card(version: VersionDetails, options: ModelOptions) -> Output:
    output = options.output
    as_html = options.as_html or (output is not None and output.suffix.lower() in (".html", ".htm"))
    page = card_pages.page(version) if as_html else card_pages.markdown(version)
    if output is None:
        yield Lines(page.removesuffix("\n").split("\n"))
        return
    write_whole(output, page.encode(), "the card")
    yield Remark(f"Wrote {output}")


def _document(version: VersionDetails) -> dict[str, object]:
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
        "verdict": version.verdict.document() if version.verdict else None,
        "test_rows": version.test_rows,
        "statistics": version.statistics,
        "data_statistics": version.data_statistics,
        "findings": version.findings.document(),
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


def _details(version: VersionDetails, where: tuple[str, ...]) -> Output:
    yield f"Model {version.group}, version {version.version}"
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
            yield f"  {name:<{width}} {value}"
    if version.verdict:
        yield ""
        yield Table(("Gate", version.verdict.verdict, "Why"), list(version.verdict.lines()), wrapped=True)
    if version.metrics:
        yield ""
        yield _metrics(version)
    if noticed := version.findings.rows():
        yield ""
        yield Table(("Data", "What preprocessing noticed"), noticed)
    if version.hyperparameters:
        yield ""
        tuned = version.metadata.get("tuned", "").split()
        values = [
            (name, f"{value} (tuned)" if name in tuned else value)
            for name, value in version.hyperparameters.items()
        ]
        yield Table(("Hyperparameter", "Value"), values, wrapped=True)
    if version.metadata:
        yield ""
        yield Table(("Note", "Value"), sorted(version.metadata.items()), wrapped=True)
    if version.decisions:
        yield ""
        yield Table(
            ("When", "Decision", "Who", "Note"),
            [(moment(item.when), item.status, item.who, item.note) for item in version.decisions],
            wrapped=True,
        )


def _metrics(version: VersionDetails) -> Table:
    """Each metric with its interval and the best constant's value; without a verdict, its deviation."""
    if version.verdict is None:
        return Table(
            ("Metric", "Value", "Standard deviation"),
            [
                (
                    metric.kind.label,
                    *(figure(value, metric.kind) for value in (metric.value, metric.standard_deviation)),
                )
                for metric in version.metrics.values()
            ],
        )
    measured = version.verdict.metrics
    rows = []
    for name, metric in version.metrics.items():
        if not is_of_constant(name):
            known = measured.get(name, Measured(metric.value))
            rows.append(
                (
                    metric.kind.label,
                    figure(metric.value, metric.kind),
                    known.interval(metric.kind) or "-",
                    figure(known.constant, metric.kind),
                )
            )
    return Table(("Metric", "Value", "95 % interval", "Best constant"), rows)
