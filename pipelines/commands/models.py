"""`gatehouse models`: the registered versions of a project's model."""

from __future__ import annotations

import click

from pipelines.commands.local_endpoint import connected
from pipelines.commands.options import project_argument, target_option
from pipelines.commands.output import Document, Output, Remark, Table, moment, remark_on, with_json
from pipelines.commands.project_context import find_context
from registry.model_packages import APPROVALS, ModelVersion, list_versions, no_versions
from registry.model_quality import ACCURACY, HEADLINES, figure


@click.command("models")
@project_argument
@click.option(
    "--approval", type=click.Choice(APPROVALS, case_sensitive=False), help="Only versions with this status."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Show no more than this many of the newest.",
)
@target_option
@with_json
def command(project: str | None, approval: str | None, limit: int, target: str) -> Output:
    """List the registered versions of the project's model, newest first.

    The metrics are read from the evaluation's statistics.json that each version carries: accuracy, and
    AUC for two classes or weighted F1 for several.
    """
    with connected(find_context(project, target)) as at:
        name = at.project.name
        # One more than is shown tells whether there are more.
        found = list_versions(at.target, name, approval=approval, limit=limit + 1)
        where = at.deployed_versions() if found else {}
    shown = found[:limit]
    yield Document([_document(version, where) for version in shown])
    if not shown:
        if approval:
            yield Remark(
                f"Model {name} has no version that is {approval}. All of them: gatehouse models {name}"
            )
        else:
            yield remark_on(no_versions(name))
        return
    headline = next((version.headline.kind for version in shown if version.headline), HEADLINES[0])
    yield Table(
        ("Version", "Created", ACCURACY.heading, headline.heading, "Status", "Approval", "Environments"),
        [
            (
                str(version.version),
                moment(version.created),
                figure(version.accuracy),
                figure(version.headline.value if version.headline else None),
                version.status,
                version.approval,
                ", ".join(where.get(version.arn, ())) or "-",
            )
            for version in shown
        ],
    )
    if len(found) > limit:
        yield Remark(f"There are more; --limit shows them. These are the newest {limit}.")


def _document(version: ModelVersion, where: dict[str, tuple[str, ...]]) -> dict[str, object]:
    return {
        "version": version.version,
        "arn": version.arn,
        "created": version.created,
        "accuracy": version.accuracy,
        "auc": _headline(version, "auc"),
        "weighted_f1": _headline(version, "weighted_f1"),
        "status": version.status,
        "approval": version.approval,
        "environments": list(where.get(version.arn, ())),
    }


def _headline(version: ModelVersion, name: str) -> float | None:
    return version.headline.value if version.headline and version.headline.name == name else None
