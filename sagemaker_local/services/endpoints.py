"""Endpoints: create, change, look at, delete. The processes behind them are in the ``hosting`` package.

An operation checks, writes what is to happen and which process does it, and returns; a thread does it. A
change whose process has died is ended when the endpoint is read next.

Every update starts all of the new fleet beside the old one and then switches at once, whatever traffic
shifting, waiting and alarms the DeploymentConfig asks for. A new fleet that does not come up leaves the old
one in service, and FailureReason says why, as with AutoRollbackConfiguration.

What is captured is always what the endpoint configuration says: RetainAllVariantProperties keeps counts and
weights, and AWS's page on VariantProperty calls ``DataCaptureConfig`` "not currently supported".
"""

from __future__ import annotations

from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import not_implemented, validation_error
from sagemaker_local.hosting import capture
from sagemaker_local.hosting.endpoint_record import BEFORE, ENDPOINT
from sagemaker_local.hosting.fleet_spec import SPEC_MEMBER, FleetSpec, read_spec
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.endpoint_configs import check_instances, load_config, spec_of
from sagemaker_local.store import Document

_ENDPOINTS = paging.named_listing(ENDPOINT, "EndpointStatus")
_RETAINABLE = ("DesiredInstanceCount", "DesiredWeight")


def load_endpoint(call: Call, name: str) -> Document:
    """An endpoint's document; a change whose process has died is ended first.

    Raises:
        AwsError: ValidationException, as AWS answers for one that does not exist.
    """
    document = call.store.get(ENDPOINT, call.region, name)
    document = document and call.components.endpoints.up_to_date(document)
    if document is None:
        raise validation_error(f'Could not find endpoint "{call.arn(f"endpoint/{name}")}".')
    return document


