"""inference.py and what it imports: one row gives the same answer in whatever form it is sent, and a bad one
is refused with what is wrong."""

from __future__ import annotations

import csv
import functools
import io
import json
import math
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program_runs import ROOT, Finished, as_csv, without_utf_8_in_a_name

SCHEMA = {
    "version": 1,
    "task": "binary",
    "target": "y",
    "classes": ["no", "yes"],
    "positive_class": "yes",
    "source_columns": ["id", "size", "colour", "y", "open", "day"],
    "header": True,
    "delimiter": ",",
    "missing_values": ["", "NA"],
    "features": [
        {"name": "size", "kind": "number"},
        {"name": "colour", "kind": "category", "categories": ["1", "blue", 'dark, "red"', "line\nbreak"]},
        {"name": "open", "kind": "boolean"},
        {"name": "day", "kind": "timestamp"},
    ],
}


NAMED_IN_LATIN_1 = without_utf_8_in_a_name("size")


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from feature_encoding import read_schema

    path = tmp_path_factory.mktemp("schema") / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    return read_schema(path)


def matrix(schema: Any, body: str | bytes, content_type: str = "text/csv") -> list[list[float]]:
    from request_rows import parse, to_matrix

    found = to_matrix(parse(body, content_type), schema)
    assert found.dtype == np.float32
    return found.tolist()


def same(one: Any, other: Any) -> bool:
    return np.array_equal(np.array(one, np.float32), np.array(other, np.float32), equal_nan=True)


def test_each_kind_becomes_its_number(schema: Any) -> None:
    row = "2.5,blue,true,1970-01-01 00:01:40\n"
    assert matrix(schema, row) == [[2.5, 1.0, 1.0, 100.0]]
    assert matrix(schema, "2.5,blue,0,1970-01-01T01:01:40+01:00") == [[2.5, 1.0, 0.0, 100.0]]


def test_absent_values_unknown_categories_and_infinity_are_missing(schema: Any) -> None:
    for row in (",,,", "NA,NA,NA,NA", "inf,green,,", "1e300,Blue,NA,"):
        assert all(math.isnan(value) for value in matrix(schema, row)[0])


@pytest.mark.parametrize("count", [1, 150])
def test_the_width_or_the_header_tells_what_a_csv_row_holds(schema: Any, count: int) -> None:
    expected = [[2.5, 1.0, 1.0, 100.0]] * count
    time_ = "1970-01-01 00:01:40"
    assert matrix(schema, f"2.5,blue,true,{time_}\n" * count) == expected
    assert matrix(schema, f"7,2.5,blue,yes,true,{time_}\n" * count) == expected
    assert matrix(schema, "day,colour,size,open\n" + f"{time_},blue,2.5,true\n" * count) == expected
    header = "day,new,colour,size,open,newer\n"
    assert matrix(schema, header + f"{time_},1,blue,2.5,true,x\n" * count) == expected
    assert matrix(
        schema, '"size","colour","open","day","line\nbreak"\n' + f"2.5,blue,1,{time_},\n" * count
    ) == (expected)
    assert matrix(schema, "\r\n" + f"2.5,blue,true,{time_}\r\n\r\n" * count) == expected


