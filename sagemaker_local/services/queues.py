"""SQS: standard queues, as far as targets, dead letters and those who read them need."""

from __future__ import annotations

import re
import time
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.events import messages
from sagemaker_local.events.messages import QUEUE, Message
from sagemaker_local.events.topics import INBOX
from sagemaker_local.services import paging
from sagemaker_local.services.call import Call, Handler, Waiting
from sagemaker_local.store import Document
from sagemaker_local.store.listing import NAME, Listing, begins_with

NAME_PATTERN = re.compile(r"[A-Za-z0-9_-]+")
_QUEUES = Listing(QUEUE, {"Name": (NAME,)})

_LONGEST_NAME = 80
_LONGEST_WAIT = 20
_DEFAULTS = {
    "DelaySeconds": (0, 0, 900),
    "VisibilityTimeout": (30, 0, 43_200),
    "MessageRetentionPeriod": (345_600, 60, 1_209_600),
    "MaximumMessageSize": (262_144, 1_024, 1_048_576),
    "ReceiveMessageWaitTimeSeconds": (0, 0, _LONGEST_WAIT),
}
"""Attribute -> its default and the least and greatest value."""

_BOUNDS = {
    **{name: (least, most) for name, (_, least, most) in _DEFAULTS.items()},
    "WaitTimeSeconds": (0, _LONGEST_WAIT),
    "MaxNumberOfMessages": (1, 10),
    "MaxResults": (1, 1000),
}
"""Member of a request -> its least and greatest value, which botocore's model of SQS does not know."""

