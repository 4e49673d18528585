"""Everything that is known of one version, from the registry and from what the registry points at.

DescribeModelPackage gives the inference specification, the card, the metadata; ``statistics.json`` gives
the metrics; the pipeline execution that the metadata names gives the jobs. What was deleted since, or never
existed because the version was registered by hand, is left empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from aws_formats import json_text
from aws_formats.arns import parse_execution
from aws_formats.service_errors import is_absent
from registry import approval_history, model_packages
from registry.approval_history import Decision
from registry.clients import Clients
from registry.data_findings import DataFindings, read_findings
from registry.model_quality import Metric, metrics_in, read_statistics, rows_in
from registry.verdicts import Verdict, read_verdict

_HYPERPARAMETER = "hyperparameter."  # one property for each that has no pipeline parameter
_HYPERPARAMETERS = "hyperparameters"  # one property with all the others: `eta=0.1 max_depth=4 ...`


@dataclass(frozen=True)
class Container:
    """One container of the inference specification; a version with several is an inference pipeline."""

    image: str
    artifact: str | None
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Job:
    """A job of the execution that registered the version."""

    step: str
    arn: str


@dataclass(frozen=True)
class VersionDetails:
    """A registered version, in full.

    Attributes:
        metrics: every single-number metric of the test part.
        statistics: where they were read from; `test_rows` is how many rows they are of.
        verdict: the gate's, with every check; None if the version carries none.
        findings: what preprocessing noticed of the data, from beside ``data_statistics``.
        hyperparameters: by XGBoost's names, as text.
        metadata: customer metadata but for the history of approvals.
        properties: all customer metadata, as SageMaker holds it.
        decisions: the history of approvals, newest first.
        jobs: of the execution that registered it, in the order of its steps.
        card: the model card's content.
    """

    group: str
    version: int
    arn: str
    created: datetime
    created_by: str | None
    modified_by: str | None
    description: str | None
    status: str
    approval: str
    approval_description: str | None
    metrics: Mapping[str, Metric]
    test_rows: int | None
    statistics: str | None
    verdict: Verdict | None
    data_statistics: str | None
    findings: DataFindings
    hyperparameters: Mapping[str, str]
    metadata: Mapping[str, str]
    properties: Mapping[str, str]
    decisions: tuple[Decision, ...]
    execution: str | None
    jobs: tuple[Job, ...]
    containers: tuple[Container, ...]
    content_types: tuple[str, ...]
    response_types: tuple[str, ...]
    instance_types: tuple[str, ...]
    transform_instance_types: tuple[str, ...]
    sample_payload: str | None
    card: Mapping[str, Any]
    card_status: str | None


def read_version(clients: Clients, group: str, version: int) -> VersionDetails:
    """Everything of a group's version.

    Raises:
        GatehouseError: there is no such version.
    """
    return read_arn(clients, model_packages.version_arn(clients, group, version))


def read_arn(clients: Clients, arn: str) -> VersionDetails:
    """Everything of the version with that ARN.

    Raises:
        GatehouseError: there is no such version.
    """
    described = model_packages.describe_arn(clients, arn)
    inference = described.get("InferenceSpecification", {})
    statistics_uri = model_packages.statistics_uri(described)
    statistics = read_statistics(clients.client("s3"), statistics_uri)
    properties: dict[str, str] = described.get("CustomerMetadataProperties", {})
    execution = _execution(properties)
    card = described.get("ModelCard", {})
    data_quality = described.get("ModelMetrics", {}).get("ModelDataQuality", {})
    data_statistics = data_quality.get("Statistics", {}).get("S3Uri")
    return VersionDetails(
        group=described["ModelPackageGroupName"],
        version=described["ModelPackageVersion"],
        arn=described["ModelPackageArn"],
        created=described["CreationTime"],
        created_by=_identity(described.get("CreatedBy")),
        modified_by=_identity(described.get("LastModifiedBy")),
        description=described.get("ModelPackageDescription"),
        status=described["ModelPackageStatus"],
        approval=described.get("ModelApprovalStatus", model_packages.PENDING),
        approval_description=described.get("ApprovalDescription"),
        metrics=metrics_in(statistics),
        test_rows=rows_in(statistics),
        statistics=statistics_uri,
        verdict=read_verdict(clients.client("s3"), properties),
        data_statistics=data_statistics,
        findings=read_findings(clients.client("s3"), data_statistics),
        hyperparameters=_hyperparameters(properties),
        metadata={
            key: value for key, value in properties.items() if not key.startswith(approval_history.PREFIX)
        },
        properties=properties,
        decisions=approval_history.decisions(properties),
        execution=execution,
        jobs=_jobs(clients, execution) if execution else (),
        containers=tuple(_container(found) for found in inference.get("Containers", ())),
        content_types=tuple(inference.get("SupportedContentTypes", ())),
        response_types=tuple(inference.get("SupportedResponseMIMETypes", ())),
        instance_types=tuple(inference.get("SupportedRealtimeInferenceInstanceTypes", ())),
        transform_instance_types=tuple(inference.get("SupportedTransformInstanceTypes", ())),
        sample_payload=described.get("SamplePayloadUrl"),
        card=_card_content(card.get("ModelCardContent")),
        card_status=card.get("ModelCardStatus"),
    )


def _identity(context: Mapping[str, Any] | None) -> str | None:
    """The ARN in SageMaker's UserContext."""
    found: str | None = (context or {}).get("IamIdentity", {}).get("Arn")
    return found


def _execution(properties: Mapping[str, str]) -> str | None:
    """The execution that registered the version; anybody may set the property, and to anything."""
    found = properties.get("execution_arn", "")
    return found if parse_execution(found) else None


def _hyperparameters(properties: Mapping[str, str]) -> dict[str, str]:
    words = properties.get(_HYPERPARAMETERS, "").split()
    found = dict(word.split("=", 1) for word in words if "=" in word)
    extra = {
        key.removeprefix(_HYPERPARAMETER): value
        for key, value in properties.items()
        if key.startswith(_HYPERPARAMETER)
    }
    return dict(sorted((found | extra).items()))


def _container(found: Mapping[str, Any]) -> Container:
    source = found.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri")
    return Container(found["Image"], found.get("ModelDataUrl") or source, found.get("Environment", {}))


def _card_content(text: str | None) -> dict[str, Any]:
    try:
        content = json_text.parse(text or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def execution_steps(clients: Clients, execution: str) -> Iterator[dict[str, Any]]:
    """The steps of an execution as SageMaker lists them, in the order in which they started."""
    pages = (
        clients.client("sagemaker")
        .get_paginator("list_pipeline_execution_steps")
        .paginate(PipelineExecutionArn=execution, SortOrder="Ascending")
    )
    for page in pages:
        yield from page["PipelineExecutionSteps"]


def _jobs(clients: Clients, execution: str) -> tuple[Job, ...]:
    jobs = []
    try:
        for step in execution_steps(clients, execution):
            metadata = step.get("Metadata", {})
            kinds = ("ProcessingJob", "TrainingJob", "TuningJob")
            arn = next((metadata[kind].get("Arn") for kind in kinds if metadata.get(kind)), None)
            if arn:
                jobs.append(Job(step["StepName"], arn))
    except ClientError as error:
        # Executions are deleted with their pipeline; the version outlives them.
        if not is_absent(error):
            raise
    return tuple(jobs)