def test_a_quoted_line_break_in_the_first_row_does_not_change_its_width(schema: Any) -> None:
    row = '7,2.5,blue,"y\nes",true,1970-01-01 00:01:40\n'  # its first line is as wide as the features
    for count in (1, 150):
        assert matrix(schema, row * count) == [[2.5, 1.0, 1.0, 100.0]] * count


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_a_line_end_inside_quotes_is_the_same_wherever_in_a_long_body_it_stands(
    tmp_path: Path, beyond: int
) -> None:
    from feature_encoding import read_schema

    features = [{"name": "place", "kind": "category", "categories": ["a\r\nb", "a\rb"]}]
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({**SCHEMA, "source_columns": ["n", "place", "y"], "features": features}))
    row, at = (
        '1,"a\r\nb",no\n',
        (1 << 20) + beyond,
    )  # the end of Arrow's first block, unless it is told another
    before = "2,x,no\n" * ((at - 5) // 7)
    body = before + "\n" * (at - 5 - len(before)) + row + "2,x,no\n" * 9
    assert body[at] == "\n"
    found = matrix(read_schema(path), body)
    assert [value for (value,) in found if not math.isnan(value)] == [0.0]


def test_a_category_that_spells_a_number_is_found_by_that_number(tmp_path: Path) -> None:
    from feature_encoding import read_schema

    categories = ["007", "1.0", "2", "2.0", "3,5", "nan(1)"]
    features = [{"name": "code", "kind": "category", "categories": categories}]
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({**SCHEMA, "source_columns": ["code", "y"], "features": features}))
    schema = read_schema(path)
    values = [1.0, 1, 7, 2.0, 2, 9, 10**30, 10**400, True, None]
    expected = [[1.0], [1.0], [0.0], [2.0], [2.0], *[[math.nan]] * 5]
    records = [{"code": value} for value in values]
    assert same(matrix(schema, json.dumps(records), "application/json"), expected)
    assert same(matrix(schema, json.dumps({"columns": {"code": values}}), "application/json"), expected)
    for kind in (pa.float64(), pa.int32(), pa.decimal128(24, 0)):
        sink = io.BytesIO()
        numbers = pa.array([None if value is None else int(value) for value in values[:6]]).cast(kind)
        pq.write_table(pa.table({"code": numbers}), sink)
        found = matrix(schema, sink.getvalue(), "application/x-parquet")
        assert same(found, expected[:6]), kind


numbers = st.one_of(
    st.floats(),
    st.integers(-(10**25), 10**25),
    st.sampled_from(
        ["", "NA", " 7", "\t7 ", "+1", ".5", "5.", "1E+05", "007", "-0", "nan", "Infinity", "0x1F", "1_0"]
    ),
).map(str)
categories = st.one_of(st.sampled_from([*SCHEMA["features"][1]["categories"], "", "NA"]), st.text(max_size=5))  # type: ignore[index]
booleans = st.sampled_from(["true", "FALSE", "1", "0", "", "NA", "True"])
days = st.one_of(
    st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)).map(str),
    st.sampled_from(["", "NA", "2024-02-29", "2024-02-29T10:00:00Z", "2024-02-29 10:00:00+05:30"]),
)


@given(st.lists(st.tuples(numbers, categories, booleans, days), min_size=1, max_size=6))
@settings(max_examples=150)
def test_few_rows_by_hand_and_many_by_arrow_give_the_same_numbers(
    schema: Any, rows: list[tuple[str, ...]]
) -> None:
    import csv_rows

    # NUL and lone surrogates are no CSV text.
    rows = [tuple(cell.replace("\0", "").encode("utf-8", "ignore").decode() for cell in row) for row in rows]
    text = as_csv(None, rows)

    def outcome(threshold: int) -> Any:
        csv_rows._ARROW_FROM_ROWS, before = threshold, csv_rows._ARROW_FROM_ROWS
        try:
            return matrix(schema, text)
        except ValueError as error:
            return str(error)
        finally:
            csv_rows._ARROW_FROM_ROWS = before

    by_hand, by_arrow = outcome(10**9), outcome(0)
    assert by_hand == by_arrow if isinstance(by_hand, str) else same(by_hand, by_arrow)


cells = st.tuples(numbers, st.sampled_from(["1", "blue", "green", "", "NA"]), booleans, days)
line_ends = st.sampled_from(["\n", "\r\n", "\n\n", "\r"])


@given(st.booleans(), st.lists(st.tuples(cells, line_ends), min_size=2, max_size=12), st.integers(2, 5))
@settings(max_examples=150, deadline=None)
def test_the_parts_of_a_csv_body_hold_its_rows(
    schema: Any, header: bool, rows: list[Any], parts: int
) -> None:
    from csv_rows import BadRequest, cut, part_matrices

    lines = [(["size", "colour", "open", "day"], "\n")] * header + rows
    text = "".join(",".join(row) + end for row, end in lines)
    with ThreadPoolExecutor(parts) as threads:
        try:
            pieces = cut(text, schema, parts)
            found = list(part_matrices(pieces, schema, threads)) if pieces else None
        except BadRequest:
            return  # it is read as a whole then
    if found is not None:
        assert same(np.concatenate(found), matrix(schema, text))


