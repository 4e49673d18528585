"""`gatehouse inbox`: the messages that the automation would mail to people in AWS.

Every topic of the local SageMaker has the queue `local-inbox` as a subscriber. It is read over SQS's own
protocol: messages are received, shown, and made visible again, so that the next look shows them, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
from botocore.exceptions import ClientError

from aws_formats import json_text
from aws_formats.errors import GatehouseError
from pipelines.commands.local_endpoint import connected, is_kept_up
from pipelines.commands.options import project_argument
from pipelines.commands.output import Document, Lines, Output, Remark, moment, with_json
from pipelines.commands.project_context import find_context

QUEUE = "local-inbox"
_NO_QUEUE = ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
"""By JSON and by the older query protocol, whose codes AWS sends beside JSON's."""
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


@click.command("inbox")
@project_argument
@click.option(
    "--queue",
    default=QUEUE,
    show_default=True,
    metavar="NAME",
    help="Another queue, e.g. one of dead letters: gatehouse-{team}-{project}-dead-letters.",
)
@click.option("--delete", is_flag=True, help="Delete what is shown.")
@with_json
def command(project: str | None, queue: str, delete: bool) -> Output:
    """Show what people were told by the automation on this machine, oldest first.

    Mail is not sent from here: what a topic would mail in AWS is read here instead. With PROJECT, only
    what is about that project. Events are handled while `gatehouse local up` runs.

    \b
    Example:
      gatehouse inbox
      gatehouse inbox --queue gatehouse-health-tumor-diagnosis-dead-letters
    """
    with connected(find_context(project, "local")) as context:
        sqs = context.target.client("sqs")
        url = _url(sqs, queue)
        messages = [] if url is None else _read(sqs, url)
        if project is not None:
            messages = [message for message in messages if _is_about(message, context.project.name)]
        for message in messages if delete else ():
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message.receipt)
    if url is None and queue != QUEUE:
        raise GatehouseError(
            f"there is no queue {queue} on this machine",
            remedy="`gatehouse local up` makes the queues of the projects in projects.toml",
        )
    yield Document([_document(message) for message in messages])
    for message in messages:
        yield Lines(_in_lines(message))
    if not messages:
        yield Remark("There are no messages.")
    if not is_kept_up(context.settings):
        yield Remark("Events wait until they are handled: bring it up with `gatehouse local up`.")


def _url(sqs: Any, queue: str) -> str | None:
    try:
        return str(sqs.get_queue_url(QueueName=queue)["QueueUrl"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_QUEUE:
            raise
        return None


def _read(sqs: Any, url: str) -> list[InboxMessage]:
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


def _is_about(message: InboxMessage, project: str) -> bool:
    if message.topic is None:
        return project in message.text
    return message.topic.rpartition(":")[2] == f"gatehouse-{project}"


def _document(message: InboxMessage) -> dict[str, object]:
    return {
        "id": message.id,
        "sent": message.sent,
        "topic": message.topic,
        "subject": message.subject,
        "text": message.text,
        "attributes": message.attributes,
    }


def _in_lines(message: InboxMessage) -> Iterator[str]:
    source = (message.topic or "").rpartition(":")[2]
    yield f"{moment(message.sent)}  {message.subject or source or 'message'}"
    for line in message.text.splitlines():
        yield f"  {line}"
    for name, value in message.attributes.items():
        yield f"  {name}: {value}"
    yield ""
