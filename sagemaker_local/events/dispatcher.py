"""Routes events to the targets of the rules that match, and makes the deliveries that are due.

One thread routes: it takes an event out of the outbox and writes a delivery for each target, in one
transaction. A few threads deliver; each claims one delivery at a time. A function that is called has a thread
of its own for as long as it runs, so that no delivery waits for it. Several dispatchers may work on one home:
an event is routed once, and a delivery is made by one of them at a time.

Another thread fires the rules that have a schedule, and evaluates the alarms. Of the times that were missed
while no endpoint was up, one is made up for at once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from aws_formats import schedules
from sagemaker_local import clocks
from sagemaker_local.api import Api
from sagemaker_local.events import alarms, metric_alarms, outbox, patterns, targets, transformers
from sagemaker_local.events.execution_environment import Closing
from sagemaker_local.events.functions import Functions
from sagemaker_local.events.outbox import Delivery, Event
from sagemaker_local.home import Owner
from sagemaker_local.store import Document, Store

RULE = "event-rule"
"""Kind of the documents: DescribeRule's members and ``_Targets``."""

_THREADS = 4
_MOST_CALLS = 16
"""Functions that are called at once; each is a process. More of them wait, and other deliveries do not."""

_POLL_SECONDS = 0.1
_ALARMS_SECONDS = 2.0
_AFTER_STORE_ERROR_SECONDS = 1.0
_AFTER_FAULT_SECONDS = 60.0
_log = logging.getLogger(__name__)


