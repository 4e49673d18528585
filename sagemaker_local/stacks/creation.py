"""Creates what a CloudFormation template describes: its rules, functions, topics, queues and alarms.

What is created (``cloudformation`` says which functions a template may use):

    AWS::Events::Rule               with an EventPattern or a ScheduleExpression, on the default bus
    AWS::Lambda::Function           Python, Handler, Environment, Timeout, DeadLetterConfig; its code is a
                                    folder: ``Code`` as a path (as ``aws cloudformation package`` reads it)
                                    starts at the template; ``Code.ZipFile`` is the text of index.py;
                                    ``Code.S3Bucket`` stands for the template's `code_root`
    AWS::Lambda::EventInvokeConfig  retries and the OnFailure destination
    AWS::SNS::Topic, Subscription   subscriptions of queues are delivered, others are read in the inbox
    AWS::SQS::Queue
    AWS::CloudWatch::Alarm          on the length of a queue

Every other resource is left out, and named in what :func:`create_stack` returns. A stack that is created
again becomes what the template says now: rules, functions and alarms that it made before and that are gone
from the template are deleted; topics and queues stay.

Resources are created by the operations that a client would call. Functions and alarms are written directly,
because no operation takes a folder as a function's code, and none creates an alarm here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local.api import Api
from sagemaker_local.errors import AwsError
from sagemaker_local.events import alarms, function_documents
from sagemaker_local.events.dispatcher import RULE
from sagemaker_local.home import Home
from sagemaker_local.stacks.cloudformation import Stack, TemplateError, read
from sagemaker_local.stacks.references import physical_name, reference
from sagemaker_local.stacks.templates import Template
from sagemaker_local.store import Document, Store

_STACK = "stack"
"""Kind of the documents: what a stack has made, by type and physical name."""


@dataclass(frozen=True)
class CreatedStack:
    """What came of a template.

    Attributes:
        created: physical names by logical id.
        left_out: the types of the other resources, by logical id.
    """

    created: Mapping[str, str]
    left_out: Mapping[str, str]


def create_stack(home: Home, store: Store, api: Api, template: Template) -> CreatedStack:
    """Create what a template describes; all of it, or nothing.

    Raises:
        TemplateError: it cannot be created; the text says which file, which resource and why.
    """
    try:
        stack = Stack(
            read(template.path),
            template.region,
            template.name or template.path.stem,
            template.parameters,
            lambda logical: reference(stack, logical),
        )
        folder = template.path.parent
        code_root = template.code_root or folder
        creation = _Creation(home, store, api, stack, code_root.absolute(), folder.absolute())
        with store.transaction():
            return _create_all(creation)
    except TemplateError as error:
        raise TemplateError(f"{template.path}: {error}") from error


@dataclass(frozen=True)
class _Creation:
    """What the creation of each resource needs.

    Attributes:
        code_root: see :class:`Template`.
        folder: where the template lies, for code that is given as a path.
    """

    home: Home
    store: Store
    api: Api
    stack: Stack
    code_root: Path
    folder: Path

    @property
    def region(self) -> str:
        return self.stack.region

    def call(self, service: str, operation: str, wire: dict[str, Any]) -> dict[str, Any]:
        return self.api(self.region, service, operation, wire)

    def name(self, logical: str) -> str:
        return physical_name(self.stack, logical)


def _create_all(creation: _Creation) -> CreatedStack:
    created: dict[str, tuple[str, str]] = {}
    resources = creation.stack.resources()
    for kind, create in _CREATORS.items():
        for logical, resource in resources.items():
            if resource["Type"] == kind:
                try:
                    properties = creation.stack.value(resource.get("Properties", {}))
                    name = create(creation, logical, properties)
                except AwsError as error:
                    raise TemplateError(f"{logical}: {error.message}") from error
                except (KeyError, TypeError) as error:
                    raise TemplateError(f"{logical}: its properties are incomplete: {error}") from error
                if name is not None:
                    created[logical] = (kind, name)
    _delete_stale(creation, created)
    left_out = {name: one["Type"] for name, one in resources.items() if name not in created}
    return CreatedStack({logical: name for logical, (_, name) in created.items()}, left_out)


def _queue(creation: _Creation, logical: str, properties: Mapping[str, Any]) -> str:
    kept = ("DelaySeconds", "VisibilityTimeout", "MessageRetentionPeriod", "MaximumMessageSize",
            "ReceiveMessageWaitTimeSeconds")  # fmt: skip
    attributes = {name: str(properties[name]) for name in kept if name in properties}
    name = creation.name(logical)
    try:
        creation.call("sqs", "CreateQueue", {"QueueName": name, "Attributes": attributes})
    except AwsError as error:
        if error.code != "QueueNameExists":
            raise
        url = creation.call("sqs", "GetQueueUrl", {"QueueName": name})["QueueUrl"]
        creation.call("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": attributes})
    return name


def _topic(creation: _Creation, logical: str, properties: Mapping[str, Any]) -> str:
    name = creation.name(logical)
    arn = creation.call("sns", "CreateTopic", {"Name": name})["TopicArn"]
    for subscription in properties.get("Subscription", []):
        creation.call("sns", "Subscribe", {"TopicArn": arn, **subscription})
    return name


def _subscription(creation: _Creation, _logical: str, properties: Mapping[str, Any]) -> str:
    wire = {key: properties[key] for key in ("TopicArn", "Protocol", "Endpoint")}
    if str(properties.get("RawMessageDelivery", "")).lower() == "true":
        wire["Attributes"] = {"RawMessageDelivery": "true"}
    return str(creation.call("sns", "Subscribe", wire)["SubscriptionArn"])


def _function(creation: _Creation, logical: str, properties: Mapping[str, Any]) -> str:
    name, code = creation.name(logical), properties["Code"]
    if isinstance(code, str):
        folder = creation.folder / code
    elif "ZipFile" in code:
        folder = function_documents.write_inline_code(creation.home, creation.region, name, code["ZipFile"])
    else:
        folder = creation.code_root
    if not folder.is_dir():
        raise TemplateError(f"{logical}: there is no folder {folder} with its code")
    variables = properties.get("Environment", {}).get("Variables", {})
    configuration = {
        "FunctionName": name,
        "Runtime": properties.get("Runtime"),
        "Handler": properties["Handler"],
        "Role": properties.get("Role") or f"arn:aws:iam::{LOCAL_ACCOUNT}:role/local",
        "Description": properties.get("Description"),
        "Timeout": int(properties.get("Timeout", function_documents.TIMEOUT)),
        "MemorySize": int(properties.get("MemorySize", function_documents.MEMORY)),
        "Environment": {"Variables": {key: _text(value) for key, value in variables.items()}},
        "DeadLetterConfig": properties.get("DeadLetterConfig"),
    }
    function_documents.put_function(creation.store, creation.region, configuration, folder)
    return name


def _invoke_config(creation: _Creation, _logical: str, properties: Mapping[str, Any]) -> str:
    wire: dict[str, Any] = {"FunctionName": properties["FunctionName"]}
    for name in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds"):
        if name in properties:
            wire[name] = int(properties[name])
    if "DestinationConfig" in properties:
        wire["DestinationConfig"] = properties["DestinationConfig"]
    creation.call("lambda", "PutFunctionEventInvokeConfig", wire)
    return str(properties["FunctionName"])


def _rule(creation: _Creation, logical: str, properties: Mapping[str, Any]) -> str:
    name, kept = creation.name(logical), ("Description", "State", "EventBusName", "ScheduleExpression")
    wire = {"Name": name, **{key: properties[key] for key in kept if key in properties}}
    if "EventPattern" in properties:
        wire["EventPattern"] = json.dumps(properties["EventPattern"])
    creation.call("events", "PutRule", wire)
    targets = [_with_numbers(target) for target in properties.get("Targets", [])]
    known = creation.call("events", "ListTargetsByRule", {"Rule": name})["Targets"]
    gone = [target["Id"] for target in known if target["Id"] not in {one["Id"] for one in targets}]
    if gone:
        creation.call("events", "RemoveTargets", {"Rule": name, "Ids": gone})
    if targets:
        creation.call("events", "PutTargets", {"Rule": name, "Targets": targets})
    return name


def _alarm(creation: _Creation, logical: str, properties: Mapping[str, Any]) -> str | None:
    """None for an alarm on anything but a queue that grows."""
    name = creation.name(logical)
    watched = [one["Value"] for one in properties.get("Dimensions", ()) if one.get("Name") == "QueueName"]
    kind = (properties.get("Namespace"), properties.get("MetricName"), properties.get("ComparisonOperator"))
    if kind != ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "GreaterThanThreshold") or not watched:
        return None
    alarm: Document = {
        "AlarmName": name,
        "AlarmDescription": properties.get("AlarmDescription", ""),
        "AlarmActions": properties.get("AlarmActions", []),
        "Queue": watched[0],
        "Threshold": float(properties["Threshold"]),
        "Region": creation.region,
    }
    alarms.put(creation.store, alarm)
    return name


_CREATORS: dict[str, Callable[[_Creation, str, Mapping[str, Any]], str | None]] = {
    "AWS::SQS::Queue": _queue,
    "AWS::SNS::Topic": _topic,
    "AWS::SNS::Subscription": _subscription,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::EventInvokeConfig": _invoke_config,
    "AWS::Events::Rule": _rule,
    "AWS::CloudWatch::Alarm": _alarm,
}
"""By type, in the order in which they are created: what comes first is there for what comes later."""


def _delete_stale(creation: _Creation, created: Mapping[str, tuple[str, str]]) -> None:
    """Delete what the stack made before and does not describe any more, and note what it has made now."""
    store, region = creation.store, creation.region
    before = store.get(_STACK, region, creation.stack.name) or {"Made": []}
    kept = set(created.values())
    for kind, name in map(tuple, before["Made"]):
        if (kind, name) in kept:
            continue
        if kind == "AWS::Events::Rule":
            store.delete(RULE, region, name)
        elif kind == "AWS::Lambda::Function":
            function_documents.delete_function(creation.home, store, region, name)
        elif kind == "AWS::CloudWatch::Alarm":
            store.delete(alarms.ALARM, region, name)
    store.put(_STACK, region, creation.stack.name, {"Made": sorted(kept)})


def _with_numbers(target: Mapping[str, Any]) -> dict[str, Any]:
    """A target whose numbers are numbers: templates may write them as text."""
    policy = {key: int(value) for key, value in target.get("RetryPolicy", {}).items()}
    return {**target, **({"RetryPolicy": policy} if policy else {})}


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
