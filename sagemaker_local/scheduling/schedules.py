"""When a stored schedule is due.

A schedule is a document of kind ``SCHEDULE``, named ``<group>/<name>``: GetSchedule's members, and

- ``_Anchor``: where a rate without a StartDate begins to count, POSIX seconds; no later than the present;
- ``_Next``: the next due time, None if there is none; stored before anything is started;
- ``_Last``: the due time that was last started, or refused.
- ``_Refused``: a start that was refused: which ``Due`` time, how many ``Attempts``, when ``Again``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

from aws_formats import schedules
from sagemaker_local.store import Document

SCHEDULE = "schedule"

BEFORE_ANYTHING = 0.001
"""Taken from a schedule's beginning, so that a due time at that very moment comes after it."""


def due_times(document: Document, after: float) -> Iterator[float]:
    """The due times later than `after`, POSIX seconds; none while the schedule is disabled."""
    if document["State"] != "ENABLED":
        return
    start, end = document.get("StartDate"), document.get("EndDate")
    for moment in schedules.times(
        schedules.parse(document["ScheduleExpression"]),
        schedules.time_zone(document["ScheduleExpressionTimezone"]),
        _moment(after),
        anchor=_moment(document["_Anchor"]),
        start=None if start is None else _moment(start),
        end=None if end is None else _moment(end),
    ):
        yield moment.timestamp()


def latest_due(document: Document, now: float) -> tuple[float, float | None]:
    """Of what has become due by `now`, the latest; and the first that comes after `now`.

    ``_Next`` must be due.
    """
    latest, age = document["_Next"], document["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"]
    # Older ones would not be started anyway: no need to go through all of a long pause.
    for due in due_times(document, max(latest, now - age)):
        if due > now:
            return latest, due
        latest = due
    return latest, None


def token(document: Document, due: float) -> str:
    """The ClientRequestToken of one due time, always the same, so that a second start does nothing."""
    identity = f"{document['Arn']} {document['CreationDate']!r} {due!r}"
    return hashlib.sha256(identity.encode()).hexdigest()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
