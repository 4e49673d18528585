"""An endpoint came into service, or failed to: check that it answers, tell people, go on or go back."""

from __future__ import annotations

from typing import Any

from automation.context import read_surroundings
from automation.handlers import logged
from automation.reconcile import settle


@logged
def handle(event: dict[str, Any], context: object) -> str:  # noqa: ARG001
    """For ``SageMaker Endpoint State Change``; detail.EndpointName says which endpoint."""
    surroundings = read_surroundings()
    name = event["detail"]["EndpointName"]
    stage = surroundings.stage_of_endpoint(name)
    return settle(surroundings, stage) if stage else f"endpoint {name} is none of ours"
