"""Starts what is due, in an endpoint that is kept up.

The rules, where AWS leaves them open or a machine differs from AWS:

- Due times that pass while no endpoint is up (or the machine sleeps, or its clock is set forward) count as
  one: the latest is started, unless it is older than the target's MaximumEventAgeInSeconds, a day by
  default. On AWS, which is not down as a machine is, that member only ends retries.
- Due times before a schedule was made or changed do not count, even if its StartDate is earlier.
- A due time is started exactly once. The next one is in the store before it is due and moves on only
  after the start; a process that is killed between the two starts it again with the same
  ClientRequestToken, to which SageMaker answers with the same execution. The same holds for a clock that
  is set back; what is due next is then looked up again, and a rate waits no longer than if it were made now.
- An execution that is still under way does not delay the next one, which starts beside it, as on AWS,
  where the Scheduler only calls StartPipelineExecution.
- A start that is refused is tried again as the target's RetryPolicy says, after seconds where AWS waits
  minutes: 1, 2, 4, ... up to 60; but only until the schedule is due again, or is changed: of due times that
  could not be started, the latest counts, too.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable

from sagemaker_local import clocks
from sagemaker_local.api import Api, RoleSession
from sagemaker_local.errors import AwsError
from sagemaker_local.s3.objects import ObjectStore
from sagemaker_local.scheduling import monitoring
from sagemaker_local.scheduling.schedules import SCHEDULE, due_times, latest_due, token
from sagemaker_local.store import Document, Store

_INTERVAL_SECONDS = 0.5
"""How late a start may be; AWS itself promises a minute."""

_LONGEST_WAIT = 60.0
"""Seconds between two attempts at a start that is refused, and after a fault of this module."""

_log = logging.getLogger(__name__)


class Clock:
    """The thread of one endpoint.

    Args:
        now: the time, POSIX seconds.
    """

    def __init__(
        self, store: Store, objects: ObjectStore, api: Api, now: Callable[[], float] = clocks.now
    ) -> None:
        self._store, self._objects, self._api, self._now = store, objects, api, now
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="starting what is due", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Return once nothing is started any more; what is due stays so."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        while not self._closed.wait(_INTERVAL_SECONDS):
            self._start(lambda: start_due(self._store, self._api, self._now()))
            self._start(lambda: monitoring.start_due(self._store, self._objects, self._api, self._now()))

    def _start(self, start_due: Callable[[], object]) -> None:
        try:
            start_due()
        except sqlite3.Error:  # a full disk: nothing is lost, and there may be space later
            _log.exception("schedules wait: the store cannot be written")
        except Exception:  # a fault of this module: what is due later must still be started
            _log.exception("what is due could not be started")
            self._closed.wait(_LONGEST_WAIT)


def start_due(store: Store, api: Api, now: float) -> list[str]:
    """Start what is due at `now`, POSIX seconds; returns the executions' ARNs."""
    started = []
    for document in store.list(SCHEDULE):
        started += _start_if_due(store, api, document, now)
    return started


def _start_if_due(store: Store, api: Api, document: Document, now: float) -> list[str]:
    due, last, refused = document["_Next"], document.get("_Last"), document.get("_Refused")
    if due is not None and due <= now:
        return _fire(store, api, document, now)
    # A wait that is longer than any means that the clock was set back since.
    if refused is not None and not now < refused["Again"] <= now + _LONGEST_WAIT:
        started, refused = _attempt(api, document, refused["Due"], refused["Attempts"], now)
        _note(store, document, {"_Refused": refused})
        return started
    if max(last or 0.0, document["_Anchor"]) > now:  # the clock was set back
        timing = _timing_after_set_back(document, now)
        if timing != {name: document[name] for name in timing}:
            _note(store, document, timing)
    return []


def _timing_after_set_back(document: Document, now: float) -> Document:
    """When a schedule is due next, and where its rate counts from: not later than if it were made now."""
    ways = [
        {"_Next": next(due_times({**document, "_Anchor": anchor}, now), None), "_Anchor": anchor}
        for anchor in (document["_Anchor"], now)
    ]
    return min(ways, key=lambda timing: timing["_Next"] or float("inf"))


def _fire(store: Store, api: Api, document: Document, now: float) -> list[str]:
    due, following = latest_due(document, now)
    started: list[str] = []
    refused: Document | None = None
    if now - due <= document["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"]:
        started, refused = _attempt(api, document, due, 0, now)
    else:
        _log.warning("schedule %s: %s is too long ago and is not started", document["Name"], time.ctime(due))
    _note(store, document, {"_Next": following, "_Last": due, "_Refused": refused})
    return started


def _attempt(
    api: Api, document: Document, due: float, refusals: int, now: float
) -> tuple[list[str], Document | None]:
    """Start what was due after so many refusals: the execution's ARN, or when to try again, if at all."""
    try:
        return [_start(api, document, due)], None
    except AwsError as error:
        policy = document["Target"]["RetryPolicy"]
        again = now + min(2.0**refusals, _LONGEST_WAIT)
        is_last = (
            refusals >= policy["MaximumRetryAttempts"] or again - due > policy["MaximumEventAgeInSeconds"]
        )
        if is_last or refusals == 0:
            _log.error(
                "schedule %s could not start its pipeline%s: %s",
                document["Name"],
                " and gives up" if is_last else "; it is tried again",
                error.message,
            )
    return [], None if is_last else {"Due": due, "Attempts": refusals + 1, "Again": again}


def _start(api: Api, document: Document, due: float) -> str:
    target = document["Target"]
    request = {
        "PipelineName": target["Arn"],
        "ClientRequestToken": token(document, due),
        "PipelineParameters": target["SageMakerPipelineParameters"].get("PipelineParameterList", []),
    }
    session = RoleSession(target["RoleArn"], f"scheduler-{document['Name']}"[:64])
    answer = api(_region(document), "sagemaker", "StartPipelineExecution", request, session)
    return str(answer["PipelineExecutionArn"])


def _note(store: Store, document: Document, members: Document) -> None:
    """Write members back, unless the schedule was changed or deleted meanwhile."""
    region, name = _region(document), f"{document['GroupName']}/{document['Name']}"
    with store.transaction():
        current = store.get(SCHEDULE, region, name)
        if current is None or current["LastModificationDate"] != document["LastModificationDate"]:
            return
        current |= members
        is_over = current["_Next"] is None and current.get("_Refused") is None
        if is_over and document.get("ActionAfterCompletion") == "DELETE":
            store.delete(SCHEDULE, region, name)
        else:
            store.put(SCHEDULE, region, name, current)


def _region(document: Document) -> str:
    return str(document["Arn"].split(":")[3])
