"""What `gatehouse approve` and `gatehouse reject` have in common: all but the status."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

import click
from botocore.exceptions import ClientError

from aws_formats.arns import parse_package_version
from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent, is_denied
from pipelines.commands.local_endpoint import is_kept_up
from pipelines.commands.model_context import connected_to_model
from pipelines.commands.options import note_option, target_option, version_arguments, which_version
from pipelines.commands.output import Document, Output, Remark, with_json
from pipelines.commands.project_context import ProjectContext
from registry.deployment_history import deployed_arn
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
        follows = _what_follows(at, number) if status == APPROVED else None
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
    if follows is not None:
        yield Remark(follows)


def _what_follows(at: ProjectContext, number: int) -> str:
    """Who deploys an approved version: the automation where there is one, else a person."""
    name = at.project.name
    entered = [*takewhile(lambda one: at.project.promotion(one) == "automatic", at.project.environments)]
    if entered and _is_automated(at):
        newer = _newer_version(at, entered[0], number)
        if newer is not None:
            return (
                f"{entered[0]} has version {newer}, which is newer, so the automation leaves it there; to"
                f" replace it: gatehouse deploy {name} --env {entered[0]} --version {number}"
                f"{at.target.option}"
            )
        where = " and then ".join(entered)
        see = f"gatehouse environments {name}{at.target.option}"
        return f"The automation deploys it to {where}; what serves where: {see}"
    return f"Next: gatehouse deploy {name} --env ENVIRONMENT --version {number}{at.target.option}"


def _newer_version(at: ProjectContext, environment: str, number: int) -> int | None:
    """The version that an environment should serve, if it is newer; None where it is not, or is not known."""
    try:
        arn = deployed_arn(at.environment(environment))
    except GatehouseError:
        return None
    except ClientError as error:
        if is_denied(error):
            return None
        raise
    found = parse_package_version(arn) if arn is not None else None
    return found[1] if found is not None and found[1] > number else None


def _is_automated(at: ProjectContext) -> bool:
    """Whether the decision's event is handled: on this machine only while an endpoint is kept up."""
    if at.target.name == "local" and not is_kept_up(at.settings):
        return False
    function = f"{at.project.name}-version-decided"  # as automation/templates/automation.yaml names it
    try:
        at.target.client("lambda").get_function_configuration(FunctionName=function)
    except ClientError as error:
        if is_absent(error) or is_denied(error):
            return False
        raise
    return True
