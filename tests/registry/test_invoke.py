"""Rows to an endpoint and predictions back, whatever the file; and payloads that cannot be answered."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import math
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registered_models import Registry

from aws_formats.errors import GatehouseError
from pipelines.commands.payloads import MOST_ROWS, read_payloads
from registry import sample_payload
from registry.invocations import BODY_LIMIT, parse


@pytest.fixture
def asked(serving: Registry, tmp_path: Path) -> Registry:
    """The serving project, with files of its own for each test."""
    return Registry(serving.url, tmp_path, serving.project, serving.model, serving.clients)


def zipped(*names: str, content: bytes = b"") -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return written.getvalue()


def damaged_parquet() -> bytes:
    """A file whose footer is whole and whose pages are not."""
    written = io.BytesIO()
    pq.write_table(pa.table({"plan": [f"plan {n}" for n in range(500)]}), written)
    return written.getvalue()[:100] + b"\0" * 400 + written.getvalue()[500:]


def answers(asked: Registry, file: str, content: bytes, *more: object) -> list[dict[str, object]]:
    path = asked.folder / file
    path.write_bytes(content)
    return list(asked.done("invoke", "--env", "dev", "--data", path, *more, "--json").document)


def test_the_same_rows_get_the_same_answers_in_every_form(asked: Registry) -> None:
    head, *rows = asked.model.rows[:6]
    text = "\n".join([head, *rows]) + "\n"
    expected = answers(asked, "rows.csv", text.encode())
    assert len(expected) == 5
    assert set(expected[0]) == {"class", "probability", "probabilities"}
    table = pa_csv.read_csv(io.BytesIO(text.encode()))
    parquet = io.BytesIO()
    pq.write_table(table, parquet)
    features = [row.rpartition(",")[0] for row in rows]
    records = table.drop_columns("left").to_pylist()
    columns = {"columns": table.drop_columns("left").to_pydict()}
    assert answers(asked, "bare.csv", "\n".join(rows).encode(), "--no-header") == expected
    assert answers(asked, "features.csv", "\n".join(features).encode()) == expected
    assert answers(asked, "rows.parquet", parquet.getvalue()) == expected
    assert answers(asked, "rows.json", json.dumps(records).encode()) == expected
    assert answers(asked, "instances.json", json.dumps({"instances": records}).encode()) == expected
    assert answers(asked, "columns.json", json.dumps(columns).encode()) == expected
    assert answers(asked, "one.json", json.dumps(records[0]).encode()) == expected[:1]
    lines = "\n".join(map(json.dumps, records)).encode()
    assert answers(asked, "rows.jsonl", lines) == expected
    assert answers(asked, "rows.ndjson.gz", gzip.compress(b"\n" + lines + b"\n\n")) == expected
    assert answers(asked, "rows.txt", lines, "--format", "json") == expected
    assert answers(asked, "rows.csv.gz", gzip.compress(text.encode("utf-16"))) == expected


def test_rows_come_from_standard_input_and_answers_go_to_a_table(asked: Registry) -> None:
    typed = "\n".join(asked.model.rows[:4]).encode()
    shown = asked.done("invoke", "--env", "dev", "--data", "-", typed=typed).out
    assert "Probability" in shown
    assert len(shown.strip().splitlines()) == 5


def test_more_rows_than_one_request_carries_are_answered_in_order(asked: Registry) -> None:
    head, *rows = asked.model.rows
    many = (rows * 4)[: MOST_ROWS + 700]
    found = answers(asked, "many.csv", "\n".join([head, *many]).encode())
    assert len(found) == len(many)
    assert found[MOST_ROWS : MOST_ROWS + 50] == found[MOST_ROWS % len(rows) : MOST_ROWS % len(rows) + 50]


def test_seven_megabytes_go_in_two_requests(asked: Registry) -> None:
    rows = [f"{20 + n % 60},{'x' * 2000},7" for n in range(3600)]  # a category never seen
    content = "\n".join(["age,plan,calls", *rows]).encode()
    assert len(content) > 7_000_000
    assert len(answers(asked, "wide.csv", content)) == 3600


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("missing.csv", b"age,plan\n30,gold\n", "'calls'"),
        ("extra.csv", b"30,gold,7,no,1,2\n", "6 values; expected 3"),
        (
            "types.csv",
            b"age,plan,calls\n30,gold,7\nold,gold,7\n",
            "column 'age': 'old' is not a number",
        ),
        ("empty.csv", b"", "there are no rows"),
        ("head.csv", b"age,plan,calls\n", "there are no rows"),
        ("open.csv", b'age,plan,calls\n1,"gold,2\n', "line 2: a quotation mark is opened and not closed"),
        ("text.json", b"age", "this is no JSON"),
        ("lines.jsonl", b'{"age": 1}\n\n{"age": }\n', "lines.jsonl, line 3: this is no JSON"),
        ("cut.csv.gz", gzip.compress(b"age,plan,calls\n" + b"30,gold,7\n" * 9)[:-9], "cannot be read"),
        ("cut.csv.zip", b"PK\x03\x04", "cannot be read"),
        (
            "two.csv.zip",
            zipped("a.csv", "b.csv", content=b"x"),
            "holds 2 files. Unpack it, and give one of them",
        ),
        ("odd.csv", "age,plan,calls\n30,gold,7\n".encode("utf-16")[:-1], "cannot be read"),
        ("none.json", b"[]", "there are no rows"),
        ("word.json", b'"age"', "neither a list"),
        ("ragged.json", b'{"columns": {"age": [1], "plan": []}}', "not lists of one length"),
        ("deep.json", b"[" * 100_000, "this is no JSON"),
        ("words.csv", b"gold,basic\n", "reads like a header. If it is a row, say --no-header"),
        ("text.parquet", b"PAR1", "this is no Parquet file"),
        ("damaged.parquet", damaged_parquet(), "this is no Parquet file"),
        ("rows.xls", b"", "--format"),
    ],
)
def test_a_payload_that_cannot_be_answered_says_why_in_one_line(
    asked: Registry, file: str, content: bytes, complaint: str
) -> None:
    (asked.folder / file).write_bytes(content)
    ended = asked.gatehouse("invoke", "--env", "dev", "--data", asked.folder / file)
    assert ended.code == 1
    assert complaint in ended.err
    assert ended.err.count("\n") == 1


def test_a_model_that_fails_is_told_without_the_page_that_its_container_answers(registry: Registry) -> None:
    code = (Path(__file__).resolve().parents[2] / "training/inference.py").read_bytes()
    failing = b"""
