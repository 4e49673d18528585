"""What becomes of a change of an object where its bucket is told to report it.

The object store calls this in the transaction of the change. EventBridge gets an event, a function, topic or
queue a message. Formats: the Amazon S3 User Guide, "EventBridge event message structure" and "Event message
structure".
"""

from __future__ import annotations

import json
import urllib.parse
import uuid

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local import clocks
from sagemaker_local.events import outbox
from sagemaker_local.s3.objects import SETTINGS, Change
from sagemaker_local.store import Document, Store

_NAMES = {
    "PutObject": "ObjectCreated:Put",
    "CopyObject": "ObjectCreated:Copy",
    "CompleteMultipartUpload": "ObjectCreated:CompleteMultipartUpload",
    "DeleteObject": "ObjectRemoved:Delete",
}
"""What messages call what requests do."""


def report(store: Store, region: str, change: Change) -> None:
    """Write what the bucket's settings ask for; nothing for a bucket without any."""
    settings = store.get(SETTINGS, region, change.info.bucket)
    if settings is None:
        return
    identity = uuid.uuid4().hex[:16].upper()
    if settings["EventBridge"]:
        outbox.put_event(store, region, _event(region, change, identity))
    name = _NAMES[change.reason]
    for target in settings["Targets"]:
        if _is_wanted(target, name, change.info.key):
            given = {"Id": target["Id"], "Arn": target["Arn"]}
            message = json.dumps({"Records": [_record(region, change, name, target["Id"], identity)]})
            outbox.put_delivery(store, region, target["Arn"], given, message)


def _is_wanted(target: Document, name: str, key: str) -> bool:
    kinds = (f"s3:{name}", f"s3:{name.partition(':')[0]}:*")
    return (
        any(kind in target["Events"] for kind in kinds)
        and key.startswith(target["prefix"])
        and key.endswith(target["suffix"])
    )


def _event(region: str, change: Change, identity: str) -> Document:
    info, is_gone = change.info, change.reason == "DeleteObject"
    known = {} if is_gone else {"size": info.size, "etag": info.etag}
    detail = {
        "version": "0",
        "bucket": {"name": info.bucket},
        "object": {"key": info.key, **known, "sequencer": identity},
        "request-id": identity,
        "requester": LOCAL_ACCOUNT,
        "source-ip-address": "127.0.0.1",
        "reason": change.reason,
        **({"deletion-type": "Permanently Deleted"} if is_gone else {}),
    }
    what = "Object Deleted" if is_gone else "Object Created"
    return outbox.envelope(region, "aws.s3", what, detail, [f"arn:aws:s3:::{info.bucket}"])


def _record(region: str, change: Change, name: str, setting: str, identity: str) -> Document:
    info = change.info
    known = {} if change.reason == "DeleteObject" else {"size": info.size, "eTag": info.etag}
    now = clocks.utc_now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": now,
        "eventName": name,
        "userIdentity": {"principalId": f"AWS:{LOCAL_ACCOUNT}"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": identity, "x-amz-id-2": identity},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": setting,
            "bucket": {
                "name": info.bucket,
                "ownerIdentity": {"principalId": LOCAL_ACCOUNT},
                "arn": f"arn:aws:s3:::{info.bucket}",
            },
            "object": {"key": urllib.parse.quote_plus(info.key, safe="/"), **known, "sequencer": identity},
        },
    }
