from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire_clients import REGION, Client, client_of, server_process

from sagemaker_local import endpoint

SPECIFICATION = {
    "Containers": [{"Image": "xgboost:3.2-0", "ModelDataUrl": "s3://bucket/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def group(sagemaker: Client, name: str) -> str:
    sagemaker.create_model_package_group(ModelPackageGroupName=name, ModelPackageGroupDescription="a group")
    return name


def register(sagemaker: Client, group: str, **members: object) -> str:
    request = {"ModelPackageGroupName": group, "InferenceSpecification": SPECIFICATION, **members}
    return sagemaker.create_model_package(**request)["ModelPackageArn"]


def versions(sagemaker: Client, group: str, **filters: object) -> list[int]:
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, PaginationConfig={"PageSize": 2}, **filters
    )
    return [item["ModelPackageVersion"] for page in pages for item in page["ModelPackageSummaryList"]]


def test_a_group_is_described_by_name_and_by_arn(sagemaker: Client, group: str) -> None:
    found = sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    by_arn = sagemaker.describe_model_package_group(ModelPackageGroupName=found["ModelPackageGroupArn"])
    assert found["ModelPackageGroupStatus"] == "Completed"
    assert by_arn["ModelPackageGroupDescription"] == "a group"


def test_a_group_that_exists_or_does_not_is_told_in_the_services_words(sagemaker: Client, group: str) -> None:
    with pytest.raises(ClientError, match="Model Package Group already exists") as caught:
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError, match=r"ModelPackageGroup arn:.*/absent does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName="absent")


def test_groups_are_listed_in_pages(sagemaker: Client, name: str) -> None:
    for part in "cab":
        sagemaker.create_model_package_group(ModelPackageGroupName=f"{name}-{part}")
    pages = sagemaker.get_paginator("list_model_package_groups").paginate(
        NameContains=name, SortBy="Name", SortOrder="Descending", PaginationConfig={"PageSize": 1}
    )
    listed = [
        item["ModelPackageGroupName"][-1] for page in pages for item in page["ModelPackageGroupSummaryList"]
    ]
    assert listed == ["c", "b", "a"]


def test_a_group_is_deleted_only_when_it_is_empty(sagemaker: Client, group: str) -> None:
    arn = register(sagemaker, group)
    with pytest.raises(ClientError) as caught:
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName=group)


def test_a_version_keeps_everything_it_was_registered_with(sagemaker: Client, group: str) -> None:
    quality = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/s.json"}}}
    card = {
        "ModelCardContent": json.dumps({"model_overview": {"model_creator": "x"}}),
        "ModelCardStatus": "Draft",
    }
    arn = register(
        sagemaker,
        group,
        ModelPackageDescription="first",
        ModelApprovalStatus="PendingManualApproval",
        ModelMetrics=quality,
        CustomerMetadataProperties={"commit": "abc"},
        Domain="MACHINE_LEARNING",
        Task="CLASSIFICATION",
        SamplePayloadUrl="s3://b/payload.tar.gz",
        ModelCard=card,
        SkipModelValidation="All",
    )
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    assert arn.endswith(f":model-package/{group}/1")
    assert (found["ModelPackageGroupName"], found["ModelPackageVersion"]) == (group, 1)
    assert found["InferenceSpecification"]["Containers"] == SPECIFICATION["Containers"]
    assert found["ModelMetrics"] == quality
    assert found["CustomerMetadataProperties"] == {"commit": "abc"}
    assert found["ModelCard"] == card
    assert found["ModelPackageStatus"] == "Completed"
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    brief = sagemaker.describe_model_package(ModelPackageName=arn, IncludedData="MetadataOnly")
    assert "ModelCard" not in brief


def test_an_update_changes_what_it_names_and_nothing_else(sagemaker: Client, group: str) -> None:
    arn = register(
        sagemaker,
        group,
        CustomerMetadataProperties={"commit": "abc", "data": "1"},
        ModelCard={"ModelCardContent": "{}", "ModelCardStatus": "Draft"},
    )
    before = sagemaker.describe_model_package(ModelPackageName=arn)
    sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good"
    )
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        CustomerMetadataProperties={"data": "2", "new": "3"},
        CustomerMetadataPropertiesToRemove=["commit"],
    )
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelCard={"ModelCardStatus": "Approved"},
        AdditionalInferenceSpecificationsToAdd=[{"Name": "edge", "Containers": SPECIFICATION["Containers"]}],
    )
    after = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (after["ModelApprovalStatus"], after["ApprovalDescription"]) == ("Approved", "good")
    assert after["CustomerMetadataProperties"] == {"data": "2", "new": "3"}
    assert after["ModelCard"] == {"ModelCardContent": "{}", "ModelCardStatus": "Approved"}
    assert [item["Name"] for item in after["AdditionalInferenceSpecifications"]] == ["edge"]
    assert after["LastModifiedTime"] > before["LastModifiedTime"]
    assert "IamIdentity" in after["LastModifiedBy"]
    for member in ("InferenceSpecification", "ModelPackageVersion", "CreationTime", "CreatedBy"):
        assert after[member] == before[member]
    with pytest.raises(ClientError, match="unique names: edge"):
        sagemaker.update_model_package(
            ModelPackageArn=arn,
            AdditionalInferenceSpecificationsToAdd=[
                {"Name": "edge", "Containers": SPECIFICATION["Containers"]}
            ],
        )


