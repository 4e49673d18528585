"""Carrying a plan out: upload what is missing, then create or update the pipeline.

Code and data go first, so that a pipeline never refers to something that does not exist; after an
interruption, the next upsert uploads the rest. A pipeline that changed since the plan was made is left
alone, because the plan that somebody agreed to says nothing about it; where somebody else has done just what
the plan says, nothing is left to do.
"""

from __future__ import annotations

import hashlib
from typing import Any

from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_denied
from pipelines.definition.bucket import ensure_bucket
from pipelines.definition.bundles import publish_bundles
from pipelines.definition.dataset import Told, publish_data
from pipelines.settings.target import Target
from pipelines.upsert.plan import UpsertPlan, missing_tags, plan_upsert, read_live_pipeline

_LONGEST_DESCRIPTION = 3072

INLINE_LIMIT = 100 * 1024
"""Bytes; a longer definition is handed over as an S3 object, as the SDK does."""


class _ChangedMeanwhile(GatehouseError):
    def __init__(self, plan: UpsertPlan, how: str) -> None:
        super().__init__(
            f"the pipeline changed since the plan was made: {how}",
            where=f"pipeline {plan.compiled.name}",
            remedy="Make a new plan and look at it again",
        )


def apply_upsert(plan: UpsertPlan, target: Target, told: Told | None = None) -> str:
    """Do what the plan says, and nothing where it says nothing.

    Args:
        told: is told how much of the data was uploaded, by several threads, one at a time.

    Returns:
        The pipeline's ARN.

    Raises:
        GatehouseError: the pipeline changed since the plan was made, into another one than the plan makes of
            it; in AWS, the bucket does not exist.
    """
    compiled = plan.compiled
    if plan.missing_bundles or plan.missing_data or plan.action != "none":
        s3 = target.client("s3")
        ensure_bucket(target, s3)
        missing = [bundle for bundle in compiled.bundles if bundle.name in plan.missing_bundles]
        publish_bundles(missing, target.bucket, s3)
        if plan.missing_data:
            publish_data(compiled.dataset, target, s3, told)
    if plan.action == "none":
        assert plan.live is not None
        return plan.live.arn
    try:
        arn, version = _create(plan, target) if plan.action == "create" else _update(plan, target)
    except _ChangedMeanwhile:
        now = plan_upsert(compiled, target)
        if now.live is None or now.action != "none":
            raise
        return now.live.arn
    _describe_version(plan, target, arn, version)
    return arn


def _create(plan: UpsertPlan, target: Target) -> tuple[str, int]:
    """The new pipeline's ARN, and its version."""
    from botocore.exceptions import ClientError

    tags = [{"Key": key, "Value": value} for key, value in plan.compiled.tags.items()]
    try:
        made = target.client("sagemaker").create_pipeline(**_request(plan, target), Tags=tags)
    except ClientError as error:
        # AWS answers a second creation with ValidationException; only a look tells it from others.
        if read_live_pipeline(plan.compiled.name, target) is None:
            raise
        raise _ChangedMeanwhile(plan, "it was created") from error
    return str(made["PipelineArn"]), 1


def _update(plan: UpsertPlan, target: Target) -> tuple[str, int]:
    sagemaker = target.client("sagemaker")
    assert plan.live is not None
    if read_live_pipeline(plan.compiled.name, target) != plan.live:
        raise _ChangedMeanwhile(plan, "it was updated or deleted")
    updated = sagemaker.update_pipeline(**_request(plan, target))
    tags = missing_tags(plan.live, plan.compiled.tags)
    if tags:
        sagemaker.add_tags(
            ResourceArn=plan.live.arn, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
        )
    return str(updated["PipelineArn"]), int(updated["PipelineVersionId"])


def _describe_version(plan: UpsertPlan, target: Target, arn: str, version: int) -> None:
    """Say in the pipeline's version what made it: the commit and what changed. Who may not, need not."""
    from botocore.exceptions import ClientError

    text = "; ".join([f"commit {plan.compiled.commit}", *plan.changes])
    try:
        target.client("sagemaker").update_pipeline_version(
            PipelineArn=arn, PipelineVersionId=version, PipelineVersionDescription=text[:_LONGEST_DESCRIPTION]
        )
    except ClientError as error:
        if not is_denied(error):
            raise


def _request(plan: UpsertPlan, target: Target) -> dict[str, Any]:
    """The members that CreatePipeline and UpdatePipeline share."""
    compiled = plan.compiled
    request: dict[str, Any] = {
        "PipelineName": compiled.name,
        "PipelineDescription": compiled.description,
        "RoleArn": target.role_arn,
    }
    body = compiled.definition.encode()
    if len(body) < INLINE_LIMIT:
        return {**request, "PipelineDefinition": compiled.definition}
    key = f"{compiled.name}/definitions/{hashlib.sha256(body).hexdigest()[:16]}.json"
    target.client("s3").put_object(Bucket=target.bucket, Key=key, Body=body)
    return {**request, "PipelineDefinitionS3Location": {"Bucket": target.bucket, "ObjectKey": key}}
