"""An endpoint came into service, or failed to: check that it answers, tell people, go on or go back."""

from __future__ import annotations

from typing import Any

from automation.context import read_context
from automation.handlers import logged
from automation.reconcile import reconcile


@logged
def handle(event: dict[str, Any], _context: object) -> str:
    """For ``SageMaker Endpoint State Change``; detail.EndpointName says which endpoint."""
    context = read_context()
    name = event["detail"]["EndpointName"]
    stage = context.stage_of_endpoint(name)
    return reconcile(context, stage) if stage else f"endpoint {name} is none of project {context.project}"
