"""Job definitions of Model Monitor, of data quality and of model quality: create, describe, list, delete.

A definition says what a monitoring schedule that names it carries out; it does nothing by itself. It cannot
be deleted while a schedule names it.
"""

from __future__ import annotations

from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_found, validation_error
from sagemaker_local.scheduling import monitoring, monitoring_requests
from sagemaker_local.scheduling.monitoring import DEFINITIONS, SCHEDULE
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.store import Document
from sagemaker_local.store.listing import NAME, Listing, contains, equal, member

_NAME = "JobDefinitionName"


def _creator(kind: str) -> Handler:
    def create(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
        """CreateDataQualityJobDefinition, CreateModelQualityJobDefinition"""
        name = parameters[_NAME]
        definition = monitoring_requests.inline(parameters, kind)
        monitoring_requests.check(definition, kind)
        arn = call.arn(f"{DEFINITIONS[kind]}/{name}")
        document = {
            **{key: value for key, value in parameters.items() if key != "Tags"},
            "JobDefinitionArn": arn,
            "CreationTime": clocks.now(),
            "EndpointName": definition["MonitoringInputs"][0]["EndpointInput"]["EndpointName"],
        }
        with call.store.transaction():
            if call.store.get(DEFINITIONS[kind], call.region, name) is not None:
                raise AwsError("ResourceInUse", f"The job definition {arn} already exists.")
            call.store.put(DEFINITIONS[kind], call.region, name, document)
            tags.replace(call, arn, parameters.get("Tags"))
        return {"JobDefinitionArn": arn}

    return create


def _describer(kind: str) -> Handler:
    def describe(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
        """DescribeDataQualityJobDefinition, DescribeModelQualityJobDefinition"""
        return _load(call, kind, parameters[_NAME])

    return describe


def _lister(kind: str) -> Handler:
    def list_definitions(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
        """ListDataQualityJobDefinitions, ListModelQualityJobDefinitions; newest first."""
        endpoint = parameters.get("EndpointName")
        page, token = paging.stored_page(
            call,
            _listing(kind),
            parameters,
            conditions=[
                *contains(NAME, parameters.get("NameContains", "")),
                *paging.time_bounds(parameters),
                *([] if endpoint is None else [equal(member("EndpointName"), endpoint)]),
            ],
        )
        shown = [
            {
                "MonitoringJobDefinitionName": one[_NAME],
                "MonitoringJobDefinitionArn": one["JobDefinitionArn"],
                "CreationTime": one["CreationTime"],
                "EndpointName": one["EndpointName"],
            }
            for one in page
        ]
        return {"JobDefinitionSummaries": shown, "NextToken": token}

    return list_definitions


def _deleter(kind: str) -> Handler:
    def delete(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
        """DeleteDataQualityJobDefinition, DeleteModelQualityJobDefinition"""
        name = parameters[_NAME]
        with call.store.transaction():
            document = _load(call, kind, name)
            for schedule in call.store.list(SCHEDULE, call.region):
                if monitoring.is_named_by(schedule, kind, name):
                    raise validation_error(
                        f"The job definition {document['JobDefinitionArn']} is in use by the monitoring"
                        f" schedule {schedule['MonitoringScheduleName']}: delete that first."
                    )
            call.store.delete(DEFINITIONS[kind], call.region, name)
            tags.drop(call, document["JobDefinitionArn"])
        return {}

    return delete


def _listing(kind: str) -> Listing:
    return paging.named_listing(DEFINITIONS[kind])


def _load(call: Call, kind: str, name: str) -> Document:
    document = call.store.get(DEFINITIONS[kind], call.region, name)
    if document is None:
        raise not_found("Job definition", name)
    return document


SERVICE = "sagemaker"
LISTINGS = tuple(_listing(kind) for kind in DEFINITIONS)
OPERATIONS: dict[str, Handler] = {
    f"{verb}{kind}JobDefinition{'s' if verb == 'List' else ''}": make(kind)
    for kind in DEFINITIONS
    for verb, make in (
        ("Create", _creator), ("Describe", _describer), ("List", _lister), ("Delete", _deleter)
    )
}  # fmt: skip
TRANSACTIONS = tuple(f"{verb}{kind}JobDefinition" for kind in DEFINITIONS for verb in ("Create", "Delete"))
