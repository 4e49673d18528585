"""The model card that each version is registered with: a draft, for people to complete and approve."""

from __future__ import annotations

import json
from typing import Any

from pipelines.settings.project import Project


def model_card(project: Project) -> str:
    """The card's content as JSON, by AWS's "model package model card schema".

    That schema is narrower than the one of free-standing cards: `model_overview` holds the creator
    only. What the settings leave out is left out.
    """
    card = project.card
    uses = {
        "purpose_of_model": card.purpose or project.description,
        "intended_uses": card.intended_uses,
        "factors_affecting_model_efficiency": card.limits,
        "risk_rating": card.risk.capitalize(),
        "explanations_for_risk_rating": card.risk_reason,
    }
    content: dict[str, Any] = {
        "model_overview": {"model_creator": project.owner},
        "intended_uses": {key: value for key, value in uses.items() if value is not None},
    }
    if card.ethical_considerations is not None:
        content["additional_information"] = {"ethical_considerations": card.ethical_considerations}
    return json.dumps(content, sort_keys=True)
