"""Numbers that mean something else are noted with the setting that reads them; keys are never numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from program_runs import PARTS, Prepared, as_csv

ROWS = 600


def absent(prepared: Prepared, name: str) -> int:
    return sum(prepared.part(part)[name].null_count for part in PARTS)


def column(values: list[Any]) -> str:
    return as_csv(["x", "n", "y"], [[value, n, n % 2] for n, value in enumerate(values)])


@pytest.mark.parametrize(
    ("mark", "others"),
    [
        pytest.param(-999, [n / 8 for n in range(400)], id="-999 among fractions"),
        pytest.param(-999.0, [n / 8 for n in range(400)], id="-999.0"),
        pytest.param(9999, list(range(100)), id="9999 among small numbers"),
        pytest.param(99999, [n * 100 for n in range(410)], id="99999 above a wide range"),
        pytest.param(-1, list(range(90)), id="-1 among counts"),
        pytest.param(-99, [n / 3 for n in range(1000)], id="-99 among a wide range from 0"),
        pytest.param(1e9, [n / 3 for n in range(100)], id="any number far from the rest"),
        pytest.param(1e30, [n / 3 for n in range(100)], id="one that is written 1e+30"),
        pytest.param(-999, list(range(6)), id="-999 among a few codes"),
    ],
)
def test_a_number_that_stands_for_a_missing_value_is_noted(
    prepare: Callable[..., Prepared], mark: float, others: list[float]
) -> None:
    values = [mark if n % 12 == 0 else others[n * 7 % len(others)] for n in range(ROWS)]
    found = prepare(column(values))
    assert found.code == 0, found.err
    assert f"column 'x' holds {mark:.12g} in " in found.out
    assert f'also_missing = ["{mark:.12g}"]' in found.out
    fixed = prepare(column(values), also_missing=[f"{mark:.12g}"])
    assert absent(fixed, "x") == 50
    assert "column 'x'" not in fixed.out


def test_such_a_number_is_noted_in_a_column_with_a_notation_of_its_own(
    prepare: Callable[..., Prepared],
) -> None:
    rows = [f"{'-999' if n % 12 == 0 else f'{n % 90},5'};{n};{n % 2}" for n in range(ROWS)]
    data, settings = "\n".join(["x;n;y", *rows]) + "\n", {"delimiter": ";", "decimal": {"x": ","}}
    assert "column 'x' holds -999 in 8" in prepare(data, **settings).out
    fixed = prepare(data, **settings, also_missing=["-999"])
    assert (absent(fixed, "x"), "column 'x'" in fixed.out) == (50, False)
    assert "column 'x'" not in prepare(data, **settings, kinds={"x": "number"}).out


def test_several_such_numbers_are_noted_at_once_and_in_a_target_too(
    prepare: Callable[..., Prepared],
) -> None:
    answers = [97 + n // 12 % 3 if n % 12 == 0 else n % 5 for n in range(ROWS)]
    assert 'also_missing = ["99", "98", "97"]' in prepare(column(answers)).out
    rows = [[n * 7 % 601, -999 if n % 20 == 0 else n * 7 % 601 / 8] for n in range(ROWS)]
    prepared = prepare(as_csv(["x", "y"], rows), task="regression")
    assert "column 'y' holds -999 in " in prepared.out
    settled = prepare(as_csv(["x", "y"], rows), task="regression", also_missing=["-999"])
    assert sum(settled.part(part).num_rows for part in PARTS) == ROWS - 30


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([n * 7 % 400 - 200 for n in range(ROWS)], id="numbers on both sides of 0"),
        pytest.param([n % 100 for n in range(ROWS)], id="two digits up to 99"),
        pytest.param([-1 if n % 3 else 1 for n in range(ROWS)], id="a sign"),
        pytest.param([0 if n % 2 else n / 3 for n in range(ROWS)], id="many zeros"),
        pytest.param([2.0 ** (n % 40) for n in range(ROWS)], id="a long tail"),
    ],
)
def test_ordinary_numbers_are_not_noted(prepare: Callable[..., Prepared], values: list[float]) -> None:
    found = prepare(column(values))
    assert found.code == 0, found.err
    assert "column 'x'" not in found.out


def test_days_written_as_one_number_are_noted(prepare: Callable[..., Prepared]) -> None:
    days = [datetime(2020 + n % 5, 1 + n % 12, 1 + n % 28) for n in range(ROWS)]
    data = column([f"{day:%Y%m%d}" for day in days])
    assert 'Set date_format = { x = "%Y%m%d" }' in prepare(data).out
    for form in (
        data,
        pa.table({"x": [int(f"{d:%Y%m%d}") for d in days], "y": [n % 2 for n in range(ROWS)]}),
    ):
        fixed = prepare(form, date_format={"x": "%Y%m%d"})
        assert fixed.schema["features"][0]["kind"] == "timestamp"
        assert {day for part in PARTS for day in fixed.part(part)["x"].to_pylist()} == set(days)


def test_whole_numbers_that_no_double_holds_are_noted(prepare: Callable[..., Prepared]) -> None:
    for start in (2**60, 2**63, 10**25):
        found = prepare(column([start + n for n in range(ROWS)]))
        assert "column 'x' holds whole numbers up to" in found.out
        assert "they look like identifiers" in found.out


@pytest.mark.parametrize("form", ["csv", "uint64", "decimal"])
def test_keys_beyond_64_bits_stay_apart(prepare: Callable[..., Prepared], form: str) -> None:
    keys = [2**63 + n // 3 for n in range(3 * ROWS)]
    columns = {"id": keys, "n": list(range(3 * ROWS)), "y": [n % 2 for n in range(3 * ROWS)]}
    data: Any = as_csv(list(columns), list(zip(*columns.values(), strict=True)))
    if form != "csv":
        kind = pa.uint64() if form == "uint64" else pa.decimal128(38, 0)
        held = keys if form == "uint64" else [Decimal(key) for key in keys]
        data = pa.table({**columns, "id": pa.array(held, kind)})
    found = prepare(data, key="id")
    assert found.code == 0, found.err
    parts = [{n // 3 for n in found.part(part)["n"].to_pylist()} for part in PARTS]
    assert sum(map(len, parts)) == len(set.union(*parts)) == ROWS
    assert all(len(part) > 50 for part in parts)
    assert found.rows("test") == prepare(
        as_csv(list(columns), list(zip(*columns.values(), strict=True))), folder="text", key="id"
    ).rows("test")


def test_a_key_with_zeros_before_it_is_another_key(prepare: Callable[..., Prepared]) -> None:
    rows = [[text, n, n % 2] for n, text in enumerate(["7", "007", "7.1", "0x7", "+7"] * 300)]
    found = prepare(as_csv(["id", "n", "y"], rows), key="id")
    seen = {part: {n % 5 for n in found.part(part)["n"].to_pylist()} for part in PARTS if found.code == 0}
    hashes = _hashes(["7", "007", "7.1", "0x7", "+7"])
    assert len(set(hashes)) == 5
    assert all(len(part) < 5 for part in seen.values())


def test_a_key_that_is_a_whole_number_hashes_as_it_did_as_a_number() -> None:
    from splitting import value_bits

    numbers = [0, 7, -7, 2**63 - 1, -(2**63), 10**17, 10**18]
    assert _hashes([str(number) for number in numbers]) == value_bits(pa.array(numbers), None).tolist()
    assert len(set(_hashes([str(2**63 + n) for n in range(600)]))) == 600


def _hashes(texts: list[str]) -> list[int]:
    from splitting import key_hashes

    return key_hashes(pa.array(texts)).view("int64").tolist()


def test_a_few_numbers_and_a_text_that_is_in_no_row_of_the_training_part_name_the_line_that_reads_them(
    prepare: Callable[..., Prepared],
) -> None:
    rows = [as_csv(["x", "y"], [[n, n % 2] for n in range(start, start + 300)]) for start in (0, 300)]
    data = {"d=1/a.csv": rows[0], "d=2/b.csv": rows[1], "d=old/c.csv": "x,y\n5,\n"}  # a row without target
    found = prepare(data).finding("text_like_numbers")
    assert found["remedy"] == 'If so, set also_missing = ["old"]'
    fixed = prepare(data, also_missing=["old"])
    assert {"name": "d", "kind": "number"} in fixed.schema["features"]


def test_dots_that_may_stand_between_thousands_are_noted(prepare: Callable[..., Prepared]) -> None:
    texts = [f"{n * 7919 % 99_000 + 900:,}".replace(",", ".") for n in range(ROWS)]
    found = prepare(column(texts)).finding("dots_of_thousands")
    assert found["remedy"] == 'If so, set thousands = { x = "." } and decimal = { x = "," }'
    fixed = prepare(column(texts), thousands={"x": "."}, decimal={"x": ","})
    values = [value for part in PARTS for value in fixed.part(part)["x"].to_pylist()]
    assert sorted(values) == sorted(n * 7919 % 99_000 + 900 for n in range(ROWS))
    price = as_csv(["x", "price", "y"], [[text, f"{n},5", n % 2] for n, text in enumerate(texts)])
    beside = prepare(price, decimal={"price": ","}).finding("dots_of_thousands")["remedy"]
    assert beside == 'If so, set thousands = { x = "." } and decimal = { price = ",", x = "," }'
    for decimals in ("{:.3f}", "{:.2f}"):
        plain = prepare(column([decimals.format(n * 7 % 600 / 100) for n in range(ROWS)]))
        assert not [one for one in plain.findings if one["kind"] == "dots_of_thousands"]


@pytest.mark.parametrize(
    ("texts", "date_format"),
    [
        pytest.param([f"{2020 + n % 5}{1 + n % 12:02d}" for n in range(ROWS)], "%Y%m", id="months"),
        pytest.param(
            [f"2024{1 + n % 12:02d}{1 + n % 28:02d}{n % 24:02d}{n % 60:02d}" for n in range(ROWS)],
            "%Y%m%d%H%M",
            id="minutes",
        ),
        pytest.param(
            [f"2024{1 + n % 12:02d}{1 + n % 28:02d}{n % 24:02d}5959" for n in range(ROWS)],
            "%Y%m%d%H%M%S",
            id="seconds",
        ),
        pytest.param(
            [f"2024{1 + n % 12:02d}{1 + n % 28:02d}{n % 24:02d}5959{n:03d}" for n in range(ROWS)],
            "%Y%m%d%H%M%S%f",
            id="milliseconds",
        ),
    ],
)
def test_dates_and_times_written_as_one_number_are_noted_with_their_format(
    prepare: Callable[..., Prepared], texts: list[str], date_format: str
) -> None:
    of_column = [one for one in prepare(column(texts)).findings if one.get("column") == "x"]
    assert [one["remedy"] for one in of_column] == [f'Set date_format = {{ x = "{date_format}" }}']
    fixed = prepare(column(texts), date_format={"x": date_format})
    seen = {moment for part in PARTS for moment in fixed.part(part)["x"].to_pylist()}
    assert {moment.strftime(date_format)[: len(texts[0])] for moment in seen} == set(texts)


DAYS = [datetime(2020 + n % 5, 1 + n % 12, 1 + n % 28) for n in range(ROWS)]


@pytest.mark.parametrize("date_format", ["%d%m%Y", "%m%d%Y", "%y%m%d", "%d%m%y", "%m%d%y"])
def test_days_whose_number_loses_a_zero_are_noted(prepare: Callable[..., Prepared], date_format: str) -> None:
    texts = [f"{day:{date_format}}" for day in DAYS]
    noted = prepare(column(texts)).finding("days_as_numbers")
    assert f'{{ x = "{date_format}" }}' in noted["remedy"]
    fixed = prepare(column(texts), date_format={"x": date_format})
    assert {day for part in PARTS for day in fixed.part(part)["x"].to_pylist()} == set(DAYS)
    if not date_format.startswith("%y"):
        lost = prepare(column([int(text) for text in texts])).finding("days_as_numbers")
        assert lost["remedy"] == "Write them as 2024-01-31"  # 1112020 is two days


def test_a_number_of_six_digits_that_may_be_several_days_names_each(prepare: Callable[..., Prepared]) -> None:
    noted = prepare(column([f"{n % 12 + 1:02d}{n % 11 + 1:02d}{n % 5 + 20}" for n in range(ROWS)]))
    remedy = noted.finding("days_as_numbers")["remedy"]
    assert '"%d%m%y" } if that is 2022-07-12' in remedy
    assert '"%m%d%y" } if that is 2022-12-07' in remedy
    plain = prepare(column([100_000 + n * 97 for n in range(ROWS)]))
    assert not [one for one in plain.findings if one["kind"] == "days_as_numbers"]


@pytest.mark.parametrize(
    ("texts", "settings", "said"),
    [
        (
            [f"{n % 90 + 1}E{n % 7}" for n in range(ROWS)],
            {},
            "'9E6', which counts as 9e+06: it may hold codes",
        ),
        ([f"0x{n * 37 + 16:X}" for n in range(ROWS)], {}, "'0xFF6', which counts as 4086: it may hold codes"),
        ([f"+4930{n * 7919 % 10**6:06d}" for n in range(ROWS)], {}, "'+4930999095', whose sign is lost"),
        (
            [f" {n * 7919 % 99_999:05d}" for n in range(ROWS)],
            {"strip": True},
            "'09769', whose zeros are lost",
        ),
        (
            ["?" if n % 9 == 0 else f"{n * 7919 % 99_999:05d}" for n in range(ROWS)],
            {},
            "whose zeros are lost",
        ),
    ],
)
def test_numbers_that_may_be_codes_are_noted(
    prepare: Callable[..., Prepared], texts: list[str], settings: dict[str, Any], said: str
) -> None:
    found = prepare(column(texts), **settings)
    assert said in found.out
    kept = prepare(column(texts), kinds={"x": "category"}, **settings)
    assert {text.strip() for text in texts} >= set(kept.schema["features"][0]["categories"])
    assert "column 'x' counts as a number" not in kept.out
    plain = prepare(column([f"{n * 7 % 600 / 8:.2e}" for n in range(ROWS)]))
    assert "column 'x' counts as a number" not in plain.out


def test_zeros_before_numbers_are_noted_where_they_come_after_the_first_block(
    prepare: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    import source_files

    monkeypatch.setattr(source_files, "_FIRST_BLOCK_BYTES", 1000)
    codes = [f"{99_000 - n * 160:05d}" for n in range(ROWS)]
    assert "holds '09880', whose zeros are lost" in prepare(column(codes)).out
    assert "whose zeros" not in prepare(column([str(int(code)) for code in codes])).out


def test_digits_that_a_parquet_file_holds_as_text_are_codes_or_numbers(
    prepare: Callable[..., Prepared],
) -> None:
    texts = [f"{n % 50 * 7919 % 99_999:05d}" for n in range(ROWS)]
    data = pa.table({"x": texts, "y": [n * n % 7 % 2 for n in range(ROWS)]})
    asked = prepare(data)
    assert asked.code == 1
    assert (
        "kinds.x = \"category\" if '00000' is a code, or kinds.x = \"number\" if '00000' is 0"
        in asked.message
    )
    kept = prepare(data, kinds={"x": "category"})
    assert {text for part in PARTS for text in kept.part(part)["x"].to_pylist()} == set(texts)


def test_infinite_numbers_are_counted_because_the_model_has_none(prepare: Callable[..., Prepared]) -> None:
    values = [("Infinity" if n % 2 else "-inf") if n % 20 == 0 else n * 7 % 600 / 8 for n in range(ROWS)]
    found = prepare(column(values))
    infinite = sum(abs(x) == float("inf") for x in found.part("train")["x"].to_pylist())
    assert found.finding("infinite_numbers")["count"] == infinite > 0
    assert "infinite" not in prepare(column(["nan" if n % 20 == 0 else n / 8 for n in range(ROWS)])).out