def test_a_csv_body_is_cut_where_a_line_ends_a_row(schema: Any) -> None:
    from csv_rows import cut, part_matrices, rows_about

    lines = ["day,colour,size,open,newer", *(f"1970-01-01 00:0{n}:00,blue,{n},true," for n in range(9))]
    text = "\n".join(lines)
    assert rows_about(text) == 9
    pieces = cut(text, schema, 3)
    assert "".join(piece.text for piece in pieces) == text
    with ThreadPoolExecutor(2) as threads:
        found = [part[:, 0].tolist() for part in part_matrices(pieces, schema, threads)]
    assert len(found) == 3
    assert [value for part in found for value in part] == list(range(9))
    for whole in (
        text.replace("blue", '"blue"'),
        text.replace("size", "sizes"),
        text.replace("\n", "\r"),
        "\n",
    ):
        assert cut(whole, schema, 3) == []
    assert cut(text, schema, 1) == []


def test_json_in_all_its_forms_equals_csv(schema: Any) -> None:
    record = {"size": 2.5, "colour": "blue", "open": True, "day": "1970-01-01T00:01:40", "more": [1]}
    other = {"size": None, "colour": 1, "open": 0, "day": None}
    expected = matrix(schema, "2.5,blue,true,1970-01-01 00:01:40\n,1,0,\n")
    names = ["size", "colour", "open", "day"]
    for document in (
        [record, other],
        {"instances": [record, other]},
        {"instances": [[one[name] for name in names] for one in (record, other)]},
        {"columns": {name: [record[name], other[name]] for name in names}},
    ):
        assert same(matrix(schema, json.dumps(document), "application/json"), expected)
    assert same(matrix(schema, json.dumps(record), "application/json; charset=utf-8"), expected[:1])


def test_parquet_equals_csv_whatever_its_types(schema: Any) -> None:
    expected = matrix(schema, "2,1,true,2024-01-01\n,,,\n")
    days = [datetime(2024, 1, 1), None]
    for columns in (
        {"size": pa.array([2, None], pa.int8()), "colour": ["1", None], "open": [True, None], "day": days},
        {
            "size": pa.array(["2", None]),
            "colour": pa.array([1.0, None]),
            "open": [1, None],
            "day": ["2024-01-01T00:00:00Z", None],
        },
        {
            "size": pa.array([2.0, float("inf")]),
            "colour": pa.array(["1", "none"]).dictionary_encode(),
            "open": ["TRUE", "NA"],
            "day": pa.array(days, pa.date32()),
        },
    ):
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink)
        assert same(matrix(schema, sink.getvalue(), "application/x-parquet"), expected)


