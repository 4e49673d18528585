"""A dead letter is tried again: its event is given once more to the function that could not handle it.

EventBridge says beside an event which target it was for. Lambda puts only the event into the queue; its
function is found as EventBridge found it, by the rules of the project that match the event. The message is
hidden from others while it is handed over, and then deleted: of two who try it again at once, one does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from aws_formats import json_text
from aws_formats.errors import GatehouseError
from pipelines.executions.inbox import queue_url
from pipelines.settings.target import Target

_HIDDEN_SECONDS = 60
_WAIT_SECONDS = 2
"""For a message that another reader of the queue holds for the moment."""


def queue_name(project: str) -> str:
    """The queue of the events that the functions of a project could not handle."""
    return f"gatehouse-{project}-dead-letters"


def try_again(target: Target, project: str, message_id: str) -> tuple[str, ...]:
    """Give a dead letter to its functions once more; the names of these.

    Raises:
        GatehouseError: it is not in the queue any more, or no function takes it.
    """
    sqs = target.client("sqs")
    url = queue_url(sqs, queue_name(project))
    message = None if url is None else _take(sqs, url, message_id)
    if message is None:
        raise GatehouseError(
            "this dead letter is not in the queue any more",
            where=queue_name(project),
            remedy="Somebody has tried it again or deleted it: look at the list anew",
        )
    try:
        functions = tuple(dict.fromkeys(_functions_of(target, project, message)))
        if not functions:
            raise GatehouseError(
                "no rule of the project takes this event, so there is no function to give it to",
                where=queue_name(project),
            )
        for name in functions:
            target.client("lambda").invoke(
                FunctionName=name, InvocationType="Event", Payload=message["Body"].encode()
            )
    except BaseException:
        _show_again(sqs, url, message)
        raise
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return tuple(name.rpartition(":")[2] for name in functions)


def _take(sqs: Any, url: str, message_id: str) -> Mapping[str, Any] | None:
    """The message, hidden from others for a minute; those that were received with it are shown again."""
    others: list[Mapping[str, Any]] = []
    try:
        while True:
            received = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=_WAIT_SECONDS,
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            found = next((one for one in received if one["MessageId"] == message_id), None)
            others += [one for one in received if one is not found]
            if found is not None or not received:
                return found
    finally:
        for one in others:
            _show_again(sqs, url, one)


def _show_again(sqs: Any, url: str | None, message: Mapping[str, Any]) -> None:
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)


def _functions_of(target: Target, project: str, message: Mapping[str, Any]) -> Iterator[str]:
    """The ARNs of the functions that the event is for."""
    named = message.get("MessageAttributes", {}).get("TARGET_ARN", {}).get("StringValue")
    if named is not None:
        if ":lambda:" in named:
            yield named
        return
    events = target.client("events")
    for rule in events.list_rules(NamePrefix=f"{project}-")["Rules"]:
        if _matches(events, rule, message["Body"]):
            targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            yield from (one["Arn"] for one in targets if ":lambda:" in one["Arn"])


def _matches(events: Any, rule: Mapping[str, Any], body: str) -> bool:
    if "EventPattern" not in rule:  # it fires by a schedule, and its events name it
        return rule["Arn"] in _resources(body)
    try:
        answer = events.test_event_pattern(EventPattern=rule["EventPattern"], Event=body)
    except ClientError:  # the body is no event
        return False
    return bool(answer["Result"])


def _resources(body: str) -> list[Any]:
    try:
        event = json_text.parse(body)
    except ValueError:
        return []
    found = event.get("resources") if isinstance(event, dict) else None
    return found if isinstance(found, list) else []
