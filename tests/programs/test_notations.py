"""Data in other notations than Arrow's: it is read right by the settings that the error itself names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from program_runs import PARTS, Prepared, as_csv

ROWS = 240


def table(texts: Sequence[str], form: str, name: str = "x", delimiter: str = ",") -> str | pa.Table:
    """The texts as a column beside one of numbers and a target, as CSV text or as a Parquet table."""
    columns = {
        name: list(texts),
        "n": [n % 50 for n in range(len(texts))],
        "y": ["yes" if n % 3 else "no" for n in range(len(texts))],
    }
    if form == "parquet":
        return pa.table(columns)
    return as_csv(list(columns), list(zip(*columns.values(), strict=True)), delimiter)


def remedies(message: str) -> list[dict[str, Any]]:
    """Every line of settings that the message holds, in order."""
    found = re.findall(
        r"\b((?:decimal|thousands|date_format|strip|quote|class_names|also_missing|missing_values|drop|delimiter|"
        r"kinds\.(?:\w+|\"[^\"]*\")) = (?:\{.*?\}|\[.*?\]|\"(?:\\.|[^\"\\])*\"|true))",
        message,
    )
    return [tomllib.loads(line) for line in found]


def merged(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    together: dict[str, Any] = {}
    for line in lines:
        for key, value in line.items():
            together[key] = {**together.get(key, {}), **value} if isinstance(value, dict) else value
    return together


def values(prepared: Prepared, name: str = "x") -> set[Any]:
    assert prepared.code == 0, prepared.err
    return {value for part in PARTS for value in prepared.part(part)[name].to_pylist()}


def numbers(count: int = ROWS) -> list[float]:
    return [round(n * 37 % 1001 / 7 - 40, 2) for n in range(count)]


DAYS = [datetime(2024, 1 + n % 12, 1 + n * 5 % 28, n % 24, n % 60) for n in range(ROWS)]
THOUSANDS = [float(n * 7919 % 90_000 + 1500) for n in range(ROWS)]
POSITIVE = [abs(number) for number in numbers()]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("texts", "expected", "said"),
    [
        pytest.param(
            [f"{number:.2f}".replace(".", ",") for number in numbers()], numbers(), 'decimal = ","', id="0,35"
        ),
        pytest.param(
            [f"{n:,.0f}.5" for n in THOUSANDS], [n + 0.5 for n in THOUSANDS], 'thousands = ","', id="1,234.5"
        ),
        pytest.param(
            [f"{n:,.0f}".replace(",", ".") + ",5" for n in THOUSANDS],
            [n + 0.5 for n in THOUSANDS],
            'thousands = "."',
            id="1.234,5",
        ),
        pytest.param([f"{n:,.0f}".replace(",", "'") for n in THOUSANDS], THOUSANDS, "thousands", id="1'234"),
        pytest.param([f"{n:,.0f}".replace(",", " ") for n in THOUSANDS], THOUSANDS, "thousands", id="1 234"),
        pytest.param(
            [f"{n:,.0f}".replace(",", "\u00a0") for n in THOUSANDS], THOUSANDS, "thousands", id="1nbsp234"
        ),
        pytest.param([f"${number:.2f}" for number in POSITIVE], POSITIVE, 'kinds.x = "number"', id="$12.30"),
        pytest.param([f"${number:,.2f}" for number in THOUSANDS], THOUSANDS, "thousands", id="$1,234.50"),
        pytest.param(
            [f"{number:.2f} \u20ac".replace(".", ",") for number in numbers()],
            numbers(),
            "decimal",
            id="12,30 euro",
        ),
        pytest.param(
            [f"({-number:.2f})" if number < 0 else f"{number:.2f}" for number in numbers()],
            numbers(),
            'kinds.x = "number"',
            id="(12.30)",
        ),
        pytest.param([f"{number:.2f} %" for number in numbers()], numbers(), 'kinds.x = "number"', id="12 %"),
        pytest.param([f"{number:.2f}%" for number in numbers()], numbers(), 'kinds.x = "number"', id="12%"),
        pytest.param([f"EUR {number:.2f}" for number in numbers()], numbers(), "kinds", id="EUR 12.30"),
        pytest.param([f"{number:.2f} kg" for number in numbers()], numbers(), "kinds", id="12 kg"),
        pytest.param([f"{number:.2f} Mbit/s" for number in numbers()], numbers(), "kinds", id="12 Mbit/s"),
        pytest.param([f"{day:%d/%m/%Y %H:%M}" for day in DAYS], DAYS, "%d/%m/%Y %H:%M", id="day first"),
        pytest.param([f"{day:%m/%d/%Y %H:%M}" for day in DAYS], DAYS, "%m/%d/%Y %H:%M", id="month first"),
        pytest.param([f"{day:%d.%m.%Y %H:%M}" for day in DAYS], DAYS, "%d.%m.%Y %H:%M", id="dots"),
        pytest.param(
            [f"{day:%b %d, %Y %I:%M %p}" for day in DAYS], DAYS, "%b %d, %Y %I:%M %p", id="Jan 3, 2024"
        ),
        pytest.param([f"{day:%Y-%m-%d %H:%M:%S} UTC" for day in DAYS], DAYS, "%H:%M:%S %Z", id="UTC"),
        pytest.param([f"{day:%d-%b-%y %H:%M}" for day in DAYS], DAYS, "%d-%b-%y %H:%M", id="03-Jan-24"),
        pytest.param(
            [f"{day:%H:%M}" for day in DAYS],
            [datetime(1970, 1, 1, day.hour, day.minute) for day in DAYS],
            'date_format = { x = "%H:%M" }',
            id="10:15",
        ),
    ],
)
def test_texts_in_another_notation_stop_the_run_with_the_settings_that_read_them(
    prepare: Callable[..., Prepared], form: str, texts: list[str], expected: list[Any], said: str
) -> None:
    data = table(texts, form)
    found = prepare(data)
    assert found.code == 1, found.out
    assert "'x'" in found.message
    assert sum(repr(text) in found.message for text in texts) >= 2
    assert said in found.message
    lines = [line for line in remedies(found.message) if line != {"kinds": {"x": "category"}}]
    fixed = prepare(data, **merged(lines))
    assert values(fixed) == set(expected)
    kept = prepare(data, kinds={"x": "category"})
    assert values(kept) == set(texts)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_where_two_notations_fit_the_error_says_both_and_either_is_read(
    prepare: Callable[..., Prepared], form: str
) -> None:
    texts = [f"{n:,}" for n in range(1001, 9000, 33)]
    found = prepare(table(texts, form))
    assert found.code == 1
    assert "thousands = \",\" if '1,001' is 1001, or decimal = \",\" if '1,001' is 1.001" in found.message
    second, first, *_ = remedies(found.message)
    assert values(prepare(table(texts, form), **first)) == {float(text.replace(",", ".")) for text in texts}
    assert values(prepare(table(texts, form), **second)) == {float(text.replace(",", "")) for text in texts}
    days = [f"{1 + n % 12:02d}/{1 + n % 11:02d}/2024" for n in range(ROWS)]
    found = prepare(table(days, form))
    assert found.code == 1
    for line in remedies(found.message)[:2]:
        expected = {datetime.strptime(day, line["date_format"]["x"]) for day in days}
        assert values(prepare(table(days, form), **line)) == expected


def test_a_decimal_comma_under_a_semicolon_is_read_in_every_column_at_once(
    prepare: Callable[..., Prepared],
) -> None:
    rows = [[f"{n / 8}".replace(".", ","), f"{-n / 4}".replace(".", ","), n % 2] for n in range(ROWS)]
    data = as_csv(["a", "b", "y"], rows, ";")
    found = prepare(data, delimiter=";")
    assert "columns 'a', 'b' hold numbers in another notation" in found.message
    fixed = prepare(data, delimiter=";", **merged(remedies(found.message)[:1]))
    assert remedies(found.message)[0] == {"decimal": ","}
    assert values(fixed, "a") == {n / 8 for n in range(ROWS)}
    assert values(fixed, "b") == {-n / 4 for n in range(ROWS)}


def test_a_decimal_comma_beside_decimal_points_is_named_for_its_column(
    prepare: Callable[..., Prepared],
) -> None:
    rows = [[f"{n / 8}".replace(".", ","), n / 4 + 0.1, n % 2] for n in range(ROWS)]
    data = as_csv(["unit price", "b", "y"], rows)
    found = prepare(data)
    (line, *_) = remedies(found.message)
    assert line == {"decimal": {"unit price": ","}}
    fixed = prepare(data, **line)
    assert values(fixed, "unit price") == {n / 8 for n in range(ROWS)}
    assert values(fixed, "b") == {n / 4 + 0.1 for n in range(ROWS)}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_notations_do_not_depend_on_where_blocks_end(
    prepare: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    import csv_source
    import parquet_source
    import reading
    import source_files

    texts = [f"{n:,.0f}".replace(",", ".") + ",5" for n in THOUSANDS]
    settings = {"thousands": {"x": "."}, "decimal": {"x": ","}}
    whole = prepare(table(texts, form), folder="whole", **settings)
    for module in (csv_source, reading, source_files):
        for name in ("FIRST_BLOCK_BYTES", "_FIRST_BLOCK_BYTES", "_BLOCK_BYTES"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, 97)
    monkeypatch.setattr(parquet_source, "_BATCH_ROWS", 11)
    cut = prepare(table(texts, form), folder="cut", **settings)
    assert values(whole) == values(cut) == {n + 0.5 for n in THOUSANDS}
    for part in PARTS:
        assert cut.rows(part) == whole.rows(part)


def test_identifiers_and_free_texts_stop_the_run_and_either_decision_goes_on(
    prepare: Callable[..., Prepared],
) -> None:
    texts = [f"{n * 7919 % 10_007:x}-customer" for n in range(ROWS)]
    found = prepare(table(texts, "csv"))
    assert found.code == 1
    assert "different texts in" in found.message
    drop, keep = remedies(found.message)[:2]
    assert drop == {"drop": ["x"]}
    assert keep == {"kinds": {"x": "category"}}
    assert "x" not in prepare(table(texts, "csv"), **drop).part("train").column_names
    assert prepare(table(texts, "csv"), **keep).code == 0
    assert prepare(table(texts, "csv"), key="x").code == 0
    some = [text if n % 3 else "the same" for n, text in enumerate(texts)]
    noted = prepare(table(some, "csv"))
    assert noted.code == 0
    assert "column 'x' has" in noted.out
    assert "different texts" in noted.out


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(["yes", "no"], id="booleans in words"),
        pytest.param(["1st", "2nd", "3rd"], id="ranks"),
        pytest.param(["3G", "4G", "5G"], id="few codes with a unit"),
        pytest.param([f"v1.{n}.2" for n in range(30)], id="versions"),
        pytest.param([f"10.0.{n}.7" for n in range(30)], id="addresses"),
        pytest.param(["18-25", "26-35", "36+"], id="ranges"),
        pytest.param([f"{n} Main St" for n in range(40)], id="streets"),
        pytest.param(["A", "B", "1", "2"], id="mixed codes"),
    ],
)
def test_categories_stay_categories(prepare: Callable[..., Prepared], texts: list[str]) -> None:
    column = [texts[n % len(texts)] for n in range(ROWS)]
    assert values(prepare(table(column, "csv"))) == set(column)


def test_a_target_and_a_kind_in_another_notation_name_the_settings_that_read_them(
    prepare: Callable[..., Prepared],
) -> None:
    rows = [[n % 3, f"{n / 8}".replace(".", ",")] for n in range(ROWS)]
    data = as_csv(["a", "y"], rows)
    for settings, name in (({"task": "regression"}, "y"), ({"target": "a", "task": "multiclass"}, "y")):
        kinds = {"kinds": {"y": "number"}} if name != settings.get("target", "y") else {}
        found = prepare(data, **settings, **kinds)
        assert found.code == 1
        assert remedies(found.message) == [{"decimal": {"y": ","}}]
        fixed = prepare(data, **settings, **kinds, decimal={"y": ","})
        assert values(fixed, "y") == {n / 8 for n in range(ROWS)}
    days = as_csv(["d", "n", "y"], [[f"{day:%d.%m.%Y %H:%M}", n, n % 2] for n, day in enumerate(DAYS)])
    found = prepare(days, kinds={"d": "timestamp"})
    assert any("d" in line["date_format"] for line in remedies(found.message))


@pytest.mark.parametrize("rows", [ROWS, 1500])
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="a feature"),
        pytest.param({"kinds": {"x": "number"}}, id="a kind"),
        pytest.param({"target": "x", "task": "regression"}, id="the target of a regression"),
        pytest.param({"target": "x", "task": "multiclass"}, id="a number as a class"),
    ],
)
def test_a_line_that_an_error_names_keeps_what_the_settings_say_of_other_columns(
    prepare: Callable[..., Prepared], settings: dict[str, Any], rows: int
) -> None:
    price = [f"{n / 4}".replace(".", ",") for n in range(rows)]
    data = as_csv(
        ["x", "price", "n", "y"],
        [[f"{n / 8}".replace(".", ","), price[n], n / 4, n % 2] for n in range(rows)],
    )
    found = prepare(data, **settings, decimal={"price": ","})
    line = remedies(found.message)[0]
    assert line == {"decimal": {"price": ",", "x": ","}}
    if settings.get("task") == "multiclass":
        assert 'this is a regression. Set task = "regression" and decimal' in found.message
        settings = {**settings, "task": "regression"}
    fixed = prepare(data, **settings, **line)
    assert values(fixed, "x") == {n / 8 for n in range(rows)}
    assert values(fixed, "price") == {n / 4 for n in range(rows)}


def test_a_line_for_one_column_keeps_the_notation_of_all_others(prepare: Callable[..., Prepared]) -> None:
    rows = [[f"{day:%d/%m/%Y}", f"{day:%d.%m.%Y}", n, n % 2] for n, day in enumerate(DAYS)]
    (line,) = remedies(prepare(as_csv(["d", "x", "n", "y"], rows), date_format={"*": "%d/%m/%Y"}).message)[:1]
    assert line == {"date_format": {"*": "%d/%m/%Y", "x": "%d.%m.%Y"}}
    fixed = prepare(as_csv(["d", "x", "n", "y"], rows), **line)
    assert values(fixed, "d") == values(fixed, "x")


def test_whole_numbers_with_zeros_before_them_are_noted(prepare: Callable[..., Prepared]) -> None:
    codes = [f"{n * 7919 % 99_999:05d}" for n in range(ROWS)]
    found = prepare(table(codes, "csv"))
    assert "column 'x' counts as a number, but holds '09769', whose zeros are lost" in found.out
    assert "column 'n'" not in found.out
    kept = prepare(table(codes, "csv"), kinds={"x": "category"})
    assert values(kept) == set(codes)


def test_a_wrong_delimiter_is_named(prepare: Callable[..., Prepared]) -> None:
    rows = [[n % 17, n % 5, "yes" if n % 3 else "no"] for n in range(ROWS)]
    for delimiter in (";", "\t", "|"):
        data = as_csv(["a", "b", "y"], rows, delimiter)
        found = prepare(data)
        assert found.code == 1
        (line,) = remedies(found.message)
        assert line == {"delimiter": delimiter}
        assert values(prepare(data, **line), "a") == set(range(17))
    assert remedies(prepare(as_csv(["a", "b", "y"], rows), delimiter=";").message) == [{"delimiter": ","}]
    decimals = as_csv(["a", "b", "y"], [[f"{n},5", n % 5, n % 2] for n in range(ROWS)], ";")
    assert remedies(prepare(decimals).message) == [{"delimiter": ";"}]


def test_a_space_stands_for_any_number_of_spaces_and_tabs(prepare: Callable[..., Prepared]) -> None:
    rows = [(f"{n / 7:8.3f}", f"name {n % 5}  x", "yes" if n % 3 else "no") for n in range(ROWS)]
    aligned = " a  \t b\ty\r\n" + "".join(f'{a}   "{b}"\t {y} \r\n' for a, b, y in rows) + "\r\n"
    for settings in ({}, {"header": False, "columns": ["a", "b", "y"]}):
        data = aligned if not settings else aligned.partition("\n")[2]
        wrong = prepare(data, **settings)
        assert remedies(wrong.message) == [{"delimiter": " "}]
        found = prepare(data, **settings, delimiter=" ")
        assert found.code == 0, found.err
        assert values(found, "b") == {f"name {n}  x" for n in range(5)}
        assert sorted(values(found, "a")) == pytest.approx(sorted(float(a) for a, _, _ in rows))


def test_spaces_and_single_quotes_around_values_are_taken_off(prepare: Callable[..., Prepared]) -> None:
    jobs = ["State-gov", "Private", "?", "NA"]
    lines = ["age, job, y"]
    lines += [f"{n % 60}, {jobs[n % 4]}, {'<=50K' if n % 3 else '>50K'}" for n in range(ROWS)]
    data = "\n".join(lines) + "\n"
    missed = prepare(data)
    assert "there is no target column 'y'" in missed.message
    assert "strip = true" in missed.message
    assert prepare(data, target=" y").code == 0
    prepared = prepare(data, strip=True, also_missing=["?", "NA"])
    assert prepared.schema["classes"] == ["<=50K", ">50K"]
    assert values(prepared, "job") == {"Private", "State-gov", None}
    quoted = "a,job,y\n" + "".join(f"{n % 9},'x, {n % 3}','{n % 2}'\n" for n in range(ROWS))
    found = prepare(quoted)
    assert 'quote = "\'"' in found.message
    assert values(prepare(quoted, quote="'"), "job") == {"x, 0", "x, 1", "x, 2"}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_class_names_rename_the_target_before_anything_else(
    prepare: Callable[..., Prepared], form: str
) -> None:
    labels = ["<=50K", ">50K", "<=50K.", ">50K."]
    columns = {"n": [n % 50 for n in range(ROWS)], "y": [labels[n * n % 7 % 4] for n in range(ROWS)]}
    data: Any = pa.table(columns)
    if form == "csv":
        data = as_csv(list(columns), list(zip(*columns.values(), strict=True)))
    found = prepare(data)
    assert found.code == 1
    assert "multiclass" not in found.message
    (line,) = remedies(found.message)
    prepared = prepare(data, **line)
    assert len(prepared.schema["classes"]) == 2
    assert sum(prepared.schema["rows"].values()) == ROWS
    swapped = prepare(data, class_names={"<=50K": "None", "<=50K.": "None", ">50K.": ">50K"})
    assert swapped.code == 1
    assert "'None' in the target" in swapped.message


def test_marks_and_quotes_among_classes_are_named_and_signs_are_classes(
    prepare: Callable[..., Prepared],
) -> None:
    def classes(*names: str) -> str:
        return as_csv(["x", "y"], [[n * 7 % 601 / 8, names[n % len(names)]] for n in range(600)])

    asked = prepare(classes("yes", "no", "n.a."))
    assert asked.code == 1
    assert asked.message.endswith('looks like a missing value. If it is one, set also_missing = ["n.a."]')
    assert prepare(classes("yes", "no", "n.a."), also_missing=["n.a."]).code == 0
    several = prepare(classes("a", "b", "c", "?"), task="multiclass")
    assert several.finding("class_like_a_mark")["remedy"] == 'If it is one, set also_missing = ["?"]'
    quoted = prepare(classes("'-1'", "'1'"))
    assert quoted.finding("quotes")["remedy"] == 'Set quote = "\'" to take them off'
    assert [one["kind"] for one in prepare(classes("'-1'", "'1'"), quote="'").findings] == []
    for names in (("+", "-"), ("-1", "1"), ("-1", "0", "1")):
        assert prepare(classes(*names), task="multiclass").findings == []
    alike = prepare(classes("not ok", "not_ok", "ok"))
    assert 'set class_names = { "not ok" = "not_ok" }' in alike.message


def test_a_header_among_the_rows_and_a_minus_of_typography_are_named(
    prepare: Callable[..., Prepared],
) -> None:
    rows = [[n * 7 % 601, "no" if n % 2 else "yes"] for n in range(300)]
    twice = prepare(as_csv(["x", "y"], rows) * 2)
    assert "column 'x' holds its own name" in twice.message
    assert twice.message.endswith("Delete those lines")
    joined = prepare(("\ufeff" + as_csv(["x", "y"], rows)) * 2)
    assert "column 'x' holds its own name" in joined.message
    for line in ("Total,", "Total,yes"):
        summed = prepare(as_csv(["x", "y"], rows) + f"{line}\n")
        assert "column 'x' holds 'Total' among numbers: that line sums up others" in summed.message
    minus = as_csv(["x", "y"], [[f"{n % 90 - 45}".replace("-", "\u2212"), "ab"[n % 2]] for n in range(600)])
    assert 'Set kinds.x = "number"' in prepare(minus).message
    assert -43 in prepare(minus, kinds={"x": "number"}).part("train")["x"].to_pylist()
