"""An environment's parameter changed, or the timer rang: bring the environment to what it should serve.

The timer is what makes up for events that were lost, and for environments in other accounts, whose
events do not come here. It looks at all of the project's environments, and at the newest versions: one
that was registered or approved in the last day and that nobody has taken notice of is taken up now.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from automation.context import Surroundings, read_surroundings
from automation.handlers import logged
from automation.handlers.approval_requested import ask
from automation.reconcile import enter_first, find_version, settle
from aws_formats.errors import GatehouseError
from registry.model_packages import APPROVED, PENDING, summaries
from registry.version_details import VersionDetails

_MEMORY = timedelta(days=1)
_LOOKED_AT = 10


@logged
def handle(event: dict[str, Any], context: object) -> str:  # noqa: ARG001
    """For ``Parameter Store Change``, whose detail.name says which, and for ``Scheduled Event``.

    Raises:
        GatehouseError: at least one environment could not be brought on; the others were.
    """
    surroundings = read_surroundings()
    name = event.get("detail", {}).get("name")
    if name is not None:
        stage = surroundings.stage_of_parameter(name)
        return settle(surroundings, stage) if stage else f"{name} is no environment of ours"
    done: list[str] = []
    failed: list[str] = []

    def look(subject: str, take: Callable[[], str]) -> None:
        try:
            done.append(take())
        except (GatehouseError, ClientError) as error:
            failed.append(f"{subject}: {error}")

    for stage in surroundings.stages:
        look(stage.name, functools.partial(settle, surroundings, stage))
    for version in _newest(surroundings):
        look(version.arn, functools.partial(_take_notice, surroundings, version))
    if failed:
        raise GatehouseError(" ".join(failed), where=surroundings.project)
    return "; ".join(done)


def _newest(surroundings: Surroundings) -> list[VersionDetails]:
    """The versions whose events may have been lost not long ago, newest first."""
    since = datetime.now(UTC) - _MEMORY
    found = []
    for summary in islice(
        summaries(surroundings.clients, surroundings.project, limit=_LOOKED_AT), _LOOKED_AT
    ):
        approval, arn = summary.get("ModelApprovalStatus"), summary["ModelPackageArn"]
        is_new = approval == PENDING and summary["CreationTime"] > since
        if is_new or approval == APPROVED:
            version = find_version(surroundings, arn)
            # One that was approved in Studio does not say when.
            decided = version is not None and any(one.when > since for one in version.decisions)
            if version is not None and (is_new or decided):
                found.append(version)
    return found


def _take_notice(surroundings: Surroundings, version: VersionDetails) -> str:
    if version.approval == APPROVED:
        return enter_first(surroundings, version)
    return ask(surroundings, version.arn)
