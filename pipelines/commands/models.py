"""`gatehouse models`: the registered versions of a project's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import click

from evaluation.metric_table import MetricKind
from pipelines.commands.model_context import connected_to_model
from pipelines.commands.options import project_argument, target_option
from pipelines.commands.output import Document, Output, Remark, Table, moment, remark_on, with_json
from registry.model_packages import APPROVALS, PENDING, ModelVersion, list_versions, no_versions
from registry.model_quality import ACCURACY, HEADLINES, figure
from registry.verdicts import Verdict

_APPROVAL = {PENDING: "Pending"}
"""The one status that is too long for a line of 80 characters."""


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

    The gate's metric is shown with its 95 % interval and with what the best constant answer reaches, from
    the verdict that each version carries; versions without one show accuracy, and AUC or weighted F1. An
    accuracy that only a note of a version states is marked so: nothing here has measured it.
    """
    with connected_to_model(project, target) as at:
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
    yield _table(shown, where)
    if len(found) > limit:
        yield Remark(f"There are more; --limit shows them. These are the newest {limit}.")


def _table(shown: Sequence[ModelVersion], where: Mapping[str, tuple[str, ...]]) -> Table:
    """The gate's metric, by the newest verdict, with its interval and the best constant; or two metrics."""
    kind = next((version.verdict.kind for version in shown if version.verdict), None)
    table = _table_without_verdicts(shown, where) if kind is None else _table_of(kind, shown, where)
    if not any(version.description for version in shown):
        return table
    rows = [(*row, version.description) for row, version in zip(table.rows, shown, strict=True)]
    return replace(table, headings=(*table.headings, "Description"), rows=rows)


def _table_of(kind: MetricKind, shown: Sequence[ModelVersion], where: Mapping[str, tuple[str, ...]]) -> Table:
    return Table(
        ("Version", "Created", kind.heading, "95 % interval", "Constant", "Approval", "Serves in"),
        [
            (
                str(version.version),
                moment(version.created),
                *_measured(version, kind),
                _APPROVAL.get(version.approval, version.approval)
                if version.status == "Completed"
                else version.status,
                ", ".join(where.get(version.arn, ())) or "-",
            )
            for version in shown
        ],
        optional="Constant",
    )


def _measured(version: ModelVersion, kind: MetricKind) -> tuple[str, str, str]:
    """Value, interval and constant of a metric, short enough for a line of 80 characters."""
    known = version.verdict.metrics.get(kind.name) if version.verdict else None
    if known is None:
        return _accuracy(version) if kind == ACCURACY else "-", "-", "-"
    return (
        figure(known.value, kind),
        known.interval(kind, briefly=True) or "-",
        figure(known.constant, kind),
    )


def _accuracy(version: ModelVersion) -> str:
    if version.stated_accuracy is not None:
        return f"{version.stated_accuracy}, stated"
    return figure(version.accuracy, ACCURACY)


def _table_without_verdicts(shown: Sequence[ModelVersion], where: Mapping[str, tuple[str, ...]]) -> Table:
    headline = next((version.headline.kind for version in shown if version.headline), HEADLINES[0])
    return Table(
        ("Version", "Created", ACCURACY.heading, headline.heading, "Status", "Approval", "Environments"),
        [
            (
                str(version.version),
                moment(version.created),
                _accuracy(version),
                figure(version.headline.value if version.headline else None, headline),
                version.status,
                version.approval,
                ", ".join(where.get(version.arn, ())) or "-",
            )
            for version in shown
        ],
    )


def _document(version: ModelVersion, where: dict[str, tuple[str, ...]]) -> dict[str, object]:
    return {
        "version": version.version,
        "arn": version.arn,
        "created": version.created,
        "description": version.description or None,
        "accuracy": version.accuracy,
        "stated_accuracy": version.stated_accuracy,
        "auc": _headline(version, "auc"),
        "weighted_f1": _headline(version, "weighted_f1"),
        **_gate(version.verdict),
        "status": version.status,
        "approval": version.approval,
        "environments": list(where.get(version.arn, ())),
    }


def _headline(version: ModelVersion, name: str) -> float | None:
    return version.headline.value if version.headline and version.headline.name == name else None


def _gate(verdict: Verdict | None) -> dict[str, object]:
    """What the gate decided about the version, and its metric."""
    measured = verdict.measured if verdict else None
    return {
        "verdict": verdict.verdict if verdict else None,
        "metric": verdict.metric if verdict else None,
        "value": measured.value if measured else None,
        "low": measured.low if measured else None,
        "high": measured.high if measured else None,
        "constant": measured.constant if measured else None,
    }
