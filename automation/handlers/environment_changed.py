"""An environment's parameter changed, or the timer rang: bring the environment to what it should serve.

The timer makes up for events that were lost, and for environments in other accounts, whose events do not come
here. It looks at all of the project's environments, and at the newest versions: one that was registered or
approved in the last day, and whose event was lost, is handled now.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from automation.context import Context, read_context
from automation.handlers import logged
from automation.handlers.approval_requested import ensure_review_request
from automation.reconcile import deploy_to_first, reconcile
from aws_formats.errors import GatehouseError
from registry.model_packages import APPROVED, PENDING, summaries
from registry.version_details import VersionDetails

_LOST_WITHIN = timedelta(days=1)
_NEWEST = 10
"""Versions that the timer looks at."""


@logged
def handle(event: dict[str, Any], _context: object) -> str:
    """For ``Parameter Store Change``, whose detail.name says which, and for ``Scheduled Event``.

    Raises:
        GatehouseError: at least one environment or version could not be handled; the others were.
    """
    context = read_context()
    name = event.get("detail", {}).get("name")
    if name is None:
        return _handle_timer(context)
    stage = context.stage_of_parameter(name)
    return reconcile(context, stage) if stage else f"{name} is no environment of project {context.project}"


def _handle_timer(context: Context) -> str:
    done, failed = [], []
    for subject, handle_it in _everything(context):
        try:
            done.append(handle_it())
        except (GatehouseError, ClientError) as error:
            failed.append(f"{subject}: {error}")
    if failed:
        raise GatehouseError(" ".join(failed), where=context.project)
    return "; ".join(done)


def _everything(context: Context) -> Iterator[tuple[str, Callable[[], str]]]:
    """What the timer looks at: its name, and the call that handles it."""
    for stage in context.stages:
        yield stage.name, functools.partial(reconcile, context, stage)
    for version in _recent_versions(context):
        yield version.arn, functools.partial(_handle_version, context, version)


def _recent_versions(context: Context) -> Iterator[VersionDetails]:
    """The versions that were registered or approved in the last day, newest first."""
    since = datetime.now(UTC) - _LOST_WITHIN
    for summary in islice(summaries(context.clients, context.project, limit=_NEWEST), _NEWEST):
        approval = summary.get("ModelApprovalStatus")
        is_new = approval == PENDING and summary["CreationTime"] > since
        if not is_new and approval != APPROVED:
            continue
        version = context.find_version(summary["ModelPackageArn"])
        # A version that was approved in Studio does not say when.
        if version is not None and (is_new or any(one.when > since for one in version.decisions)):
            yield version


def _handle_version(context: Context, version: VersionDetails) -> str:
    if version.approval == APPROVED:
        return deploy_to_first(context, version)
    return ensure_review_request(context, version.arn)
