"""What a bucket tells of its objects, and to whom: PutBucketNotificationConfiguration and its reading.

The settings are a document in the store. What is made of them when an object changes is in
``events.bucket_events``.
"""

from __future__ import annotations

import uuid
from typing import Any
from xml.etree.ElementTree import Element

from sagemaker_local.errors import AwsError
from sagemaker_local.protocols import xml
from sagemaker_local.protocols.http import Response
from sagemaker_local.s3.messages import Request, not_implemented, xml_response
from sagemaker_local.s3.objects import SETTINGS, ObjectStore
from sagemaker_local.store import Document

_TARGETS = {
    "TopicConfiguration": ("Topic", ":sns:"),
    "QueueConfiguration": ("Queue", ":sqs:"),
    "CloudFunctionConfiguration": ("CloudFunction", ":lambda:"),
}
_EVENTS = (
    *("s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy"),
    *("s3:ObjectCreated:CompleteMultipartUpload", "s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete"),
)


def put(objects: ObjectStore, request: Request) -> Response:
    """PutBucketNotificationConfiguration: in place of what was set before."""
    region = objects.bucket(request.bucket).region
    document = xml.parse(request.body)
    targets = [_target(entry, *_TARGETS[entry.tag], entry.tag) for entry in document if entry.tag in _TARGETS]
    names = [one["Id"] for one in targets]
    if len(set(names)) < len(names):
        raise AwsError("InvalidArgument", "Same ID used for multiple configurations.")
    settings = {"EventBridge": document.find("EventBridgeConfiguration") is not None, "Targets": targets}
    objects.store.put(SETTINGS, region, request.bucket, settings)
    return Response()


def get(objects: ObjectStore, request: Request) -> Response:
    """GetBucketNotificationConfiguration"""
    region = objects.bucket(request.bucket).region
    found = objects.store.get(SETTINGS, region, request.bucket) or {"EventBridge": False, "Targets": []}
    content: dict[str, Any] = {kind: [] for kind in _TARGETS}
    for one in found["Targets"]:
        rules = [
            {"Name": name.capitalize(), "Value": one[name]} for name in ("prefix", "suffix") if one[name]
        ]
        content[one["Kind"]].append(
            {
                "Id": one["Id"],
                _TARGETS[one["Kind"]][0]: one["Arn"],
                "Event": one["Events"],
                "Filter": {"S3Key": {"FilterRule": rules}} if rules else None,
            }
        )
    if found["EventBridge"]:
        content["EventBridgeConfiguration"] = ""
    return xml_response("NotificationConfiguration", content)


def _target(entry: Element, member: str, service: str, kind: str) -> Document:
    arn = entry.findtext(member) or ""
    if service not in arn:
        raise AwsError("InvalidArgument", f"The ARN is not well formed: {arn!r} is no {member}.")
    events = [event.text or "" for event in entry.findall("Event")]
    for event in events:
        if event not in _EVENTS:
            raise not_implemented(f"The event {event} of a bucket")
    if not events:
        raise AwsError("MalformedXML", f"The configuration of {arn} names no Event.")
    found = {"prefix": "", "suffix": ""}
    for rule in entry.findall("Filter/S3Key/FilterRule"):
        name = (rule.findtext("Name") or "").lower()
        if name not in found:
            raise AwsError(
                "InvalidArgument", f"filter rule name must be either prefix or suffix, not {name}."
            )
        found[name] = rule.findtext("Value") or ""
    identity = entry.findtext("Id") or str(uuid.uuid4())
    return {"Id": identity, "Arn": arn, "Kind": kind, "Events": events, **found}
