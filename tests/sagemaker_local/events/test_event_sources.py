"""The events that changes emit: AWS's own, from a change over the wire to a queue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from event_places import ROLE, make_rule, take
from hosting_place import Place
from wire_clients import REGION, Client, client_of, definition

from sagemaker_local import endpoint

ACCOUNT = "000000000000"


class Heard:
    """A queue that gets the events of one thing."""

    def __init__(self, sqs: Client, url: str) -> None:
        self._sqs, self._url = sqs, url

    def next(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(take(self._sqs, self._url)["Body"])
        assert event["region"] == REGION
        assert event["account"] == ACCOUNT
        return event

    def details(self, count: int, order: str, by: list[str]) -> list[dict[str, Any]]:
        """The details of the next events, in the order of a member's values: no order is promised."""
        found = [self.next()["detail"] for _ in range(count)]
        return sorted(found, key=lambda detail: by.index(detail[order]))


@pytest.fixture
def heard(events: Client, sqs: Client, name: str, queue: tuple[str, str]) -> Heard:
    """The events of aws.sagemaker and aws.ssm that name this test's thing."""
    wildcard = [{"wildcard": f"*{name}*"}]
    pattern = {"source": ["aws.sagemaker", "aws.ssm"], "resources": wildcard}
    make_rule(events, name, pattern, {"Arn": queue[1]})
    return Heard(sqs, queue[0])


@pytest.fixture(scope="session")
def ssm(local: endpoint.Endpoint) -> Client:
    return client_of(local.url, "ssm")


def test_registering_and_deciding_about_a_version_are_two_events(
    sagemaker: Client, heard: Heard, name: str
) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    specification = {
        "Containers": [{"Image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/x:1"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    arn = sagemaker.create_model_package(
        ModelPackageGroupName=name,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification=specification,
    )["ModelPackageArn"]
    event = heard.next()
    assert event["detail-type"] == "SageMaker Model Package State Change"
    assert event["resources"] == [arn]
    detail = event["detail"]
    assert detail["ModelPackageGroupName"] == name
    assert detail["ModelPackageVersion"] == 1
    assert detail["ModelPackageStatus"] == "Completed"
    assert detail["ModelApprovalStatus"] == "PendingManualApproval"
    assert detail["InferenceSpecification"]["SupportedContentTypes"] == ["text/csv"]
    assert detail["CreationTime"].endswith("Z")

    # Neither a note nor the same status again is a change of state.
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"note": "good"})
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="PendingManualApproval")
    sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="checked"
    )
    detail = heard.next()["detail"]
    assert detail["ModelApprovalStatus"] == "Approved"
    assert detail["ApprovalDescription"] == "checked"


def test_each_status_of_an_execution_and_of_its_steps_is_an_event(
    sagemaker: Client, heard: Heard, name: str
) -> None:
    sagemaker.create_pipeline(
        PipelineName=name, PipelineDefinition=definition("no"), RoleArn=ROLE, ClientRequestToken=name * 3
    )
    arn = sagemaker.start_pipeline_execution(PipelineName=name, ClientRequestToken=name * 3)[
        "PipelineExecutionArn"
    ]
    found = [heard.next() for _ in range(4)]
    kinds = {event["detail-type"].removeprefix("SageMaker Model Building Pipeline ") for event in found}
    assert kinds == {"Execution Status Change", "Execution Step Status Change"}
    assert all(event["resources"] == [arn.partition("/execution")[0], arn] for event in found)
    steps = {
        event["detail"]["currentStepStatus"]: event["detail"]
        for event in found
        if "Step" in event["detail-type"]
    }
    assert steps.keys() == {"Starting", "Failed"}
    failed = steps["Failed"]
    assert failed["previousStepStatus"] == "Starting"
    assert (failed["stepName"], failed["stepType"]) == ("Refuse", "Fail")
    assert "no" in failed["failureReason"]
    executions = {
        event["detail"]["currentPipelineExecutionStatus"]: event["detail"]
        for event in found
        if "Step" not in event["detail-type"]
    }
    assert "previousPipelineExecutionStatus" not in executions["Executing"]
    assert executions["Failed"]["previousPipelineExecutionStatus"] == "Executing"
    assert executions["Failed"]["executionEndTime"].endswith("Z")


def test_each_operation_on_a_parameter_is_an_event(ssm: Client, heard: Heard, name: str) -> None:
    path = f"/gatehouse/{name}/dev/model-package"
    ssm.put_parameter(Name=path, Value="a", Type="String", Description="first")
    event = heard.next()
    assert event["source"] == "aws.ssm"
    assert event["detail-type"] == "Parameter Store Change"
    assert event["resources"] == [f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{path}"]
    assert event["detail"] == {
        "operation": "Create",
        "name": path,
        "type": "String",
        "description": "first",
    }
    ssm.put_parameter(Name=path, Value="b", Overwrite=True)
    assert heard.next()["detail"]["operation"] == "Update"
    ssm.label_parameter_version(Name=path, Labels=["now"])
    assert heard.next()["detail"]["operation"] == "LabelParameterVersion"
    ssm.delete_parameter(Name=path)
    assert heard.next()["detail"]["operation"] == "Delete"


def test_each_status_of_an_endpoint_is_an_event_in_capitals(
    local: endpoint.Endpoint, heard: Heard, name: str
) -> None:
    place = Place(local.url)
    place.serve(name, place.echo(name))
    place.sagemaker.delete_endpoint(EndpointName=name)
    order = ["CREATING", "IN_SERVICE", "DELETING", "DELETED"]
    details = heard.details(4, "EndpointStatus", order)
    assert [detail["EndpointStatus"] for detail in details] == order
    assert {detail["EndpointName"] for detail in details} == {name}
    assert {detail["EndpointConfigName"] for detail in details} == {name}


def test_a_change_that_is_rolled_back_is_no_event(ssm: Client, heard: Heard, name: str) -> None:
    path = f"/{name}"
    ssm.put_parameter(Name=path, Value="a", Type="String")
    heard.next()
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name=path, Value="b", Type="String")
    ssm.delete_parameter(Name=path)
    assert heard.next()["detail"]["operation"] == "Delete"
