"""CloudWatch alarms on the length of a queue, the one kind that reports an event that could not be handled.

An alarm notifies its topics when its state changes to ALARM, and has that state until the queue is not longer
than its threshold. CloudWatch evaluates once a minute and counts the messages that can be received. Here
alarms are evaluated every second, and messages that somebody has received and not yet deleted count as well:
else each reader of the queue would end the alarm.
"""

from __future__ import annotations

import logging

from sagemaker_local.events import messages, topics
from sagemaker_local.store import Document, Store

ALARM = "alarm"
"""Kind of the documents: AlarmName, AlarmDescription, AlarmActions, Queue, Threshold, Region, StateValue."""

_log = logging.getLogger(__name__)


def put(store: Store, alarm: Document) -> None:
    """Create an alarm, or change one, whose state stays.

    Args:
        alarm: its members but the state.
    """
    before = store.get(ALARM, alarm["Region"], alarm["AlarmName"]) or {"StateValue": "OK"}
    store.put(ALARM, alarm["Region"], alarm["AlarmName"], {**alarm, "StateValue": before["StateValue"]})


def evaluate(store: Store) -> None:
    """Compare every alarm with its queue, and notify the topics of those that change to ALARM."""
    for alarm in store.list(ALARM):
        if _state(store, alarm)[0] == alarm["StateValue"]:
            continue
        with store.transaction():
            current = store.get(ALARM, alarm["Region"], alarm["AlarmName"])
            if current is None:
                continue
            state, length = _state(store, current)
            if state == "ALARM" and current["StateValue"] != state:
                _notify(store, current, length)
            store.put(ALARM, current["Region"], current["AlarmName"], {**current, "StateValue": state})


def _state(store: Store, alarm: Document) -> tuple[str, int]:
    ready, hidden, _ = messages.count(store, alarm["Region"], alarm["Queue"])
    length = ready + hidden
    return "ALARM" if length > alarm["Threshold"] else "OK", length


def _notify(store: Store, alarm: Document, length: int) -> None:
    """Publish the text of the mail that CloudWatch sends through a topic."""
    text = "\n".join(
        [
            alarm["AlarmDescription"],
            "",
            f"Alarm:  {alarm['AlarmName']}",
            "State:  OK -> ALARM",
            f"Reason: {length} in the queue {alarm['Queue']}, more than {alarm['Threshold']:g}",
        ]
    )
    for action in alarm["AlarmActions"]:
        region, topic = action.split(":")[3], action.rpartition(":")[2]
        subject = f'ALARM: "{alarm["AlarmName"]}" in {alarm["Region"]}'[:100]
        try:
            topics.publish(store, region, topic, text, subject)
        except LookupError as error:
            _log.error("Alarm %s could not notify its topic: %s", alarm["AlarmName"], error)
