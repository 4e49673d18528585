"""Approved versions that nobody decided on: they are not deployed, and people are asked for a decision, once.

The start parameter ModelApprovalStatus lets a pipeline register a version as approved. SageMaker keeps who
registered a version and who changed it last, and no earlier status. So what can be known is:

    a decision is in the version's history             somebody decided, with `gatehouse approve`
    its review was requested here                      it waited, and was approved since, in Studio
    somebody other than its registrant changed it      approved in Studio, as far as can be known
    registered by hand                                 by a person, whose word the status is
    otherwise                                          nobody decided
"""

from __future__ import annotations

from datetime import UTC, datetime

from automation import messages
from automation.context import Context
from registry.version_details import VersionDetails

REVIEW_REQUESTED = "review_requested"
"""Property of a version: when its review was requested."""

DECISION_REQUESTED = "decision_requested"
"""Property of a version: when people were told that it is approved and that nobody decided on it."""


def lacks_decision(version: VersionDetails) -> bool:
    """Whether an approved version is so by its pipeline's word alone."""
    if version.decisions:
        return False
    if DECISION_REQUESTED in version.properties:  # that note changed it, and says nothing about people
        return True
    if REVIEW_REQUESTED in version.properties or version.execution is None:
        return False
    return version.modified_by in (None, version.created_by)


def request_decision(context: Context, version: VersionDetails) -> str:
    """Tell people, unless that was done; returns what was done, in words, for the log."""
    if DECISION_REQUESTED not in version.properties:
        messages.request_decision(context, version)
        context.clients.client("sagemaker").update_model_package(
            ModelPackageArn=version.arn,
            CustomerMetadataProperties={DECISION_REQUESTED: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")},
        )
    return f"version {version.version} was registered as approved, and nobody decided on it"
