"""The split follows from the rows alone, and the types from all of the values, whatever the files look
like."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program_runs import PARTS, Prepared, as_csv, mixed_rows

HEADER, ROWS = mixed_rows(400)
GOOD = as_csv(HEADER, ROWS)
SHARES = (0.70, 0.15, 0.15)

cells = st.one_of(
    st.none(), st.text(max_size=30), st.integers(-(2**62), 2**62), st.floats(allow_nan=False), st.booleans()
)


def typed(values: list[Any]) -> pa.Array:
    """A column as the reader gives it; mixed values become text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values)
    if kinds <= {int}:
        return pa.array(values, pa.int64())
    if kinds == {float}:
        return pa.array(values, pa.float64())
    return pa.array([value if value is None else str(value) for value in values]).dictionary_encode()


def hashes(columns: dict[str, pa.Array], key: str | None = None, seed: int = 0) -> np.ndarray:
    from splitting import RowHasher, text_hashes

    batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    texts = {
        name: text_hashes(array.dictionary)
        for name, array in columns.items()
        if pa.types.is_dictionary(array.type)
    }
    hasher = RowHasher(list(columns), key, seed, SHARES)
    return hasher.seeded(*hasher.sums(batch, texts))[1]


def same_parts(one: Prepared, other: Prepared) -> None:
    assert one.code == other.code == 0, one.err + other.err
    for part in PARTS:
        assert one.rows(part) == other.rows(part)


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=40), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_neither_the_order_of_rows_nor_of_columns_changes_a_hash(
    rows: list[tuple[Any, ...]], shuffler: random.Random
) -> None:
    columns = {name: typed([row[place] for row in rows]) for place, name in enumerate("abc")}
    expected = hashes(columns)
    order = list(range(len(rows)))
    shuffler.shuffle(order)
    names = list("abc")
    shuffler.shuffle(names)
    turned = {name: columns[name].take(pa.array(order, pa.int64())) for name in names}
    assert hashes(turned).tolist() == expected[order].tolist()


@given(st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=40))
@settings(max_examples=40)
def test_an_integer_and_an_equal_double_hash_the_same(values: list[int]) -> None:
    whole = hashes({"a": pa.array(values, pa.int64())})
    assert whole.tolist() == hashes({"a": pa.array([float(value) for value in values])}).tolist()


@given(st.lists(st.text(max_size=40), min_size=1, max_size=40, unique=True))
@settings(max_examples=60)
def test_different_texts_hash_differently_and_slices_hash_alike(texts: list[str]) -> None:
    from splitting import text_hashes

    found = text_hashes(pa.array(texts, pa.string()))
    assert len(set(found.tolist())) == len(texts)
    for place, text in enumerate(texts):
        assert text_hashes(pa.array([text], pa.string()))[0] == found[place]
    assert text_hashes(pa.array(["x", *texts], pa.string()).slice(1)).tolist() == found.tolist()


def test_long_texts_that_are_hashed_one_after_another_have_the_hashes_that_they_have_among_many() -> None:
    from splitting import text_hashes

    texts = [chr(97 + place % 26) * (place * 37) + "\u00e9" for place in range(150)]
    found = text_hashes(pa.array(texts))
    alone = [text_hashes(pa.array([text]))[0] for text in texts]
    assert found.tolist() == alone
    longest = "".join(texts)
    assert text_hashes(pa.array([longest] * 50)).tolist() == text_hashes(pa.array([longest])).tolist() * 50


def test_hashes_are_the_same_on_every_machine_and_in_every_version() -> None:
    columns = {
        "n": pa.array([1, None]),
        "d": pa.array([0.5, float("nan")]),
        "t": pa.array(["Gr\u00fc\u00dfe, a longer text", None]).dictionary_encode(),
        "b": pa.array([True, None]),
    }
    assert hashes(columns).tolist() == [11266858622720666906, 6321371117398832194]


def test_an_absent_value_is_not_zero_nor_empty_and_nan_is_absent() -> None:
    one = hashes({"a": pa.array([None, 0.0, float("nan")])})
    assert one[0] != one[1]
    assert one[0] == one[2]


