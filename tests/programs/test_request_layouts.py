"""Which rows and columns a request holds: each row is answered, and what has two readings is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

NAN = math.nan
Read = Callable[..., list[list[float]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Gives the matrix of a request, or the reason why it is refused."""
    from feature_encoding import read_schema
    from request_rows import BadRequest, parse, to_matrix

    def answer(
        source: Sequence[str],
        features: dict[str, str],
        body: str | bytes,
        content_type: str = "text/csv",
        **more: Any,
    ) -> list[list[float]] | str:
        document = {
            "task": "binary",
            "target": "y",
            "classes": ["no", "yes"],
            "source_columns": source,
            "delimiter": ",",
            "missing_values": ["", "NA"],
            "features": [
                {
                    "name": name,
                    "kind": kind,
                    **({"categories": ["blue", "red"]} if kind == "category" else {}),
                }
                for name, kind in features.items()
            ],
            **more,
        }
        (tmp_path / "schema.json").write_text(json.dumps(document))
        try:
            return to_matrix(parse(body, content_type), read_schema(tmp_path / "schema.json")).tolist()
        except BadRequest as error:
            return str(error)

    return answer


def same(found: Any, expected: list[list[float]]) -> bool:
    return np.array_equal(np.array(found), np.array(expected, np.float32), equal_nan=True)


A_B = {"a": "number", "b": "number"}


@pytest.mark.parametrize("source", [["id", "a", "b", "y"], ["id", "note", "a", "b", "y"]])
@pytest.mark.parametrize("count", [1, 100])
def test_all_columns_but_one_need_a_header(read: Read, source: list[str], count: int) -> None:
    """With `id` dropped, `a,b,y` would be read as `id,a,b`."""
    width = len(source) - 1
    row = ",".join("1" * width) + "\n"
    expected = (
        f"row 1: {width} values without names may be all source columns but the target, or all but another "
        f"one. Send a header line, or objects in JSON; or the 2 features alone (a, b), or all {width + 1} "
        "source columns"
    )
    assert read(source, A_B, row * count) == expected
    assert read(source, A_B, json.dumps([[1] * width] * count), "application/json") == expected
    assert read(source, A_B, "1,2\n" * count) == [[1, 2]] * count
    for left_out in ("y", "id"):
        names = [name for name in source if name != left_out]
        values = [str({"a": 1, "b": 2}.get(name, 9)) for name in names]
        assert (
            read(source, A_B, "\n".join([",".join(names), *[",".join(values)] * count])) == [[1, 2]] * count
        )
        whole = [str({"a": 1, "b": 2}.get(name, 9)) for name in source]
        assert read(source, A_B, (",".join(whole) + "\n") * count) == [[1, 2]] * count


def test_all_columns_but_the_target_are_the_features_where_nothing_else_is_dropped(read: Read) -> None:
    assert read(["a", "b", "y"], A_B, "1,2\n") == [[1, 2]]
    assert read(["a", "b", "y"], A_B, "1,2,yes\n") == [[1, 2]]


@pytest.mark.parametrize("many", [0, 100])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_of_one_column_each_line_is_a_row(read: Read, many: int, end: str) -> None:
    source, features = ["x", "y"], {"x": "number"}
    rest = [[8.0]] * many
    for lines, expected in (
        (["5", "", "7"], [[5], [NAN], [7]]),
        (["", "5"], [[NAN], [5]]),
        (["", "", "5", ""], [[NAN], [NAN], [5], [NAN]]),
        (["5", '""', "7"], [[5], [NAN], [7]]),
    ):
        text = end.join([*lines, *["8"] * many])
        assert same(read(source, features, text + end), [*expected, *rest])
        if lines[-1] or many:
            assert same(read(source, features, text), [*expected, *rest])
        assert same(read(source, features, end * 2 + "x" + end + text + end), [*expected, *rest])
    assert same(read(source, features, end * 3), [[NAN]] * 3)
    assert read(source, features, "x" + end) == "the request holds no rows"
    assert read(source, features, "") == "the request holds no rows"


@pytest.mark.parametrize("many", [0, 100])
def test_a_blank_category_alone_is_a_row(read: Read, many: int) -> None:
    found = read(["x", "y"], {"x": "category"}, "red\n\nblue\n" + "red\n" * many)
    assert same(found, [[1], [NAN], [0], *[[1]] * many])


@pytest.mark.parametrize("many", [0, 100])
def test_of_several_columns_a_row_without_values_has_its_delimiters(read: Read, many: int) -> None:
    expected = [[NAN, NAN], [1, 2], *[[NAN, NAN]] * many]
    assert same(read(["a", "b", "y"], A_B, ",\n\n1,2\n\n" + ",\n" * many), expected)
    tabs = read(["a", "b", "y"], A_B, "\t\n1\t2\n" + "\t\n" * many, delimiter="\t")
    assert same(tabs, expected)


def test_each_instance_of_json_is_answered(read: Read) -> None:
    body = json.dumps([{"x": None}, [""], [5], {"x": "NA"}])
    assert same(read(["x", "y"], {"x": "number"}, body, "application/json"), [[NAN], [NAN], [5], [NAN]])


@pytest.mark.parametrize("many", [0, 100])
def test_a_quotation_mark_that_is_not_closed_is_refused(read: Read, many: int) -> None:
    """It would make one row of all that follows."""
    text = 'red\n"red\nblue\n' + "blue\n" * many
    assert read(["x", "y"], {"x": "category"}, text) == 'a quotation mark (") is opened and not closed'
    assert read(["x", "y"], {"x": "category"}, '"red') == 'a quotation mark (") is opened and not closed'
    whole = 'red\n5" pipe\n"blue"' + "\nblue" * many
    assert same(read(["x", "y"], {"x": "category"}, whole), [[1], [NAN], [0], *[[0]] * many])


