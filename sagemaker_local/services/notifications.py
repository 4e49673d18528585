"""SNS: topics, subscriptions, publishing. What happens to a message is in ``events.topics``.

Subscriptions of queues are delivered. One of another protocol (mail, for one) stays "pending
confirmation": nothing leaves this machine, and the inbox queue shows what would have been sent.
"""

from __future__ import annotations

import uuid
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.events import messages, topics
from sagemaker_local.events.topics import INBOX, QUEUE_PROTOCOL, SUBSCRIPTION, TOPIC
from sagemaker_local.services import paging, queues
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.store import Document
from sagemaker_local.store.listing import NAME, Listing, member

_LARGEST = 256 << 10
_LONGEST_SUBJECT = 100
_KEPT_PROTOCOLS = ("email", "email-json", "http", "https", "sms")
_PAGE = 100
_TOPICS = Listing(TOPIC, {"Name": (NAME,)})
_BY_ARN = {"SubscriptionArn": (member("SubscriptionArn"),)}
_SUBSCRIPTIONS = Listing(SUBSCRIPTION, _BY_ARN)
_OF_A_TOPIC = Listing(SUBSCRIPTION, _BY_ARN, of_parent=True)


def create_topic(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateTopic; one that exists is given back. The inbox is its first subscriber."""
    name = parameters["Name"]
    if name.endswith(".fifo"):
        raise not_implemented("A FIFO topic")
    if not queues.NAME_PATTERN.fullmatch(name) or len(name) > 256:
        raise _invalid("Topic Name")
    arn = topics.topic_arn(call.region, name)
    with call.store.transaction():
        if call.store.get(TOPIC, call.region, name) is None:
            call.store.put(TOPIC, call.region, name, {"TopicArn": arn, "CreationTime": clocks.now()})
            queues.create_inbox(call)
            _add(call, arn, QUEUE_PROTOCOL, call.arn(INBOX, "sqs"), raw=False)
    return {"TopicArn": arn}


def list_topics(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListTopics, by name."""
    page, token = paging.stored_page(call, _TOPICS, parameters, descending=False, size=_PAGE)
    return {"Topics": page, "NextToken": token}


def get_attributes(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetTopicAttributes"""
    arn = _load(call, parameters["TopicArn"])
    subscriptions = call.store.list(SUBSCRIPTION, call.region, arn)
    confirmed = sum(one["Protocol"] == QUEUE_PROTOCOL for one in subscriptions)
    return {
        "Attributes": {
            "TopicArn": arn,
            "Owner": LOCAL_ACCOUNT,
            "DisplayName": "",
            "SubscriptionsConfirmed": str(confirmed),
            "SubscriptionsPending": str(len(subscriptions) - confirmed),
            "SubscriptionsDeleted": "0",
        }
    }


def delete_topic(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteTopic, with its subscriptions; one that does not exist is no error, as on AWS."""
    arn = parameters["TopicArn"]
    with call.store.transaction():
        for one in call.store.list(SUBSCRIPTION, call.region, arn):
            call.store.delete(SUBSCRIPTION, call.region, one["_Name"])
        call.store.delete(TOPIC, call.region, arn.rpartition(":")[2])
    return {}


def subscribe(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """Subscribe; the same endpoint twice is one subscription."""
    arn = _load(call, parameters["TopicArn"])
    protocol, endpoint = parameters["Protocol"], parameters.get("Endpoint", "")
    attributes = parameters.get("Attributes", {})
    unknown = sorted(attributes.keys() - {"RawMessageDelivery"})
    if unknown:
        raise not_implemented(f"{', '.join(unknown)} of a subscription")
    if protocol not in (QUEUE_PROTOCOL, *_KEPT_PROTOCOLS):
        raise not_implemented(f"The protocol {protocol} of a subscription")
    if protocol == QUEUE_PROTOCOL:
        queue = endpoint.rpartition(":")[2]
        if endpoint != call.arn(queue, "sqs") or call.store.get(messages.QUEUE, call.region, queue) is None:
            raise _invalid(f"Endpoint: there is no queue {endpoint} in this region")
    raw = attributes.get("RawMessageDelivery", "false").lower() == "true"
    with call.store.transaction():
        document = _add(call, arn, protocol, endpoint, raw=raw)
    return {"SubscriptionArn": _shown_arn(document, parameters.get("ReturnSubscriptionArn", False))}


def unsubscribe(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """Unsubscribe"""
    for one in call.store.list(SUBSCRIPTION, call.region):
        if one["SubscriptionArn"] == parameters["SubscriptionArn"]:
            call.store.delete(SUBSCRIPTION, call.region, one["_Name"])
    return {}


def list_subscriptions(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListSubscriptions, ListSubscriptionsByTopic"""
    arn = parameters.get("TopicArn")
    if arn is not None:
        _load(call, arn)
    found, token = paging.stored_page(
        call,
        _SUBSCRIPTIONS if arn is None else _OF_A_TOPIC,
        parameters,
        parent=arn or "",
        descending=False,
        size=_PAGE,
    )
    shown = [{**one, "SubscriptionArn": _shown_arn(one, False)} for one in found]
    return {"Subscriptions": shown, "NextToken": token}


def publish(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """Publish to a topic."""
    arn = parameters.get("TopicArn") or parameters.get("TargetArn")
    if not arn:
        raise not_implemented("Publishing to a phone number")
    if parameters.get("MessageStructure"):
        raise not_implemented("MessageStructure of a message")
    message, subject = parameters["Message"], parameters.get("Subject")
    if not message or len(message.encode()) > _LARGEST:
        raise _invalid(f"Message: it has from 1 to {_LARGEST} bytes")
    if subject is not None and (not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable()):
        raise _invalid(f"Subject: it has from 1 to {_LONGEST_SUBJECT} characters and no line breaks")
    _load(call, arn)
    with call.store.transaction():
        identity = topics.publish(
            call.store,
            call.region,
            arn.rpartition(":")[2],
            message,
            subject,
            parameters.get("MessageAttributes"),
        )
    return {"MessageId": identity}


SERVICE = "sns"
LISTINGS = (_TOPICS, _SUBSCRIPTIONS, _OF_A_TOPIC)
OPERATIONS: dict[str, Handler] = {
    "CreateTopic": create_topic,
    "ListTopics": list_topics,
    "GetTopicAttributes": get_attributes,
    "DeleteTopic": delete_topic,
    "Subscribe": subscribe,
    "Unsubscribe": unsubscribe,
    "ListSubscriptions": list_subscriptions,
    "ListSubscriptionsByTopic": list_subscriptions,
    "Publish": publish,
}


def _load(call: Call, arn: str) -> str:
    """The topic's ARN, after checking that it exists."""
    name = arn.rpartition(":")[2]
    if arn != topics.topic_arn(call.region, name) or call.store.get(TOPIC, call.region, name) is None:
        raise AwsError("NotFound", f"Topic does not exist: {arn}", 404)
    return arn


def _add(call: Call, topic: str, protocol: str, endpoint: str, *, raw: bool) -> Document:
    name = f"{topic} {protocol} {endpoint}"
    known = call.store.get(SUBSCRIPTION, call.region, name)
    document = {
        "SubscriptionArn": known["SubscriptionArn"] if known else f"{topic}:{uuid.uuid4()}",
        "Owner": LOCAL_ACCOUNT,
        "Protocol": protocol,
        "Endpoint": endpoint,
        "TopicArn": topic,
        "CreationTime": clocks.now(),
        "_Name": name,
        "_Raw": raw,
    }
    call.store.put(SUBSCRIPTION, call.region, name, document, parent=topic)
    return document


def _shown_arn(subscription: Document, always: bool) -> str:
    if subscription["Protocol"] == QUEUE_PROTOCOL or always:
        return str(subscription["SubscriptionArn"])
    return "PendingConfirmation"


def _invalid(what: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {what}")
