"""Alarms on metrics: the numbers of the last periods against a threshold, and who is told when that changes.

Evaluated every few seconds by the endpoint that is kept up. As CloudWatch does, an alarm looks at whole
periods and at the present one as soon as it has a number; of the last EvaluationPeriods, DatapointsToAlarm
must breach the threshold. Sources: "Using Amazon CloudWatch alarms" and "Alarm events and EventBridge" in the
CloudWatch User Guide.
"""

from __future__ import annotations

import json
import logging
import operator
from collections.abc import Callable, Sequence
from typing import Any

from sagemaker_local import clocks
from sagemaker_local.api import Api
from sagemaker_local.errors import AwsError
from sagemaker_local.events import outbox, topics
from sagemaker_local.events.outbox import time_text
from sagemaker_local.store import Document, Store

METRIC_ALARM = "metric-alarm"
"""Kind of the documents: the request's members, AlarmArn and the state's."""

INSUFFICIENT = "INSUFFICIENT_DATA"
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", INSUFFICIENT: "InsufficientDataActions"}
_log = logging.getLogger(__name__)


def evaluate(store: Store, api: Api, now: float | None = None) -> None:
    """Look at every alarm, and report those whose state changes.

    Args:
        now: POSIX seconds; the present if None.
    """
    now = clocks.now() if now is None else now
    for alarm in store.list(METRIC_ALARM):
        region = alarm["AlarmArn"].split(":")[3]
        try:
            state, reason = judge(alarm, _numbers(api, region, alarm, now))
        except AwsError as error:  # the metric is one that is not served here
            _log.error("Alarm %s cannot be evaluated: %s", alarm["AlarmName"], error.message)
            continue
        if state != alarm["StateValue"]:
            change_state(store, region, alarm["AlarmName"], state, reason)


def judge(alarm: Document, numbers: Sequence[float | None]) -> tuple[str, str]:
    """The state that an alarm has after the numbers of its last periods, oldest first, None for no number."""
    treatment = alarm.get("TreatMissingData", "missing")
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    threshold, wanted = alarm["Threshold"], alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
    known = [number for number in numbers if number is not None]
    if not known and treatment in ("missing", "ignore"):
        unchanged = alarm["StateValue"] if treatment == "ignore" else INSUFFICIENT
        return unchanged, f"Insufficient Data: {len(numbers)} datapoints were unknown."
    breaching = sum(breaches(number, threshold) for number in known)
    breaching += (len(numbers) - len(known)) * (treatment == "breaching")
    state = "ALARM" if breaching >= wanted else "OK"
    shown = ", ".join(f"{number:g}" for number in known) or "none"
    return state, (
        f"Threshold Crossed: {breaching} of the last {len(numbers)} datapoints [{shown}] breach the threshold"
        f" ({threshold:g}, {alarm['ComparisonOperator']}); {wanted} are needed."
    )


def _numbers(api: Api, region: str, alarm: Document, now: float) -> list[float | None]:
    """Of the last periods, oldest first; the present one counts once it has a number."""
    period, count = alarm["Period"], alarm["EvaluationPeriods"]
    present = int(now // period) * period
    metric = {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions") if name in alarm}
    statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    asked: Document = {"Metric": metric, "Period": period, "Stat": statistic}
    if "Unit" in alarm:
        asked["Unit"] = alarm["Unit"]
    request = {
        "MetricDataQueries": [{"Id": "m", "MetricStat": asked}],
        "StartTime": present - count * period,
        "EndTime": present + period,
        "ScanBy": "TimestampAscending",
    }
    [found] = api(region, "cloudwatch", "GetMetricData", request)["MetricDataResults"]
    by_time = dict(zip(found.get("Timestamps", []), found.get("Values", []), strict=True))
    last = present if present in by_time else present - period
    return [by_time.get(last - back * period) for back in range(count - 1, -1, -1)]


def change_state(store: Store, region: str, name: str, state: str, reason: str) -> None:
    """Give an alarm a state, and tell EventBridge and the actions of that state."""
    with store.transaction():
        alarm = store.get(METRIC_ALARM, region, name)
        if alarm is None or alarm["StateValue"] == state:
            return
        before = {"value": alarm["StateValue"], "reason": alarm["StateReason"]}
        now = clocks.now()
        changed = {**alarm, "StateValue": state, "StateReason": reason, "StateUpdatedTimestamp": now}
        store.put(METRIC_ALARM, region, name, changed)
        detail = {
            "alarmName": name,
            "state": {"value": state, "reason": reason, "timestamp": time_text(now)},
            "previousState": {**before, "timestamp": time_text(alarm["StateUpdatedTimestamp"])},
            "configuration": {"description": alarm.get("AlarmDescription", "")},
        }
        what = "CloudWatch Alarm State Change"
        event = outbox.envelope(region, "aws.cloudwatch", what, detail, [alarm["AlarmArn"]])
        outbox.put_event(store, region, event)
        if alarm["ActionsEnabled"]:
            for action in alarm.get(_ACTIONS[state], []):
                _tell(store, region, changed, before["value"], action)


def _tell(store: Store, region: str, alarm: Document, before: str, action: str) -> None:
    message: dict[str, Any] = {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription"),
        "AlarmArn": alarm["AlarmArn"],
        "NewStateValue": alarm["StateValue"],
        "NewStateReason": alarm["StateReason"],
        "StateChangeTime": time_text(alarm["StateUpdatedTimestamp"]),
        "Region": region,
        "OldStateValue": before,
        "Trigger": {name: alarm[name] for name in ("MetricName", "Namespace", "Period", "Threshold")},
    }
    if action.startswith(outbox.FUNCTION_ARN):
        text = json.dumps({"source": "aws.cloudwatch", "alarmArn": alarm["AlarmArn"], "alarmData": message})
        outbox.put_delivery(store, region, action, {"Id": "alarm", "Arn": action}, text)
        return
    subject = f'{alarm["StateValue"]}: "{alarm["AlarmName"]}" in {region}'[:100]
    try:
        topics.publish(store, region, action.rpartition(":")[2], json.dumps(message), subject)
    except LookupError as error:
        _log.error("Alarm %s could not notify its topic: %s", alarm["AlarmName"], error)