answer = output_fn
def output_fn(prediction, accept):
    if len(getattr(prediction, "chosen", ())) == 13:
        raise ValueError("an unlucky number of rows")
    return answer(prediction, accept)
"""
    registry.register(artifact=registry.model.changed(inference=code + failing), approved=True)
    registry.done("deploy", "--env", "dev")
    (registry.folder / "rows.csv").write_text("30,gold,7\n" * 13)
    ended = registry.gatehouse("invoke", "--env", "dev", "--data", "rows.csv")
    assert ended.code == 1
    place = f"endpoint {registry.project}-dev, rows 1 to 13 of the input"
    assert f"Error: {place}: the model failed: 500 Internal Server Error. " in ended.err
    assert f"in the log group /aws/sagemaker/Endpoints/{registry.project}-dev" in ended.err
    assert "<" not in ended.err
    (registry.folder / "rows.csv").write_text("thirty,gold,7\n")
    ended = registry.gatehouse("invoke", "--env", "dev", "--data", "rows.csv", "--no-header")
    place = f"endpoint {registry.project}-dev, rows 1 to 1 of the input"
    reason = "row 1, column 'age': 'thirty' is not a number"
    assert f"Error: {place}: the model refuses the rows: {reason}.\n" in ended.err


def test_a_file_that_is_not_there_is_an_error(asked: Registry) -> None:
    ended = asked.gatehouse("invoke", "--env", "dev", "--data", "nowhere.csv")
    assert ended.code == 1
    assert "nowhere.csv: the file cannot be read: No such file" in ended.err


def test_an_environment_without_an_endpoint_says_how_to_get_one(asked: Registry) -> None:
    (asked.folder / "rows.csv").write_text("1,gold,2\n")
    ended = asked.gatehouse("invoke", "--env", "test", "--data", asked.folder / "rows.csv")
    assert ended.code == 1
    assert f"gatehouse deploy {asked.project} --env test" in ended.err


@pytest.mark.parametrize("command", ["deploy", "invoke", "rollback", "environments", "promote"])
def test_an_unknown_environment_gets_a_suggestion(asked: Registry, command: str) -> None:
    more = {"invoke": ("--data", "-"), "promote": ("--from", "dev")}.get(command, ())
    ended = asked.gatehouse(command, "--to" if command == "promote" else "--env", "tset", *more)
    assert ended.code == 1
    assert "there is no environment 'tset'" in ended.err
    assert "Did you mean 'test'?" in ended.err


def test_a_wrong_header_flag_is_found_out_by_the_number_of_answers(asked: Registry) -> None:
    path = asked.folder / "rows.csv"
    path.write_text("\n".join(asked.model.rows[:4]))
    ended = asked.gatehouse("invoke", "--env", "dev", "--data", path, "--no-header")
    assert ended.code == 1
    assert "4 rows were sent and 3 answered" in ended.err
    assert "--header" in ended.err


# --- Cutting files into payloads -------------------------------------------------------------------


@settings(max_examples=40)
@given(
    rows=st.lists(
        st.lists(st.text(st.sampled_from('ab ,"\n\r;é'), min_size=1, max_size=6), min_size=2, max_size=2),
        min_size=1,
        max_size=30,
    ),
    limit=st.integers(1, 7),
)
def test_no_cut_goes_through_a_row(rows: list[list[str]], limit: int) -> None:
    import csv

    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("pipelines.commands.payloads.MOST_ROWS", limit)
        payloads = list(read_payloads(io.BytesIO(written.getvalue().encode()), "csv", "-", header=False))
    read = [row for payload in payloads for row in csv.reader(io.StringIO(payload.body.decode(), newline=""))]
    assert read == rows
    assert [payload.rows for payload in payloads[:-1]] == [limit] * (len(payloads) - 1)
    assert [payload.first_row for payload in payloads] == list(range(1, len(rows) + 1, limit))


@pytest.mark.parametrize(
    "packed",
    [
        *(gzip.compress, bz2.compress, lzma.compress),
        lambda content: zipped("rows/", "rows/rows.csv", content=content),
        *(lambda content, codec=codec: pa_compressed(content, codec) for codec in ("zstd", "lz4")),
    ],
)
def test_a_packed_file_has_the_rows_that_are_in_it(packed: Callable[[bytes], bytes]) -> None:
    rows = b"".join(b"%d,x\n" % n for n in range(20_000))
    found = list(read_payloads(io.BytesIO(packed(b"n,text\n" + rows)), "csv", "-"))
    assert b"".join(payload.body.removeprefix(b"n,text\n") for payload in found) == rows


def pa_compressed(content: bytes, codec: str) -> bytes:
    written = pa.BufferOutputStream()
    with pa.CompressedOutputStream(written, codec) as stream:
        stream.write(content)
    return bytes(written.getvalue())


def test_lines_of_json_are_cut_as_they_stream_in_and_get_the_keys_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.commands.payloads.MOST_ROWS", 2)
    lines = b'\xef\xbb\xbf{"n": 1}\n{"n": 2, "a": "x"}\r\n\n{"b": 3}'
    found = list(read_payloads(io.BytesIO(lines), "json", "-"))
    assert [json.loads(payload.body)["instances"] for payload in found] == [
        [{"n": 1, "a": None}, {"n": 2, "a": "x"}],
        [{"n": None, "a": None, "b": 3}],
    ]
    assert [(payload.rows, payload.first_row) for payload in found] == [(2, 1), (1, 3)]


@pytest.mark.parametrize(
    ("text", "quote", "rows"),
    [
        (b'a,b\n5" pipe,1\nrod,2\n', "", 2),
        (b"a,b\n'a\nb',1\n5\" pipe,2\n", "'", 2),
    ],
)
def test_rows_end_where_the_quotes_of_the_projects_data_end_them(text: bytes, quote: str, rows: int) -> None:
    (payload,) = read_payloads(io.BytesIO(text), "csv", "-", quote=quote)
    assert (payload.rows, payload.body) == (rows, text)


def test_every_payload_of_a_csv_repeats_its_header() -> None:
    text = "name,remark\n" + "".join(f"{n},{'x' * 90_000}\n" for n in range(100))
    payloads = list(read_payloads(io.BytesIO(text.encode()), "csv", "-"))
    assert len(payloads) == 2
    assert all(payload.body.startswith(b"name,remark\n") for payload in payloads)
    assert all(len(payload.body) <= BODY_LIMIT for payload in payloads)
    assert sum(payload.rows for payload in payloads) == 100


@pytest.mark.parametrize(
    ("text", "bodies"),
    [
        (b"5\n\n7\n", [b"5\n\n", b"7\n"]),
        (b"\n5\r\n\r\n", [b"\n5\r\n", b"\r\n"]),
        (b"\nx\n\n5", [b"x\n\n5\n"]),
        (b"\n1,2\n\n,\n\n", [b"1,2\n,\n"]),
        (b"\na,b\n\n1,2\n\n", [b"a,b\n1,2\n"]),
    ],
)
def test_a_blank_line_is_a_row_where_rows_have_one_column(
    monkeypatch: pytest.MonkeyPatch, text: bytes, bodies: list[bytes]
) -> None:
    monkeypatch.setattr("pipelines.commands.payloads.MOST_ROWS", 2)
    payloads = list(read_payloads(io.BytesIO(text), "csv", "-"))
    assert [payload.body for payload in payloads] == bodies
    named = any(body.startswith((b"x", b"a")) for body in bodies)
    assert [payload.rows for payload in payloads] == [body.count(b"\n") - named for body in bodies]


@pytest.mark.parametrize(
    ("form", "content"),
    [("csv", b"1," + b"x" * BODY_LIMIT), ("json", json.dumps([{"a": "x" * BODY_LIMIT}]).encode())],
)
def test_a_row_that_no_request_can_carry_is_named(form: str, content: bytes) -> None:
    with pytest.raises(GatehouseError, match=r"row 1 has .* bytes; a request carries 6 MB"):
        list(read_payloads(io.BytesIO(content), form, "rows"))


def test_parquet_and_json_over_the_limit_are_halved_until_they_fit() -> None:
    import random

    values = random.Random(0)
    texts = ["".join(values.choices("abcdefghijklmnop0123456789", k=40_000)) for _ in range(300)]
    file = io.BytesIO()
    pq.write_table(pa.table({"n": range(300), "text": texts}), file, compression="none")
    for form, content in (("parquet", file.getvalue()), ("json", json.dumps(texts).encode())):
        payloads = list(read_payloads(io.BytesIO(content), form, "rows"))
        assert len(payloads) > 1
        assert all(len(payload.body) <= BODY_LIMIT for payload in payloads)
        assert sum(payload.rows for payload in payloads) == 300


def test_times_as_spark_writes_them_are_sent_as_they_are() -> None:
    times = [datetime(9999, 12, 31), datetime(2024, 1, 1)]
    file = io.BytesIO()
    table = pa.table({"t": pa.array(times, pa.timestamp("us"))})
    pq.write_table(table, file, use_deprecated_int96_timestamps=True)
    (payload,) = read_payloads(io.BytesIO(file.getvalue()), "parquet", "rows")
    assert pq.read_table(io.BytesIO(payload.body))["t"].to_pylist() == times


@pytest.mark.parametrize("body", [b"<html>", b'{"error": 1}', b"3", b"\xff\xfe"])
def test_an_answer_that_holds_no_predictions_is_an_error(body: bytes) -> None:
    with pytest.raises(GatehouseError, match="the answer"):
        parse(body, "application/json")


def test_a_bare_list_and_csv_lines_are_understood_as_well() -> None:
    assert parse(b"[1, 0]", "application/json") == [{"class": 1}, {"class": 0}]
    assert parse(b"yes,0.75\nno,0.5\n", "text/csv; charset=utf-8") == [
        {"class": "yes", "probability": 0.75},
        {"class": "no", "probability": 0.5},
    ]


@pytest.mark.parametrize(
    ("prediction", "classes", "fault"),
    [
        ({"value": -1.5}, (), None),
        ({"value": math.nan}, (), "holds nan where a number should be"),
        ({"value": "1.5"}, (), "holds '1.5' where a number should be"),
        ({"value": True}, (), "holds True where a number should be"),
        ({"value": 1.5}, ("no", "yes"), "names no class"),
        ({"class": "no", "probability": 1.5}, (), "holds 1.5 where a probability should be"),
    ],
)
def test_an_answer_to_the_sample_payload_is_a_class_or_of_a_regression_a_finite_number(
    prediction: dict[str, object], classes: tuple[str, ...], fault: str | None
) -> None:
    found = sample_payload._fault(prediction, classes)
    assert found == fault if fault is None else fault in str(found)
