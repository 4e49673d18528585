"""A window of requests was compared: people are told once of what changed; a model is trained if it may.

What was told of each environment is kept in Parameter Store, so that people are told again only of what is
new, and when nothing differs any more. A finding at the edge, there in one window and not in the next, is one
finding. A window with too few rows says nothing and changes nothing.

Retraining is the project's own pipeline with the data that it names: its gate decides what comes of it. While
something differs it is started again each time that the cool-down has passed, since the rows that a model
needs, and their labels, come later than the alarm. The cool-down counts from the end of the window for which
one was started: a schedule's windows end at equal distances, however long their comparisons take.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from automation.context import Context, read_context
from automation.handlers import logged
from automation.messages import report_window
from aws_formats.service_errors import is_absent

NOT_ENOUGH = "not enough rows"
NEVER, ASK, AUTOMATIC = "never", "ask", "automatic"


@logged
def handle(event: dict[str, Any], _context: object) -> str:
    """For ``Gatehouse Window Compared`` (``announce_window``)."""
    context, detail = read_context(), event["detail"]
    environment = detail["environment"]
    if detail["project"] != context.project or context.stage_named(environment) is None:
        return f"{environment} is no environment of {context.project}"
    told = _read(context, environment)
    found = _findings(detail)
    if detail["status"] == NOT_ENOUGH and not found:
        return f"{detail['sentence']}: nothing is said of it"
    of_this_version = told.get("version") == detail["version"]
    known = told.get("findings", [])
    if not found and not known:
        return "nothing differs"
    now = min(datetime.fromisoformat(detail["end"]), datetime.fromisoformat(event["time"]))
    started, next_step = _retrain(context, detail, told, now) if found else (None, "")
    if found and of_this_version and set(found) <= set(known) and started is None:
        return "it differs as was told"
    report_window(context, detail, next_step, is_over=not found)
    _write(
        context,
        environment,
        {
            "version": detail["version"],
            "findings": sorted({*found, *known}) if found and of_this_version else found,
            "end": detail["end"],
            "retrained": started or told.get("retrained"),
        },
    )
    return f"told: {detail['sentence']}" + (f"; {next_step}" if next_step else "")


def _findings(detail: dict[str, Any]) -> list[str]:
    """What differs, without its numbers, which are others each time."""
    found = sorted({f"{one['column']}: {one['question']}" for one in detail["differences"]})
    return [*found, *(["quality: worse"] if detail["quality"] == "worse" else [])]


def _retrain(
    context: Context, detail: dict[str, Any], told: dict[str, Any], now: datetime
) -> tuple[str | None, str]:
    """(``now`` if a training was started, or None; what happens next, as a sentence)."""
    settings = context.monitoring
    by_hand = context.command("start", context.project)
    if settings.retrain == NEVER:
        return None, "Nothing is trained by itself."
    if settings.retrain == ASK:
        return None, f"Train a new version: {by_hand}"
    worse = detail["quality"] == "worse"
    if not worse and detail["history"]["windows"] < detail["history"]["needed"]:
        return None, (
            "Nothing is trained by itself before there is a history of past windows to compare with."
            f" By hand: {by_hand}"
        )
    last = told.get("retrained")
    if last and now - datetime.fromisoformat(last) < timedelta(days=settings.cool_down_days):
        return None, (
            f"A training was started for the window until {last}; another one is not for"
            f" {settings.cool_down_days} days."
            f" By hand: {by_hand}"
        )
    moment = detail["end"].replace(":", "").replace("+", "").replace("-", "")
    answer = context.clients.client("sagemaker").start_pipeline_execution(
        PipelineName=context.project,
        PipelineExecutionDisplayName=f"monitoring-{detail['environment']}"[:82],
        # The same event a second time meets the same execution.
        ClientRequestToken=f"monitoring-{context.project}-{detail['environment']}-{moment}".ljust(32, "0")[
            :128
        ],
    )
    arn = answer["PipelineExecutionArn"]
    return now.isoformat(timespec="seconds"), (
        f"A training was started: execution {arn.rpartition('/')[2]}. Its model is registered only if it"
        " passes the gate, and waits for approval as ever."
    )


def _parameter(context: Context, environment: str) -> str:
    return f"/gatehouse/{context.project}/{environment}/monitoring"


def _read(context: Context, environment: str) -> dict[str, Any]:
    try:
        answer = context.clients.client("ssm").get_parameter(Name=_parameter(context, environment))
    except ClientError as error:
        if is_absent(error):
            return {}
        raise
    found: dict[str, Any] = json.loads(answer["Parameter"]["Value"])
    return found


def _write(context: Context, environment: str, told: dict[str, Any]) -> None:
    text = json.dumps(told)
    if len(text) > 4000:  # Parameter Store's limit is 4 KB: of very many findings their number
        told = {**told, "findings": [f"{len(told['findings'])} findings"]}
    context.clients.client("ssm").put_parameter(
        Name=_parameter(context, environment), Value=json.dumps(told), Type="String", Overwrite=True
    )
