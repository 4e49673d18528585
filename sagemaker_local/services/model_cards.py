"""Model cards and their versions: what a model is for, what it was trained on, who has looked at it.

A change of a card's content makes a version; a change of its status belongs to the version that is
current then. The card that a model package carries is another thing and lives in the package.
"""

from __future__ import annotations

import json
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_found, validation_error
from sagemaker_local.services import paging, tags
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.services.identity import user_context
from sagemaker_local.store import Document
from sagemaker_local.store.listing import Listing, member

CARD, VERSION = "model-card", "model-card-version"
_STATUS = member("ModelCardStatus")
_CARDS = paging.named_listing(CARD, "ModelCardStatus")
_VERSIONS = Listing(
    VERSION,
    {"Version": (member("ModelCardVersion", is_number=True),)},
    equals=(_STATUS,),
    of_parent=True,
)


def load_card(call: Call, name_or_arn: str) -> Document:
    """A card's current version by the card's name or ARN.

    Raises:
        AwsError: ResourceNotFound.
    """
    name = name_or_arn.rsplit("/", 1)[-1]
    document = call.store.get(CARD, call.region, name)
    if document is None or name_or_arn not in (name, document["ModelCardArn"]):
        raise not_found("Model card", name_or_arn)
    return document


def create_card(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateModelCard"""
    name = parameters["ModelCardName"]
    _check_content(parameters["Content"])
    arn, now = call.arn(f"model-card/{name}"), clocks.now()
    document = {key: value for key, value in parameters.items() if key != "Tags"}
    document |= {
        "ModelCardArn": arn,
        "ModelCardVersion": 1,
        "CreationTime": now,
        "CreatedBy": user_context(),
        "LastModifiedTime": now,
        "LastModifiedBy": user_context(),
    }
    with call.store.transaction():
        if call.store.get(CARD, call.region, name) is not None:
            raise AwsError("ConflictException", f"Model card {arn} already exists.")
        _put(call, document)
        tags.replace(call, arn, parameters.get("Tags"))
    return {"ModelCardArn": arn}


def update_card(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdateModelCard: its content, which makes a version, or its status."""
    if "Content" in parameters and "ModelCardStatus" in parameters:
        raise validation_error("Model card content and model card status cannot be updated in one call.")
    if "Content" in parameters:
        _check_content(parameters["Content"])
    with call.store.transaction():
        document = load_card(call, parameters["ModelCardName"])
        if "Content" in parameters:
            document["Content"] = parameters["Content"]
            document["ModelCardVersion"] += 1
        if "ModelCardStatus" in parameters:
            document["ModelCardStatus"] = parameters["ModelCardStatus"]
        document |= {"LastModifiedTime": clocks.now(), "LastModifiedBy": user_context()}
        _put(call, document)
    return {"ModelCardArn": document["ModelCardArn"]}


def describe_card(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeModelCard, as it is or as one of its versions; ``MetadataOnly`` leaves the content empty."""
    document = load_card(call, parameters["ModelCardName"])
    if "ModelCardVersion" in parameters:
        name, number = document["ModelCardName"], parameters["ModelCardVersion"]
        version = call.store.get(VERSION, call.region, f"{name}/{number}")
        if version is None:
            raise not_found("Model card version", f"{name}/{number}")
        document = version
    if parameters.get("IncludedData") == "MetadataOnly":
        document["Content"] = ""
    return document


def list_cards(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListModelCards, newest first unless asked otherwise."""
    page, token = paging.named_page(
        call, _CARDS, {**parameters, "StatusEquals": parameters.get("ModelCardStatus")}
    )
    return {"ModelCardSummaries": page, "NextToken": token}


def list_versions(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListModelCardVersions, newest first unless asked otherwise."""
    name = load_card(call, parameters["ModelCardName"])["ModelCardName"]
    page, token = paging.stored_page(
        call,
        _VERSIONS,
        parameters,
        parent=name,
        filtered=(_STATUS, parameters.get("ModelCardStatus")),
        conditions=paging.time_bounds(parameters),
    )
    return {"ModelCardVersionSummaryList": page, "NextToken": token}


def delete_card(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteModelCard, with its versions."""
    with call.store.transaction():
        document = load_card(call, parameters["ModelCardName"])
        name = document["ModelCardName"]
        for version in call.store.list(VERSION, call.region, name):
            call.store.delete(VERSION, call.region, f"{name}/{version['ModelCardVersion']}")
        call.store.delete(CARD, call.region, name)
        tags.drop(call, document["ModelCardArn"])
    return {}


SERVICE = "sagemaker"
LISTINGS = (_CARDS, _VERSIONS)
OPERATIONS: dict[str, Handler] = {
    "CreateModelCard": create_card,
    "UpdateModelCard": update_card,
    "DescribeModelCard": describe_card,
    "ListModelCards": list_cards,
    "ListModelCardVersions": list_versions,
    "DeleteModelCard": delete_card,
}


def _put(call: Call, document: Document) -> None:
    name = document["ModelCardName"]
    call.store.put(CARD, call.region, name, document)
    call.store.put(VERSION, call.region, f"{name}/{document['ModelCardVersion']}", document, parent=name)


def _check_content(content: str) -> None:
    """A card's content is a JSON object in text, which the shapes cannot say."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise validation_error(f"The model card's content is not JSON: {error}.") from error
    if not isinstance(parsed, dict):
        raise validation_error("The model card's content must be a JSON object.")
