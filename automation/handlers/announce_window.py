"""What a comparison has found, as metrics and as an event: whoever wants to know of it listens to these.

The monitoring pipeline calls this last. It decides nothing; ``window_compared`` does, where the automation is
deployed.
"""

from __future__ import annotations

import json
from typing import Any

from automation.context import Context, read_context
from automation.handlers import logged
from aws_formats.errors import GatehouseError
from registry.clients import read_document

NAMESPACE = "Gatehouse/Monitoring"
SOURCE, DETAIL_TYPE = "gatehouse", "Gatehouse Window Compared"
_MOST_DIFFERENCES = 50


@logged
def handle(event: dict[str, Any], _context: object) -> dict[str, str]:
    """For a Lambda step with Environment and ReportUri.

    Returns:
        The verdict's Status and Sentence.

    Raises:
        GatehouseError: there is no readable verdict.
    """
    context = read_context()
    uri = f"{event['ReportUri']}/verdict.json"
    verdict = read_document(context.clients.client("s3"), uri)
    if not isinstance(verdict, dict) or "status" not in verdict:
        raise GatehouseError(f"{uri} is no verdict on a window")
    _put_metrics(context, event["Environment"], verdict)
    detail = {
        "project": context.project,
        "environment": event["Environment"],
        "version": verdict["version"],
        "start": verdict["start"],
        "end": verdict["end"],
        "status": verdict["status"],
        "quality": verdict["quality"]["status"],
        "rows": verdict["rows"],
        "history": verdict["history"],
        "sentence": verdict["sentence"],
        "differences": [
            {key: one[key] for key in ("column", "question", "size", "sentence")}
            for one in verdict["differences"][:_MOST_DIFFERENCES]
        ],
        "reportUri": f"{event['ReportUri']}/report.html",
    }
    answer = context.clients.client("events").put_events(
        Entries=[{"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": json.dumps(detail)}]
    )
    if answer["FailedEntryCount"]:
        raise GatehouseError(f"the event was not taken: {answer['Entries'][0].get('ErrorMessage')}")
    return {"Status": verdict["status"], "Sentence": verdict["sentence"]}


def _put_metrics(context: Context, environment: str, verdict: dict[str, Any]) -> None:
    values = {
        "Rows": float(verdict["rows"]),
        "DifferingColumns": float(len({one["column"] for one in verdict["differences"]})),
        "LabelledRows": float(sum(one["labelled"] for one in verdict["quality"]["windows"][-1:])),
    }
    judged = next(
        (one for one in verdict["quality"]["windows"] if one["end"] == verdict["quality"].get("window")), None
    )
    if judged is not None:
        values[context.metric] = judged["metrics"][context.metric]["value"]
    dimensions = [
        {"Name": "Project", "Value": context.project},
        {"Name": "Environment", "Value": environment},
    ]
    context.clients.client("cloudwatch").put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {"MetricName": name, "Dimensions": dimensions, "Value": value} for name, value in values.items()
        ],
    )
