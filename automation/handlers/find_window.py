"""Which window of requests a comparison looks at, and where everything lies that it needs.

The monitoring pipeline calls this first: its job has no network, and only the registry knows what serves.
"""

from __future__ import annotations

import os
from typing import Any

from automation.context import read_context
from automation.handlers import logged
from aws_formats.errors import GatehouseError
from registry.monitored_windows import Found, prepare_window, window_of

NOTHING = "none"
_OUTPUTS = ("ModelUri", "QualityUri", "EvaluationUri", "WindowUri", "CapturesUri", "ReportUri", "PastUri")


@logged
def handle(event: dict[str, Any], _context: object) -> dict[str, str]:
    """For a Lambda step with Environment, StartedAt and WindowEnd (empty: the last full hour).

    Returns:
        Version (none where there is nothing to compare), the URIs of the inputs and outputs of the job, and
        all of it as a Sentence.

    Raises:
        GatehouseError: there is no such environment, or the version lacks what it should be compared with.
    """
    context = read_context()
    name = event["Environment"]
    stage = context.stage_named(name)
    if stage is None:
        known = ", ".join(one.name for one in context.stages)
        raise GatehouseError(
            f"the functions of {context.project} know no environment {name!r}, only {known}",
            remedy=f"Deploy them anew: {context.command('infra', 'deploy', context.project)}",
        )
    window = window_of(context.monitoring.hours, event["StartedAt"], event.get("WindowEnd", ""))
    found = prepare_window(
        stage.environment, context.clients, os.environ["GATEHOUSE_BUCKET"], context.metric, window
    )
    if not isinstance(found, Found):
        return {"Version": NOTHING, "Sentence": found, **dict.fromkeys((*_OUTPUTS, "AnswersUri"), NOTHING)}
    return {
        "Version": str(found.version),
        "ModelUri": found.model,
        "QualityUri": found.quality,
        "EvaluationUri": found.evaluation,
        "WindowUri": found.window,
        "CapturesUri": found.captures,
        "ReportUri": found.report,
        "PastUri": found.past,
        "AnswersUri": found.answers,
        "Sentence": f"version {found.version} in {name}, {window.start:%Y-%m-%d %H:%M} to"
        f" {window.end:%Y-%m-%d %H:%M}, files of captures: {found.captured}",
    }