def test_a_time_as_spark_writes_it_is_that_time_however_far_it_is(schema: Any) -> None:
    days = pa.array([datetime(9999, 12, 31), datetime(2024, 1, 1)], pa.timestamp("us"))
    table = pa.table({"size": [2, 2], "colour": ["1", "1"], "open": [True, True], "day": days})
    sink = io.BytesIO()
    pq.write_table(table, sink, use_deprecated_int96_timestamps=True)
    expected = matrix(schema, "2,1,true,9999-12-31\n2,1,true,2024-01-01\n")
    assert same(matrix(schema, sink.getvalue(), "application/x-parquet"), expected)


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("", "text/csv", "the request holds no rows"),
        ("size,colour,open,day\n", "text/csv", "the request holds no rows"),
        ("1,2\n", "text/csv", "row 1: 2 values; expected 4 (the features) or 6 (all source columns)"),
        ("1,blue,true,\n1,blue\n", "text/csv", "row 2: 2 values"),
        ("1,blue,true,\nbig,blue,true,\n", "text/csv", "row 2, column 'size': 'big' is not a number"),
        (
            "1,blue,true,\n" * 150 + "big,blue,true,\n",
            "text/csv",
            "row 151, column 'size': 'big' is not a number",
        ),
        ("size,colour,open\n1,blue,true\n", "text/csv", "column 'day' is not there"),
        ("size,size,colour,open,day\n1,2,blue,true,\n", "text/csv", "column 'size' is there more than once"),
        ("1,blue,maybe,\n", "text/csv", "row 1, column 'open': 'maybe' is not a boolean"),
        ("1,blue,true,today\n", "text/csv", "row 1, column 'day': 'today' is not a timestamp"),
        ("1,blue,true,today\n" * 150, "text/csv", "row 1, column 'day': 'today' is not a timestamp"),
        ("{", "application/json", "the body is no JSON: line 1, column 2"),
        ("3", "application/json", "neither a list of objects"),
        ("[3]", "application/json", "row 1: neither an object nor a list"),
        ("[]", "application/json", "the request holds no rows"),
        ('[{"size": 1}]', "application/json", "row 1: column 'colour' is not there"),
        (
            '[{"size":[],"colour":"","open":1,"day":""}]',
            "application/json",
            "column 'size': [] is not a number",
        ),
        (
            '[{"size":1,"colour":"","open":2,"day":""}]',
            "application/json",
            "column 'open': 2 is not a boolean",
        ),
        (
            '{"columns":{"size":[1],"colour":[],"open":[1],"day":[1]}}',
            "application/json",
            "all of one length",
        ),
        (b"PAR1", "application/x-parquet", "the body is no Parquet file"),
        (
            NAMED_IN_LATIN_1,
            "application/x-parquet",
            "the body is no Parquet file: 'utf-8' codec can't decode",
        ),
        (b"\xff", "text/csv", "the body is not UTF-8"),
        ("[" * 200_000, "application/json", "the JSON cannot be read: maximum recursion depth"),
        ("[" + "9" * 5000 + "]", "application/json", "the JSON cannot be read: Exceeds the limit"),
        ("<x/>", "text/xml", "content type 'text/xml' is not served"),
    ],
)
def test_a_bad_request_says_what_is_wrong_and_where(
    schema: Any, body: str | bytes, content_type: str, text: str
) -> None:
    from request_rows import BadRequest

    with pytest.raises(BadRequest) as caught:
        matrix(schema, body, content_type)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("colour", pa.array([{"a": 1}]), "column 'colour': struct<a: int64> cannot stand for a category"),
        ("colour", pa.array([[1]]), "cannot stand for a category"),
        ("colour", pa.array([b"1"], pa.large_binary()), "large_binary cannot stand for a category"),
        ("size", pa.array(["big"], pa.string_view()), "row 1, column 'size': 'big' is not a number"),
        ("size", pa.array([[1]]), "cannot stand for a number"),
    ],
)
def test_a_parquet_column_of_a_wrong_type_is_named(
    schema: Any, name: str, values: pa.Array, text: str
) -> None:
    sink = io.BytesIO()
    columns = {column: pa.nulls(1) for column in ("size", "colour", "open", "day")}
    pq.write_table(pa.table({**columns, name: values}), sink)
    with pytest.raises(ValueError, match=re.escape(text)):
        matrix(schema, sink.getvalue(), "application/x-parquet")


def test_a_category_as_a_half_precision_number_is_found(schema: Any) -> None:
    sink = io.BytesIO()
    columns = {column: pa.nulls(2) for column in ("size", "open", "day")}
    half = pa.array(np.array([1, 7], np.float16))
    pq.write_table(pa.table({**columns, "colour": half}), sink)
    found = matrix(schema, sink.getvalue(), "application/x-parquet")
    assert same([row[1] for row in found], [0.0, math.nan])


def test_answers_come_as_csv_and_as_json(shops: Finished) -> None:
    import inference

    model = inference.model_fn(str(shops.folder / "model"))
    rows = "3.5,17,shop 1,true,2024-03-01 10:00:00\n,,,,\n"
    prediction = inference.predict_fn(inference.input_fn(rows, "text/csv"), model)
    body, kind = inference.output_fn(prediction, "text/csv")
    lines = [line.split(",") for line in body.splitlines()]
    assert kind == "text/csv"
    assert [line[0] in ("yes", "no") for line in lines] == [True, True]
    assert all(0.5 <= float(line[1]) <= 1 for line in lines)
    body, kind = inference.output_fn(prediction, "*/*")
    answers = json.loads(body)["predictions"]
    assert kind == "application/json"
    for answer, line in zip(answers, lines, strict=True):
        assert answer["class"] == line[0]
        assert answer["probability"] == float(line[1]) == answer["probabilities"][line[0]]
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
    refusal = inference.output_fn(prediction, "image/png")
    assert isinstance(refusal, inference.Refusal)
    assert refusal.reason == "cannot answer as 'image/png'; accept application/json or text/csv"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/csv;q=0.4, application/json;q=0.9", "application/json"),
        ("application/json;q=0.4, text/csv", "text/csv"),
        ("*/*;q=0.1, text/csv;q=0.2", "text/csv"),
        ("text/csv;q=0, */*", "application/json"),
        ("application/json; q=0, */*;q=0.001", "text/csv"),
        ("application/json;contributions=true;q=0.1, text/*;q=0.3", "text/csv"),
        ("image/png, text/csv, application/json", "text/csv"),
        ("image/png, application/*", "application/json"),
        ("text/csv;q=high", "text/csv"),
        ("text/csv,", "text/csv"),
    ],
)
def test_of_two_forms_the_client_gets_the_one_that_it_likes_best(
    shops: Finished, accept: str, form: str
) -> None:
    import inference

    model = inference.model_fn(str(shops.folder / "model"))
    prediction = inference.predict_fn(inference.input_fn(",,,,\n", "text/csv"), model)
    assert inference.output_fn(prediction, accept)[1] == form
    for neither in ("text/csv;q=0, application/json;q=0.0", "*/*;q=0"):
        assert isinstance(inference.output_fn(prediction, neither), inference.Refusal)


