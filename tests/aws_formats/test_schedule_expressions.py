"""When expressions are due, in AWS's dialect, against dates worked out by other means."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

import pytest

from aws_formats.schedules import ExpressionError, Rate, next_times, parse, time_zone

PARIS, ZULU = time_zone("Europe/Paris"), time_zone("UTC")


def due(expression: str, after: datetime, count: int = 3, zone: str = "UTC") -> list[str]:
    return [f"{t:%Y-%m-%d %H:%M}" for t in next_times(parse(expression), time_zone(zone), after, count)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 3 L * ? *)", ["2026-01-31 03:00", "2026-02-28 03:00", "2026-03-31 03:00"]),
        ("cron(0 3 ? * 6L *)", ["2026-01-30 03:00", "2026-02-27 03:00", "2026-03-27 03:00"]),
        ("cron(0 3 ? * FRI#2 *)", ["2026-01-09 03:00", "2026-02-13 03:00", "2026-03-13 03:00"]),
        ("cron(0 3 1W * ? *)", ["2026-01-01 03:00", "2026-02-02 03:00", "2026-03-02 03:00"]),
        ("cron(0/30 3 29 2 ? *)", ["2028-02-29 03:00", "2028-02-29 03:30", "2032-02-29 03:00"]),
        ("cron(0 3 ? * MON-TUE 2027)", ["2027-01-04 03:00", "2027-01-05 03:00", "2027-01-11 03:00"]),
        ("at(2026-04-01T12:00:00)", ["2026-04-01 12:00"]),
        ("at(2025-04-01T12:00:00)", []),
    ],
)
def test_an_expression_is_due_when_aws_says(expression: str, expected: list[str]) -> None:
    assert due(expression, datetime(2026, 1, 1, tzinfo=UTC)) == expected


def test_two_years_agree_with_a_plain_reading_of_the_fields() -> None:
    begin, end = datetime(2027, 1, 1), datetime(2029, 1, 1)
    expected, moment = [], begin
    while moment < end:
        last = calendar.monthrange(moment.year, moment.month)[1]
        if moment.day in (5, last) and moment.hour % 6 == 1 and moment.minute in (0, 20, 40):
            expected.append(moment.replace(tzinfo=UTC))
        moment += timedelta(minutes=20)
    found = next_times(
        parse("cron(*/20 1/6 5,L * ? 2027-2028)"), ZULU, (begin - timedelta(1)).replace(tzinfo=UTC), 10_000
    )
    assert found == expected


def test_a_time_that_daylight_saving_leaves_out_is_skipped() -> None:
    after = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert due("cron(30 2 * * ? *)", after, 1, "Europe/Paris") == ["2026-03-30 02:30"]


def test_a_time_that_daylight_saving_repeats_counts_once() -> None:
    found = next_times(parse("cron(30 2 25 10 ? *)"), PARIS, datetime(2026, 10, 24, tzinfo=UTC), 2)
    assert found[0].astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert found[1].year == 2027


@pytest.mark.parametrize("expression", ["rate(1 day)", "rate(1 days)", "rate(24 hours)", "rate(24 hour)"])
def test_a_rates_unit_may_be_singular_or_plural(expression: str) -> None:
    assert parse(expression) == Rate(timedelta(days=1))


def test_a_one_time_expression_ignores_the_start_and_the_end() -> None:
    moment = datetime(2026, 4, 1, 12, tzinfo=UTC)
    found = next_times(
        parse("at(2026-04-01T12:00:00)"),
        ZULU,
        moment - timedelta(days=9),
        2,
        start=moment + timedelta(days=1),
        end=moment - timedelta(days=1),
    )
    assert found == [moment]


def test_a_rate_is_a_length_of_time_that_daylight_saving_does_not_move() -> None:
    found = next_times(parse("rate(1 day)"), PARIS, datetime(2026, 3, 28, 1, tzinfo=UTC), 2)
    assert [t.hour for t in found] == [3, 3]
    assert found[1].astimezone(UTC) - found[0].astimezone(UTC) == timedelta(days=1)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("cron(0 3 * * *)", "six fields"),
        ("cron(60 3 * * ? *)", "minutes cannot be '60'"),
        ("cron(0 24 * * ? *)", "hours"),
        ("cron(0 3 * * * *)", "must be ?"),
        ("cron(0 3 ? * ? *)", "must be ?"),
        ("cron(0 3 32 * ? *)", "day-of-month"),
        ("cron(0 3 ? * 6#6 *)", "day-of-week"),
        ("cron(0 3 * 13 ? *)", "month"),
        ("cron(0 3 * * ? 2200)", "year"),
        ("cron(0/0 3 * * ? *)", "minutes"),
        ("cron(0 3 ? * 3#1,6#3 *)", "# has to stand alone"),
        ("cron(0 3 ? * MON,6#3 *)", "# has to stand alone"),
        ("cron(0 3 ? * 2/2 *)", "day-of-week"),
        ("cron(0 3 LW * ? *)", "day-of-month"),
        ("rate(1 week)", "not a rate"),
        ("rate(0 days)", "not a rate"),
        ("at(tomorrow)", "not a time"),
        ("daily", "not a schedule expression"),
    ],
)
def test_a_wrong_expression_is_refused_with_the_field_that_is_wrong(expression: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said.replace("?", r"\?")):
        parse(expression)
