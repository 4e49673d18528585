"""Alarms on metrics: put, describe, delete, set by hand. What evaluates them is ``events.metric_alarms``."""

from __future__ import annotations

from typing import Any

from sagemaker_local import clocks
from sagemaker_local.errors import AwsError, not_implemented
from sagemaker_local.events.metric_alarms import INSUFFICIENT, METRIC_ALARM, change_state
from sagemaker_local.services import paging
from sagemaker_local.services.call import Call, Handler
from sagemaker_local.store.listing import NAME, Listing, begins_with

SERVICE = "cloudwatch"
_ALARMS = Listing(METRIC_ALARM, {"Name": (NAME,)})
_MOST_SECONDS = 86_400
_REFUSED = {
    "Metrics": "An alarm on metric math or several metrics",
    "ThresholdMetricId": "Anomaly detection",
    "EvaluationWindow": "EvaluationWindow of an alarm",
}


def put_metric_alarm(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """PutMetricAlarm: creates one, or changes one, whose state stays until it is evaluated anew."""
    for member, what in _REFUSED.items():
        if parameters.get(member):
            raise not_implemented(what)
    for member in ("MetricName", "Namespace", "Period", "Threshold"):
        if parameters.get(member) is None:
            raise _invalid(f"The parameter {member} is required for an alarm on a metric.")
    if bool(parameters.get("Statistic")) == bool(parameters.get("ExtendedStatistic")):
        raise _invalid("Give one of Statistic and ExtendedStatistic.")
    period, periods = parameters["Period"], parameters["EvaluationPeriods"]
    if period % 60 or period * periods > _MOST_SECONDS:
        raise _invalid("Period has to be a multiple of 60, and all periods together at most a day.")
    if (parameters.get("DatapointsToAlarm") or 1) > periods:
        raise _invalid("DatapointsToAlarm must not be greater than EvaluationPeriods.")
    actions = ("AlarmActions", "OKActions", "InsufficientDataActions")
    for action in (one for member in actions for one in parameters.get(member, [])):
        if not action.startswith(("arn:aws:sns:", "arn:aws:lambda:")):
            raise not_implemented(f"The action {action} (what is: SNS topics and functions)")
    name, now = parameters["AlarmName"], clocks.now()
    known = call.store.get(METRIC_ALARM, call.region, name) or {
        "StateValue": INSUFFICIENT,
        "StateReason": "Unchecked: Initial alarm creation",
        "StateUpdatedTimestamp": now,
    }
    state = {member: known[member] for member in ("StateValue", "StateReason", "StateUpdatedTimestamp")}
    document = {key: value for key, value in parameters.items() if key != "Tags"}
    document.setdefault("ActionsEnabled", True)
    arn = call.arn(f"alarm:{name}", "cloudwatch")
    document |= {"AlarmArn": arn, "AlarmConfigurationUpdatedTimestamp": now, **state}
    call.store.put(METRIC_ALARM, call.region, name, document)
    return {}


def describe_alarms(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeAlarms, by name; the alarms of templates on queues are none of these."""
    if names := parameters.get("AlarmNames"):
        found = [call.store.get(METRIC_ALARM, call.region, name) for name in names]
        shown, token = [one for one in found if one is not None], None
    else:
        limits = {"MaxResults": parameters.get("MaxRecords", 50), "NextToken": parameters.get("NextToken")}
        conditions = begins_with(NAME, parameters.get("AlarmNamePrefix", ""))
        shown, token = paging.stored_page(call, _ALARMS, limits, conditions=conditions, descending=False)
    state = parameters.get("StateValue")
    return {
        "MetricAlarms": [one for one in shown if state in (None, one["StateValue"])],
        "CompositeAlarms": [],
        "NextToken": token,
    }


def delete_alarms(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteAlarms: all that are named, those that do not exist as well."""
    with call.store.transaction():
        for name in parameters["AlarmNames"]:
            call.store.delete(METRIC_ALARM, call.region, name)
    return {}


def set_alarm_state(call: Call, parameters: dict[str, Any]) -> dict[str, Any]:
    """SetAlarmState: until the alarm is evaluated again; its actions are carried out."""
    name = parameters["AlarmName"]
    if call.store.get(METRIC_ALARM, call.region, name) is None:
        raise AwsError("ResourceNotFound", f"There is no alarm {name}.", 404)
    change_state(call.store, call.region, name, parameters["StateValue"], parameters["StateReason"])
    return {}


LISTINGS = (_ALARMS,)
OPERATIONS: dict[str, Handler] = {
    "PutMetricAlarm": put_metric_alarm,
    "DescribeAlarms": describe_alarms,
    "DeleteAlarms": delete_alarms,
    "SetAlarmState": set_alarm_state,
}


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)
