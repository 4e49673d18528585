from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from wire_clients import Client, client_of

from sagemaker_local import endpoint

ROLE = "arn:aws:iam::000000000000:role/team/pipeline"


def test_sts_says_who_the_caller_is(local: endpoint.Endpoint) -> None:
    found = client_of(local.url, "sts").get_caller_identity()
    assert found["Account"] == "000000000000"
    assert found["Arn"] == "arn:aws:sts::000000000000:assumed-role/local/user"


def test_an_assumed_roles_credentials_are_accepted(local: endpoint.Endpoint) -> None:
    sts = client_of(local.url, "sts")
    found = sts.assume_role(RoleArn=ROLE, RoleSessionName="session", DurationSeconds=900)
    assert found["AssumedRoleUser"]["Arn"].endswith(":assumed-role/pipeline/session")
    assert set(found["Credentials"]) == {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}


def test_iam_knows_every_role_and_allows_every_action(local: endpoint.Endpoint) -> None:
    iam = client_of(local.url, "iam")
    role = iam.get_role(RoleName="pipeline")["Role"]
    assert role["Arn"] == "arn:aws:iam::000000000000:role/pipeline"
    services = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
    assert services == ["sagemaker.amazonaws.com", "scheduler.amazonaws.com"]
    results = iam.simulate_principal_policy(
        PolicySourceArn=ROLE, ActionNames=["s3:GetObject", "s3:PutObject"]
    )
    assert [item["EvalDecision"] for item in results["EvaluationResults"]] == ["allowed", "allowed"]


def test_a_query_request_is_checked_and_refused_in_its_own_protocol(local: endpoint.Endpoint) -> None:
    iam = client_of(local.url, "iam")
    with pytest.raises(ClientError, match="is not implemented") as caught:
        iam.list_roles()
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    with pytest.raises(ClientError, match="1 validation error detected: Value 'a/b' at 'roleName'"):
        iam.get_role(RoleName="a/b")


def test_tags_given_at_creation_are_listed_changed_and_dropped(sagemaker: Client, name: str) -> None:
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    group = {"ModelPackageGroupName": name}
    arn = sagemaker.create_model_package_group(**group, Tags=tags)["ModelPackageGroupArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    assert len(sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "3"}])["Tags"]) == 2
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a", "absent"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "3"}]
    sagemaker.delete_model_package_group(**group)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.list_tags(ResourceArn=arn)
    sagemaker.create_model_package_group(**group)
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


def test_tags_are_listed_in_pages_and_capped(sagemaker: Client, name: str) -> None:
    arn = sagemaker.create_model_package_group(ModelPackageGroupName=name)["ModelPackageGroupArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": f"k{n:02}", "Value": ""} for n in range(50)])
    with pytest.raises(ClientError, match="at most 50 tags"):
        sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "one-more", "Value": ""}])
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn, PaginationConfig={"PageSize": 50})
    assert [tag["Key"] for page in pages for tag in page["Tags"]] == [f"k{n:02}" for n in range(50)]


def test_a_resource_of_another_account_has_no_tags_here(sagemaker: Client) -> None:
    with pytest.raises(ClientError, match="does not exist here"):
        sagemaker.list_tags(ResourceArn="arn:aws:sagemaker:eu-west-1:111122223333:pipeline/x")
