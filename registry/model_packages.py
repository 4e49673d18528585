"""Versions of a model as the registry lists them: one model package group for each project.

A version's metrics are not among the registry's own fields: they are read from the ``statistics.json`` that
the pipeline attaches as ModelMetrics.ModelQuality. That costs two calls for each version, so only the
versions that are shown are read, ten at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from aws_formats.arns import group_and_version, package_version_arn
from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from registry.clients import Clients
from registry.model_quality import Metric, headline, metrics_in, read_statistics
from registry.verdicts import Verdict, read_verdict

READERS = 10
"""Versions that are read at the same time; botocore keeps ten connections for each client."""

PENDING, APPROVED, REJECTED = "PendingManualApproval", "Approved", "Rejected"
APPROVALS = (PENDING, APPROVED, REJECTED)

_PAGE = 100  # the most that ListModelPackages gives at once


@dataclass(frozen=True)
class ModelVersion:
    """A registered model package, as a list shows it.

    Attributes:
        description: what whoever registered it says of it; empty if nothing.
        accuracy: on the test part; None if the version carries no readable statistics.
        stated_accuracy: what a note says where there are no statistics; nothing here has measured it.
        headline: AUC or weighted F1, whichever the statistics hold.
        verdict: the gate's; None if the version carries none.
        status: of the package itself: Completed, Failed, ...
        approval: PendingManualApproval, Approved or Rejected.
    """

    version: int
    arn: str
    created: datetime
    description: str
    accuracy: float | None
    stated_accuracy: str | None
    headline: Metric | None
    verdict: Verdict | None
    status: str
    approval: str


def list_versions(
    clients: Clients, group: str, *, approval: str | None = None, limit: int | None = None
) -> list[ModelVersion]:
    """The versions in a model package group, newest first; none if there is no such group.

    Args:
        approval: only versions with this approval status.
        limit: no more than this many of the newest; all of them if None.
    """
    found = list(islice(summaries(clients, group, approval=approval, limit=limit), limit))
    with ThreadPoolExecutor(READERS) as readers:
        versions = list(readers.map(lambda summary: read_listed(clients, summary), found))
    return sorted(versions, key=lambda version: version.version, reverse=True)


def summaries(
    clients: Clients, group: str, *, approval: str | None = None, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """ListModelPackages' entries for a group, newest first, page by page; none without such a group."""
    wanted = {"ModelApprovalStatus": approval} if approval else {}
    pages = (
        clients.client("sagemaker")
        .get_paginator("list_model_packages")
        .paginate(
            ModelPackageGroupName=group,
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"PageSize": min(limit or _PAGE, _PAGE)},
            **wanted,
        )
    )
    try:
        for page in pages:
            yield from page["ModelPackageSummaryList"]
    except ClientError as error:
        if not is_absent(error):
            raise


def newest_arn(clients: Clients, group: str) -> str | None:
    """The ARN of the group's newest version; None if it has none."""
    newest = next(summaries(clients, group, limit=1), None)
    return None if newest is None else str(newest["ModelPackageArn"])


def version_arn(clients: Clients, group: str, version: int) -> str:
    """The ARN of a group's version, from the group's own ARN; whether there is such a version is not asked.

    Raises:
        GatehouseError: there is no such group.
    """
    try:
        found = clients.client("sagemaker").describe_model_package_group(ModelPackageGroupName=group)
    except ClientError as error:
        if is_absent(error):
            raise no_versions(group) from error
        raise
    return package_version_arn(found["ModelPackageGroupArn"], version)


def newest_approved(clients: Clients, group: str) -> int:
    """The number of the newest approved version.

    Raises:
        GatehouseError: no version is approved.
    """
    newest = next(summaries(clients, group, approval=APPROVED, limit=1), None)
    if newest is None:
        raise GatehouseError(
            f"model {group} has no approved version",
            remedy=f"See `gatehouse models {group}` and approve one with `gatehouse approve {group} N`",
        )
    return int(newest["ModelPackageVersion"])


def describe(clients: Clients, group: str, version: int) -> dict[str, Any]:
    """DescribeModelPackage's answer for a group's version.

    Raises:
        GatehouseError: there is no such version; it names those that are there.
    """
    return describe_arn(clients, version_arn(clients, group, version))


def describe_arn(clients: Clients, arn: str) -> dict[str, Any]:
    """DescribeModelPackage's answer for a version's ARN.

    Raises:
        GatehouseError: there is no such version; it names those that are there.
    """
    group, version = group_and_version(arn)
    try:
        described: dict[str, Any] = clients.client("sagemaker").describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if not is_absent(error):
            raise
        newest = [str(found["ModelPackageVersion"]) for found in islice(summaries(clients, group), 10)]
        if not newest:
            raise no_versions(group) from error
        raise GatehouseError(
            f"model {group} has no version {version}",
            remedy=f"Its newest versions are: {', '.join(newest)}",
        ) from error
    return described


def no_versions(group: str) -> GatehouseError:
    """The error for a model without a registered version."""
    return GatehouseError(
        f"model {group} has no registered version",
        remedy=f"`gatehouse run {group}` registers one, if the settings have that project",
    )


def read_listed(clients: Clients, summary: Mapping[str, Any]) -> ModelVersion:
    """The version that an entry of ListModelPackages is about, with its metrics and its verdict."""
    sagemaker, s3 = clients.client("sagemaker"), clients.client("s3")
    described = sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
    metrics = metrics_in(read_statistics(s3, statistics_uri(described)))
    accuracy = metrics.get("accuracy")
    notes = described.get("CustomerMetadataProperties", {})
    return ModelVersion(
        version=summary["ModelPackageVersion"],
        arn=summary["ModelPackageArn"],
        created=summary["CreationTime"],
        description=described.get("ModelPackageDescription", ""),
        accuracy=accuracy.value if accuracy else None,
        stated_accuracy=None if metrics else _stated_accuracy(notes),
        headline=headline(metrics),
        verdict=read_verdict(s3, notes),
        status=summary["ModelPackageStatus"],
        approval=summary.get("ModelApprovalStatus", PENDING),
    )


def _stated_accuracy(notes: Mapping[str, str]) -> str | None:
    return next((value for name, value in notes.items() if name.casefold() == "accuracy"), None)


def statistics_uri(described: dict[str, Any]) -> str | None:
    """The S3 URI of a described package's model-quality statistics; None if it names none."""
    quality = described.get("ModelMetrics", {}).get("ModelQuality", {})
    uri: str | None = quality.get("Statistics", {}).get("S3Uri")
    return uri
