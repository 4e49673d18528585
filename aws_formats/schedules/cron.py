"""AWS's cron dialect: six fields, with ``?``, ``L``, ``W`` and ``#``.

    minutes  hours  day-of-month  month  day-of-week  year

Days of the week run from 1 (SUN) to 7 (SAT). One of the two day fields is ``?`` and the other decides.
``L`` is the month's last day, or as ``6L`` its last Friday; ``15W`` is the weekday nearest to the 15th;
``6#3`` is the month's third Friday and has to stand alone. Days of the week take no ``/``.
Source: "Cron-based schedules" of EventBridge Scheduler's User Guide.

Where that says nothing, ours is what Quartz does, which has the same characters: ``1W`` stays within its
month, ``31W`` is left out in a shorter month, ``a-b/n`` steps within the range. What AWS names nowhere
is refused: ``LW``, ``L-3``, a range that runs backwards.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from aws_formats.schedules.errors import ExpressionError

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name.upper(): (number + 1) % 7 + 1 for number, name in enumerate(calendar.day_abbr)}
FIRST_YEAR, LAST_YEAR = 1970, 2199


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    allowed: str
    names: Mapping[str, int]


_MINUTES = _Field("minutes", 0, 59, "0-59 and , - * /", {})
_HOURS = _Field("hours", 0, 23, "0-23 and , - * /", {})
_DAY_OF_MONTH = _Field("day-of-month", 1, 31, "1-31 and , - * ? / L W", {})
_MONTH = _Field("month", 1, 12, "1-12 or JAN-DEC and , - * /", _MONTHS)
_DAY_OF_WEEK = _Field("day-of-week", 1, 7, "1-7 or SUN-SAT and , - * ? L #", _DAYS)
_YEAR = _Field("year", FIRST_YEAR, LAST_YEAR, f"{FIRST_YEAR}-{LAST_YEAR} and , - * /", {})


@dataclass(frozen=True)
class _MonthDays:
    """Days named by their number: some of them, the last one, weekdays nearest to some."""

    numbers: frozenset[int]
    last: bool
    nearest: frozenset[int]

    def in_month(self, year: int, month: int) -> set[int]:
        length = calendar.monthrange(year, month)[1]
        found = {day for day in self.numbers if day <= length} | ({length} if self.last else set())
        return found | {_nearest_weekday(year, month, day) for day in self.nearest if day <= length}


@dataclass(frozen=True)
class _WeekDays:
    """Days named by their place in the week: each of them, the month's last one, or its nth one.

    `nth`: the place in the week, and which of the month's.
    """

    numbers: frozenset[int]
    last: frozenset[int]
    nth: tuple[int, int] | None = None

    def in_month(self, year: int, month: int) -> set[int]:
        length = calendar.monthrange(year, month)[1]
        found = set()
        for day in range(1, length + 1):
            place = _place_in_week(date(year, month, day))
            is_last = place in self.last and day + 7 > length
            if place in self.numbers or is_last or (place, (day - 1) // 7 + 1) == self.nth:
                found.add(day)
        return found


@dataclass(frozen=True)
class Cron:
    """A parsed expression."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: _MonthDays | _WeekDays
    months: frozenset[int]
    years: frozenset[int]

    def moments(self, begin: datetime) -> Iterator[datetime]:
        """The times on the clock from the day of `begin` on, in order, without a time zone."""
        for year in sorted(year for year in self.years if year >= begin.year):
            for month in sorted(self.months):
                if (year, month) < (begin.year, begin.month):
                    continue
                for day in sorted(self.days.in_month(year, month)):
                    if date(year, month, day) < begin.date():
                        continue
                    for hour in sorted(self.hours):
                        for minute in sorted(self.minutes):
                            yield datetime(year, month, day, hour, minute)


