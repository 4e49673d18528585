"""The messages that people were told, and the events that could not be handled, on this machine.

They are read over SQS's own protocol: messages are received, and made visible again, so that the next look
shows them, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aws_formats import json_text

QUEUE = "local-inbox"
_HIDDEN_SECONDS = 30
_PAGE = 10


@dataclass(frozen=True)
class InboxMessage:
    """One message; `receipt` is what the queue deletes it by or shows it again."""

    id: str
    sent: datetime
    topic: str | None
    subject: str | None
    text: str
    attributes: dict[str, str]
    receipt: str


def queue_url(sqs: Any, queue: str) -> str | None:
    """The address of a queue; None where there is none of that name."""
    try:
        return str(sqs.get_queue_url(QueueName=queue)["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        return None


def read_messages(sqs: Any, url: str) -> list[InboxMessage]:
    """Every message that can be received; all of them can be received again when this returns."""
    messages: list[InboxMessage] = []
    while True:
        received = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_PAGE,
            VisibilityTimeout=_HIDDEN_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        if not received:
            break
        messages += [_message(entry) for entry in received]
    for message in messages:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message.receipt, VisibilityTimeout=0)
    return messages


def _message(received: dict[str, Any]) -> InboxMessage:
    notification = _notification(received["Body"])
    attributes = received.get("MessageAttributes", {})
    return InboxMessage(
        id=received["MessageId"],
        sent=datetime.fromtimestamp(int(received["Attributes"]["SentTimestamp"]) / 1000, UTC),
        topic=notification.get("TopicArn"),
        subject=notification.get("Subject"),
        text=notification.get("Message", received["Body"]),
        attributes={name: value.get("StringValue", "") for name, value in attributes.items()},
        receipt=received["ReceiptHandle"],
    )


def _notification(body: str) -> dict[str, Any]:
    """What a topic sent; empty for a message of another sender, such as a dead letter."""
    try:
        content = json_text.parse(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) and content.get("Type") == "Notification" else {}


def is_about(message: InboxMessage, project: str) -> bool:
    """Whether a message is about the project of that full name."""
    if message.topic is None:
        return project in message.text
    return message.topic.rpartition(":")[2] == f"gatehouse-{project}"