def test_the_shares_are_kept_and_the_seed_deals_anew() -> None:
    from splitting import RowHasher

    column = {"a": pa.array(range(100_000))}
    for seed in (0, 1):
        parts = RowHasher(["a"], None, seed, SHARES).parts(hashes(column, seed=seed))
        assert np.bincount(parts).tolist() == pytest.approx([70_000, 15_000, 15_000], rel=0.02)
    assert (hashes(column) != hashes(column, seed=1)).all()


def test_files_rows_and_columns_in_any_order_give_the_same_parts(prepare: Callable[..., Prepared]) -> None:
    whole = prepare(GOOD, folder="whole")
    shuffled = ROWS[::-1]
    turned = [HEADER[::-1], [row[::-1] for row in shuffled[250:]]]
    cut = prepare(
        {
            "b/one.csv.gz": gzip.compress(as_csv(HEADER, shuffled[:100]).encode()),
            "a.csv": as_csv(HEADER, shuffled[100:250]),
            "z/y/x.csv": as_csv(turned[0], turned[1]),
        },
        folder="cut",
    )
    rows = {part: [dict(row) for row in cut.part(part).to_pylist()] for part in PARTS}
    for part in PARTS:
        assert sorted(map(repr, (sorted(row.items()) for row in rows[part]))) == sorted(
            repr(sorted(row.items())) for row in whole.part(part).to_pylist()
        )


def test_dropping_a_column_moves_no_row(prepare: Callable[..., Prepared]) -> None:
    whole, dropped = prepare(GOOD, folder="whole"), prepare(GOOD, folder="dropped", drop=["shop"])
    for part in PARTS:
        assert dropped.part(part)["visits"].to_pylist() == whole.part(part)["visits"].to_pylist()
        assert "shop" not in dropped.part(part).column_names


def test_added_rows_leave_the_others_where_they_are(prepare: Callable[..., Prepared]) -> None:
    before = prepare(as_csv(HEADER, ROWS[:300]), folder="before")
    after = prepare(GOOD, folder="after")
    for part in PARTS:
        assert set(before.rows(part)) <= set(after.rows(part))


def test_all_rows_of_a_key_share_a_part_and_the_key_is_no_feature(prepare: Callable[..., Prepared]) -> None:
    rows = [[n % 60, n, "yes" if n % 7 < 3 else "no"] for n in range(600)]
    prepared = prepare(as_csv(["client", "n", "y"], rows), key="client")
    assert [feature["name"] for feature in prepared.schema["features"]] == ["n"]
    seen = [{n % 60 for n in prepared.part(part)["n"].to_pylist()} for part in PARTS]
    assert all(seen)
    assert len(set.union(*seen)) == sum(map(len, seen))


def test_csv_and_parquet_of_the_same_rows_give_the_same(prepare: Callable[..., Prepared]) -> None:
    columns = list(zip(*ROWS, strict=True))
    table = pa.table(
        {
            "amount": [None if value == "" else float(value) for value in columns[0]],
            "visits": pa.array(columns[1], pa.int32()),
            "shop": pa.array([value or None for value in columns[2]]).dictionary_encode(),
            "member": [value == "true" for value in columns[3]],
            "day": pa.array([datetime.fromisoformat(value) for value in columns[4]], pa.timestamp("ms")),
            "y": columns[5],
        }
    )
    csv, parquet = prepare(GOOD, folder="csv"), prepare(table, folder="parquet")
    same_parts(csv, parquet)
    assert csv.schema == parquet.schema
    assert csv.statistics == parquet.statistics


def test_texts_in_parquet_are_categories_however_they_are_stored(prepare: Callable[..., Prepared]) -> None:
    plain = pa_csv.read_csv(pa.BufferReader(GOOD.encode())).select(["amount", "shop", "y"])
    expected = prepare(plain, folder="plain")
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        other = plain.set_column(1, "shop", plain["shop"].cast(kind)).set_column(
            2, "y", plain["y"].cast(kind)
        )
        same_parts(expected, prepare(other, folder="other"))


def test_parts_hold_natural_types(prepare: Callable[..., Prepared]) -> None:
    schema = prepare(GOOD).part("train").schema
    assert [str(field.type) for field in schema] == [
        "double",
        "int64",
        "string",
        "bool",
        "timestamp[us]",
        "string",
    ]


