"""Plays CloudFormation templates: makes their rules, functions, topics and queues here.

What is played (``cloudformation`` says which functions a template may use):

    AWS::Events::Rule               with an EventPattern or a ScheduleExpression, on the default bus
    AWS::Lambda::Function           Python, Handler, Environment, Timeout, DeadLetterConfig; its code is a
                                    folder: ``Code`` as a path (as ``aws cloudformation package`` reads it)
                                    starts at the template; ``Code.ZipFile`` is the text of index.py;
                                    ``Code.S3Bucket`` stands for `code_root`
    AWS::Lambda::EventInvokeConfig  retries and the OnFailure destination
    AWS::SNS::Topic, Subscription   subscriptions of queues are delivered, others are read in the inbox
    AWS::SQS::Queue
    AWS::CloudWatch::Alarm          on the length of a queue

Every other resource is left out, and named in what :func:`play` returns: its ``Ref`` is its name and its
``Arn`` one that looks as on AWS, so that templates that use a role or a key can be played. A physical name
that a template does not give is ``<stack>-<logical id>``. Playing a stack again makes it what the template
says now: rules, functions and alarms that it made before and that are gone from the template are deleted;
topics and queues stay.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local.api import Api
from sagemaker_local.errors import AwsError
from sagemaker_local.events import alarms
from sagemaker_local.events.dispatcher import RULE
from sagemaker_local.services import functions
from sagemaker_local.services.call import Call
from sagemaker_local.stacks.cloudformation import Reference, Stack, TemplateError, read

_STACK = "stack"
"""Kind of the documents: what a stack has made, by logical id."""


@dataclass(frozen=True)
class Template:
    """A template to be played.

    Attributes:
        path: the file.
        parameters: values by name.
        region: where its resources are.
        code_root: the folder that stands for the code of functions that the template takes from S3.
        name: the stack's name; two stacks of one template need two.
    """

    path: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    region: str = "us-east-1"
    code_root: Path | None = None
    name: str | None = None


@dataclass(frozen=True)
class Played:
    """What came of a template: physical names by logical id, and what was left out, with its type."""

    made: Mapping[str, str]
    left_out: Mapping[str, str]


def parse(text: str) -> Template:
    """A template as a command line names it: a path, and settings after a question mark as in a URL.

    ``PATH?Parameter=value&...``; the keys ``@region``, ``@code`` and ``@name`` are the other attributes.
    """
    path, _, query = text.partition("?")
    settings = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    own = {name: settings.pop(f"@{name}") for name in ("region", "code", "name") if f"@{name}" in settings}
    return Template(
        Path(path),
        settings,
        own.get("region", "us-east-1"),
        Path(own["code"]) if "code" in own else None,
        own.get("name"),
    )


def play_file(call: Call, api: Api, template: Template) -> Played:
    """Play a template file.

    Raises:
        TemplateError: with the file's name.
    """
    try:
        return play(
            call,
            api,
            read(template.path),
            template.parameters,
            template.code_root or template.path.parent,
            folder=template.path.parent,
            name=template.name or template.path.stem,
        )
    except TemplateError as error:
        raise TemplateError(f"{template.path}: {error}") from error


def play(
    call: Call,
    api: Api,
    template: Mapping[str, Any],
    parameters: Mapping[str, str],
    code_root: Path,
    *,
    folder: Path | None = None,
    name: str = "stack",
) -> Played:
    """Make what a template describes; all of it, or nothing.

    Args:
        code_root: see :class:`Template`.
        folder: where the template lies, for code that is given as a path; `code_root` by default.

    Raises:
        TemplateError: the template cannot be played; the text says which resource and why.
    """
    stack = Stack(template, call.region, name, parameters, lambda logical: references(logical))

    def references(logical: str) -> Reference:
        return _reference(stack, logical)

    playing = _Playing(call, api, stack, code_root.absolute(), (folder or code_root).absolute())
    made: dict[str, tuple[str, str]] = {}
    left_out: dict[str, str] = {}
    resources = stack.resources()
    with call.store.transaction():
        for kind, make in _ORDER.items():
            for logical, resource in resources.items():
                if resource["Type"] == kind:
                    try:
                        properties = stack.value(resource.get("Properties", {}))
                        made[logical] = (kind, make(playing, logical, properties))
                    except AwsError as error:
                        raise TemplateError(f"{logical}: {error.message}") from error
                    except (KeyError, TypeError) as error:
                        raise TemplateError(f"{logical}: its properties are incomplete: {error}") from error
        for logical, resource in resources.items():
            if logical not in made or not made[logical][1]:
                left_out[logical] = resource["Type"]
                made.pop(logical, None)
        _remove_stale(call, name, made)
    return Played({logical: physical for logical, (_, physical) in made.items()}, left_out)


@dataclass(frozen=True)
class _Playing:
    """What making a resource needs."""

    call: Call
    caller: Api
    stack: Stack
    code_root: Path
    folder: Path

    def api(self, service: str, operation: str, wire: dict[str, Any]) -> dict[str, Any]:
        return self.caller(self.call.region, service, operation, wire)

    def name(self, logical: str) -> str:
        return _reference_name(self.stack, logical)


def _queue(playing: _Playing, logical: str, properties: Mapping[str, Any]) -> str:
    kept = ("DelaySeconds", "VisibilityTimeout", "MessageRetentionPeriod", "MaximumMessageSize",
            "ReceiveMessageWaitTimeSeconds")  # fmt: skip
    attributes = {name: str(properties[name]) for name in kept if name in properties}
    name = playing.name(logical)
    try:
        playing.api("sqs", "CreateQueue", {"QueueName": name, "Attributes": attributes})
    except AwsError as error:
        if error.code != "QueueNameExists":
            raise
        url = playing.api("sqs", "GetQueueUrl", {"QueueName": name})["QueueUrl"]
        playing.api("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": attributes})
    return name


def _topic(playing: _Playing, logical: str, properties: Mapping[str, Any]) -> str:
    name = playing.name(logical)
    arn = playing.api("sns", "CreateTopic", {"Name": name})["TopicArn"]
    for subscription in properties.get("Subscription", []):
        playing.api("sns", "Subscribe", {"TopicArn": arn, **subscription})
    return name


def _subscription(playing: _Playing, _logical: str, properties: Mapping[str, Any]) -> str:
    wire = {key: properties[key] for key in ("TopicArn", "Protocol", "Endpoint")}
    if str(properties.get("RawMessageDelivery", "")).lower() == "true":
        wire["Attributes"] = {"RawMessageDelivery": "true"}
    return str(playing.api("sns", "Subscribe", wire)["SubscriptionArn"])


def _function(playing: _Playing, logical: str, properties: Mapping[str, Any]) -> str:
    name, code = playing.name(logical), properties["Code"]
    if isinstance(code, str):
        folder = playing.folder / code
    elif "ZipFile" in code:
        folder = functions.write_inline(playing.call, name, code["ZipFile"])
    else:
        folder = playing.code_root
    if not folder.is_dir():
        raise TemplateError(f"{logical}: there is no folder {folder} with its code")
    variables = properties.get("Environment", {}).get("Variables", {})
    configuration = {
        "FunctionName": name,
        "Runtime": properties.get("Runtime"),
        "Handler": properties["Handler"],
        "Role": properties.get("Role") or f"arn:aws:iam::{LOCAL_ACCOUNT}:role/local",
        "Description": properties.get("Description"),
        "Timeout": int(properties.get("Timeout", functions.TIMEOUT)),
        "MemorySize": int(properties.get("MemorySize", functions.MEMORY)),
        "Environment": {"Variables": {key: _text(value) for key, value in variables.items()}},
        "DeadLetterConfig": properties.get("DeadLetterConfig"),
    }
    functions.put(playing.call, configuration, folder)
    return name


def _invoke_config(playing: _Playing, _logical: str, properties: Mapping[str, Any]) -> str:
    wire: dict[str, Any] = {"FunctionName": properties["FunctionName"]}
    for name in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds"):
        if name in properties:
            wire[name] = int(properties[name])
    if "DestinationConfig" in properties:
        wire["DestinationConfig"] = properties["DestinationConfig"]
    playing.api("lambda", "PutFunctionEventInvokeConfig", wire)
    return str(properties["FunctionName"])


def _rule(playing: _Playing, logical: str, properties: Mapping[str, Any]) -> str:
    name, kept = playing.name(logical), ("Description", "State", "EventBusName", "ScheduleExpression")
    wire = {"Name": name, **{key: properties[key] for key in kept if key in properties}}
    if "EventPattern" in properties:
        wire["EventPattern"] = json.dumps(properties["EventPattern"])
    playing.api("events", "PutRule", wire)
    targets = [_numbers(target) for target in properties.get("Targets", [])]
    known = playing.api("events", "ListTargetsByRule", {"Rule": name})["Targets"]
    gone = [target["Id"] for target in known if target["Id"] not in {one["Id"] for one in targets}]
    if gone:
        playing.api("events", "RemoveTargets", {"Rule": name, "Ids": gone})
    if targets:
        playing.api("events", "PutTargets", {"Rule": name, "Targets": targets})
    return name


def _alarm(playing: _Playing, logical: str, properties: Mapping[str, Any]) -> str:
    name, call = playing.name(logical), playing.call
    alarm = alarms.from_properties(name, call.region, properties)
    if alarm is None:
        return ""
    before = call.store.get(alarms.ALARM, call.region, name) or alarm
    call.store.put(alarms.ALARM, call.region, name, {**alarm, "StateValue": before["StateValue"]})
    return name


_ORDER: dict[str, Callable[[_Playing, str, Mapping[str, Any]], str]] = {
    "AWS::SQS::Queue": _queue,
    "AWS::SNS::Topic": _topic,
    "AWS::SNS::Subscription": _subscription,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::EventInvokeConfig": _invoke_config,
    "AWS::Events::Rule": _rule,
    "AWS::CloudWatch::Alarm": _alarm,
}
"""What is made first is there for what is made later."""

_NAME_PROPERTY = {
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Events::Rule": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::CodeBuild::Project": "Name",
}


def _reference_name(stack: Stack, logical: str) -> str:
    resource = stack.template["Resources"][logical]
    given = resource.get("Properties", {}).get(_NAME_PROPERTY.get(resource["Type"], ""))
    return str(stack.value(given)) if given is not None else f"{stack.name}-{logical}"


def _reference(stack: Stack, logical: str) -> Reference:
    kind, name = stack.template["Resources"][logical]["Type"], _reference_name(stack, logical)
    place = f"{stack.region}:{LOCAL_ACCOUNT}"
    match kind:
        case "AWS::SQS::Queue":
            arn = f"arn:aws:sqs:{place}:{name}"
            return Reference(f"https://sqs.{stack.region}.amazonaws.com/{LOCAL_ACCOUNT}/{name}",
                             {"Arn": arn, "QueueName": name})  # fmt: skip
        case "AWS::SNS::Topic":
            arn = f"arn:aws:sns:{place}:{name}"
            return Reference(arn, {"TopicArn": arn, "TopicName": name})
        case "AWS::Lambda::Function":
            return Reference(name, {"Arn": f"arn:aws:lambda:{place}:function:{name}"})
        case "AWS::Events::Rule":
            return Reference(name, {"Arn": f"arn:aws:events:{place}:rule/{name}"})
        case "AWS::IAM::Role":
            return Reference(name, {"Arn": f"arn:aws:iam::{LOCAL_ACCOUNT}:role/{name}", "RoleId": name})
        case "AWS::IAM::ManagedPolicy":
            arn = f"arn:aws:iam::{LOCAL_ACCOUNT}:policy/{name}"
            return Reference(arn, {"PolicyArn": arn})
        case "AWS::S3::Bucket":
            return Reference(name, {"Arn": f"arn:aws:s3:::{name}"})
    service, resource = kind.split("::")[1].lower(), kind.split("::")[2].lower()
    return Reference(name, {"Arn": f"arn:aws:{service}:{place}:{resource}/{name}"})


def _remove_stale(call: Call, stack: str, made: Mapping[str, tuple[str, str]]) -> None:
    before = call.store.get(_STACK, call.region, stack) or {"Made": []}
    kept = {(kind, physical) for kind, physical in made.values()}
    for kind, physical in map(tuple, before["Made"]):
        if (kind, physical) in kept:
            continue
        if kind == "AWS::Events::Rule":
            call.store.delete(RULE, call.region, physical)
        elif kind == "AWS::Lambda::Function":
            functions.forget(call, physical)
        elif kind == "AWS::CloudWatch::Alarm":
            call.store.delete(alarms.ALARM, call.region, physical)
    call.store.put(_STACK, call.region, stack, {"Made": sorted(kept)})


def _numbers(target: Mapping[str, Any]) -> dict[str, Any]:
    """A target whose numbers are numbers: templates may write them as text."""
    policy = {key: int(value) for key, value in target.get("RetryPolicy", {}).items()}
    return {**target, **({"RetryPolicy": policy} if policy else {})}


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
