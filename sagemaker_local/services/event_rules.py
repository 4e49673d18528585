"""EventBridge: rules, their targets, and events that a client puts. There is the default bus only.

A rule's pattern and its targets' inputs are checked when they are put, as on AWS. A target is accepted if
it can be delivered to here: a Lambda function, a topic, a queue, or a pipeline. A rule with a schedule fires
at a rate or by cron, in UTC; ``at(...)`` and time zones are EventBridge Scheduler's.
"""

from __future__ import annotations

import json
import re
from typing import Any

from aws_formats import schedules
from aws_formats.arns import LOCAL_ACCOUNT
from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_implemented, validation_error
from sagemaker_local.events import outbox, patterns, transformers
from sagemaker_local.events.comparisons import InvalidPattern
from sagemaker_local.events.dispatcher import RULE, next_firing
from sagemaker_local.events.targets import kind_of
from sagemaker_local.services import paging
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.store import Document
from sagemaker_local.store.listing import NAME, Condition, Listing, begins_with

BUS = "default"
MOST_TARGETS = 5
"""Of one rule."""

_LARGEST_ENTRY = 256 << 10
_RATE = re.compile(r"rate\((?P<number>\d{1,18}) [a-z]*?(?P<plural>s?)\)")
_KINDS_OF_TARGET = (
    "a Lambda function without version or alias, an SNS topic, an SQS queue or a SageMaker pipeline"
)
_MEMBERS_OF_TARGET = (
    "Id",
    "Arn",
    "RoleArn",
    "Input",
    "InputPath",
    "InputTransformer",
    "RetryPolicy",
    "DeadLetterConfig",
    "SageMakerPipelineParameters",
)
_TEST_MEMBERS = ("id", "account", "source", "time", "region", "resources", "detail-type")


