"""A version was registered and waits: the approvers get one review request.

That it was sent is noted on the version itself, as the property ``review_requested``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from automation.context import Surroundings, read_surroundings
from automation.handlers import logged
from automation.lease import lease
from automation.messages import request_review
from automation.reconcile import find_version
from registry.model_packages import PENDING

MARK = "review_requested"


@logged
def handle(event: dict[str, Any], context: object) -> str:  # noqa: ARG001
    """For ``SageMaker Model Package State Change``; detail.ModelPackageArn says which version."""
    return ask(read_surroundings(), event["detail"]["ModelPackageArn"])


def ask(surroundings: Surroundings, arn: str) -> str:
    """Request the review of a version, unless that was done."""
    with lease(surroundings.clients, f"/gatehouse/{surroundings.project}/review/lease"):
        return _request(surroundings, arn)


def _request(surroundings: Surroundings, arn: str) -> str:
    version = find_version(surroundings, arn)
    if version is None:
        return f"{arn} is no version of {surroundings.project}"
    if version.status != "Completed":
        return f"version {version.version} is {version.status}"
    if version.approval != PENDING:
        return f"version {version.version} is {version.approval}"
    if MARK in version.properties:
        return f"the review of version {version.version} was requested already"
    request_review(surroundings, version)
    surroundings.clients.client("sagemaker").update_model_package(
        ModelPackageArn=version.arn,
        CustomerMetadataProperties={MARK: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")},
    )
    return f"the review of version {version.version} is requested"
