"""A version was approved or rejected: the first environment takes it, or those that have it give it up.

What the event says is not asked: only which version it is about. Approved and rejected again before we
look, the version is rejected.
"""

from __future__ import annotations

from typing import Any

from automation.context import read_surroundings
from automation.handlers import logged
from automation.reconcile import enter_first, find_version, settle
from registry.deployment_history import deployed_arn
from registry.model_packages import APPROVED


@logged
def handle(event: dict[str, Any], context: object) -> str:  # noqa: ARG001
    """For ``SageMaker Model Package State Change``; detail.ModelPackageArn says which version."""
    surroundings = read_surroundings()
    version = find_version(surroundings, event["detail"]["ModelPackageArn"])
    if version is None:
        return f"{event['detail']['ModelPackageArn']} is no version of {surroundings.project}"
    if version.approval == APPROVED:
        return enter_first(surroundings, version)
    done = [
        settle(surroundings, stage)
        for stage in surroundings.stages
        if deployed_arn(stage.environment) == version.arn
    ]
    return "; ".join(done) or f"version {version.version} is {version.approval} and serves nowhere"
