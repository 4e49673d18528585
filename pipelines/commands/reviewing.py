"""What `gatehouse approve` and `gatehouse reject` have in common: all but the status."""

from __future__ import annotations

from collections.abc import Callable

import click

from aws_formats.errors import GatehouseError
from pipelines.commands.model_context import connected_to_model
from pipelines.commands.options import note_option, target_option, version_arguments, which_version
from pipelines.commands.output import Document, Output, Remark, with_json
from registry.model_packages import APPROVED
from registry.review import apply_review, plan_review


def review_options(function: Callable[..., Output]) -> Callable[..., int]:
    force = click.option("--force", is_flag=True, help="Decide anew where somebody has decided already.")
    return version_arguments(note_option(force(target_option(with_json(function)))))


def review(words: tuple[str, ...], status: str, note: str, force: bool, target: str) -> Output:
    """Decide on a version and say what became of it.

    Raises:
        GatehouseError: the version cannot be decided on, or somebody else decided at the same moment.
    """
    project, number = which_version(words)
    with connected_to_model(project, target, changes=True) as at:
        name = at.project.name
        plan = plan_review(at.target, name, number, status, note, force=force)
        for line in plan.notes:
            yield Remark(line)
        ended = apply_review(plan, at.target)
    if ended.overtaken_by is not None:
        other = ended.overtaken_by
        raise GatehouseError(
            f"{other.who} set version {number} of model {name} to {other.status} at the same moment;"
            f" it is {ended.approval} now, and the history holds both decisions",
            remedy=f"Talk to each other and decide anew with --force: `gatehouse model {name} {number}`",
        )
    if ended.approval != status:
        raise GatehouseError(
            f"somebody set version {number} of model {name} to {ended.approval} at the same moment,"
            " by other means than this command",
            remedy=f"Talk to each other and decide anew with --force: `gatehouse model {name} {number}`",
        )
    yield Document(
        {
            "project": name,
            "version": number,
            "arn": plan.version.arn,
            "approval": ended.approval,
            "description": plan.description,
            "card_status": plan.card_status or plan.version.card_status,
        }
    )
    yield f"Version {number} of model {name} is {ended.approval}."
    if status == APPROVED:
        yield Remark(f"Next: gatehouse deploy {name} --env ENVIRONMENT --version {number}")
