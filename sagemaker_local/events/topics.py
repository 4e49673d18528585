"""Topics: what is published goes to every queue that subscribes, in the publisher's transaction.

No mail leaves this machine. What would have been sent to people is read in the queue ``local-inbox``,
which every topic of a region has as a subscriber from its creation on.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local import clocks
from sagemaker_local.events import messages
from sagemaker_local.store import Document, Store

TOPIC, SUBSCRIPTION = "topic", "subscription"
"""Kinds of the documents; a subscription's parent is its topic's ARN."""

INBOX = "local-inbox"
"""The queue in which everything is read that is published here."""

QUEUE_PROTOCOL = "sqs"


def topic_arn(region: str, name: str) -> str:
    return f"arn:aws:sns:{region}:{LOCAL_ACCOUNT}:{name}"


def publish(
    store: Store,
    region: str,
    topic: str,
    message: str,
    subject: str | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> str:
    """Publish to a topic; returns the message's id.

    Args:
        attributes: name -> DataType and StringValue, as SNS has them.

    Raises:
        LookupError: there is no such topic.
    """
    arn, identity = topic_arn(region, topic), str(uuid.uuid4())
    if store.get(TOPIC, region, topic) is None:
        raise LookupError(f"there is no topic {arn}")
    now = clocks.utc_now().isoformat(timespec="milliseconds")
    notification: Document = {
        "Type": "Notification",
        "MessageId": identity,
        "TopicArn": arn,
        **({"Subject": subject} if subject else {}),
        "Message": message,
        "Timestamp": now.replace("+00:00", "Z"),
    }
    if attributes:
        notification["MessageAttributes"] = {
            name: {"Type": value["DataType"], "Value": value.get("StringValue", "")}
            for name, value in attributes.items()
        }
    with store.transaction():
        for subscription in store.list(SUBSCRIPTION, region, arn):
            queue = subscription["Endpoint"].rpartition(":")[2]
            if subscription["Protocol"] == QUEUE_PROTOCOL and store.get(messages.QUEUE, region, queue):
                if subscription.get("_Raw"):
                    messages.send(store, region, queue, message, attributes)
                else:
                    messages.send(store, region, queue, json.dumps(notification))
    return identity
