"""EventBridge Scheduler's expressions: what they mean, and when they are due.

The local SageMaker fires at these times; a client may ask the same code beforehand what an expression
means. So it imports nothing but itself and does nothing but calculate.
Sources: "Schedule types in EventBridge Scheduler" of its User Guide, and CreateSchedule of its API Reference.

Cron and one-time expressions are read on the clock of the schedule's time zone. A cron time that daylight
saving leaves out is skipped, one that it repeats counts once. Rates are lengths of time: a day of a rate
is 24 hours. AWS says so much; ours is that a one-time expression follows the same rule, and that the
first of two repeated times counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aws_formats.schedules.cron import FIRST_YEAR, LAST_YEAR, Cron, parse_cron
from aws_formats.schedules.errors import ExpressionError

__all__ = ["At", "Cron", "Expression", "ExpressionError", "Rate", "next_times", "parse", "time_zone", "times"]


@dataclass(frozen=True)
class Rate:
    """A fixed length of time between two times."""

    every: timedelta


@dataclass(frozen=True)
class At:
    """One time on the time zone's clock; `moment` has no time zone of its own."""

    moment: datetime


Expression = Cron | Rate | At

_FORM = re.compile(r"(cron|rate|at)\((.*)\)")
_RATE = re.compile(r"([1-9]\d{0,8}) (minute|hour|day)s?")


def parse(text: str) -> Expression:
    """The meaning of ``cron(...)``, ``rate(...)`` or ``at(...)``.

    Raises:
        ExpressionError: which part of it is wrong and what is allowed there.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise ExpressionError(
            f"'{text}' is not a schedule expression: write cron(0 3 * * ? *), rate(1 day) or"
            " at(2030-01-31T03:00:00)"
        )
    kind, content = form.groups()
    if kind == "cron":
        return parse_cron(content)
    return _rate(content) if kind == "rate" else _at(content)


def time_zone(name: str) -> ZoneInfo:
    """A time zone of the IANA database, e.g. ``Europe/Paris``.

    Raises:
        ExpressionError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ExpressionError(
            f"there is no time zone '{name}': use a name of the IANA database, e.g. Europe/Paris or UTC"
        ) from error


def times(
    expression: Expression,
    zone: ZoneInfo,
    after: datetime,
    *,
    anchor: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Iterator[datetime]:
    """The times later than `after`, in order, in UTC; may be endless.

    Args:
        anchor: where a rate begins to count without a `start`: that is its first time.
        start, end: no time is earlier or later than these; a one-time expression ignores them, as on AWS.

    All moments have a time zone.
    """
    if isinstance(expression, At):
        start = end = None
    if isinstance(expression, Rate):
        found = _rate_times(expression.every, (start or anchor).astimezone(UTC), after)
    elif isinstance(expression, At):
        found = _existing(iter([expression.moment]), zone)
    else:
        earliest = max(after, start) if start else after
        found = _existing(expression.moments(_day_before(earliest, zone)), zone)
    for moment in found:
        if end is not None and moment > end:
            return
        if moment > after and (start is None or moment >= start):
            yield moment


def next_times(
    expression: Expression,
    zone: ZoneInfo,
    after: datetime,
    count: int,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[datetime]:
    """At most `count` times later than `after`, on the time zone's clock; a rate counts from `after`."""
    found = islice(times(expression, zone, after, anchor=after, start=start, end=end), count)
    return [moment.astimezone(zone) for moment in found]


def _rate(content: str) -> Rate:
    """The API Reference lists each unit in singular and plural and ties neither to a number."""
    found = _RATE.fullmatch(content)
    if found is None:
        raise ExpressionError(
            f"'{content}' is not a rate: write a whole number from 1 and minutes, hours or days,"
            " e.g. 1 day or 12 hours"
        )
    try:
        return Rate(timedelta(**{f"{found[2]}s": int(found[1])}))
    except OverflowError as error:
        raise ExpressionError(f"the rate '{content}' is too long") from error


def _at(content: str) -> At:
    try:
        moment = datetime.strptime(content, "%Y-%m-%dT%H:%M:%S")
    except ValueError as error:
        raise ExpressionError(f"'{content}' is not a time: write at(yyyy-mm-ddThh:mm:ss)") from error
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ExpressionError(f"the year of '{content}' must be {FIRST_YEAR}-{LAST_YEAR}")
    return At(moment)


def _rate_times(every: timedelta, first: datetime, after: datetime) -> Iterator[datetime]:
    steps = (after - first) // every + 1 if after >= first else 0
    if steps and first.year + steps * every.days // 365 > LAST_YEAR:
        return
    moment = first + steps * every
    while True:
        yield moment
        if moment.year + every.days // 365 > LAST_YEAR:
            return
        moment += every


def _existing(moments: Iterator[datetime], zone: ZoneInfo) -> Iterator[datetime]:
    """Times on the zone's clock as moments in UTC, those aside that daylight saving leaves out."""
    for moment in moments:
        there = moment.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if there.astimezone(zone).replace(tzinfo=None) == moment:
            yield there


def _day_before(moment: datetime, zone: ZoneInfo) -> datetime:
    """A start of the search that no change of the clock can put too late."""
    return moment.astimezone(zone).replace(tzinfo=None) - timedelta(days=1)
