"""Transform jobs: create, look at, list, stop. What they do is in ``hosting.transform``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, job_not_found, not_implemented, validation_error
from sagemaker_local.hosting.batch_capture import read_batch_capture
from sagemaker_local.hosting.data_processing import read_processing
from sagemaker_local.hosting.fleet_spec import SPEC_MEMBER, Variant, new_spec
from sagemaker_local.hosting.payloads import DEFAULT_PAYLOAD_MB
from sagemaker_local.hosting.transform_run import TRANSFORM_JOB
from sagemaker_local.jobs.phases import TERMINAL
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.endpoint_configs import check_instances
from sagemaker_local.services.models import containers_of, load_model
from sagemaker_local.store import Document

_JOBS = paging.named_listing(TRANSFORM_JOB, "TransformJobStatus")

LARGEST_PAYLOADS_MB = 100
"""AWS's cap for MaxPayloadInMB, and for it times MaxConcurrentTransforms."""


def create_transform_job(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateTransformJob; the job runs when this returns."""
    name = parameters["TransformJobName"]
    check_request(parameters)
    count = parameters["TransformResources"]["InstanceCount"]
    check_instances(name, count)
    model = load_model(call, parameters["ModelName"])
    added = {"SAGEMAKER_BATCH": "true", **parameters.get("Environment", {})}
    containers = tuple(
        replace(part, environment={**part.environment, **added}) for part in containers_of(call, model)
    )
    spec = new_spec([Variant(name, model["ModelName"], containers, count, 1.0)])
    arn = call.arn(f"transform-job/{name}")
    document = {key: value for key, value in parameters.items() if key != "Tags"}
    clock = clocks.reading()
    document |= {
        "TransformJobArn": arn,
        "TransformJobStatus": "InProgress",
        "CreationTime": clock["Time"],
        clocks.CLOCK: clock,
        SPEC_MEMBER: spec.document(),
        "_Owner": call.components.owner.name,
    }
    with call.store.transaction():
        if call.store.get(TRANSFORM_JOB, call.region, name) is not None:
            raise AwsError(
                "ResourceInUse",
                "Job name must be unique within an AWS account and region, and a transform job with this name"
                f" already exists ({arn})",
            )
        call.store.put(TRANSFORM_JOB, call.region, name, document)
        tags.replace(call, arn, parameters.get("Tags"))
    call.components.transforms.start(call.region, document)
    return {"TransformJobArn": arn}


def describe_transform_job(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeTransformJob"""
    return _load(call, parameters["TransformJobName"])


def list_transform_jobs(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListTransformJobs, newest first unless asked otherwise."""
    call.components.transforms.recover()
    page, token = paging.named_page(call, _JOBS, parameters)
    return {"TransformJobSummaries": page, "NextToken": token}


def stop_transform_job(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """StopTransformJob; returns once it is Stopping."""
    name = parameters["TransformJobName"]
    with call.store.transaction():
        document = _load(call, name)
        if document["TransformJobStatus"] in TERMINAL:
            raise validation_error(
                f"The request was rejected because the transform job is in status"
                f" {document['TransformJobStatus']}."
            )
        document["TransformJobStatus"] = "Stopping"
        call.store.put(TRANSFORM_JOB, call.region, name, document)
    call.components.transforms.stop(call.region, name)
    return {}


SERVICE = "sagemaker"
LISTINGS = (_JOBS,)
OPERATIONS: dict[str, Handler] = {
    "CreateTransformJob": create_transform_job,
    "DescribeTransformJob": describe_transform_job,
    "ListTransformJobs": list_transform_jobs,
    "StopTransformJob": stop_transform_job,
}


def _load(call: Call, name: str) -> Document:
    document = call.store.get(TRANSFORM_JOB, call.region, name)
    if document is None:
        raise job_not_found("Transform", name)
    return call.components.transforms.up_to_date(document)


def check_request(request: dict[str, Any]) -> None:
    """Refuse what is not done here, or cannot be meant, before anything is created."""
    source = request["TransformInput"]
    if source["DataSource"]["S3DataSource"]["S3DataType"] != "S3Prefix":
        raise not_implemented(f"S3DataType {source['DataSource']['S3DataSource']['S3DataType']}")
    if source.get("SplitType", "None") not in ("None", "Line"):
        raise not_implemented(f"SplitType {source['SplitType']}")
    read_processing(request)
    read_batch_capture(request)
    megabytes = request.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB)
    together = megabytes * max(1, request.get("MaxConcurrentTransforms", 1))
    if together > LARGEST_PAYLOADS_MB:
        raise validation_error(
            f"MaxPayloadInMB times MaxConcurrentTransforms must be at most {LARGEST_PAYLOADS_MB}; it is"
            f" {together}."
        )