@pytest.mark.parametrize("program", ["shops", "wines", "progression"])
def test_the_base_value_and_the_contributions_sum_to_the_margin_of_the_answer(
    request: pytest.FixtureRequest, program: str
) -> None:
    import inference

    folder = request.getfixturevalue(program).folder
    model = inference.model_fn(str(folder / "model"))
    path = next((folder / "processing/output/test").glob("*.parquet"))
    table = pq.read_table(path).slice(0, 20)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    prediction = inference.predict_fn(
        inference.input_fn(sink.getvalue().to_pybytes(), "application/x-parquet"), model
    )
    body, kind = inference.output_fn(prediction, "image/png, application/json;contributions=TRUE")
    plain, _ = inference.output_fn(prediction, "application/json")
    assert kind == "application/json"
    for answer, known in zip(json.loads(body)["predictions"], json.loads(plain)["predictions"], strict=True):
        why = answer.pop("explanation")
        assert answer == known
        assert list(why["contributions"]) == model.schema.names
        assert why["base"] + sum(why["contributions"].values()) == pytest.approx(why["margin"], abs=1e-3)
        if model.schema.task == "binary":
            assert why["of"] == model.schema.classes[1]
            odds = answer["probabilities"][why["of"]] / answer["probabilities"][model.schema.classes[0]]
            assert math.log(odds) == pytest.approx(why["margin"], abs=1e-3)
        elif model.schema.task == "multiclass":
            assert why["of"] == answer["class"]
        else:
            assert (why["of"], why["margin"]) == (None, pytest.approx(answer["value"]))


def test_contributions_are_computed_for_a_bounded_number_of_rows(shops: Finished) -> None:
    import explanations
    import inference

    model = inference.model_fn(str(shops.folder / "model"))
    row, wanted = "3.5,17,shop 1,true,2024-03-01 10:00:00\n", "application/json; contributions=true"

    def answer(rows: int) -> Any:
        return inference.output_fn(
            inference.predict_fn(inference.input_fn(row * rows, "text/csv"), model), wanted
        )

    assert len(json.loads(answer(explanations.MOST_ROWS)[0])["predictions"]) == explanations.MOST_ROWS
    assert "; 101 were sent" in answer(explanations.MOST_ROWS + 1).reason
    assert explanations.rows_for(10**12) == 1


