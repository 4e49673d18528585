"""Model package groups, each with a counter of its versions and a resource policy.

A group's counter only grows, so the number of a deleted version is never given again: "version 7" is that
version or none.
"""

from __future__ import annotations

import json
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, validation_error
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.identity import user_context
from sagemaker_local.store import Document

_GROUPS = paging.named_listing("model-package-group")
_POLICY_DENIED = "Cannot find the resource policy for model package group"


def load_group(call: Call, name_or_arn: str) -> Document:
    """A group's document by its name or ARN.

    Raises:
        AwsError: ValidationException, as AWS answers for a group that does not exist.
    """
    name = name_or_arn.rsplit("/", 1)[-1]
    document = call.store.get("model-package-group", call.region, name)
    arn = call.arn(f"model-package-group/{name}")
    if document is None or name_or_arn not in (name, arn):
        shown = name_or_arn if name_or_arn.startswith("arn:") else arn
        raise validation_error(f"ModelPackageGroup {shown} does not exist.")
    return document


def next_version(call: Call, group: Document) -> int:
    """Take the group's next version number; to be called in the transaction that uses it."""
    number: int = group["_NextVersion"]
    group["_NextVersion"] = number + 1
    call.store.put("model-package-group", call.region, group["ModelPackageGroupName"], group)
    return number


def create_group(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateModelPackageGroup"""
    name = parameters["ModelPackageGroupName"]
    arn = call.arn(f"model-package-group/{name}")
    members = {key: value for key, value in parameters.items() if key != "Tags"}
    with call.store.transaction():
        if call.store.get("model-package-group", call.region, name) is not None:
            raise validation_error(f"Model Package Group already exists: {arn}")
        document = {
            **members,
            "ModelPackageGroupArn": arn,
            "ModelPackageGroupStatus": "Completed",
            "CreationTime": clocks.now(),
            "CreatedBy": user_context(),
            "_NextVersion": 1,
        }
        call.store.put("model-package-group", call.region, name, document)
        tags.replace(call, arn, parameters.get("Tags"))
    return {"ModelPackageGroupArn": arn}


def describe_group(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeModelPackageGroup"""
    return load_group(call, parameters["ModelPackageGroupName"])


def list_groups(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListModelPackageGroups, by creation time and ascending unless asked otherwise."""
    if parameters.get("CrossAccountFilterOption") == "CrossAccount":
        return {"ModelPackageGroupSummaryList": []}
    page, token = paging.named_page(call, _GROUPS, parameters, descending=False)
    return {"ModelPackageGroupSummaryList": page, "NextToken": token}


def delete_group(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteModelPackageGroup; refused while it holds a version."""
    with call.store.transaction():
        group = load_group(call, parameters["ModelPackageGroupName"])
        name = group["ModelPackageGroupName"]
        if held := call.store.count("model-package", call.region, name):
            raise AwsError(
                "ConflictException",
                f"Model Package Group {group['ModelPackageGroupArn']} cannot be deleted as it still contains"
                f" model packages ({held}). Delete them first.",
            )
        call.store.delete("model-package-group", call.region, name)
        tags.drop(call, group["ModelPackageGroupArn"])
    return {}


def put_policy(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """PutModelPackageGroupPolicy: replaces the group's resource policy."""
    try:
        policy = json.loads(parameters["ResourcePolicy"])
    except (ValueError, RecursionError) as error:
        raise validation_error(f"The resource policy is not JSON: {error}.") from error
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise validation_error("The resource policy must be a JSON object with a Statement.")
    with call.store.transaction():
        group = load_group(call, parameters["ModelPackageGroupName"])
        group["_ResourcePolicy"] = parameters["ResourcePolicy"]
        call.store.put("model-package-group", call.region, group["ModelPackageGroupName"], group)
    return {"ModelPackageGroupArn": group["ModelPackageGroupArn"]}


def get_policy(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetModelPackageGroupPolicy"""
    group = load_group(call, parameters["ModelPackageGroupName"])
    if "_ResourcePolicy" not in group:
        raise validation_error(f"{_POLICY_DENIED} {group['ModelPackageGroupArn']}.")
    return {"ResourcePolicy": group["_ResourcePolicy"]}


def delete_policy(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteModelPackageGroupPolicy"""
    with call.store.transaction():
        group = load_group(call, parameters["ModelPackageGroupName"])
        if group.pop("_ResourcePolicy", None) is None:
            raise validation_error(f"{_POLICY_DENIED} {group['ModelPackageGroupArn']}.")
        call.store.put("model-package-group", call.region, group["ModelPackageGroupName"], group)
    return {}


SERVICE = "sagemaker"
LISTINGS = (_GROUPS,)
OPERATIONS: dict[str, Handler] = {
    "CreateModelPackageGroup": create_group,
    "DescribeModelPackageGroup": describe_group,
    "ListModelPackageGroups": list_groups,
    "DeleteModelPackageGroup": delete_group,
    "PutModelPackageGroupPolicy": put_policy,
    "GetModelPackageGroupPolicy": get_policy,
    "DeleteModelPackageGroupPolicy": delete_policy,
}
TRANSACTIONS = (
    "CreateModelPackageGroup",
    "DeleteModelPackageGroup",
    "PutModelPackageGroupPolicy",
    "DeleteModelPackageGroupPolicy",
)