def create_endpoint(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateEndpoint; returns while it is Creating."""
    name = parameters["EndpointName"]
    config = load_config(call, parameters["EndpointConfigName"])
    spec = spec_of(call, config)
    arn = call.arn(f"endpoint/{name}")
    now = clocks.now()
    with call.store.transaction():
        if call.store.get(ENDPOINT, call.region, name) is not None:
            raise validation_error(f'Cannot create already existing endpoint "{arn}".')
        document = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": config["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "DataCaptureConfig": capture.summary(config.get("DataCaptureConfig")),
            "LastDeploymentConfig": parameters.get("DeploymentConfig"),
            "CreationTime": now,
            "LastModifiedTime": now,
            SPEC_MEMBER: spec.document(),
            "_Owner": call.components.owner.name,
        }
        call.store.put(ENDPOINT, call.region, name, document)
        tags.replace(call, arn, parameters.get("Tags"))
    call.components.endpoints.create(call.region, name)
    return {"EndpointArn": arn}


def update_endpoint(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdateEndpoint; returns while it is Updating, and the endpoint serves without a gap."""
    config = load_config(call, parameters["EndpointConfigName"])
    spec = spec_of(call, config)
    members: Document = {
        "EndpointConfigName": config["EndpointConfigName"],
        "DataCaptureConfig": capture.summary(config.get("DataCaptureConfig")),
    }
    if "DeploymentConfig" in parameters or not parameters.get("RetainDeploymentConfig"):
        members["LastDeploymentConfig"] = parameters.get("DeploymentConfig")
    with call.store.transaction():
        document = _changeable(call, parameters["EndpointName"])
        if parameters.get("RetainAllVariantProperties"):
            excluded = [
                one["VariantPropertyType"] for one in parameters.get("ExcludeRetainedVariantProperties", [])
            ]
            spec = _retaining(spec, read_spec(document), excluded)
        _begin_update(call, document, config["EndpointConfigName"], spec)
    call.components.endpoints.update(call.region, document["EndpointName"], spec, members)
    return {"EndpointArn": document["EndpointArn"]}


def update_weights(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdateEndpointWeightsAndCapacities; instances come and go, those that stay are not touched."""
    weights, instances = {}, {}
    with call.store.transaction():
        document = _changeable(call, parameters["EndpointName"])
        spec = read_spec(document)
        for wanted in parameters["DesiredWeightsAndCapacities"]:
            variant = wanted["VariantName"]
            if spec.variant(variant) is None:
                raise validation_error(
                    f"Endpoint {document['EndpointName']} has no production variant {variant}."
                )
            if "ServerlessUpdateConfig" in wanted:
                raise not_implemented("ServerlessUpdateConfig")
            if "DesiredWeight" in wanted:
                weights[variant] = wanted["DesiredWeight"]
            if "DesiredInstanceCount" in wanted:
                instances[variant] = wanted["DesiredInstanceCount"]
                check_instances(variant, instances[variant])
                if not instances[variant]:
                    raise validation_error(f"DesiredInstanceCount of variant {variant} must be at least 1.")
        spec = spec.resized(weights, instances)
        _begin_update(call, document, document["EndpointConfigName"], spec)
    call.components.endpoints.update(call.region, document["EndpointName"], spec, {})
    return {"EndpointArn": document["EndpointArn"]}


def describe_endpoint(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeEndpoint; CurrentInstanceCount is what answers now, where the endpoint runs in this process."""
    document = load_endpoint(call, parameters["EndpointName"])
    if document["EndpointStatus"] not in ("Creating", "Failed"):
        document["ProductionVariants"] = _variants(call, document)
    return document


def list_endpoints(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListEndpoints, newest first unless asked otherwise."""
    call.components.endpoints.end_abandoned_changes()
    page, token = paging.named_page(call, _ENDPOINTS, parameters)
    return {"Endpoints": page, "NextToken": token}


def delete_endpoint(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteEndpoint; returns while it is Deleting: requests under way are answered first."""
    name = parameters["EndpointName"]
    with call.store.transaction():
        document = load_endpoint(call, name)
        arn, status = document["EndpointArn"], document["EndpointStatus"]
        if status in ("Creating", "Updating", "Deleting"):
            raise validation_error(f'Cannot delete endpoint "{arn}" while it is {status}.')
        document |= {
            "EndpointStatus": "Deleting",
            "LastModifiedTime": clocks.now(),
            "_Owner": call.components.owner.name,
        }
        call.store.put(ENDPOINT, call.region, name, document)
    call.components.endpoints.delete(call.region, name)
    return {}


SERVICE = "sagemaker"
LISTINGS = (_ENDPOINTS,)
OPERATIONS: dict[str, Handler] = {
    "CreateEndpoint": create_endpoint,
    "UpdateEndpoint": update_endpoint,
    "UpdateEndpointWeightsAndCapacities": update_weights,
    "DescribeEndpoint": describe_endpoint,
    "ListEndpoints": list_endpoints,
    "DeleteEndpoint": delete_endpoint,
}


def _changeable(call: Call, name: str) -> Document:
    """An endpoint that can be changed now; to be called in the transaction that changes it."""
    document = load_endpoint(call, name)
    status = document["EndpointStatus"]
    if status in ("Creating", "Updating", "Deleting"):
        raise validation_error(f'Cannot update in-progress endpoint "{document["EndpointArn"]}".')
    if status == "Failed":
        raise validation_error(
            f'Cannot update endpoint "{document["EndpointArn"]}": it is Failed. Delete it and create it anew.'
        )
    return document


def _begin_update(call: Call, document: Document, config_name: str, spec: FleetSpec) -> None:
    pending = {
        "EndpointConfigName": config_name,
        "ProductionVariants": [
            {
                "VariantName": variant.name,
                "DesiredWeight": variant.weight,
                "DesiredInstanceCount": variant.instances,
                "InstanceType": variant.instance_type,
            }
            for variant in spec.variants
        ],
        "StartTime": clocks.now(),
    }
    document |= {
        BEFORE: document["EndpointStatus"],
        "EndpointStatus": "Updating",
        "PendingDeploymentSummary": pending,
        "LastModifiedTime": clocks.now(),
        "_Owner": call.components.owner.name,
    }
    document.pop("FailureReason", None)
    call.store.put(ENDPOINT, call.region, document["EndpointName"], document)


def _retaining(new: FleetSpec, old: FleetSpec, excluded: list[str]) -> FleetSpec:
    """`new` with the weights and counts that variants of the same name have in `old`."""
    counts, weights = (property_ not in excluded for property_ in _RETAINABLE)
    return new.resized(
        {one.name: one.weight for one in old.variants} if weights else {},
        {one.name: one.instances for one in old.variants} if counts else {},
    )


def _variants(call: Call, document: Document) -> list[Document]:
    spec = read_spec(document)
    fleet = call.components.endpoints.fleet(call.region, document["EndpointName"])
    return [
        {
            "VariantName": variant.name,
            "DeployedImages": [
                {
                    "SpecifiedImage": part.image,
                    "ResolvedImage": part.image,
                    "ResolutionTime": document["CreationTime"],
                }
                for part in variant.containers
            ],
            "CurrentWeight": variant.weight,
            "DesiredWeight": variant.weight,
            "CurrentInstanceCount": variant.instances if fleet is None else fleet.ready(variant.name),
            "DesiredInstanceCount": variant.instances,
        }
        for variant in spec.variants
    ]
