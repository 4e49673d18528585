"""Columns that give the target away, number the rows or say nothing new: named, and no false alarm."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program_runs import ROOT, Prepared, as_csv

KINDS = {"gives_target_away", "identifier", "copy", "near_copy", "row_number"}


def leaks_of(prepared: Prepared) -> dict[str, str]:
    """Column -> kind of finding, of those that this page is about."""
    assert prepared.code == 0, prepared.err
    return {one["column"]: one["kind"] for one in prepared.findings if one["kind"] in KINDS}


def features_of(prepared: Prepared) -> list[str]:
    assert prepared.code == 0, prepared.err
    return [feature["name"] for feature in prepared.schema["features"]]


def sorted_rows(count: int) -> list[list[Any]]:
    """Rows sorted by their class, of which one number says a little."""
    draw = random.Random(1)
    rows = [[round(draw.gauss(n >= count // 2, 1), 4), "ab"[n >= count // 2]] for n in range(count)]
    return [[n, *row] for n, row in enumerate(rows)]


# --- Row numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index", "row number", "rownames", "X", "S.No", "...1"])
def test_a_row_number_is_no_feature_and_that_is_said(prepare: Callable[..., Prepared], name: str) -> None:
    prepared = prepare(as_csv([name, "x", "y"], sorted_rows(600)))
    assert features_of(prepared) == ["x"]
    assert leaks_of(prepared) == {name: "row_number"}
    assert f"note: column {name!r} counts the rows and is no feature" in prepared.out
    kept = prepare(as_csv([name, "x", "y"], sorted_rows(600)), kinds={name: "number"})
    assert features_of(kept) == [name, "x"]
    assert "row_number" not in leaks_of(kept).values()
    chosen = prepare(as_csv([name, "x", "y"], sorted_rows(600)), features=[name, "x"])
    assert features_of(chosen) == [name, "x"]


@pytest.mark.parametrize("of", [lambda n: f"{n}.0", lambda n: 3 * n + n % 2, lambda n: 7 * n % 601])
def test_the_index_of_chosen_or_shuffled_rows_is_no_feature(
    prepare: Callable[..., Prepared], of: Callable[[int], Any]
) -> None:
    prepared = prepare(as_csv(["", "x", "y"], [[of(n), *row] for n, *row in sorted_rows(600)]))
    assert features_of(prepared) == ["x"]
    assert leaks_of(prepared) == {"": "row_number"}


def test_a_counter_of_another_name_stays_a_feature_and_is_named(prepare: Callable[..., Prepared]) -> None:
    rows = sorted_rows(600)
    prepared = prepare(as_csv(["case", "x", "y"], rows))
    assert features_of(prepared) == ["case", "x"]
    assert leaks_of(prepared) == {"case": "gives_target_away"}
    random.Random(2).shuffle(rows)
    assert leaks_of(prepare(as_csv(["case", "x", "y"], [[n, *row[1:]] for n, row in enumerate(rows)]))) == {
        "case": "identifier"
    }


def test_row_numbers_may_begin_anew_in_each_file_or_go_on(prepare: Callable[..., Prepared]) -> None:
    rows = sorted_rows(600)
    first, second = rows[::2], rows[1::2]
    for start in (0, 300):
        again = [[n + start, *row[1:]] for n, row in enumerate(second)]
        anew = [[n, *row[1:]] for n, row in enumerate(first)]
        files = {f"{name}.csv": as_csv(["", "x", "y"], part) for name, part in (("a", anew), ("b", again))}
        assert features_of(prepare(files)) == ["x"]


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([n * 2 for n in range(600)], id="every second"),
        pytest.param([n % 7 for n in range(600)], id="not counting"),
        pytest.param([n if n else "" for n in range(600)], id="one is missing"),
        pytest.param([f"r{n % 9}" for n in range(600)], id="texts"),
    ],
)
def test_a_column_of_that_name_that_does_not_count_stays(
    prepare: Callable[..., Prepared], numbers: Sequence[Any]
) -> None:
    rows = [[number, *row[1:]] for number, row in zip(numbers, sorted_rows(600), strict=True)]
    assert features_of(prepare(as_csv(["index", "x", "y"], rows))) == ["index", "x"]


def test_the_index_of_a_pandas_table_is_known_by_the_file(
    prepare: Callable[..., Prepared], tmp_path: Path
) -> None:
    rows = sorted_rows(600)
    frame = pd.DataFrame({"x": [row[1] for row in rows], "y": [row[2] for row in rows]})
    frame.index = pd.Index([3 * row[0] + 5 for row in rows], name="patient")
    frame.to_parquet(tmp_path / "data.parquet")
    content = (tmp_path / "data.parquet").read_bytes()
    prepared = prepare({"data.parquet": content})
    assert features_of(prepared) == ["x"]
    assert "note: column 'patient' is the index of a pandas table and is no feature" in prepared.out
    assert features_of(prepare({"data.parquet": content}, kinds={"patient": "number"})) == ["x", "patient"]
    plain = pa.table({"patient": frame.index.to_numpy(), "x": frame["x"], "y": frame["y"]})
    assert features_of(prepare({"data.parquet": plain})) == ["patient", "x"]
    assert pq.read_schema(tmp_path / "data.parquet").names[-1] == "patient"


@pytest.mark.parametrize(
    ("index", "kind"),
    [
        pytest.param([f"p{n // 2}" for n in range(600)], "category", id="texts"),
        pytest.param([f"2024-01-{n % 28 + 1:02}" for n in range(600)], "category", id="dates as texts"),
        pytest.param(pd.Categorical([f"ward {n % 9}" for n in range(600)]), "category", id="categories"),
        pytest.param([n / 4 for n in range(600)], "number", id="numbers"),
        pytest.param([n % 3 == 0 for n in range(600)], "boolean", id="booleans"),
        pytest.param(pd.date_range("2024-01-01", periods=600, freq="h"), "timestamp", id="times"),
        pytest.param([date(2024, 1, n % 28 + 1) for n in range(600)], "timestamp", id="dates"),
    ],
)
def test_the_setting_that_a_note_names_makes_an_index_a_feature_of_its_kind(
    prepare: Callable[..., Prepared], tmp_path: Path, index: Any, kind: str
) -> None:
    frame = pd.DataFrame([row[1:] for row in sorted_rows(600)], columns=["x", "y"])
    frame.set_index(pd.Index(index, name="taken at")).to_parquet(tmp_path / "data.parquet")
    content = {"data.parquet": (tmp_path / "data.parquet").read_bytes()}
    [note] = [one for one in prepare(content).findings if one["kind"] == "row_number"]
    named = tomllib.loads(note["remedy"].removeprefix("If it is one, set "))
    assert named == {"kinds": {"taken at": kind}}
    kept = prepare(content, **named)
    assert features_of(kept) == ["x", "taken at"]
    assert kept.schema["features"][1]["kind"] == kind


def test_an_index_that_no_setting_makes_a_feature_names_none(
    prepare: Callable[..., Prepared], tmp_path: Path
) -> None:
    frame = pd.DataFrame([row[1:] for row in sorted_rows(600)], columns=["x", "y"])
    frame.set_index(pd.to_timedelta(range(600), unit="s")).to_parquet(tmp_path / "data.parquet")
    prepared = prepare({"data.parquet": (tmp_path / "data.parquet").read_bytes()})
    assert features_of(prepared) == ["x"]
    assert "If it is one, write it as numbers, texts, booleans or timestamps" in prepared.out


def test_numbering_the_rows_moves_none_to_another_part(prepare: Callable[..., Prepared]) -> None:
    rows = sorted_rows(600)
    numbered = prepare(as_csv(["", "x", "y"], rows)).rows("test")
    bare = prepare(as_csv(["x", "y"], [row[1:] for row in rows])).rows("test")
    random.Random(3).shuffle(rows)
    shuffled = [[n, *row[1:]] for n, row in enumerate(rows)]
    assert numbered == bare == prepare(as_csv(["", "x", "y"], shuffled)).rows("test")


# --- The target given away -------------------------------------------------------------------------


def with_column(of: Callable[[int, str, random.Random], Any], count: int = 1000) -> str:
    """A column that is made from the class, beside an honest one."""
    draw, rows = random.Random(4), []
    for n in range(count):
        label = "yes" if draw.random() < 0.4 else "no"
        rows.append([round(draw.gauss(label == "yes", 1), 4), of(n, label, draw), label])
    return as_csv(["honest", "made", "y"], rows)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda _n, y, _draw: 1 if y == "yes" else 0, id="a copy as a number"),
        pytest.param(lambda _n, y, _draw: "J" if y == "yes" else "N", id="a copy in other words"),
        pytest.param(lambda _n, y, draw: round(draw.random() + 2 * (y == "yes"), 4), id="separate ranges"),
        pytest.param(lambda _n, y, draw: round(draw.random(), 4) if y == "yes" else "", id="missing for one"),
        pytest.param(lambda _n, y, draw: f"shop {draw.randrange(20)}{y[0]}", id="pure categories"),
        pytest.param(
            lambda _n, y, _draw: "2024-02-01 10:00:00" if y == "yes" else "2024-01-01 10:00:00", id="a time"
        ),
    ],
)
def test_a_column_that_alone_gives_the_class_away_is_named(
    prepare: Callable[..., Prepared], made: Callable[[int, str, random.Random], Any]
) -> None:
    prepared = prepare(with_column(made))
    assert leaks_of(prepared) == {"made": "gives_target_away"}
    finding = prepared.finding("gives_target_away")
    rows = prepared.part("train").num_rows
    how = (
        f"it puts {rows} of {rows} sampled rows right",
        "it has one value for each class",
        "it has values in all rows of one class and in none of the other",
    )
    assert finding["text"] in [f"column 'made' alone gives away the target 'y': {one}" for one in how]
    assert finding["remedy"] == 'Set drop = ["made"] if the model should not see it'
    assert finding["level"] == "warning"
    refused = prepare(with_column(made), leaks="error", drop=["honest"])
    assert refused.code == 1
    assert "column 'made' alone gives away the target 'y'" in refused.message
    assert refused.message.endswith('Set drop = ["honest", "made"], or leaks = "warn"')
    assert leaks_of(prepare(with_column(made), leaks="error", drop=["made"])) == {}


def test_a_few_hundred_rows_show_the_target_in_another_coding_or_in_ranges_of_its_own(
    prepare: Callable[..., Prepared],
) -> None:
    coded = prepare(with_column(lambda _n, y, _draw: f"{y} of course", 120))
    assert coded.finding("gives_target_away")["text"].endswith("it has one value for each class")
    for only in ("yes", "no"):
        filled = prepare(with_column(lambda n, y, _draw, only=only: "ab"[n % 2] * (y == only), 120))
        assert filled.finding("gives_target_away")["text"].endswith("one class and in none of the other")
    apart = prepare(with_column(lambda _n, y, draw: round(draw.random() + 2 * (y == "yes"), 4), 400))
    assert leaks_of(apart) == {"made": "gives_target_away"}


def test_each_of_several_classes_must_be_given_away(prepare: Callable[..., Prepared]) -> None:
    draw, rows = random.Random(5), []
    for _ in range(1200):
        label = draw.randrange(3)
        rows.append([label * 2 + draw.random(), (label == 0) * 2 + draw.random(), f"c{label}"])
    found = leaks_of(prepare(as_csv(["all", "one", "y"], rows), task="multiclass"))
    assert found == {"all": "gives_target_away"}


@pytest.mark.parametrize(
    ("of", "how"),
    [
        (lambda y, _draw: y, "it is the target times a factor and plus a constant"),
        (lambda y, _draw: 1.8 * y + 32, "it is the target times a factor and plus a constant"),
        (
            lambda y, _draw: -(abs(y) ** 3) * (1 if y > 0 else -1),
            "its values are in the order of the target's",
        ),
        (lambda y, _draw: f"c{y:.0f}", "each of its categories has one value of the target"),
    ],
)
def test_a_column_that_is_the_target_of_a_regression_in_other_words_is_named(
    prepare: Callable[..., Prepared], of: Callable[[float, random.Random], Any], how: str
) -> None:
    draw, rows = random.Random(6), []
    for _ in range(900):
        y = float(draw.randrange(40)) - 20 if "categories" in how else draw.gauss(0, 10)
        rows.append([draw.gauss(y, 5), of(y, draw), y])
    prepared = prepare(as_csv(["honest", "made", "y"], rows), task="regression")
    assert leaks_of(prepared) == {"made": "gives_target_away"}
    assert prepared.finding("gives_target_away")["text"].endswith(how)


# --- Identifiers and copies ------------------------------------------------------------------------


def test_whole_numbers_that_all_differ_and_fill_their_range_are_an_identifier(
    prepare: Callable[..., Prepared],
) -> None:
    draw = random.Random(7)
    numbers = list(range(50_000, 50_000 + 20_000))
    draw.shuffle(numbers)
    rows = [[n, draw.randrange(10**9), round(draw.random(), 6), draw.randrange(2)] for n in numbers]
    prepared = prepare(as_csv(["customer", "amount", "x", "y"], rows))
    assert leaks_of(prepared) == {"customer": "identifier"}
    repeating = [[n % 9000, *row[1:]] for n, row in enumerate(rows)]
    assert leaks_of(prepare(as_csv(["customer", "amount", "x", "y"], repeating))) == {}


@pytest.mark.parametrize("rows", [100, 1000, 100_000])
def test_numbers_drawn_at_random_are_no_identifier(rows: int) -> None:
    from quality import Distinct

    generator = np.random.default_rng(rows)
    for _ in range(40):
        column = Distinct()
        for piece in np.array_split(generator.integers(0, 3 * rows, rows), 7):
            column.add(piece)
        assert not column.all_differ


def test_an_identifier_is_seen_to_differ_however_long_it_is() -> None:
    from quality import Distinct

    column = Distinct()
    for piece in np.array_split(np.random.default_rng(1).permutation(2_000_000), 61):
        column.add(piece)
    assert column.all_differ
    column.add(np.arange(2_000_000))
    assert not column.all_differ


def test_copies_are_noted_once_and_coincidence_is_no_copy(prepare: Callable[..., Prepared]) -> None:
    draw, rows = random.Random(8), []
    for n in range(800):
        x, town = round(draw.random(), 6), draw.choice(["Oslo", "Rome", "Lima"])
        code = {"Oslo": 7, "Rome": 3, "Lima": 5}[town]
        rows.append([x, x, town, code, int(n == 9), int(n == 9), 0, 0, draw.randrange(2)])
    names = ["x", "x again", "town", "code", "rare", "rare too", "never", "nowhere", "y"]
    prepared = prepare(as_csv(names, rows))
    assert leaks_of(prepared) == {"x again": "copy", "code": "copy"}
    texts = {one["column"]: one["text"] for one in prepared.findings if one["kind"] == "copy"}
    assert texts == {
        "x again": "column 'x again' is a copy of column 'x'",
        "code": "column 'code' has one value for each value of column 'town'",
    }
    assert {one["level"] for one in prepared.findings if one["kind"] == "copy"} == {"note"}
    assert prepare(as_csv(names, rows), leaks="error").code == 1


@pytest.mark.parametrize(
    ("name", "of", "is_identifier"),
    [
        ("number", lambda draw, _n: draw.randrange(10**8, 10**9), True),
        ("card", lambda draw, _n: draw.randrange(4 * 10**15, 5 * 10**15), True),
        ("order_id", lambda _draw, n: 52_000 + n * n * 7, True),
        ("income", lambda draw, _n: int(draw.lognormvariate(12, 1)), False),
        ("sent", lambda _draw, n: 1_700_000_000_000 + n * 7_919_321, False),
        ("votes", lambda draw, _n: int(draw.gauss(500_000, 100_000)), False),
        ("distance", lambda _draw, n: n * n * 7, False),
    ],
)
def test_whole_numbers_of_random_digits_or_of_that_name_are_an_identifier(
    prepare: Callable[..., Prepared], name: str, of: Callable[[random.Random, int], int], is_identifier: bool
) -> None:
    draw = random.Random(11)
    rows = [[of(draw, n), round(draw.random(), 6), draw.randrange(2)] for n in range(600)]
    expected = {name: "identifier"} if is_identifier else {}
    assert leaks_of(prepare(as_csv([name, "x", "y"], rows))) == expected


def test_near_copies_and_constant_columns_are_noted(prepare: Callable[..., Prepared]) -> None:
    draw, rows = random.Random(12), []
    for n in range(2600):
        x, celsius = draw.gauss(10, 3), round(draw.gauss(15, 8), 2)
        patched = x if n % 500 else -5.0
        fahrenheit, noisy = round(celsius * 1.8 + 32, 1), x + draw.gauss(0, 0.3)
        rows.append([x, patched, -2.54 * x, 2 ** (x / 3), celsius, fahrenheit, noisy, 7, "k", n * n % 7 % 2])
    names = ["x", "patched", "scaled", "power", "C", "F", "noisy", "seven", "k", "y"]
    prepared = prepare(as_csv(names, rows))
    found = {one["column"]: one["text"] for one in prepared.findings if one["kind"] == "near_copy"}
    assert found == {
        "patched": f"column 'patched' is equal to column 'x' in {share_equal(prepared)} of the sampled rows",
        "scaled": "column 'scaled' is column 'x' times a factor and plus a constant, or nearly so",
        "power": "column 'power' has the order of column 'x'",
        "F": "column 'F' is column 'C' times a factor and plus a constant, or nearly so",
    }
    constant = prepared.finding("constant")
    assert constant["text"] == "columns 'seven', 'k' have one value in every row of the training part"
    assert constant["remedy"].startswith('Set drop = ["seven", "k"]')
    assert {one["level"] for one in prepared.findings if one["kind"] in ("near_copy", "constant")} == {"note"}
    assert prepare(as_csv(names, rows), leaks="error").code == 0


def test_nearly_copies_of_categories_are_named(prepare: Callable[..., Prepared]) -> None:
    draw, rows = random.Random(4), []
    for n in range(3000):
        city = draw.choice(["Bern", "Rome", "Oslo"])
        typed = city.upper() if n % 150 else f"BERN {n}"
        merged = "north" if city == "Oslo" else "south"  # says less
        rare = n % 100 == 3
        other = rare and n % 300 != 3  # equal in 99.8 % of the rows, and in two thirds of the rare ones
        rows.append([city, typed, merged, f"-{rare}", f"-{other}", n, n * n % 7 % 2])
    prepared = prepare(as_csv(["city", "typed", "merged", "rare", "other", "n", "y"], rows))
    assert leaks_of(prepared).keys() & {"typed", "merged", "rare", "other"} == {"typed"}
    text = prepared.finding("near_copy")["text"]
    assert re.fullmatch(
        r"column 'typed' has one value for each value of column 'city' in 99\.\d\d% of .*", text
    )


def share_equal(prepared: Prepared) -> str:
    """Of the rows of the training part, which are the sample where they are at most 2 048."""
    train = prepared.part("train")
    equal = np.mean(train["x"].to_numpy() == train["patched"].to_numpy())
    return f"{equal:.2%}"


# --- No false alarm --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("tumor-diagnosis/wdbc.csv", {"target": "diagnosis"}),
        ("handwritten-digits/digits.csv", {"target": "digit", "task": "multiclass"}),
        ("diabetes-progression/diabetes.csv", {"target": "progression", "task": "regression"}),
    ],
)
def test_the_examples_have_no_leak(
    prepare: Callable[..., Prepared], file: str, settings: dict[str, Any]
) -> None:
    assert leaks_of(prepare((ROOT / "examples" / file).read_text(), **settings)) == {}


def test_good_features_are_flagged_in_at_most_one_sample_in_a_hundred() -> None:
    """Two normal distributions whose best cut is wrong in 2.5 % of the rows: AUC 0.997."""
    from leaks import _beyond_chance, _wrong_by_class

    generator, flagged = np.random.default_rng(9), 0
    for _ in range(1500):
        rows = int(generator.integers(200, 2048))
        classes = (generator.random(rows) < generator.uniform(0.1, 0.5)).astype(np.int64)
        if classes.max() < 1:
            continue
        wrong = _wrong_by_class(generator.normal(3.92 * classes, 1), classes)
        assert wrong is not None
        flagged += _beyond_chance(*wrong)
    assert flagged <= 15


def test_noise_never_gives_a_class_away() -> None:
    from leaks import _beyond_chance, _wrong_by_class

    generator = np.random.default_rng(10)
    for _ in range(1500):
        rows = int(generator.integers(60, 1000))
        classes = (generator.random(rows) < 0.05).astype(np.int64)
        for column in (generator.normal(size=rows), generator.integers(0, rows // 6 + 1, rows)):
            wrong = _wrong_by_class(column, classes)
            assert wrong is None or not _beyond_chance(*wrong)