def test_two_runs_write_the_same_bytes(prepare: Callable[..., Prepared]) -> None:
    one, other = prepare(GOOD, folder="one"), prepare(GOOD, folder="other")
    for path in sorted(path for path in one.output.rglob("*") if path.is_file()):
        assert path.read_bytes() == (other.output / path.relative_to(one.output)).read_bytes()


def test_several_instances_write_together_what_one_writes_alone(
    prepare: Callable[..., Prepared], monkeypatch: pytest.MonkeyPatch
) -> None:
    import reading

    monkeypatch.setattr(reading, "_BLOCK_BYTES", 2000)
    alone = prepare(GOOD, folder="alone")
    hosts = ["algo-2", "algo-1"]
    first = prepare(GOOD, folder="first", hosts=hosts, current="algo-1")
    second = prepare(GOOD, folder="second", hosts=hosts, current="algo-2")
    for part in PARTS:
        assert second.part(part).num_rows > 0
        together = [tuple(row.values()) for one in (first, second) for row in one.part(part).to_pylist()]
        assert sorted(together, key=repr) == alone.rows(part)
    assert first.schema == alone.schema
    assert first.statistics == alone.statistics
    assert not (second.output / "schema").exists()
    assert "rows written by algo-2" in second.message


@pytest.mark.parametrize(
    ("first", "late", "kind", "stored"),
    [
        pytest.param("1", "2.5", "number", "double", id="whole numbers, then a fraction"),
        pytest.param("1", "many", "category", "string", id="numbers, then a word"),
        pytest.param("1", "true", "boolean", "bool", id="ones, then true"),
        pytest.param("", "7", "number", "int64", id="nothing, then a number"),
        pytest.param("", "word", "category", "string", id="nothing, then a word"),
        pytest.param(
            "2024-01-01", "2024-01-01 10:30:00.5", "timestamp", "timestamp[us]", id="days, then times"
        ),
        pytest.param("2024-01-01", "later", "category", "string", id="days, then a word"),
        pytest.param("20240101", "2024-01-02", "category", "string", id="numbers, then a day"),
        pytest.param("true", "1", "boolean", "bool", id="true, then one"),
        pytest.param("true", "2", "category", "string", id="true, then two"),
    ],
)
@pytest.mark.parametrize("late_first", [False, True])
def test_a_late_value_counts_as_much_as_an_early_one(
    prepare: Callable[..., Prepared],
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    late: str,
    kind: str,
    stored: str,
    late_first: bool,
) -> None:
    import reading
    import source_files

    monkeypatch.setattr(source_files, "_FIRST_BLOCK_BYTES", 200)
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 400)
    rows = [[first, n, "yes" if n % 3 else "no"] for n in range(200)]
    rows[0 if late_first else 150][0] = late
    rows[180][0] = late
    prepared = prepare(as_csv(["x", "n", "y"], rows))
    assert prepared.code == 0, prepared.err
    assert prepared.schema["features"][0]["kind"] == kind
    assert str(prepared.part("train").schema.field("x").type) == stored


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["", "1", "0", "true", "FALSE", "2.5", " 3", "1e4", "x", "+1", "nan", "inf", "00"]
            ),
            st.sampled_from(
                ["2024-01-01", "2024-01-01 10:00", "2024-01-01T00:00:00Z", "9999-12-31", "12:30"]
            ),
            st.integers(-(10**20), 10**20).map(str),
            st.floats().map(repr),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=150)
def test_a_type_fits_exactly_when_arrows_reader_takes_every_value(texts: list[str]) -> None:
    import column_types

    fitting = column_types.fitting_texts(pa.array([text or None for text in texts], pa.string()))
    body = as_csv(["x", "n"], [[text, 0] for text in texts]).encode()
    for name in ("whole number", "number", "boolean", "timestamp", "timestamp with zone", "text"):
        convert = pa_csv.ConvertOptions(
            column_types={"x": column_types.TYPES[name]},
            null_values=[""],
            true_values=list(column_types.TRUE),
            false_values=list(column_types.FALSE),
            strings_can_be_null=True,
        )
        try:
            pa_csv.read_csv(pa.BufferReader(body), convert_options=convert)
            taken = True
        except pa.ArrowInvalid:
            taken = False
        chosen = column_types.choose({"x": fitting}, {})["x"]
        assert taken or name != chosen
        if name in fitting and any(texts):
            assert taken, name


