"""Model packages: what was registered, as which version, and whether it is approved.

A version's number is taken and its document written in one transaction, so concurrent registrations,
from one process or several, get different numbers without gaps. An update changes the members that it
names and nothing else.
"""

from __future__ import annotations

import json
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, validation_error
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.identity import user_context
from sagemaker_local.services.model_package_groups import load_group, next_version
from sagemaker_local.store import Document
from sagemaker_local.store.listing import CREATED, NAME, Column, Condition, Listing, contains, member

_MOST_METADATA = 50
"""Customer metadata properties that one model package can have."""

_REPLACED = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "ModelPackageRegistrationType",
    "InferenceSpecification",
    "SourceUri",
    "ModelLifeCycle",
)
"""Members of UpdateModelPackage that take the place of what was there."""

_SHOWN_NAME = Column(
    "coalesce(json_extract(doc, '$.ModelPackageName'), json_extract(doc, '$.ModelPackageGroupName'))"
)
_VERSION = member("ModelPackageVersion", is_number=True)
_APPROVAL, _TOKEN = member("ModelApprovalStatus"), member("_ClientToken")
_ORDERS = {"CreationTime": (CREATED, _SHOWN_NAME, _VERSION), "Name": (_SHOWN_NAME, _VERSION)}
_IN_GROUP = Listing("model-package", _ORDERS, equals=(_APPROVAL,), of_parent=True)
"""Of a group, or of none: the unversioned ones."""

_ANYWHERE = Listing("model-package", _ORDERS, equals=(_APPROVAL,))
_BY_TOKEN = Listing("model-package", {"CreationTime": (CREATED, NAME)}, equals=(_TOKEN,), of_parent=True)


def load_package(call: Call, name_or_arn: str) -> Document:
    """A model package by its ARN, or by its name if it is unversioned, or as ``<group>/<version>``.

    Raises:
        AwsError: ValidationException, as AWS answers for a package that does not exist.
    """
    arn = name_or_arn if name_or_arn.startswith("arn:") else call.arn(f"model-package/{name_or_arn}")
    document = call.store.get("model-package", call.region, arn)
    if document is None:
        raise validation_error(f"ModelPackage {arn} does not exist.")
    return document