def parse_cron(content: str) -> Cron:
    """What stands between the brackets of ``cron(...)``.

    Raises:
        ExpressionError: which field is wrong and what is allowed in it.
    """
    fields = content.split()
    if len(fields) != 6:
        raise ExpressionError(
            f"AWS's cron has six fields and '{content}' has {len(fields)}: write minutes hours day-of-month"
            " month day-of-week year, e.g. 0 3 * * ? *"
        )
    minutes, hours, day_of_month, month, day_of_week, year = fields
    if (day_of_month == "?") == (day_of_week == "?"):
        raise ExpressionError(
            f"one of day-of-month ('{day_of_month}') and day-of-week ('{day_of_week}') must be ?, the other"
            " one not: it alone says on which days"
        )
    days = _week_days(day_of_week) if day_of_month == "?" else _month_days(day_of_month)
    return Cron(
        minutes=_numbers(_MINUTES, minutes),
        hours=_numbers(_HOURS, hours),
        days=days,
        months=_numbers(_MONTH, month),
        years=_numbers(_YEAR, year),
    )


def _month_days(text: str) -> _MonthDays:
    numbers: frozenset[int] = frozenset()
    nearest, last = set(), False
    for part in text.split(","):
        if part == "L":
            last = True
        elif found := re.fullmatch(r"(\d+)W", part):
            nearest.add(_number(_DAY_OF_MONTH, found[1], part))
        else:
            numbers |= _range(_DAY_OF_MONTH, part)
    return _MonthDays(numbers, last, frozenset(nearest))


def _week_days(text: str) -> _WeekDays:
    if found := re.fullmatch(r"(\d|[A-Za-z]{3})#([1-5])", text):
        nth = _number(_DAY_OF_WEEK, found[1], text), int(found[2])
        return _WeekDays(frozenset(), frozenset(), nth)
    numbers: frozenset[int] = frozenset()
    last = set()
    for part in text.split(","):
        if part == "L":
            numbers |= {_DAY_OF_WEEK.high}
        elif found := re.fullmatch(r"(\d|[A-Za-z]{3})L", part):
            last.add(_number(_DAY_OF_WEEK, found[1], part))
        elif "#" in part and "," in text:
            raise ExpressionError(f"the field day-of-week cannot be '{text}': # has to stand alone in it")
        elif "/" in part:
            raise _wrong(_DAY_OF_WEEK, part)
        else:
            numbers |= _range(_DAY_OF_WEEK, part)
    return _WeekDays(numbers, frozenset(last))


def _numbers(field: _Field, text: str) -> frozenset[int]:
    found: frozenset[int] = frozenset()
    for part in text.split(","):
        found |= _range(field, part)
    return found


def _range(field: _Field, part: str) -> frozenset[int]:
    """``*``, ``a`` or ``a-b``, each with ``/n`` for every nth from there on."""
    base, slash, step_text = part.partition("/")
    if base == "*":
        low, high = field.low, field.high
    elif "-" in base:
        first, _, second = base.partition("-")
        low, high = _number(field, first, part), _number(field, second, part)
        if low > high:
            raise _wrong(field, part)
    else:
        low = _number(field, base, part)
        high = field.high if slash else low
    if not slash:
        return frozenset(range(low, high + 1))
    if not re.fullmatch(r"[1-9]\d{0,3}", step_text):
        raise _wrong(field, part)
    return frozenset(range(low, high + 1, int(step_text)))


def _number(field: _Field, text: str, part: str) -> int:
    number = field.names.get(text.upper())
    if number is None and re.fullmatch(r"[0-9]{1,4}", text):
        number = int(text)
    if number is None or not field.low <= number <= field.high:
        raise _wrong(field, part)
    return number


def _wrong(field: _Field, part: str) -> ExpressionError:
    return ExpressionError(f"the field {field.name} cannot be '{part}': it takes {field.allowed}")


def _place_in_week(day: date) -> int:
    """1 (Sunday) to 7 (Saturday)."""
    return day.isoweekday() % 7 + 1


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """The day from Monday to Friday nearest to one, without leaving the month."""
    there = date(year, month, day)
    shift = {6: -1, 7: 1}.get(there.isoweekday(), 0)
    moved = there + timedelta(days=shift)
    if moved.month != month:
        moved = there - timedelta(days=2 * shift)
    return moved.day
