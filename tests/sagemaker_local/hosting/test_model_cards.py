"""Model cards: content in versions, a status that moves, and the card that a registered version carries."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from hosting_place import Place


def content(purpose: str) -> str:
    return json.dumps({"intended_uses": {"purpose_of_model": purpose}})


def test_new_content_makes_a_version_and_a_new_status_does_not(place: Place) -> None:
    cards = place.sagemaker
    cards.create_model_card(ModelCardName="card", Content=content("one"), ModelCardStatus="Draft")
    cards.update_model_card(ModelCardName="card", Content=content("two"))
    cards.update_model_card(ModelCardName="card", ModelCardStatus="Approved")
    current = cards.describe_model_card(ModelCardName="card")
    assert (current["ModelCardVersion"], current["ModelCardStatus"]) == (2, "Approved")
    assert json.loads(current["Content"])["intended_uses"]["purpose_of_model"] == "two"
    first = cards.describe_model_card(ModelCardName=current["ModelCardArn"], ModelCardVersion=1)
    assert (first["Content"], first["ModelCardStatus"]) == (content("one"), "Draft")
    versions = cards.list_model_card_versions(ModelCardName="card")["ModelCardVersionSummaryList"]
    assert [(one["ModelCardVersion"], one["ModelCardStatus"]) for one in versions] == [
        (2, "Approved"),
        (1, "Draft"),
    ]


def test_cards_are_listed_by_status_and_deleted_with_their_versions(place: Place) -> None:
    cards = place.sagemaker
    for name in ("listed-a", "listed-b"):
        cards.create_model_card(ModelCardName=name, Content=content(name), ModelCardStatus="PendingReview")
    found = cards.list_model_cards(ModelCardStatus="PendingReview", SortBy="Name", SortOrder="Ascending")
    assert [one["ModelCardName"] for one in found["ModelCardSummaries"]] == ["listed-a", "listed-b"]
    cards.delete_model_card(ModelCardName="listed-a")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cards.describe_model_card(ModelCardName="listed-a")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cards.list_model_card_versions(ModelCardName="listed-a")


def test_a_card_that_is_no_json_or_exists_already_is_refused(place: Place) -> None:
    cards = place.sagemaker
    with pytest.raises(ClientError, match="not JSON"):
        cards.create_model_card(ModelCardName="broken", Content="{", ModelCardStatus="Draft")
    cards.create_model_card(ModelCardName="unique", Content="{}", ModelCardStatus="Draft")
    with pytest.raises(ClientError, match="ConflictException"):
        cards.create_model_card(ModelCardName="unique", Content="{}", ModelCardStatus="Draft")
    with pytest.raises(ClientError, match="cannot be updated in one call"):
        cards.update_model_card(ModelCardName="unique", Content="{}", ModelCardStatus="Approved")


def test_the_card_of_a_registered_version_moves_with_its_review(place: Place) -> None:
    registry = place.sagemaker
    registry.create_model_package_group(ModelPackageGroupName="rc-carded")
    arn = registry.create_model_package(
        ModelPackageGroupName="rc-carded",
        ModelCard={"ModelCardContent": content("fraud"), "ModelCardStatus": "Draft"},
    )["ModelPackageArn"]
    registry.update_model_package(ModelPackageArn=arn, ModelCard={"ModelCardStatus": "Approved"})
    card = registry.describe_model_package(ModelPackageName=arn)["ModelCard"]
    assert card == {"ModelCardContent": content("fraud"), "ModelCardStatus": "Approved"}