def put_rule(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """PutRule: a new rule, or another pattern for one; its targets stay."""
    _check_bus(parameters)
    name = parameters["Name"]
    pattern, schedule = parameters.get("EventPattern"), parameters.get("ScheduleExpression")
    if not pattern and not schedule:
        raise validation_error("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if pattern:
        _parsed(pattern)
    if schedule:
        _check_schedule(schedule)
    with call.store.transaction():
        before = call.store.get(RULE, call.region, name) or {"_Targets": [], "CreationTime": clocks.now()}
        document = {
            "Name": name,
            "Arn": call.arn(f"rule/{name}", "events"),
            "EventPattern": pattern,
            "ScheduleExpression": schedule,
            "State": parameters.get("State", "ENABLED"),
            "Description": parameters.get("Description"),
            "RoleArn": parameters.get("RoleArn"),
            "EventBusName": BUS,
            "CreatedBy": LOCAL_ACCOUNT,
            "CreationTime": before["CreationTime"],
            "_Targets": before["_Targets"],
        }
        if schedule:
            # The same rule put again goes on counting.
            is_known, now = before.get("ScheduleExpression") == schedule, clocks.now()
            document["_Next"] = before["_Next"] if is_known else next_firing(schedule, now, counted_from=now)
            document["_Counted"] = before.get("_Counted", now) if is_known else now
        call.store.put(RULE, call.region, name, document)
    return {"RuleArn": document["Arn"]}


def describe_rule(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeRule"""
    return _load(call, parameters)


def list_rules(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListRules, by name."""
    _check_bus(parameters)
    page, token = _rules(call, parameters, begins_with(NAME, parameters.get("NamePrefix", "")))
    return {"Rules": page, "NextToken": token}


def list_rule_names(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListRuleNamesByTarget, by name."""
    _check_bus(parameters)
    has_target = Condition(
        "EXISTS (SELECT 1 FROM json_each(doc, '$._Targets') WHERE json_extract(value, '$.Arn') = ?)",
        (parameters["TargetArn"],),
    )
    page, token = _rules(call, parameters, [has_target])
    return {"RuleNames": [rule["Name"] for rule in page], "NextToken": token}


def enable_rule(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """EnableRule"""
    return _set_state(call, parameters, "ENABLED")


def disable_rule(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DisableRule: what was routed before is still delivered."""
    return _set_state(call, parameters, "DISABLED")


def delete_rule(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteRule; one that has targets is refused, one that does not exist is no error, as on AWS."""
    _check_bus(parameters)
    with call.store.transaction():
        rule = call.store.get(RULE, call.region, parameters["Name"])
        if rule is not None and rule["_Targets"]:
            raise validation_error("Rule can't be deleted since it has targets.")
        call.store.delete(RULE, call.region, parameters["Name"])
    return {}


def put_targets(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """PutTargets: adds targets, or replaces those that have the same Id; all of them or none."""
    given = parameters["Targets"]
    for target in given:
        _check_target(call, target)
    with call.store.transaction():
        rule = _load(call, {**parameters, "Name": parameters["Rule"]})
        targets = {target["Id"]: target for target in [*rule["_Targets"], *given]}
        if len(targets) > MOST_TARGETS:
            raise AwsError(
                "LimitExceededException",
                f"The requested resource exceeds the maximum number allowed: {MOST_TARGETS} targets a rule.",
            )
        rule["_Targets"] = list(targets.values())
        call.store.put(RULE, call.region, rule["Name"], rule)
    return {"FailedEntryCount": 0, "FailedEntries": []}


def list_targets(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListTargetsByRule, by Id."""
    rule = _load(call, {**parameters, "Name": parameters["Rule"]})
    page, token = paging.page(
        rule["_Targets"], _limits(parameters), lambda target: (target["Id"],), descending=False
    )
    return {"Targets": page, "NextToken": token}


def remove_targets(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """RemoveTargets; an Id that the rule does not have is reported."""
    with call.store.transaction():
        rule = _load(call, {**parameters, "Name": parameters["Rule"]})
        known = {target["Id"] for target in rule["_Targets"]}
        rule["_Targets"] = [one for one in rule["_Targets"] if one["Id"] not in parameters["Ids"]]
        call.store.put(RULE, call.region, rule["Name"], rule)
    failed = [
        {
            "TargetId": one,
            "ErrorCode": "ResourceNotFoundException",
            "ErrorMessage": f"Rule {rule['Name']} does not have a target with the Id {one}.",
        }
        for one in parameters["Ids"]
        if one not in known
    ]
    return {"FailedEntryCount": len(failed), "FailedEntries": failed}


def put_events(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """PutEvents: an entry that is not acceptable is answered with its error, the others are sent."""
    answers: list[Document] = []
    with call.store.transaction():
        for entry in parameters["Entries"]:
            problem = _problem(entry)
            if problem is not None:
                answers.append({"ErrorCode": problem[0], "ErrorMessage": problem[1]})
                continue
            event = outbox.envelope(
                call.region,
                entry["Source"],
                entry["DetailType"],
                json.loads(entry["Detail"]),
                entry.get("Resources", ()),
            )
            if "Time" in entry:
                event["time"] = outbox.time_text(entry["Time"].timestamp())
            outbox.put_event(call.store, call.region, event)
            answers.append({"EventId": event["id"]})
    return {"FailedEntryCount": sum("ErrorCode" in one for one in answers), "Entries": answers}


def try_pattern(_call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """TestEventPattern"""
    pattern, event = _parsed(parameters["EventPattern"]), parameters["Event"]
    try:
        missing = [name for name in _TEST_MEMBERS if name not in json.loads(event)]
        if missing:
            raise validation_error(f"Parameter Event is not valid: it has no {', '.join(missing)}.")
        return {"Result": pattern.matches(event)}
    except (ValueError, TypeError) as error:
        raise validation_error(f"Parameter Event is not valid: {error}.") from error


_RULES = Listing(RULE, {"Name": (NAME,)})

SERVICE = "events"
LISTINGS = (_RULES,)
OPERATIONS: dict[str, Handler] = {
    "PutRule": put_rule,
    "DescribeRule": describe_rule,
    "ListRules": list_rules,
    "ListRuleNamesByTarget": list_rule_names,
    "EnableRule": enable_rule,
    "DisableRule": disable_rule,
    "DeleteRule": delete_rule,
    "PutTargets": put_targets,
    "ListTargetsByRule": list_targets,
    "RemoveTargets": remove_targets,
    "PutEvents": put_events,
    "TestEventPattern": try_pattern,
}
TRANSACTIONS = ("PutEvents",)


def _load(call: Call, parameters: dict[str, Any]) -> Document:
    _check_bus(parameters)
    rule = call.store.get(RULE, call.region, parameters["Name"])
    if rule is None:
        raise AwsError(
            "ResourceNotFoundException",
            f"Rule {parameters['Name']} does not exist on EventBus {BUS}.",
        )
    return rule


def _set_state(call: Call, parameters: dict[str, Any], state: str) -> dict[str, Any]:
    with call.store.transaction():
        rule = _load(call, parameters)
        call.store.put(RULE, call.region, rule["Name"], {**rule, "State": state})
    return {}


def _parsed(text: str) -> patterns.Pattern:
    try:
        return patterns.parse(text)
    except InvalidPattern as error:
        raise AwsError(
            "InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}."
        ) from error


def _check_schedule(expression: str) -> None:
    """A rule's dialect is the Scheduler's, without ``at`` and with the singular for one and for one only."""
    rate = _RATE.fullmatch(expression)
    try:
        if expression.startswith("at(") or (rate and (int(rate["number"]) == 1) == bool(rate["plural"])):
            raise schedules.ExpressionError(f"a rule cannot have '{expression}'")
        schedules.parse(expression)
    except schedules.ExpressionError as error:
        raise validation_error(f"Parameter ScheduleExpression is not valid: {error}.") from error


def _check_bus(parameters: dict[str, Any]) -> None:
    name = parameters.get("EventBusName", BUS)
    if name.rpartition("/")[2] != BUS:
        raise AwsError(
            "ResourceNotFoundException",
            f"Event bus {name} does not exist: the local SageMaker has {BUS} only.",
        )


def _check_target(call: Call, target: Document) -> None:
    unknown = sorted(target.keys() - set(_MEMBERS_OF_TARGET))
    if unknown:
        raise not_implemented(f"{', '.join(unknown)} of a target")
    if kind_of(target["Arn"]) is None:
        raise not_implemented(f"The target {target['Arn']} (what is: {_KINDS_OF_TARGET})")
    if target["Arn"].split(":")[3:5] != [call.region, LOCAL_ACCOUNT]:
        raise validation_error(f"The target {target['Arn']} is not in this region and account.")
    dead_letters = target.get("DeadLetterConfig", {}).get("Arn")
    if dead_letters is not None and kind_of(dead_letters) != "sqs":
        raise validation_error(f"The dead-letter queue {dead_letters} is not an SQS queue.")
    try:
        transformers.check(target)
    except transformers.InvalidInput as error:
        raise validation_error(f"Target {target['Id']}: {error}.") from error


def _problem(entry: Document) -> tuple[str, str] | None:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return "InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument."
    if entry["Source"].startswith("aws."):
        return (
            "NotAuthorizedForSourceException",
            f"Not authorized for the source {entry['Source']}: only AWS itself puts events of it.",
        )
    if entry.get("EventBusName", BUS).rpartition("/")[2] != BUS:
        return "ResourceNotFoundException", f"Event bus {entry['EventBusName']} does not exist."
    size = sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
    if size > _LARGEST_ENTRY:
        return "InvalidArgument", f"The entry has {size} bytes; {_LARGEST_ENTRY} are the limit."
    try:
        if isinstance(json.loads(entry["Detail"]), dict):
            return None
    except (ValueError, RecursionError):
        pass
    return "MalformedDetail", "Detail is malformed: it is not a JSON object."


def _rules(
    call: Call, parameters: Document, conditions: list[Condition]
) -> tuple[list[Document], str | None]:
    return paging.stored_page(call, _RULES, _limits(parameters), conditions=conditions, descending=False)


def _limits(parameters: Document) -> Document:
    return {"MaxResults": parameters.get("Limit", 100), "NextToken": parameters.get("NextToken")}
