"""When a monitoring schedule is due, and which time an execution looks at.

Model Monitor takes one cron expression a schedule, on full hours, in UTC ("The cron expression for monitoring
schedule" in the SageMaker developer guide); without one a schedule runs daily, here at midnight. ``NOW`` runs
it once.

An execution looks at the time since the schedule was due before. Offsets, of the endpoint's input or of the
schedule, count from the due time instead: "if you schedule a job to run at 2020-01-09T13:00 [with -P8D and
-P1D], it analyzes data from between 2020-01-01T13:00 and 2020-01-08T13:00".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from aws_formats import schedules
from aws_formats.step_cache import parse_duration
from sagemaker_local.errors import validation_error
from sagemaker_local.store import Document

NOW = "NOW"
_DAILY = "cron(0 0 ? * * *)"
_ON_THE_HOUR = re.compile(r"cron\(0 (?:\*|(\d{1,2})(?:/(\d{1,2}))?) \? \* \* \*\)")
_LONGEST = timedelta(hours=24)
_EARLIEST = timedelta(days=365)
"""How long ago a window may begin; AWS names no bound."""

_UTC = schedules.time_zone("UTC")
_OFFSET = re.compile(r"-?P.*")


def check(config: Document) -> None:
    """Refuse a ScheduleConfig that Model Monitor would not take.

    Raises:
        AwsError: ValidationException that says what it takes.
    """
    expression = config.get("ScheduleExpression", _DAILY)
    offsets = [config.get(f"DataAnalysis{which}Time") for which in ("Start", "End")]
    for offset in offsets:
        if offset is not None:
            seconds_of(offset)
    if expression == NOW:
        if None in offsets:
            raise validation_error(
                "The ScheduleExpression NOW needs DataAnalysisStartTime and DataAnalysisEndTime, e.g. -PT1H"
                " and -PT0H."
            )
        return
    form = _ON_THE_HOUR.fullmatch(expression)
    hour, every = form.groups() if form else (None, None)
    if form is None or int(hour or 0) > 23 or not 1 <= int(every or 1) <= 24:
        raise validation_error(
            f"'{expression}' is no ScheduleExpression of a monitoring schedule: write cron(0 * ? * * *) for"
            " every hour, cron(0 3 ? * * *) for every day at 3, cron(0 0/6 ? * * *) for every 6 hours, or"
            " NOW."
        )


def seconds_of(offset: str) -> float:
    """Seconds of an offset, ``-PT1H`` or ``-P1D``; none is above 0.

    Raises:
        AwsError: ValidationException.
    """
    try:
        if not _OFFSET.fullmatch(offset):
            raise ValueError(offset)
        seconds = parse_duration(offset.removeprefix("-"))
        if seconds > _EARLIEST.total_seconds():
            raise ValueError(offset)
        return -seconds
    except ValueError as error:
        raise validation_error(
            f"'{offset}' is no offset of a monitoring job: write an ISO 8601 duration of at most"
            f" {_EARLIEST.days} days, e.g. -PT1H or -P1D."
        ) from error


def next_due(config: Document, after: float) -> float | None:
    """The first due time later than `after`, POSIX seconds; None of ``NOW``, which is due when it is made."""
    return next(_due_times(config, after), None)


def latest_due(config: Document, due: float, now: float) -> float:
    """Of the due times from `due` on that have come by `now`, the last: a machine that slept runs one."""
    latest = due
    for moment in _due_times(config, max(due, now - 2 * _LONGEST.total_seconds())):
        if moment > now:
            break
        latest = moment
    return latest


def window(config: Document, source: Document, due: float) -> tuple[float, float]:
    """What the execution of a due time looks at: from when, until when.

    Args:
        config: ScheduleConfig.
        source: EndpointInput.
    """
    start = config.get("DataAnalysisStartTime") or source.get("StartTimeOffset")
    end = config.get("DataAnalysisEndTime") or source.get("EndTimeOffset")
    return (
        _before(config, due) if start is None else due + seconds_of(start),
        due if end is None else due + seconds_of(end),
    )


def _before(config: Document, due: float) -> float:
    """When a schedule was due before, whether or not it was there."""
    before = due - _LONGEST.total_seconds()
    for moment in _due_times(config, before):
        if moment >= due:
            break
        before = moment
    return before


def _due_times(config: Document, after: float) -> Iterator[float]:
    expression = config.get("ScheduleExpression", _DAILY)
    if expression == NOW:
        return
    # Hours that are more than a day apart are the same hour of every day, which cron cannot say so.
    parsed = schedules.parse(expression.replace("/24 ", " "))
    moment = datetime.fromtimestamp(after, UTC)
    for found in schedules.times(parsed, _UTC, moment, anchor=moment):
        yield found.timestamp()
