"""Cron expressions against a reference that asks of every minute whether it fits, and calculates no dates.

The reference walks through the minutes of UTC and looks at the zone's clock at each: so a time that
daylight saving leaves out is never met, and one that it repeats is met twice and counted the first time.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from hypothesis import given, settings
from hypothesis import strategies as st

from aws_formats.schedules import parse, time_zone, times

DAYS = 65
DAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
PLACES = (
    ("UTC", datetime(2028, 1, 20, tzinfo=UTC)),
    ("Europe/Paris", datetime(2026, 2, 25, tzinfo=UTC)),
    ("Europe/Paris", datetime(2026, 9, 28, tzinfo=UTC)),
    ("America/New_York", datetime(2027, 9, 30, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 2, 26, tzinfo=UTC)),
)
"""Two months each, with a leap day or a change of the clock, of half an hour in the last."""


@lru_cache(maxsize=100_000)
def fits(field: str, value: int, low: int, names: tuple[str, ...] = ()) -> bool:
    """Whether a number is among those that a field without L, W and # names."""
    return any(_fits(part, value, low, names) for part in field.split(","))


def _fits(part: str, value: int, low: int, names: tuple[str, ...]) -> bool:
    def number(text: str) -> int:
        return names.index(text) + low if text in names else int(text)

    span, slash, step = part.partition("/")
    first, dash, last = span.partition("-")
    begin = low if span == "*" else number(first)
    if not slash and not dash and span != "*":
        return value == begin
    return begin <= value and (not dash or value <= number(last)) and (value - begin) % int(step or 1) == 0


def month_day_fits(field: str, day: datetime) -> bool:
    return any(
        (day + timedelta(days=1)).month != day.month
        if part == "L"
        else is_nearest_weekday(day, int(part[:-1]))
        if part.endswith("W")
        else fits(part, day.day, 1)
        for part in field.split(",")
    )


@lru_cache(maxsize=100_000)
def is_nearest_weekday(day: datetime, number: int) -> bool:
    month = [day + timedelta(days=shift) for shift in range(-31, 32)]
    month = [other for other in month if (other.year, other.month) == (day.year, day.month)]
    weekdays = [other.day for other in month if other.isoweekday() <= 5]
    return number <= len(month) and day.day == min(weekdays, key=lambda other: abs(other - number))


def week_day_fits(field: str, day: datetime) -> bool:
    name, week = day.strftime("%a").upper(), timedelta(days=7)
    place = str(DAY_NAMES.index(name) + 1)
    if "#" in field:
        which, _, nth = field.partition("#")
        earlier, earliest = day - (int(nth) - 1) * week, day - int(nth) * week
        return which in (name, place) and earlier.month == day.month != earliest.month
    return any(
        name == "SAT"
        if part == "L"
        else part[:-1] in (name, place) and (day + week).month != day.month
        if part.endswith("L")
        else fits(part, int(place), 1, DAY_NAMES)
        for part in field.split(",")
    )


@lru_cache
def minutes_by_day(zone_name: str, begin: datetime) -> dict[datetime, list[datetime]]:
    """Every minute that the zone's clock shows, the first time that it does, as it shows it."""
    zone, found = time_zone(zone_name), defaultdict(list)
    for number in range(DAYS * 24 * 60):
        there = (begin + timedelta(minutes=number)).astimezone(zone)
        if not there.fold:
            found[datetime(there.year, there.month, there.day)].append(there)
    return found


def reference(fields: tuple[str, ...], zone_name: str, begin: datetime) -> list[datetime]:
    minutes, hours, month_day, month, week_day, year = fields
    in_hours = {hour for hour in range(24) if fits(hours, hour, 0)}
    in_minutes = {minute for minute in range(60) if fits(minutes, minute, 0)}
    found = []
    for day, clock in minutes_by_day(zone_name, begin).items():
        in_month = week_day_fits(week_day, day) if month_day == "?" else month_day_fits(month_day, day)
        if in_month and fits(month, day.month, 1, MONTH_NAMES) and fits(year, day.year, 1970):
            found += [
                there.astimezone(UTC)
                for there in clock
                if there.hour in in_hours and there.minute in in_minutes
            ]
    return found


@st.composite
def plain(draw: st.DrawFn, low: int, high: int, names: tuple[str, ...] = (), steps: bool = True) -> str:
    """One number, a range, or all, perhaps with a step."""
    first, last = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
    named = draw(st.booleans()) if names else False
    begin, end = (names[n - low] if named else str(n) for n in (first, last))
    base = draw(st.sampled_from((begin, f"{begin}-{end}", "*")))
    return f"{base}/{draw(st.integers(1, high))}" if steps and draw(st.booleans()) else base


def several(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(part, min_size=1, max_size=3).map(",".join)


WEEK_DAY = st.sampled_from((*DAY_NAMES, *"1234567"))
MONTH_DAYS = several(st.just("L") | st.integers(1, 31).map("{}W".format) | plain(1, 31))
WEEK_DAYS = st.builds("{}#{}".format, WEEK_DAY, st.integers(1, 5)) | several(
    st.just("L") | WEEK_DAY.map("{}L".format) | plain(1, 7, DAY_NAMES, steps=False)
)
FIELDS = st.builds(
    lambda minutes, hours, days, month, year: (minutes, hours, days[0], month, days[1], year),
    several(plain(0, 59)),
    st.just("*") | several(plain(0, 23)),
    MONTH_DAYS.map(lambda days: (days, "?")) | WEEK_DAYS.map(lambda days: ("?", days)),
    st.sampled_from(("*", "*", "1-11/2")) | several(plain(1, 12, MONTH_NAMES)),
    st.sampled_from(("*", "2026-2028", "2024/2")),
)


@settings(max_examples=250, derandomize=True)
@given(FIELDS, st.sampled_from(PLACES))
def test_an_expression_is_due_in_every_minute_that_fits_it_and_in_no_other(
    fields: tuple[str, ...], place: tuple[str, datetime]
) -> None:
    zone_name, begin = place
    just_before = begin - timedelta(seconds=1)
    found = times(
        parse(f"cron({' '.join(fields)})"),
        time_zone(zone_name),
        just_before,
        anchor=just_before,
        end=begin + timedelta(days=DAYS) - timedelta(minutes=1),
    )
    assert list(found) == reference(fields, zone_name, begin)