def create_package(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateModelPackage: the next version of a group, or a package of its own.

    The same ClientToken again gives the same package, so a client's retry registers nothing twice.
    """
    group_name, name = parameters.get("ModelPackageGroupName"), parameters.get("ModelPackageName")
    if (group_name is None) == (name is None):
        raise validation_error("Give one of ModelPackageGroupName and ModelPackageName, not both.")
    if group_name is not None and parameters.get("Tags"):
        raise validation_error("A versioned model package has its group's tags; leave out Tags.")
    if name and not {"InferenceSpecification", "SourceAlgorithmSpecification"} & parameters.keys():
        raise validation_error(
            "A model package without a group needs InferenceSpecification or SourceAlgorithmSpecification."
        )
    _check_model_card(parameters.get("ModelCard"))
    members = {key: value for key, value in parameters.items() if key not in ("Tags", "ClientToken")}
    with call.store.transaction():
        if group_name is None:
            placed = _unversioned(call, parameters["ModelPackageName"])
        else:
            group = load_group(call, group_name)
            if (known := _registered_with(call, group, parameters.get("ClientToken"))) is not None:
                return known
            placed = _versioned(call, group)
        arn = placed["ModelPackageArn"]
        now = clocks.now()
        document = {
            **members,
            "ModelApprovalStatus": members.get("ModelApprovalStatus", "PendingManualApproval"),
            **placed,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": user_context(),
            "LastModifiedBy": user_context(),
            "_ClientToken": parameters.get("ClientToken"),
        }
        parent = placed.get("ModelPackageGroupName", "")
        call.store.put("model-package", call.region, arn, document, parent=parent)
        if group_name is None:
            tags.replace(call, arn, parameters.get("Tags"))
    return {"ModelPackageArn": arn}


def describe_package(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeModelPackage; ``IncludedData=MetadataOnly`` leaves the model card out."""
    document = load_package(call, parameters["ModelPackageName"])
    if parameters.get("IncludedData") == "MetadataOnly":
        document.pop("ModelCard", None)
    return document


def list_packages(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListModelPackages: a group's versions, or the unversioned ones where no group or type is named."""
    kind, parent = parameters.get("ModelPackageType", "Unversioned"), ""
    conditions = contains(_SHOWN_NAME, parameters.get("NameContains", "")) + paging.time_bounds(parameters)
    listing = _IN_GROUP
    if "ModelPackageGroupName" in parameters:
        parent = load_group(call, parameters["ModelPackageGroupName"])["ModelPackageGroupName"]
    elif kind != "Unversioned":
        listing = _ANYWHERE
        conditions += [Condition("parent <> ''")] if kind == "Versioned" else []
    page, token = paging.stored_page(
        call,
        listing,
        parameters,
        parent=parent,
        filtered=(_APPROVAL, parameters.get("ModelApprovalStatus")),
        conditions=conditions,
        descending=False,
    )
    return {"ModelPackageSummaryList": page, "NextToken": token}


def update_package(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdateModelPackage: approval, life cycle, metadata, specifications; the rest stays."""
    _check_model_card(parameters.get("ModelCard"))
    with call.store.transaction():
        document = load_package(call, parameters["ModelPackageArn"])
        document.update({name: parameters[name] for name in _REPLACED if name in parameters})
        _change_metadata(document, parameters)
        _add_specifications(document, parameters.get("AdditionalInferenceSpecificationsToAdd", []))
        if "ModelCard" in parameters:
            document["ModelCard"] = {**document.get("ModelCard", {}), **parameters["ModelCard"]}
        document.update(LastModifiedTime=clocks.now(), LastModifiedBy=user_context())
        call.store.put("model-package", call.region, document["ModelPackageArn"], document)
    return {"ModelPackageArn": document["ModelPackageArn"]}


def delete_package(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteModelPackage; its version's number is not given again."""
    with call.store.transaction():
        arn = load_package(call, parameters["ModelPackageName"])["ModelPackageArn"]
        call.store.delete("model-package", call.region, arn)
        tags.drop(call, arn)
    return {}


def batch_describe(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """BatchDescribeModelPackage: what was found, and an error for each that was not, by ARN."""
    found, errors = {}, {}
    for arn in parameters["ModelPackageArnList"]:
        try:
            found[arn] = load_package(call, arn)
        except AwsError as error:
            errors[arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}


SERVICE = "sagemaker"
LISTINGS = (_IN_GROUP, _ANYWHERE, _BY_TOKEN)
OPERATIONS: dict[str, Handler] = {
    "CreateModelPackage": create_package,
    "DescribeModelPackage": describe_package,
    "ListModelPackages": list_packages,
    "UpdateModelPackage": update_package,
    "DeleteModelPackage": delete_package,
    "BatchDescribeModelPackage": batch_describe,
}
TRANSACTIONS = ("CreateModelPackage", "UpdateModelPackage", "DeleteModelPackage")


def _versioned(call: Call, group: Document) -> dict[str, Any]:
    name, version = group["ModelPackageGroupName"], next_version(call, group)
    return {
        "ModelPackageGroupName": name,
        "ModelPackageVersion": version,
        "ModelPackageArn": call.arn(f"model-package/{name}/{version}"),
    }


def _unversioned(call: Call, name: str) -> dict[str, Any]:
    arn = call.arn(f"model-package/{name}")
    if call.store.get("model-package", call.region, arn) is not None:
        raise validation_error(f"ModelPackage already exists: {arn}")
    return {"ModelPackageName": name, "ModelPackageArn": arn}


def _registered_with(call: Call, group: Document, token: str | None) -> dict[str, Any] | None:
    """What an earlier request with the same token registered in the group, if there was one."""
    if token is None:
        return None
    found = call.store.page(
        _BY_TOKEN,
        _BY_TOKEN.order(None),
        call.region,
        parent=group["ModelPackageGroupName"],
        filtered=(_TOKEN, token),
        most=1,
    )
    return {"ModelPackageArn": found[0][1]["ModelPackageArn"]} if found else None


def _check_model_card(card: dict[str, str] | None) -> None:
    """A card's content is a JSON object in text, which the shapes cannot say."""
    if card is None or "ModelCardContent" not in card:
        return
    try:
        content = json.loads(card["ModelCardContent"])
    except (ValueError, RecursionError) as error:
        raise validation_error(f"ModelCardContent is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise validation_error("ModelCardContent must be a JSON object.")


def _change_metadata(document: Document, parameters: dict[str, Any]) -> None:
    metadata = {**document.get("CustomerMetadataProperties", {})}
    for key in parameters.get("CustomerMetadataPropertiesToRemove", []):
        metadata.pop(key, None)
    metadata.update(parameters.get("CustomerMetadataProperties", {}))
    if len(metadata) > _MOST_METADATA:
        raise validation_error(
            f"A model package can have at most {_MOST_METADATA} customer metadata properties;"
            f" this one would have {len(metadata)}."
        )
    document["CustomerMetadataProperties"] = metadata


def _add_specifications(document: Document, added: list[dict[str, Any]]) -> None:
    if not added:
        return
    specifications = [*document.get("AdditionalInferenceSpecifications", []), *added]
    names = [item["Name"] for item in specifications]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise validation_error(
            f"Additional inference specifications need unique names: {', '.join(repeated)}."
        )
    document["AdditionalInferenceSpecifications"] = specifications