def test_a_model_card_that_is_no_json_is_refused(sagemaker: Client, group: str) -> None:
    with pytest.raises(ClientError, match="ModelCardContent is not JSON"):
        register(sagemaker, group, ModelCard={"ModelCardContent": "hello", "ModelCardStatus": "Draft"})


def test_a_deleted_versions_number_is_never_given_again(sagemaker: Client, group: str) -> None:
    register(sagemaker, group)
    sagemaker.delete_model_package(ModelPackageName=register(sagemaker, group))
    assert register(sagemaker, group).endswith("/3")
    assert versions(sagemaker, group) == [1, 3]


def test_versions_are_listed_by_approval_status_and_order(sagemaker: Client, group: str) -> None:
    arns = [register(sagemaker, group) for _ in range(5)]
    for arn in (arns[1], arns[3]):
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    assert versions(sagemaker, group) == [1, 2, 3, 4, 5]
    assert versions(sagemaker, group, SortOrder="Descending") == [5, 4, 3, 2, 1]
    assert versions(sagemaker, group, ModelApprovalStatus="Approved", SortOrder="Descending") == [4, 2]


def test_the_same_client_token_registers_once(sagemaker: Client, group: str) -> None:
    token = "token-1"
    assert register(sagemaker, group, ClientToken=token) == register(sagemaker, group, ClientToken=token)
    assert versions(sagemaker, group) == [1]


def test_an_unversioned_package_has_a_name_and_tags(sagemaker: Client, name: str) -> None:
    tags = [{"Key": "team", "Value": "risk"}]
    request = {"ModelPackageName": name, "InferenceSpecification": SPECIFICATION, "Tags": tags}
    arn = sagemaker.create_model_package(**request)["ModelPackageArn"]
    assert sagemaker.describe_model_package(ModelPackageName=name)["ModelPackageArn"] == arn
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    listed = sagemaker.list_model_packages(NameContains=name)["ModelPackageSummaryList"]
    assert [item["ModelPackageName"] for item in listed] == [name]
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.create_model_package(**request)


@pytest.mark.parametrize(
    ("request_members", "why"),
    [
        ({}, "Give one of"),
        ({"ModelPackageGroupName": "g", "ModelPackageName": "n"}, "Give one of"),
        ({"ModelPackageName": "n"}, "needs InferenceSpecification"),
        ({"ModelPackageGroupName": "absent"}, "does not exist"),
        ({"ModelPackageGroupName": "g", "Tags": [{"Key": "a", "Value": "b"}]}, "leave out Tags"),
    ],
)
def test_a_package_that_belongs_nowhere_is_refused(
    sagemaker: Client, request_members: dict[str, object], why: str
) -> None:
    with pytest.raises(ClientError, match=why):
        sagemaker.create_model_package(**request_members)


def test_a_batch_tells_what_it_found_and_what_it_did_not(sagemaker: Client, group: str) -> None:
    arn = register(sagemaker, group)
    absent = arn[:-1] + "7"
    found = sagemaker.batch_describe_model_package(ModelPackageArnList=[arn, absent])
    assert found["ModelPackageSummaries"][arn]["ModelPackageVersion"] == 1
    assert found["BatchDescribeModelPackageErrorMap"][absent]["ErrorCode"] == "ValidationException"


def test_a_groups_policy_is_put_read_and_deleted(sagemaker: Client, group: str) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=policy)
    assert sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)["ResourcePolicy"] == policy
    sagemaker.delete_model_package_group_policy(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="Cannot find the resource policy"):
        sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="not JSON"):
        sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy="{")


def test_concurrent_registrations_in_two_processes_get_every_number_once(tmp_path: Path) -> None:
    with server_process(tmp_path) as (_, url), endpoint.start(tmp_path) as started:
        client_of(url, "sagemaker").create_model_package_group(ModelPackageGroupName="shared")
        clients = [client_of(each, "sagemaker") for each in (url, started.url)] * 5
        with ThreadPoolExecutor(10) as pool:
            arns = list(pool.map(lambda client: register(client, "shared"), clients))
    prefix = f"arn:aws:sagemaker:{REGION}:000000000000:model-package/shared/"
    assert sorted(int(arn.removeprefix(prefix)) for arn in arns) == list(range(1, 11))