class Dispatcher:
    """The threads of one endpoint."""

    def __init__(self, owner: Owner, store: Store, functions: Functions, api: Api) -> None:
        self._owner, self._store = owner, store
        self._functions, self._api = functions, api
        self._closed = threading.Event()
        self._alarms_evaluated = 0.0
        self._calls = threading.BoundedSemaphore(_MOST_CALLS)
        self._calling: set[threading.Thread] = set()
        self._threads = [
            threading.Thread(target=self._loop, args=(self._route_next,), name="routing events"),
            threading.Thread(target=self._loop, args=(self._fire_due, 1.0), name="firing rules"),
        ]
        self._threads += [
            threading.Thread(
                target=self._loop, args=(self._deliver_next,), name=f"delivering events {number}"
            )
            for number in range(_THREADS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def close(self) -> None:
        """Return once nothing is delivered any more; what is due stays so."""
        self._closed.set()
        self._functions.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        for thread in list(self._calling):
            thread.join()

    def _loop(self, work_on_next: Callable[[], bool], pause: float = _POLL_SECONDS) -> None:
        """`work_on_next` returns whether there was work; if not, it is called again after `pause`."""
        while not self._closed.is_set():
            try:
                worked = work_on_next()
            except Closing:
                return
            except sqlite3.Error:  # a full disk: nothing is lost, and there may be space later
                _log.exception("events wait: the store cannot be written")
                self._closed.wait(_AFTER_STORE_ERROR_SECONDS)
            else:
                if not worked:
                    self._closed.wait(pause)

    def _route_next(self) -> bool:
        """Whether there was an event."""
        store = self._store
        if not outbox.has_events(store):
            return False
        with store.transaction():
            event = outbox.take_event(store)
            if event is not None:
                self._route(event)
        return True

    def _route(self, event: Event) -> None:
        try:
            route(self._store, event)
        except sqlite3.Error:
            raise
        except Exception:  # a fault of this module: this event must not block all that come after it
            _log.exception("an event could not be routed and is dropped: %s", event.document)

    def _fire_due(self) -> bool:
        """Fire all rules that are due, and evaluate all alarms; always False: nothing is left to do."""
        store, now = self._store, clocks.now()
        if any(_is_due(rule, now) or _was_set_back(rule, now) for rule in store.list(RULE)):
            with store.transaction():
                for rule in store.list(RULE):
                    if _was_set_back(rule, now):
                        self._count(rule, now, counted_from=now)
                    elif _is_due(rule, now):
                        self._fire(rule, now)
        alarms.evaluate(store)
        if clocks.uptime() - self._alarms_evaluated >= _ALARMS_SECONDS:
            self._alarms_evaluated = clocks.uptime()
            metric_alarms.evaluate(store, self._api)
        return False

    def _fire(self, rule: Document, now: float) -> None:
        self._count(rule, now, counted_from=rule["_Next"])
        if rule["State"] == "ENABLED":
            region = _region(rule)
            event = outbox.envelope(region, "aws.events", "Scheduled Event", {}, [rule["Arn"]])
            _put_deliveries(self._store, region, rule, event)

    def _count(self, rule: Document, now: float, *, counted_from: float) -> None:
        """Note when a rule fires next."""
        following = next_firing(rule["ScheduleExpression"], now, counted_from=counted_from)
        self._store.put(RULE, _region(rule), rule["Name"], {**rule, "_Next": following, "_Counted": now})

    def _deliver_next(self) -> bool:
        """Whether a delivery was due that could be made."""
        may_call = self._calls.acquire(blocking=False)
        is_call = False
        try:
            delivery = outbox.claim_delivery(
                self._store, self._owner.name, self._owner.is_alive, functions=may_call
            )
            if delivery is None:
                return False
            is_call = delivery.target["Arn"].startswith(outbox.FUNCTION_ARN)
            if is_call:
                self._call(delivery)
        finally:
            if may_call and not is_call:
                self._calls.release()
        if not is_call:
            self._deliver(delivery)
        return True

    def _call(self, delivery: Delivery) -> None:
        """Make a delivery to a function in a thread of its own."""

        def call() -> None:
            try:
                with contextlib.suppress(Closing):
                    self._deliver(delivery)
            finally:
                self._calling.discard(threading.current_thread())
                self._calls.release()

        thread = threading.Thread(target=call, name="calling a function", daemon=True)
        self._calling.add(thread)
        try:
            thread.start()
        except RuntimeError:  # the system gives this process no more threads: this one waits for the function
            self._calling.discard(thread)
            call()

    def _deliver(self, delivery: Delivery) -> None:
        """Raises Closing."""
        try:
            targets.deliver(self._store, self._functions, self._api, delivery)
        except Closing:
            raise
        except Exception:  # a full disk or a fault: the thread goes on, the delivery is made again
            _log.exception("a delivery to %s failed unexpectedly", delivery.target["Arn"])
            self._release(delivery)

    def _release(self, delivery: Delivery) -> None:
        """Let a delivery be claimed again in a while; until then it is this process's."""
        due = self._store.steady_time() + _AFTER_FAULT_SECONDS
        self._store.write_until_possible(
            lambda: outbox.retry_later(self._store, delivery, due), giving_up=self._closed
        )


def next_firing(schedule: str, now: float, *, counted_from: float) -> float | None:
    """When a rule with that schedule fires next, POSIX seconds; None if its years are over.

    Args:
        counted_from: an earlier firing of a rate, or its beginning.
    """
    moments = schedules.times(
        schedules.parse(schedule),
        schedules.time_zone("UTC"),
        datetime.fromtimestamp(now, UTC),
        anchor=datetime.fromtimestamp(counted_from, UTC),
    )
    return next((moment.timestamp() for moment in moments), None)


def _is_due(rule: Document, now: float) -> bool:
    return rule.get("_Next") is not None and bool(rule["_Next"] <= now)


def _was_set_back(rule: Document, now: float) -> bool:
    """Whether the clock has been set back since the rule's next firing was counted: it may be far away."""
    return bool(rule.get("_Counted", 0.0) > now)


def _region(rule: Document) -> str:
    return str(rule["Arn"].split(":")[3])


def route(store: Store, event: Event) -> None:
    """Write a delivery for each target of each rule that matches; in the caller's transaction."""
    document = json.loads(event.document)
    for rule in store.list(RULE, event.region):
        pattern = rule["EventPattern"]
        if rule["State"] == "ENABLED" and pattern and _pattern(pattern).matches(event.document):
            _put_deliveries(store, event.region, rule, document)


def _put_deliveries(store: Store, region: str, rule: Document, event: Document) -> None:
    for target in rule["_Targets"]:
        try:
            payload = transformers.apply(target, event, rule["Arn"])
        except transformers.InvalidInput as error:
            _log.error("Target %s of rule %s is given nothing: %s", target["Id"], rule["Name"], error)
        else:
            outbox.put_delivery(store, region, rule["Arn"], target, payload)


_pattern = lru_cache(maxsize=256)(patterns.parse)
