"""A version was approved or rejected: it goes to the first environment, or those that have it roll back.

Of the event only the version counts, not the status that it names: a version that was approved and then
rejected, before its first event is handled, is rejected.
"""

from __future__ import annotations

from typing import Any

from automation.context import read_context
from automation.handlers import logged
from automation.reconcile import deploy_to_first, reconcile
from registry.deployment_history import deployed_arn
from registry.model_packages import APPROVED


@logged
def handle(event: dict[str, Any], _context: object) -> str:
    """For ``SageMaker Model Package State Change``; detail.ModelPackageArn says which version."""
    context = read_context()
    version = context.find_version(event["detail"]["ModelPackageArn"])
    if version is None:
        return f"{event['detail']['ModelPackageArn']} is no version of {context.project}"
    if version.approval == APPROVED:
        return deploy_to_first(context, version)
    done = [
        reconcile(context, stage)
        for stage in context.stages
        if deployed_arn(stage.environment) == version.arn
    ]
    return "; ".join(done) or f"version {version.version} is {version.approval} and serves nowhere"