_IGNORED = ("Policy", "SqsManagedSseEnabled", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds")
"""Kept and shown; there is one caller here and no encryption."""


def create_queue(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateQueue; one that exists with the same attributes is given back."""
    name, attributes = parameters["QueueName"], parameters.get("Attributes", {})
    if name.endswith(".fifo") or "FifoQueue" in attributes:
        raise not_implemented("A FIFO queue")
    if not NAME_PATTERN.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise _invalid(
            f"Can only include alphanumeric characters, hyphens, or underscores. 1 to {_LONGEST_NAME} of them"
        )
    _check(attributes)
    with call.store.transaction():
        known = call.store.get(QUEUE, call.region, name)
        if known is None:
            _create(call, name, attributes)
        elif any(_attribute(known, key) != value for key, value in attributes.items()):
            raise AwsError(
                "QueueNameExists", f"A queue {name} already exists with other values of its attributes."
            )
    return {"QueueUrl": _url(call, name)}


def create_inbox(call: Call) -> None:
    """The queue that every topic has as a subscriber; keeps what it gets for two weeks."""
    if call.store.get(QUEUE, call.region, INBOX) is None:
        _create(call, INBOX, {"MessageRetentionPeriod": "1209600"})


def get_url(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetQueueUrl"""
    name = parameters["QueueName"]
    _load(call, name)
    return {"QueueUrl": _url(call, name)}


def list_queues(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListQueues, by name."""
    _check_numbers(parameters)
    prefix = begins_with(NAME, parameters.get("QueueNamePrefix", ""))
    page, token = paging.stored_page(
        call, _QUEUES, parameters, conditions=prefix, descending=False, size=1000
    )
    return {"QueueUrls": [_url(call, one["QueueName"]) for one in page], "NextToken": token}


def delete_queue(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteQueue, with its messages."""
    name = _load(call, parameters["QueueUrl"])["QueueName"]
    with call.store.transaction():
        messages.purge(call.store, call.region, name)
        call.store.delete(QUEUE, call.region, name)
    return {}


def purge_queue(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """PurgeQueue"""
    messages.purge(call.store, call.region, _load(call, parameters["QueueUrl"])["QueueName"])
    return {}


def get_attributes(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetQueueAttributes"""
    document = _load(call, parameters["QueueUrl"])
    ready, hidden, delayed = messages.count(call.store, call.region, document["QueueName"])
    attributes = {
        **{name: _attribute(document, name) for name in _DEFAULTS},
        **document["Attributes"],
        "QueueArn": document["QueueArn"],
        "CreatedTimestamp": str(int(document["CreationTime"])),
        "LastModifiedTimestamp": str(int(document["LastModifiedTime"])),
        "ApproximateNumberOfMessages": str(ready),
        "ApproximateNumberOfMessagesNotVisible": str(hidden),
        "ApproximateNumberOfMessagesDelayed": str(delayed),
    }
    wanted = parameters.get("AttributeNames", [])
    if "All" not in wanted:
        attributes = {name: value for name, value in attributes.items() if name in wanted}
    return {"Attributes": attributes or None}


def set_attributes(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """SetQueueAttributes"""
    attributes = parameters["Attributes"]
    _check(attributes)
    with call.store.transaction():
        document = _load(call, parameters["QueueUrl"])
        document["Attributes"] |= attributes
        document["LastModifiedTime"] = clocks.now()
        call.store.put(QUEUE, call.region, document["QueueName"], document)
    return {}


def send(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """SendMessage"""
    _check_numbers(parameters)
    document, body = _load(call, parameters["QueueUrl"]), parameters["MessageBody"]
    most = int(_attribute(document, "MaximumMessageSize"))
    if not 0 < len(body.encode()) <= most:
        raise _invalid(
            f"One or more parameters are invalid. Reason: Message must have from 1 to {most} bytes."
        )
    delay = parameters.get("DelaySeconds", int(_attribute(document, "DelaySeconds")))
    attributes = {
        name: {key: value for key, value in one.items() if key in ("DataType", "StringValue")}
        for name, one in parameters.get("MessageAttributes", {}).items()
    }
    if any("StringValue" not in one for one in attributes.values()):
        raise not_implemented("A message attribute that is not a String or Number")
    identity = messages.send(call.store, call.region, document["QueueName"], body, attributes, delay=delay)
    return {"MessageId": identity, "MD5OfMessageBody": messages.md5(body)}


def receive(call: Call, parameters: dict[str, Any]) -> dict[str, Any] | Waiting:
    """ReceiveMessage; with WaitTimeSeconds it waits for the first, without a worker."""
    _check_numbers(parameters)
    document = _load(call, parameters["QueueUrl"])
    most = parameters.get("MaxNumberOfMessages", 1)
    hidden_for = parameters.get("VisibilityTimeout", int(_attribute(document, "VisibilityTimeout")))
    wait = parameters.get("WaitTimeSeconds", int(_attribute(document, "ReceiveMessageWaitTimeSeconds")))
    deadline = time.monotonic() + wait
    name, retention = document["QueueName"], int(_attribute(document, "MessageRetentionPeriod"))
    arrivals = call.components.arrivals

    def attempt() -> dict[str, Any] | Waiting:
        if messages.ready(call.store, call.region, name, 1):
            found = messages.receive(
                call.store, call.region, name, most, hidden_for=hidden_for, retention=retention
            )
            if found:
                return {"Messages": [_shown(message, parameters) for message in found]}
        if time.monotonic() >= deadline or arrivals.closed:
            return {}
        return Waiting(arrivals.next(call.region, name, deadline), attempt)

    return attempt()


def delete(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteMessage"""
    name = _load(call, parameters["QueueUrl"])["QueueName"]
    messages.delete(call.store, call.region, name, parameters["ReceiptHandle"])
    return {}


def change_visibility(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ChangeMessageVisibility"""
    _check_numbers(parameters)
    name, receipt = _load(call, parameters["QueueUrl"])["QueueName"], parameters["ReceiptHandle"]
    if not messages.hide(call.store, call.region, name, receipt, parameters["VisibilityTimeout"]):
        raise AwsError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
    return {}


SERVICE = "sqs"
LISTINGS = (_QUEUES,)
OPERATIONS: dict[str, Handler] = {
    "CreateQueue": create_queue,
    "GetQueueUrl": get_url,
    "ListQueues": list_queues,
    "DeleteQueue": delete_queue,
    "PurgeQueue": purge_queue,
    "GetQueueAttributes": get_attributes,
    "SetQueueAttributes": set_attributes,
    "SendMessage": send,
    "ReceiveMessage": receive,
    "DeleteMessage": delete,
    "ChangeMessageVisibility": change_visibility,
}
TRANSACTIONS = ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")


def _create(call: Call, name: str, attributes: dict[str, str]) -> None:
    now = clocks.now()
    document = {
        "QueueName": name,
        "QueueArn": call.arn(name, "sqs"),
        "Attributes": attributes,
        "CreationTime": now,
        "LastModifiedTime": now,
    }
    call.store.put(QUEUE, call.region, name, document)


def _url(call: Call, name: str) -> str:
    return f"{call.components.url}/{LOCAL_ACCOUNT}/{name}"


def _load(call: Call, url: str) -> Document:
    """A queue by its URL or name; what comes before the name may be of an earlier endpoint, or of AWS."""
    document = call.store.get(QUEUE, call.region, url.rstrip("/").rpartition("/")[2])
    if document is None:
        raise AwsError("QueueDoesNotExist", "The specified queue does not exist.")
    return document


def _attribute(document: Document, name: str) -> str:
    default = str(_DEFAULTS[name][0]) if name in _DEFAULTS else ""
    return str(document["Attributes"].get(name, default))


def _check_numbers(parameters: dict[str, Any]) -> None:
    for name, (least, most) in _BOUNDS.items():
        if name in parameters and not least <= parameters[name] <= most:
            raise _invalid(f"The value for parameter {name} is invalid. Reason: from {least} to {most}.")


def _check(attributes: dict[str, str]) -> None:
    for name, value in attributes.items():
        if name in _IGNORED:
            continue
        if name not in _DEFAULTS:
            raise not_implemented(f"The queue attribute {name}")
        _, least, greatest = _DEFAULTS[name]
        if not re.fullmatch(r"\d{1,9}", value) or not least <= int(value) <= greatest:
            raise AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def _shown(message: Message, parameters: dict[str, Any]) -> Document:
    system = {
        "SenderId": LOCAL_ACCOUNT,
        "SentTimestamp": str(int(message.sent * 1000)),
        "ApproximateReceiveCount": str(message.receives),
        "ApproximateFirstReceiveTimestamp": str(int(message.first * 1000)),
    }
    wanted = [*parameters.get("AttributeNames", []), *parameters.get("MessageSystemAttributeNames", [])]
    names = parameters.get("MessageAttributeNames", [])
    attributes = {
        name: value
        for name, value in message.attributes.items()
        if any(
            one in ("All", ".*", name) or (one.endswith(".*") and name.startswith(one[:-2])) for one in names
        )
    }
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "Body": message.body,
        "MD5OfBody": messages.md5(message.body),
        "Attributes": {key: value for key, value in system.items() if {"All", key} & set(wanted)} or None,
        "MessageAttributes": attributes or None,
    }


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)
