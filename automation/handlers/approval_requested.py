"""A version was registered and waits: the approvers get one review request.

That it was sent is noted on the version itself, so that an event that comes twice sends one request.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from automation.context import Context, read_context
from automation.handlers import logged
from automation.lease import lease
from automation.messages import request_review
from automation.missing_decisions import REVIEW_REQUESTED
from registry.model_packages import PENDING


@logged
def handle(event: dict[str, Any], _context: object) -> str:
    """For ``SageMaker Model Package State Change``; detail.ModelPackageArn says which version."""
    return ensure_review_request(read_context(), event["detail"]["ModelPackageArn"])


def ensure_review_request(context: Context, arn: str) -> str:
    """Request the review of a version, unless that was done."""
    with lease(context.clients, f"/gatehouse/{context.project}/review/lease"):
        return _request_review(context, arn)


def _request_review(context: Context, arn: str) -> str:
    version = context.find_version(arn)
    if version is None:
        return f"{arn} is no version of {context.project}"
    if version.status != "Completed":
        return f"version {version.version} is {version.status}"
    if version.approval != PENDING:
        return f"version {version.version} is {version.approval}"
    if REVIEW_REQUESTED in version.properties:
        return f"the review of version {version.version} was requested already"
    request_review(context, version)
    context.clients.client("sagemaker").update_model_package(
        ModelPackageArn=version.arn,
        CustomerMetadataProperties={REVIEW_REQUESTED: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")},
    )
    return f"the review of version {version.version} is requested"