WORDS = {"colour": "category", "shape": "category"}


@pytest.mark.parametrize(
    ("header", "wrong"),
    [
        ("Colour,Shape", "Colour"),
        ("COLOUR,shape", "COLOUR"),
        (" colour,shape", " colour"),
        ("col-our,'shape'", "col-our"),
        ("colour,form", "form"),
        ("colour,shape,Y", None),
    ],
)
def test_a_header_that_is_none_is_not_answered_as_a_row(read: Read, header: str, wrong: str | None) -> None:
    found = read(["colour", "shape", "y"], WORDS, f"{header}\nred,blue,no\n")
    if wrong is None:  # every feature is named, so what else there is does not count
        assert found == [[1, 0]]
    else:
        assert str(found).startswith(f"row 1 reads like a header, but {wrong!r} is no column")


def test_a_header_s_order_and_further_columns_do_not_matter(read: Read) -> None:
    source = ["a", "b", "y"]
    assert read(source, A_B, "\ufeffb,more,a\r\n2,x,1\r\n") == [[1, 2]]
    assert read(source, A_B, "b,a,b\n2,1,3\n") == "column 'b' is there more than once; send it once"
    assert read(source, A_B, "y,a,b,y\n2,1,3,4\n") == "column 'y' is there more than once; send it once"


def test_numbers_as_names_of_columns_are_not_seen_in_rows(read: Read) -> None:
    source, features = ["0", "1", "2", "y"], {"0": "number", "1": "number", "2": "number"}
    assert read(source, features, "2,0,1\n1,1,0\n") == [[2, 0, 1], [1, 1, 0]]
    assert read(source, features, "0,1,2\n5,6,7\n") == [[5, 6, 7]]
    assert read(source, features, "2,1,0,y\n5,6,7,no\n") == [[7, 6, 5]]


@pytest.mark.parametrize("many", [0, 100])
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('"0,35",1', "column 'a': '0,35' is not a number"),
        ("$12,1", "column 'a': '$12' is not a number"),
        ("12 %,1", "column 'a': '12 %' is not a number"),
        ("1,,2", "3 values"),
        ("1", "1 values"),
    ],
)
def test_a_number_in_another_notation_is_refused_with_its_place(
    read: Read, many: int, row: str, reason: str
) -> None:
    found = read(["a", "b", "y"], A_B, "1,2\n" * many + f"3,4\n{row}\n")
    assert f"row {many + 2}" in str(found)
    assert reason in str(found)


@pytest.mark.parametrize(
    "text", ["31/01/2024", "20240131", "1704067200", "2024-02-30", "10:00", "2024-01-01 24:00"]
)
def test_a_time_in_another_notation_is_refused_with_its_place(read: Read, text: str) -> None:
    for many in (0, 100):
        found = read(["d", "y"], {"d": "timestamp"}, "2024-01-01\n" * many + f"{text}\n")
        assert str(found).startswith(f"row {many + 1}, column 'd': {text!r} is not a timestamp")
    found = read(["d", "y"], {"d": "timestamp"}, json.dumps([{"d": 1704067200}]), "application/json")
    assert found == "row 1, column 'd': 1704067200 is not a timestamp"


@pytest.mark.parametrize("many", [0, 100])
def test_numbers_that_no_float_holds_are_missing(read: Read, many: int) -> None:
    texts = ["1e400", "-inf", "nan", "0x" + "f" * 300, "9" * 5000, "1e39", str(2**63 + 1), "-0x10"]
    expected = [[NAN]] * 6 + [[float(2**63)], [-16.0]]
    assert same(
        read(["x", "y"], {"x": "number"}, "\n".join([*texts, *["1"] * many])), [*expected, *[[1]] * many]
    )
    body = json.dumps([{"x": 10**400}, {"x": 2**63 + 1}, {"x": math.inf}])
    found = read(["x", "y"], {"x": "number"}, body, "application/json")
    assert same(found, [[NAN], [float(2**63)], [NAN]])


def test_a_boolean_is_a_word_or_a_digit(read: Read) -> None:
    source, features = ["x", "y"], {"x": "boolean"}
    assert same(read(source, features, "True\n1\nfalse\n0\nTRUE\n\n"), [[1], [1], [0], [0], [1], [NAN]])
    assert "row 2, column 'x': 'yes' is not a boolean" in str(read(source, features, "1\nyes\n"))


@pytest.mark.parametrize(
    "body",
    ['[{"x": 1, "x": 2}]', '{"columns": {"x": [1], "x": [2]}}', '{"x": 1, "z": {"b": 1, "b": 2}, "x": 2}'],
)
def test_a_name_that_is_twice_in_a_json_object_is_refused(read: Read, body: str) -> None:
    found = read(["x", "y"], {"x": "number"}, body, "application/json")
    assert "is there more than once; send it once" in str(found)


def test_a_name_that_is_twice_in_a_table_is_refused(read: Read) -> None:
    body = BytesIO()
    pq.write_table(pa.table([pa.array([1.0]), pa.array([2.0])], names=["x", "x"]), body)
    found = read(["x", "y"], {"x": "number"}, body.getvalue(), "application/x-parquet")
    assert found == "column 'x' is there more than once; send it once"