def response(application: Any) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status, headers and body that a web server is given."""
    given: list[Any] = []
    parts = application({}, lambda status, headers: given.extend((status, headers)))
    return given[0], given[1], b"".join(parts)


@given(st.lists(st.floats(), min_size=1, max_size=30), st.sampled_from([1, 300]))
@settings(max_examples=150, deadline=None)
def test_an_answer_holds_its_numbers_as_python_writes_them(found: list[float], times: int) -> None:
    import inference

    numbers = [*found, 1.0, -0.0, 1e-05, 0.0001, 0.5000000000000001, 9999999999.5, 1e16, math.nan] * times
    prediction = inference.NumberPrediction(np.array(numbers), scored=None)
    body, _ = inference.output_fn(prediction, "text/csv")
    assert body == "".join(f"{number!r}\n" for number in numbers)


def test_a_refusal_passes_through_all_functions_and_is_itself_the_response(shops: Finished) -> None:
    import inference

    model = inference.model_fn(str(shops.folder / "model"))
    wide = "1," * 40 + "1"
    for body, kind, reason in (
        (wide, "text/csv", "row 1: 41 values; expected 5"),
        ("{", "application/json", "the body is no JSON"),
        ("<x/>", "text/xml", "content type 'text/xml' is not served"),
    ):
        refusal = inference.output_fn(inference.predict_fn(inference.input_fn(body, kind), model), "text/csv")
        assert reason in refusal.reason
        status, headers, text = response(refusal)
        assert (status, text.decode()) == ("400 Bad Request", refusal.reason)
        assert headers == [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]


def test_a_field_that_python_does_not_read_is_refused(schema: Any) -> None:
    from request_rows import BadRequest

    before = csv.field_size_limit(131_072)  # Python's default; the preprocessing program sets its own
    try:
        with pytest.raises(BadRequest, match="field larger than field limit"):
            matrix(schema, f'1,"{"x" * 200_000}",true,\n')
    finally:
        csv.field_size_limit(before)


def test_a_refusal_of_any_text_can_be_sent() -> None:
    import inference

    _, _, text = response(inference.Refusal("column '\ud800': " + "x" * 10_000))
    assert text.startswith(b"column '\\ud800': xxx")
    assert len(text) < 2100


_names = st.sampled_from(["amount", "visits", "shop", "member", "day", "y", "other"])
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.just(10**400),
    st.just("1e5"),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(_names, inner, max_size=6),
        st.builds(lambda kind, content: {kind: content}, st.sampled_from(["instances", "columns"]), inner),
    ),
    max_leaves=12,
)
_columns = st.one_of(
    *(
        st.lists(values, min_size=1, max_size=1).map(lambda found, kind=kind: pa.array(found, kind))
        for values, kind in (
            (st.integers(-9, 9), pa.int8()),
            (st.decimals(-9, 9, places=2), pa.decimal128(9, 2)),
            (st.binary(max_size=3), pa.binary()),
            (st.text(max_size=3), pa.large_string()),
            (st.lists(st.integers(0, 1), max_size=2), pa.list_(pa.int64())),
            (st.dates(), pa.date64()),
            (st.times(), pa.time64("us")),
            (st.timedeltas(timedelta(-9), timedelta(9)), pa.duration("us")),
            (st.just({"a": 1}), pa.struct([("a", pa.int64())])),
            (st.none(), pa.null()),
        )
    )
)


def parquet_of(columns: dict[str, pa.Array]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


_requests = st.one_of(
    st.tuples(st.binary(max_size=30), st.sampled_from(["text/csv", "application/json", "x/y", ""])),
    st.tuples(st.text('0a,"\n\r\0\udc80', max_size=30), st.just("text/csv")),
    st.tuples(_values.map(json.dumps), st.just("application/json")),
    st.tuples(st.binary(max_size=30).map(b"PAR1".__add__), st.just("application/x-parquet")),
    st.tuples(
        st.fixed_dictionaries(dict.fromkeys(["amount", "visits", "shop", "member", "day"], _columns)).map(
            parquet_of
        ),
        st.just("application/x-parquet"),
    ),
)


@given(_requests, st.sampled_from(["text/csv", "application/json", "image/png"]))
@settings(max_examples=200)
def test_whatever_is_sent_is_answered_or_refused(
    shops: Finished, request_: tuple[str | bytes, str], accept: str
) -> None:
    """An exception would be the container's status 500, which counts as the model's fault."""
    import inference

    model = loaded(str(shops.folder / "model"))
    answer = inference.output_fn(inference.predict_fn(inference.input_fn(*request_), model), accept)
    if isinstance(answer, tuple):
        assert answer[0]
    else:
        assert response(answer)[2]


@functools.cache
def loaded(folder: str) -> Any:
    import inference

    return inference.model_fn(folder)


def test_an_error_of_the_model_itself_is_no_refusal(shops: Finished) -> None:
    """XGBoost's errors are ValueErrors, too; the container must answer 500 to them."""
    import inference
    import xgboost as xgb

    model = inference.model_fn(str(shops.folder / "model"))
    narrow = xgb.train({}, xgb.DMatrix(np.zeros((4, 2)), label=np.zeros(4)), num_boost_round=1)
    broken = replace(model, booster=narrow, one_thread_booster=narrow)
    with pytest.raises(ValueError, match="Number of columns in data must equal"):
        inference.predict_fn(inference.input_fn("3.5,17,shop 1,true,2024-03-01\n", "text/csv"), broken)


