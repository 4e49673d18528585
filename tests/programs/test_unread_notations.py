"""Quantities in a notation that no setting reads are named with what to do about them, and words are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pyarrow as pa
import pytest
from dates import microseconds
from notation import PLAIN
from program_runs import Prepared, as_csv
from recognition import formats_of, recognise
from unread_notation import unread

ROWS = 600


def column(texts: list[str]) -> str:
    return as_csv(["x", "n", "y"], [[text, n * 7 % 50, "ab"[n * n % 7 % 2]] for n, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("of", "what"),
    [
        (lambda n: f"{n * 3}:{n:02d}:{n * 7 % 60:02d}", "durations"),
        (lambda n: f"{n} days 0{n % 10}:00:00", "durations"),
        (lambda n: f"PT{n}H{n % 60}M", "durations"),
        (lambda n: f"{n} h {n % 60} min", "durations"),
        (lambda n: f"{'$€'[n % 2]}{n * 3}.50", "amounts in several currencies"),
        (lambda n: f"{n},5 {('EUR', 'USD')[n % 2]}", "amounts in several currencies"),
        (lambda n: f"{n + 1} {('kg', 'lb')[n % 2]}", "amounts in several units"),
        (lambda n: f"{n / 2}M" if n % 2 else f"{n}k", "numbers of which letters such as k and M are a part"),
        (lambda n: f"{n}k" if n % 2 else f"{n * 7}", "numbers of which letters such as k and M are a part"),
        (lambda n: f"{n}{',.'[n % 2]}25", "numbers with a decimal comma and others with a point"),
        (
            lambda n: f"1,{n + 100}.25" if n % 2 else f"1.{n + 100},25",
            "numbers with a decimal comma and others with a point",
        ),
        (
            lambda n: f"{n % 28 + 1}. {('Januar', 'März', 'Mai')[n % 3]} 2024",
            "dates with names of months in a language that is not English",
        ),
        (
            lambda n: f"{n % 28 + 1} {('janv.', 'févr.', 'août')[n % 3]} 2024",
            "dates with names of months in a language that is not English",
        ),
        (
            lambda n: f"2024-01-{n % 28 + 1:02d}" if n % 2 else f"{n % 28 + 1}.01.2024",
            "dates in several notations",
        ),
        (
            lambda n: f"{n % 12 + 1}/{n % 28 + 1}/2024" if n % 2 else f"{n % 28 + 1}/{n % 12 + 1}/2024",
            "dates in several notations",
        ),
        (lambda n: f"{2010 + n // 4}-Q{n % 4 + 1}", "quarters or weeks"),
        (lambda n: f"{5 + n // 12}'{n % 12}\"", "feet and inches"),
        (lambda n: f"{n}°30'N", "angles in degrees"),
        (lambda n: f"{n}.25° {'NS'[n % 2]}", "angles in degrees"),
        (lambda n: f"{n}.25{'NS'[n % 2]}", "angles in degrees"),
        (lambda n: f"{n}th", "numbers with a mark of their order"),
        (lambda n: f"No. {n}", "numbers with a mark of their order"),
        (lambda n: f'{{"a": {n}}}', "objects of JSON"),
        (lambda n: f"{n + 1}_000", "numbers with _ between digits"),
        (lambda n: f"{n}.5x10^3", "numbers with powers of ten"),
        (lambda n: f"{n}.5D+03", "numbers with powers of ten"),
        (lambda n: f"{n % 24}h{n:02d}", "times of day with h"),
        (lambda n: f"{n}/{n + 3}", "fractions or pairs of numbers"),
        (lambda n: f"{n}.5;{n * 2}.25", "several numbers each"),
        (lambda n: f"{n * 10}-{n * 10 + 9}", "ranges of numbers"),
        (lambda n: f"<{n}" if n % 9 == 0 else f"{n}.5", "numbers, some of them with <, > or ~"),
        (
            lambda n: "".join(chr(0x660 + int(digit)) for digit in str(n)),
            "numbers in digits other than 0 to 9",
        ),
        (lambda n: ("I", "II", "III", "IV", "V", "VI", "VII", "VIII")[n % 8], "Roman numerals"),
    ],
)
def test_a_quantity_in_a_notation_that_no_setting_reads_is_named(of: Callable[[int], str], what: str) -> None:
    found = unread(list(dict.fromkeys(of(n) for n in range(60))), PLAIN)
    assert found is not None
    assert found.what == what
    assert found.advice


@pytest.mark.parametrize(
    "texts",
    [
        ["1A", "2B", "3C", "4D", "12A", "14B"],
        ["18-25", "26-35", "36-45", "46-60", "61+"],
        ["1st", "2nd", "3rd", "4th", "5th", "6th"],
        ["XS", "S", "M", "L", "XL", "XXL", "C", "D", "I"],
        ["I", "II", "III", "IV", "V", "VI"],
        [f"{n} Main St" for n in range(30)],
        [f"Mai {n}" for n in range(30)],
        [f"1.{n}.13" for n in range(60)],
        [f"{n:x}-{n * 7919:x}" for n in range(40)],
        [f"Q{n}" for n in range(12)],
        ["Jan", "Feb", "Mar", "Apr", "Mai", "Jun"],
    ],
)
def test_words_codes_and_classes_are_no_quantities(texts: list[str]) -> None:
    assert unread(texts, PLAIN) is None


def test_such_a_column_is_a_warning_where_texts_repeat_and_an_error_where_all_differ(
    prepare: Callable[..., Prepared],
) -> None:
    texts = [f"{n * 7 % 40 * 3}:{n * 7 % 40:02d}:00" for n in range(ROWS)]
    found = prepare(column(texts)).finding("unread_notation")
    assert found["text"].startswith("column 'x' holds durations ('")
    assert found["remedy"].startswith(
        "Give each as one number, all in one unit; if categories are meant, set "
    )
    kept = prepare(column(texts), kinds={"x": "category"})
    assert not [one for one in kept.findings if one.get("column") == "x"]
    refused = prepare(column([f"{n}:{n % 60:02d}:00" for n in range(ROWS)]))
    assert refused.code == 1
    assert "column 'x' holds durations, " in refused.message
    assert 'or set drop = ["x"], or kinds.x = "category"' in refused.message


def test_some_numbers_in_another_notation_than_most_are_no_missing_values(
    prepare: Callable[..., Prepared],
) -> None:
    texts = [f"{n % 97 * 3}{',' if n % 33 == 0 else '.'}{n % 10}5" for n in range(ROWS)]
    found = prepare(column(texts))
    assert found.code == 1
    assert "column 'x' holds numbers in several notations ('" in found.message
    assert "also_missing" not in found.message
    days = [datetime(2023, 1, 1) + timedelta(n) for n in range(ROWS)]
    dates = [f"{day:%Y-%m-%d}" if n % 50 else f"{day:%d.%m.%Y}" for n, day in enumerate(days)]
    assert "column 'x' holds dates in several notations ('" in prepare(column(dates)).message


@pytest.mark.parametrize(
    ("text", "date_format"),
    [
        ("20240131T235958", "%Y%m%dT%H%M%S"),
        ("20240131T235958Z", "%Y%m%dT%H%M%S%z"),
        ("Wed Jan 31 23:59:58 2024", "%a %b %d %H:%M:%S %Y"),
        ("Wed Jan 31 23:59:58 UTC 2024", "%a %b %d %H:%M:%S %Z %Y"),
        ("31/Jan/2024:23:59:58 +0000", "%d/%b/%Y:%H:%M:%S %z"),
        ("23:59:58 31.01.2024", "%H:%M:%S %d.%m.%Y"),
    ],
)
def test_a_time_of_day_may_stand_anywhere_in_a_date(text: str, date_format: str) -> None:
    assert date_format in formats_of(text)
    expected = pa.scalar("2024-01-31 23:59:58").cast(pa.timestamp("us")).value
    assert microseconds(text, date_format) == expected


@pytest.mark.parametrize(("mark", "unit"), [(",", ""), (",", " USD"), (".", " EUR")])
def test_the_reading_as_thousands_comes_first_where_three_digits_follow_each_mark(
    mark: str, unit: str
) -> None:
    texts = [f"{n * 7919 % 900_000 + 1000:,}".replace(",", mark) + unit for n in range(60)]
    found = recognise([*texts, f"999{unit}"], PLAIN)
    assert found is not None
    assert [reading.settings.get("thousands") for reading in found.readings] == [mark, None]
    some = recognise([*texts, f"1{mark}2{unit}"], PLAIN)
    assert some is None or "thousands" not in some.readings[0].settings
