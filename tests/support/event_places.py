"""Queues, rules and functions that tests of events make, and the messages that come of them."""

from __future__ import annotations

import json
import textwrap
import zipfile
from io import BytesIO
from typing import Any

from wire_clients import Client, wait_for

ROLE = "arn:aws:iam::000000000000:role/local"


def make_queue(sqs: Client, name: str) -> tuple[str, str]:
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, found["Attributes"]["QueueArn"]


def zipped(files: dict[str, str]) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return content.getvalue()


def make_function(lambdas: Client, name: str, source: str, **members: Any) -> str:
    """A function out of Python source with a `handler`; returns its ARN."""
    created = lambdas.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=ROLE,
        Handler="code.handler",
        Code={"ZipFile": zipped({"code.py": textwrap.dedent(source)})},
        **members,
    )
    return str(created["FunctionArn"])


def make_rule(events: Client, name: str, pattern: dict[str, Any], *targets: dict[str, Any]) -> str:
    """A rule with targets, which get their Ids here; returns its ARN."""
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    numbered = [{"Id": str(number), **target} for number, target in enumerate(targets)]
    assert events.put_targets(Rule=name, Targets=numbered)["FailedEntryCount"] == 0
    return str(arn)


def put_event(events: Client, source: str, detail: dict[str, Any], detail_type: str = "test") -> str:
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
    return str(events.put_events(Entries=[entry])["Entries"][0]["EventId"])


def take(sqs: Client, url: str) -> dict[str, Any]:
    """The next message of a queue, deleted from it."""
    found = wait_for(lambda: received(sqs, url))
    sqs.delete_message(QueueUrl=url, ReceiptHandle=found["ReceiptHandle"])
    return found


def received(sqs: Client, url: str) -> dict[str, Any] | None:
    answer = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"])
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages[0] if messages else None