def test_rows_are_served_as_they_were_encoded_for_training(shops: Finished) -> None:
    from feature_encoding import encode, read_schema

    schema = read_schema(shops.folder / "model" / "schema.json")
    source = (shops.folder / "processing/input/raw/data.csv").read_text()
    by_csv = np.array(matrix(schema, source), np.float32)
    trained: list[Any] = []
    for part in ("train", "validation", "test"):
        for path in sorted((shops.folder / "processing/output" / part).glob("*.parquet")):
            table = pq.read_table(path)
            trained.extend(encode({n: table[n] for n in schema.names}, schema.features).tolist())
    assert sorted(map(repr, by_csv.tolist())) == sorted(map(repr, trained))


def test_numpy_prediction_equals_that_of_a_matrix_with_categories(shops: Finished) -> None:
    import inference
    import xgboost as xgb
    from request_rows import to_matrix

    model = inference.model_fn(str(shops.folder / "model"))
    path = next((shops.folder / "processing/output/test").glob("*.parquet"))
    data = inference.input_fn(path.read_bytes(), "application/x-parquet")
    rows = to_matrix(data, model.schema)
    matrix_ = xgb.DMatrix(
        rows, feature_names=model.schema.names, feature_types=model.schema.types, enable_categorical=True
    )
    found = inference.predict_fn(data, model).probabilities[:, 1]
    assert found.tolist() == model.booster.predict(matrix_).astype(np.float64).tolist()


@pytest.mark.parametrize("cores", [1, 2, 3, 7])
def test_rows_that_several_cores_share_are_answered_as_on_one(shops: Finished, cores: int) -> None:
    import inference

    model = loaded(str(shops.folder / "model"))
    rows = "3.5,17,shop 1,true,2024-03-01\n" * 40 + "9.25,2,shop 3,false,2024-11-30\n" * 3
    data = inference.input_fn(rows, "text/csv")
    alone = inference.predict_fn(data, replace(model, cores=1))
    for least in (1, 20, 43):
        shared = inference.predict_fn(data, replace(model, cores=cores, least_rows=least))
        assert shared.probabilities.tolist() == alone.probabilities.tolist()
    by_xgboost = inference.predict_fn(data, replace(model, shared_rows=10))
    assert by_xgboost.probabilities.tolist() == alone.probabilities.tolist()


@pytest.mark.parametrize("bad", ["x,2,shop 3,false,2024-11-30", "1,2,shop 3,maybe,2024-11-30", "1,2,shop 3"])
def test_a_bad_row_is_named_whichever_core_reads_it(shops: Finished, bad: str) -> None:
    import inference

    model = loaded(str(shops.folder / "model"))
    for place in (0, 70, 99):
        rows = ["3.5,17,shop 1,true,2024-03-01"] * 100
        rows[place] = bad
        data = inference.input_fn("\n".join(rows), "text/csv")
        alone, shared = (
            inference.predict_fn(data, replace(model, cores=cores, least_rows=10)) for cores in (1, 4)
        )
        assert isinstance(alone, inference.Refusal)
        assert f"row {place + 1}" in alone.reason
        assert shared == alone


@pytest.mark.parametrize(("told", "most"), [("1", 1), ("999", 999), ("0", 999), ("", 999), ("many", 999)])
def test_serving_uses_no_more_cores_than_openmp_may(
    told: str, most: int, shops: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    import inference

    monkeypatch.setenv("OMP_NUM_THREADS", told)
    model = inference.model_fn(str(shops.folder / "model"))
    assert model.cores == min(most, len(os.sched_getaffinity(0)))


def test_an_artifact_without_its_parts_is_refused(tmp_path: Path) -> None:
    import inference

    with pytest.raises(ValueError, match=r"no model\.ubj"):
        inference.model_fn(str(tmp_path))


def test_the_serving_code_itself_does_not_import_pandas() -> None:
    from serving_code import MODULES

    for name in MODULES:
        assert "pandas" not in (ROOT / "training" / name).read_text(), name


def test_a_process_that_serves_is_without_what_it_does_not_need_and_may_still_import_it() -> None:
    imports = """
import sys, inference
assert not {"sklearn", "numpy.f2py"} & sys.modules.keys()
import sklearn
from numpy import *
assert f2py
"""
    command = [sys.executable, "-c", imports]
    subprocess.run(command, cwd=ROOT / "training", check=True, timeout=60)
