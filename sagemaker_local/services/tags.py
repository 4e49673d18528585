"""Tags of every resource, kept beside the resource under its ARN.

A Create operation hands its ``Tags`` to :func:`replace`, so ListTags shows them at once; a Delete
operation calls :func:`drop`, so a later resource of the same name starts without them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local.errors import validation_error
from sagemaker_local.services import paging
from sagemaker_local.services.call import Call, Handler

_TAGGED = {
    "pipeline": "pipeline",
    "execution": "execution",
    "model-package-group": "model-package-group",
    "model-package": "model-package",
    "processing-job": "processing-job",
    "training-job": "training-job",
    "model": "model",
    "model-card": "model-card",
    "endpoint-config": "endpoint-config",
    "endpoint": "endpoint",
    "transform-job": "transform-job",
    "hyper-parameter-tuning-job": "hyper-parameter-tuning-job",
    "data-quality-job-definition": "data-quality-job-definition",
    "model-quality-job-definition": "model-quality-job-definition",
    "monitoring-schedule": "monitoring-schedule",
}
"""Resource type in an ARN -> kind in the store."""

_NAMED_BY_ARN = ("execution", "model-package")
_MOST_TAGS = 50


def replace(call: Call, arn: str, tags: Iterable[dict[str, str]] | None) -> None:
    """Make these the resource's only tags; where there are none, nothing is kept, which costs less."""
    if tags:
        call.store.put("tags", call.region, arn, {tag["Key"]: tag["Value"] for tag in tags})
    else:
        drop(call, arn)


def drop(call: Call, arn: str) -> None:
    """Forget a deleted resource's tags."""
    call.store.delete("tags", call.region, arn)


def add_tags(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """AddTags: adds or overwrites, and returns all of them."""
    arn = parameters["ResourceArn"]
    with call.store.transaction():
        tags = _existing(call, arn)
        tags |= {tag["Key"]: tag["Value"] for tag in parameters["Tags"]}
        if len(tags) > _MOST_TAGS:
            raise validation_error(
                f"A resource can have at most {_MOST_TAGS} tags; {arn} would have {len(tags)}."
            )
        call.store.put("tags", call.region, arn, tags)
    return {"Tags": as_list(tags)}


def list_tags(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListTags, in the order of their keys."""
    tags = as_list(_existing(call, parameters["ResourceArn"]))
    page, token = paging.page(tags, parameters, lambda tag: (tag["Key"],), descending=False, size=_MOST_TAGS)
    return {"Tags": page, "NextToken": token}


def delete_tags(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteTags; keys that are not there are ignored."""
    arn = parameters["ResourceArn"]
    with call.store.transaction():
        tags = _existing(call, arn)
        kept = {key: value for key, value in tags.items() if key not in parameters["TagKeys"]}
        call.store.put("tags", call.region, arn, kept)
    return {}


def _existing(call: Call, arn: str) -> dict[str, str]:
    """The tags of a resource that exists here."""
    head, _, resource = arn.partition(f":{LOCAL_ACCOUNT}:")
    kind = _kind(resource)
    name = arn if kind in _NAMED_BY_ARN else resource.partition("/")[2]
    if (
        head != f"arn:aws:sagemaker:{call.region}"
        or not kind
        or call.store.get(kind, call.region, name) is None
    ):
        raise validation_error(f"The resource {arn} does not exist here, or it has no tags.")
    return call.store.get("tags", call.region, arn) or {}


def _kind(resource: str) -> str | None:
    parts = resource.split("/")
    if parts[0] == "pipeline" and len(parts) > 2:
        return _TAGGED.get(parts[2])
    return _TAGGED.get(parts[0])


def as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


SERVICE = "sagemaker"
OPERATIONS: dict[str, Handler] = {
    "AddTags": add_tags,
    "ListTags": list_tags,
    "DeleteTags": delete_tags,
}
TRANSACTIONS = ("AddTags", "DeleteTags")
