"""The events that AWS sends of a change of model packages, executions, steps, endpoints and parameters.

The store calls these with a document before and after each write, within the write's transaction. Only a
change of status makes an event, as on AWS. Event details have AWS's member names, which differ from
service to service, and an endpoint's status is in capitals there (``IN_SERVICE``).

Source of the formats: the SageMaker Developer Guide, "Events that Amazon SageMaker AI sends to Amazon
EventBridge"; the Systems Manager User Guide, "Amazon EventBridge event patterns and types for Systems
Manager".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local.events import outbox
from sagemaker_local.events.outbox import time_text
from sagemaker_local.store import Document, Key, Store, Watcher

SAGEMAKER, SSM = "aws.sagemaker", "aws.ssm"

_PACKAGE_MEMBERS = (
    "ModelPackageGroupName",
    "ModelPackageName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "InferenceSpecification",
    "ModelPackageStatus",
    "ModelPackageStatusDetails",
    "ModelApprovalStatus",
    "ApprovalDescription",
    "ModelMetrics",
    "MetadataProperties",
    "CustomerMetadataProperties",
)


def model_package_changed(store: Store, key: Key, before: Document | None, after: Document | None) -> None:
    """Registered, or its status or approval status has changed."""
    if after is None or _same(before, after, "ModelApprovalStatus", "ModelPackageStatus"):
        return
    detail = {name: after[name] for name in _PACKAGE_MEMBERS if after.get(name) is not None}
    detail |= _times(after)
    arn = after["ModelPackageArn"]
    _emit(store, key.region, SAGEMAKER, "SageMaker Model Package State Change", detail, arn)


def execution_changed(store: Store, key: Key, before: Document | None, after: Document | None) -> None:
    """A pipeline execution has started or changed its status."""
    if after is None or _same(before, after, "PipelineExecutionStatus"):
        return
    status, arn = after["PipelineExecutionStatus"], after["PipelineExecutionArn"]
    detail = {
        "pipelineArn": after["PipelineArn"],
        "pipelineExecutionArn": arn,
        "pipelineExecutionDisplayName": after.get("PipelineExecutionDisplayName"),
        "pipelineExecutionDescription": after.get("PipelineExecutionDescription"),
        "executionStartTime": time_text(after["CreationTime"]),
        "currentPipelineExecutionStatus": status,
        "previousPipelineExecutionStatus": before and before["PipelineExecutionStatus"],
    }
    if status not in ("Executing", "Stopping"):
        detail["executionEndTime"] = time_text(after["LastModifiedTime"])
    name = "SageMaker Model Building Pipeline Execution Status Change"
    _emit(store, key.region, SAGEMAKER, name, detail, after["PipelineArn"], arn)


def step_changed(store: Store, key: Key, before: Document | None, after: Document | None) -> None:
    """A step of an execution has started or changed its status."""
    if after is None or "SelectiveExecutionResult" in after or _same(before, after, "StepStatus"):
        return
    arn = key.name.rpartition("#")[0]
    pipeline = arn.partition("/execution/")[0]
    detail = {
        "stepName": after["StepName"],
        "stepType": after.get("_StepType"),
        "currentStepStatus": after["StepStatus"],
        "previousStepStatus": before and before["StepStatus"],
        "failureReason": after.get("FailureReason", ""),
        "stepStartTime": time_text(after["StartTime"]),
        "stepEndTime": time_text(after["EndTime"]) if "EndTime" in after else None,
        "cacheHitResult": _lower_camel(after.get("CacheHitResult")),
        "metadata": _lower_camel(after.get("Metadata")),
        "pipelineArn": pipeline,
        "pipelineExecutionArn": arn,
    }
    name = "SageMaker Model Building Pipeline Execution Step Status Change"
    _emit(store, key.region, SAGEMAKER, name, detail, pipeline, arn)


def endpoint_changed(store: Store, key: Key, before: Document | None, after: Document | None) -> None:
    """An endpoint's status has changed; one that is gone is DELETED."""
    if _same(before, after, "EndpointStatus"):
        return
    document = after or before
    assert document is not None
    status = "Deleted" if after is None else document["EndpointStatus"]
    detail = {
        "EndpointName": document["EndpointName"],
        "EndpointArn": document["EndpointArn"],
        "EndpointConfigName": document["EndpointConfigName"],
        "EndpointStatus": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", status).upper(),
        "FailureReason": document.get("FailureReason"),
        **{name: document[name] * 1000 for name in ("CreationTime", "LastModifiedTime")},
        "Tags": store.get("tags", key.region, document["EndpointArn"]) or {},
    }
    _emit(store, key.region, SAGEMAKER, "SageMaker Endpoint State Change", detail, document["EndpointArn"])


def parameter_changed(store: Store, key: Key, before: Document | None, after: Document | None) -> None:
    """A parameter has been created, updated, labelled or deleted."""
    document = after or before
    operation = _operation(before, after)
    if document is None or operation is None:
        return
    name, latest = document["Name"], document["_Versions"][-1]
    detail = {
        "operation": operation,
        "name": name,
        "type": document["Type"],
        "description": latest.get("Description"),
    }
    arn = f"arn:aws:ssm:{key.region}:{LOCAL_ACCOUNT}:parameter/{name.removeprefix('/')}"
    _emit(store, key.region, SSM, "Parameter Store Change", detail, arn)


WATCHERS: dict[str, Watcher] = {
    "model-package": model_package_changed,
    "execution": execution_changed,
    "step": step_changed,
    "endpoint": endpoint_changed,
    "parameter": parameter_changed,
}
"""Kind of document -> what emits the events of its changes."""


def _emit(
    store: Store, region: str, source: str, detail_type: str, detail: Mapping[str, Any], *resources: str
) -> None:
    present = {name: value for name, value in detail.items() if value is not None}
    outbox.put_event(store, region, outbox.envelope(region, source, detail_type, present, resources))


def _same(before: Document | None, after: Document | None, *members: str) -> bool:
    if before is None or after is None:
        return before is after
    return all(before.get(name) == after.get(name) for name in members)


def _operation(before: Document | None, after: Document | None) -> str | None:
    if before is None or after is None:
        return {(True, False): "Create", (False, True): "Delete"}.get((before is None, after is None))
    old, new = before["_Versions"], after["_Versions"]
    if old[-1]["Version"] != new[-1]["Version"]:
        return "Update"
    labels: Callable[[Document], list[str]] = lambda version: sorted(version["Labels"])  # noqa: E731
    return None if list(map(labels, old)) == list(map(labels, new)) else "LabelParameterVersion"


def _times(document: Document) -> dict[str, str]:
    return {name: time_text(document[name]) for name in ("CreationTime", "LastModifiedTime")}


def _lower_camel(value: Any) -> Any:
    """Members in the case that pipeline events have: ``ProcessingJob`` becomes ``processingJob``."""
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _lower_camel(item) for name, item in value.items()}
    return value