def test_files_without_a_header_take_their_names_from_the_settings(prepare: Callable[..., Prepared]) -> None:
    with_header = prepare(GOOD, folder="with")
    without = prepare(GOOD.partition("\n")[2], folder="without", header=False, columns=HEADER)
    same_parts(with_header, without)
    assert without.schema["source_columns"] == HEADER
    assert without.schema["header"] is False


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("above", ["", "\n\n", "\ufeff\n"])
def test_blank_lines_above_the_header_and_line_breaks_inside_it_hide_no_row(
    prepare: Callable[..., Prepared], above: str, newline: str
) -> None:
    names = ["first\nline", *HEADER[1:]]
    data = above + as_csv(names, ROWS)
    found = prepare(data.replace("\n", newline), folder="odd")
    assert found.schema["source_columns"][1:] == HEADER[1:]
    assert sum(found.schema["rows"].values()) == len(ROWS)
    kinds = [feature["kind"] for feature in found.schema["features"]]
    assert kinds == ["number", "number", "category", "boolean", "timestamp"]


def test_another_delimiter_and_other_marks_for_missing(prepare: Callable[..., Prepared]) -> None:
    rows = [["?" if n % 5 == 0 else n, "yes" if n % 3 else "no"] for n in range(200)]
    prepared = prepare(as_csv(["a", "y"], rows, ";"), delimiter=";", missing_values=["?"])
    assert prepared.schema["features"] == [{"name": "a", "kind": "number"}]
    assert prepared.schema["missing_values"] == ["", "?"]
    assert prepared.part("train")["a"].null_count > 10


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_kind_in_the_settings_overrides_what_the_values_say(
    prepare: Callable[..., Prepared], form: str
) -> None:
    rows = [[n % 4, n, "yes" if n % 3 else "no"] for n in range(300)]
    names = ["zip", "visits", "y"]
    table = pa.table(
        {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    )
    prepared = prepare(table if form == "parquet" else as_csv(names, rows), kinds={"zip": "category"})
    assert prepared.code == 0, prepared.err
    assert prepared.schema["features"] == [
        {"name": "zip", "kind": "category", "categories": ["0", "1", "2", "3"]},
        {"name": "visits", "kind": "number"},
    ]
    assert set(prepared.part("train")["zip"].to_pylist()) == {"0", "1", "2", "3"}


def test_the_classes_of_a_binary_task_are_negative_then_positive(prepare: Callable[..., Prepared]) -> None:
    assert prepare(GOOD).schema["classes"] == ["no", "yes"]
    assert prepare(GOOD, positive_class="no").schema["classes"] == ["yes", "no"]
    numbered = GOOD.replace(",yes\n", ",10\n").replace(",no\n", ",9\n")
    assert prepare(numbered).schema["classes"] == ["9", "10"]
    assert prepare(numbered, positive_class="9").schema["positive_class"] == "9"


def test_the_sample_payload_holds_raw_rows_that_can_be_sent(prepare: Callable[..., Prepared]) -> None:
    import tarfile

    prepared = prepare(GOOD)
    with tarfile.open(prepared.output / "sample" / "payload.tar.gz") as archive:
        file = archive.extractfile("payload.csv")
        assert file is not None
        lines = file.read().decode().splitlines()
    assert len(lines) == 5
    assert all(len(line.split(",")) == 5 for line in lines)


def test_the_schema_is_complete(prepare: Callable[..., Prepared]) -> None:
    prepared = prepare(GOOD)
    schema = prepared.schema
    assert sorted(schema) == sorted(
        [
            "version",
            "task",
            "target",
            "classes",
            "positive_class",
            "source_columns",
            "header",
            "delimiter",
            "missing_values",
            "features",
            "rows",
            "train_rows",
        ]
    )
    assert schema["rows"] == {part: prepared.part(part).num_rows for part in PARTS}
    classes = prepared.part("train")["y"].to_pylist()
    assert schema["train_rows"] == [classes.count(name) for name in schema["classes"]]
    assert schema["positive_class"] == "yes"
    assert json.dumps(schema["features"][2]["categories"]) == json.dumps(
        sorted(schema["features"][2]["categories"])
    )
