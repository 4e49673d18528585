"""What a file is, is seen by its first bytes: it is read, or named for what it is."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import re
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from program_runs import PARTS, Prepared, as_csv, mixed_rows

HEADER, ROWS = mixed_rows(300)
FULL = [row for row in ROWS if "" not in row]
GOOD = as_csv(HEADER, ROWS)
UMLAUTS = GOOD.replace("shop", "Gesch\u00e4ft")


def zipped(**members: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), text)
    return packed.getvalue()


def as_json_lines() -> str:
    def value(name: str, text: Any) -> Any:
        return None if text == "" else text == "true" if name == "member" else text

    return "".join(
        json.dumps({n: value(n, v) for n, v in zip(HEADER, row, strict=True)}) + "\n" for row in ROWS
    )


def same(one: Prepared, other: Prepared) -> None:
    assert one.code == other.code == 0, one.err + other.err
    for part in PARTS:
        assert one.rows(part) == other.rows(part)
    assert one.schema == other.schema


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("data.csv", UMLAUTS.encode("utf-16"), id="UTF-16"),
        pytest.param("data.csv", b"\xfe\xff" + UMLAUTS.encode("utf-16-be"), id="UTF-16 BE"),
        pytest.param("data.csv", UMLAUTS.encode("utf-16-le"), id="UTF-16 without a mark"),
        pytest.param("data.csv", UMLAUTS.encode("utf-32"), id="UTF-32"),
        pytest.param("data.csv", UMLAUTS.encode("utf-8-sig"), id="UTF-8 with a mark"),
        pytest.param("data.csv.bz2", bz2.compress(UMLAUTS.encode()), id="bzip2"),
        pytest.param("data.csv.xz", lzma.compress(UMLAUTS.encode()), id="xz"),
        pytest.param("data.csv.zst", pa.compress(UMLAUTS.encode(), "zstd", asbytes=True), id="zstd"),
        pytest.param("data.csv.gz", gzip.compress(UMLAUTS.encode("utf-16")), id="UTF-16 in gzip"),
        pytest.param("data.zip", zipped(data_dot_csv=UMLAUTS), id="zip"),
        pytest.param(
            "data.zip",
            zipped(x__data_dot_csv=UMLAUTS, README_dot_md="# What", __MACOSX___dot__x="y"),
            id="zip with more",
        ),
    ],
)
def test_encoded_and_packed_tables_are_read(prepare: Callable[..., Prepared], name: str, data: bytes) -> None:
    same(prepare(UMLAUTS, folder="plain"), prepare({name: data}, folder="other"))


def test_json_lines_are_read_as_a_csv_of_the_same_rows(prepare: Callable[..., Prepared]) -> None:
    plain = prepare(GOOD, folder="plain")
    for name, data in {
        "data.jsonl": as_json_lines().encode(),
        "data.json": as_json_lines().replace("\n", "\r\n").encode(),
        "data.jsonl.gz": gzip.compress(as_json_lines().encode()),
    }.items():
        same(plain, prepare({name: data}, folder="json", delimiter=","))
    sparse = as_json_lines() + '{"y": "no", "late": 1, "amount": 12345678901234567890.5}\n'
    found = prepare(
        {"data.jsonl": sparse}, folder="json", delimiter=";", kinds={"late": "number"}, drop=["late"]
    )
    assert found.schema["source_columns"] == [*HEADER, "late"]
    assert sum(found.schema["rows"].values()) == 301


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        pytest.param('{"a": [1], "y": 1}', ["line 2: the value of 'a' is a list"], id="list"),
        pytest.param('{"a": {"b": 1}, "y": 1}', ["line 2: the value of 'a' is an object"], id="object"),
        pytest.param("{oops", ["line 2: this line is no JSON object"], id="broken"),
        pytest.param("[1, 2]", ["line 2: this line is JSON, but no object"], id="array"),
        pytest.param('{"a": 1, "a": 2}', ["line 2: the key 'a' is there more than once"], id="twice"),
    ],
)
def test_json_lines_that_are_no_table_are_named(
    prepare: Callable[..., Prepared], line: str, texts: list[str]
) -> None:
    found = prepare({"data.jsonl": '{"a": 1, "y": 0}\n' + line + "\n"})
    assert found.code == 1
    assert all(text in found.message for text in texts)


def sqlite(path: Path) -> bytes:
    with sqlite3.connect(path) as database:
        database.execute("create table t (a)")
    database.close()
    return path.read_bytes()


def arrow(write: Callable[[pa.Table, Any], Any]) -> bytes:
    sink = io.BytesIO()
    write(pa.table({"a": [1, 2]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(zipped(xl__workbook_dot_xml="<x/>"), "this is an Excel workbook", id="xlsx"),
        pytest.param(b"\xd0\xcf\x11\xe0" + b"x" * 99, "this is an Excel workbook", id="xls"),
        pytest.param(
            zipped(a_dot_csv=GOOD, b_dot_csv=GOOD), "this zip holds 2 files (a.csv, b.csv)", id="zip"
        ),
        pytest.param(b"<!DOCTYPE html><html>", "this is a page of HTML", id="html"),
        pytest.param(b"%PDF-1.4", "this is a PDF", id="pdf"),
        pytest.param(b"Obj\x01xxxx", "this is an Avro file", id="avro"),
        pytest.param(arrow(pa.orc.write_table), "this is an ORC file", id="orc"),
        pytest.param(arrow(pa.feather.write_feather), "this is an Arrow (Feather) file", id="feather"),
        pytest.param(b'[{"a": 1, "y": 0}]', "this is a JSON array", id="json array"),
        pytest.param(b'<?xml version="1.0"?><a/>', "this is XML", id="xml"),
        pytest.param(
            gzip.compress(arrow(pq.write_table)), "a Parquet file that is compressed as a whole", id="pq"
        ),
        pytest.param(
            arrow(pq.write_table)[:-20], "begins as a Parquet file, but is cut off", id="cut parquet"
        ),
        pytest.param(gzip.compress(gzip.compress(GOOD.encode())), "another compressed one", id="gzip twice"),
        pytest.param(b"\x7fELF\x02\x01" + bytes(99), "holds control characters", id="binary"),
        pytest.param(b"<Error><Code>AccessDenied</Code></Error>", "this is XML", id="an error of S3"),
        pytest.param(b"<!-- x --><table><tr>", "this is a page of HTML", id="a table of HTML"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull", id="git lfs"),
        pytest.param(b"a,y", "there are no rows, only a header", id="a line without an end"),
        pytest.param(
            b"count 2\na,1,0\nb,2,1\n", "neither the header nor a row, remove it: tail -n +2", id="above"
        ),
        pytest.param(bz2.compress(GOOD.encode())[:-99], "bz2 file cannot be unpacked", id="cut bzip2"),
        pytest.param(lzma.compress(GOOD.encode())[:-99], "xz file cannot be unpacked", id="cut xz"),
    ],
)
def test_what_cannot_be_read_is_named_for_what_it_is(
    prepare: Callable[..., Prepared], data: bytes, said: str
) -> None:
    found = prepare({"data.csv": data})
    assert found.code == 1
    assert said in found.message
    assert "iconv" not in found.message


def test_a_database_is_named(prepare: Callable[..., Prepared], tmp_path: Path) -> None:
    assert "this is an SQLite database" in prepare({"data.db": sqlite(tmp_path / "x.db")}).message


def as_written(opened: str, between: str, closed: str, *, arrays: bool = False) -> str:
    rows = [list(row) if arrays else dict(zip(HEADER, row, strict=True)) for row in ROWS]
    return opened + between.join(map(json.dumps, [HEADER, *rows] if arrays else rows)) + closed


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(as_written("[", ",\n", "]"), id="array of objects"),
        pytest.param(as_written("[\n", ",", "]", arrays=True), id="array of rows"),
        pytest.param(as_written("", "\n", "\n", arrays=True), id="rows one a line"),
        pytest.param(as_written('{"data": [', ",", "]}"), id="records"),
        pytest.param(json.dumps(dict(zip(HEADER, zip(*ROWS, strict=True), strict=True))), id="columns"),
        pytest.param(
            re.sub(r'"shop": ("[^"]*")', r'"shop": {"name": \1}', as_written("", "\n", "\n")), id="nested"
        ),
        pytest.param("sep=,\n" + GOOD, id="a line for Excel"),
        pytest.param(f"300,{len(HEADER) - 1},yes,no\n" + GOOD, id="numbers of rows and columns"),
        pytest.param("# A title\n\n" + GOOD, id="a title"),
        pytest.param(
            GOOD.replace("\n", f"\nc{',d' * (len(HEADER) - 2)},no yes\n{',' * (len(HEADER) - 1)}class\n", 1),
            id="kinds and roles of Orange",
        ),
        pytest.param(GOOD + "\0" * 64, id="bytes of 0 at the end"),
        pytest.param(",".join(f"X{n}" for n in range(len(HEADER))) + "\n" + GOOD, id="two headers"),
        pytest.param(GOOD.replace("\n", ",\n").replace(",\n", "\n", 1), id="delimiters at the end"),
        pytest.param(
            "".join(f"{n},{line}\n" for n, line in enumerate(GOOD.splitlines()))[2:], id="row names of R"
        ),
    ],
)
def test_the_command_that_mends_a_file_works(
    prepare: Callable[..., Prepared], tmp_path: Path, data: str
) -> None:
    found = prepare({"data.csv": data})
    assert found.code == 1
    command = re.search("((jq|tail|sed|tr) .* FILE > [A-Z_]*(FILE[.a-z]*))", found.message)
    assert command, found.message
    (tmp_path / "FILE").write_text(data)
    subprocess.run(command[1], shell=True, check=True, cwd=tmp_path)
    name = command[1].rpartition(" ")[2]
    mended = prepare({"data.csv": (tmp_path / name).read_bytes()}, folder="mended")
    assert mended.code == 0, mended.err
    assert sum(mended.schema["rows"].values()) in (len(ROWS), len(FULL))


@pytest.mark.parametrize("names", ["no", "no,yes", "no,yes,perhaps"])
def test_a_first_line_of_counts_and_class_names_is_no_row(
    prepare: Callable[..., Prepared], names: str
) -> None:
    rows = "".join(f"{n / 8},{n * 37 % 101},{n % 2},{n * n % 3 % 2}\n" for n in range(300))
    settings: dict[str, Any] = {"header": False, "columns": ["a", "b", "c", "y"]}
    found = prepare(f"300,3,{names}\n" + rows, **settings)
    assert f"data.csv: the first line, '300,3,{names}', gives numbers of rows and columns" in found.message
    assert "tail -n +2 FILE" in found.message
    texts = "".join(f"{n},3,{'ab'[n % 2]},{('no', 'yes')[n * n % 3 % 2]}\n" for n in range(300))
    assert prepare(texts, folder="texts", **settings).code == 0  # such rows there are


@pytest.mark.parametrize("text", ["Gesch\u00e4ft", "20 \u20ac"])
def test_the_command_for_another_encoding_works(
    prepare: Callable[..., Prepared], tmp_path: Path, text: str
) -> None:
    data = GOOD.replace("shop", text)
    (tmp_path / "FILE").write_bytes(data.encode("windows-1252"))
    found = prepare({"data.csv": (tmp_path / "FILE").read_bytes()})
    command = found.message.partition("Convert it to UTF-8: ")[2].replace("NEW_FILE", "NEW")
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    same(
        prepare(data, folder="plain"), prepare({"data.csv": (tmp_path / "NEW").read_bytes()}, folder="other")
    )


def test_a_command_for_a_packed_file_or_one_in_utf_16_says_what_comes_first(
    prepare: Callable[..., Prepared],
) -> None:
    titled = "# A title\n" + GOOD
    for name, data in (
        ("data.csv.gz", gzip.compress(titled.encode())),
        ("data.zip", zipped(a_dot_csv=titled)),
    ):
        assert "Unpack it first. If that is the header, remove the lines" in prepare({name: data}).message
    array = gzip.compress(b'[{"a": 1}]')
    assert "Unpack it first. Write one JSON object a line: jq" in prepare({"data.json.gz": array}).message
    for encoding in ("utf-16", "utf-16-le"):
        message = prepare(titled.encode(encoding)).message
        assert f"First iconv -f {encoding.replace('16-', '16')} -t utf-8 FILE > UTF8_FILE. If" in message


def test_what_lies_beside_the_data_is_passed_over_and_named(prepare: Callable[..., Prepared]) -> None:
    plain = prepare(GOOD, folder="plain")
    files = {"README.md": "# Data\n", "LICENSE": "Free", "data.csv": GOOD, "data.csv.md5": "0"}
    found = prepare(files, folder="more")
    same(plain, found)
    assert "README.md is no data by its name and is passed over" in found.out
    assert prepare({"readings.txt": GOOD}, folder="other").code == 0
    assert prepare({"README.txt": GOOD}, folder="other").code == 0  # alone, it must be the data
    for beside in ("a,b\n1,2\n", "a,b\n1,2,3\n"):  # in order before the data, which names the columns
        found = prepare({"codebook.csv": beside, "data.csv": GOOD}, folder="beside")
        assert found.message.startswith("codebook.csv")
        assert "if it is no data, move it away" in found.message


@pytest.mark.parametrize("name", ["data.parquet", "data.zip", "data.csv.gz"])
def test_the_content_counts_and_not_the_name(prepare: Callable[..., Prepared], name: str) -> None:
    same(prepare(GOOD, folder="plain"), prepare({name: GOOD}, folder="other"))


def test_a_file_without_a_header_is_told_so(prepare: Callable[..., Prepared]) -> None:
    found = prepare(as_csv(None, FULL))
    assert "set header = false and give all 6 names in columns" in found.message
    assert "set header = false, too" in prepare(as_csv(None, ROWS)).message
    assert prepare(as_csv(None, ROWS), header=False, columns=HEADER).code == 0
    more = prepare({"0.csv": as_csv(None, FULL), "1.csv": GOOD})
    assert more.message.startswith("0.csv")
    assert "If it has no header, give it the one of 1.csv" in more.message


def test_letters_that_are_not_latin_ask_for_their_encoding(prepare: Callable[..., Prepared]) -> None:
    for encoding, text in (
        ("windows-1251", "\u041c\u043e\u0441\u043a\u0432\u0430"),
        ("gb18030", "\u4e2d\u56fd"),
    ):
        message = prepare(GOOD.replace("shop", text).encode(encoding)).message
        assert encoding in message
        assert "iconv -f ENCODING" in message


def test_texts_in_parquet_that_are_no_utf8_are_refused_by_column(prepare: Callable[..., Prepared]) -> None:
    for form in (pa.string(), pa.large_string()):
        width = pa.binary() if form == pa.string() else pa.large_binary()
        texts = pa.array([b"Z\xfcrich", b"Bern"] * 100, width).view(form)
        table = pa.table({"a": range(200), "town": texts, "y": ["a", "b"] * 100})
        found = prepare(table)
        assert found.message.startswith("data.parquet: column 'town' holds texts that are not UTF-8. Write")
        assert prepare(table, drop=["town"]).code == 0


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_folders_may_name_columns_as_hive_does(prepare: Callable[..., Prepared], form: str) -> None:
    rows = [[n % 97, 2020 + n % 3, ("N/A", "a b", "c")[n % 3], "yes" if n % 4 else "no"] for n in range(600)]
    header = ["a", "year", "shop", "y"]
    files: dict[str, Any] = {}
    for year, shop, label in {(row[1], row[2], row[3]) for row in rows}:
        values = [row[0] for row in rows if row[1:] == [year, shop, label]]
        folder = "__HIVE_DEFAULT_PARTITION__" if shop == "N/A" else shop.replace(" ", "%20")
        name = f"year={year}/shop={folder}/y={label}/part.{form}"
        files[name] = pa.table({"a": values}) if form == "parquet" else as_csv(["a"], [[n] for n in values])
    found = prepare(files, folder="hive")
    assert found.code == 0, found.err
    assert found.schema["source_columns"] == header
    assert [feature["kind"] for feature in found.schema["features"]] == ["number", "number", "category"]
    got = sorted((tuple(row) for part in PARTS for row in found.rows(part)), key=repr)
    expected = [(a, year, None if shop == "N/A" else shop, label) for a, year, shop, label in rows]
    assert got == sorted(expected, key=repr)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_continuous_target_is_a_regression(prepare: Callable[..., Prepared], task: str) -> None:
    rows = [[n, round((n * 37 % 1001) / 17 - 2.83, 1)] for n in range(6000)]
    found = prepare(as_csv(["a", "y"], rows), task=task)
    assert found.code == 1
    assert "this is a regression" in found.message
    marked = [[a, y if a % 20 else "n.a."] for a, y in rows[:900]]
    found = prepare(as_csv(["a", "y"], marked), task=task)
    assert 'task = "regression" and also_missing = ["n.a."]' in found.message
    commas = [[a, f"{y}".replace(".", ",")] for a, y in rows[:900]]
    found = prepare(as_csv(["a", "y"], commas), task=task)
    assert 'task = "regression" and decimal = ' in found.message
    assert prepare(as_csv(["a", "y"], commas), task="regression", decimal={"y": ","}).code == 0


def test_an_error_names_keys_as_the_settings_file_does(prepare: Callable[..., Prepared]) -> None:
    found = prepare(GOOD, positive_class="maybe")
    assert found.message.startswith("positive_class is 'maybe', but the target 'y' has 'no', 'yes'")
    assert "dataset.json" not in prepare(GOOD, key="y").message


@pytest.mark.parametrize(
    ("data", "what", "columns"),
    [
        pytest.param(
            "% About\n\n@relation x\n@attribute a numeric\n@attribute y {'b c',d}\n@DATA\n"
            + "".join(f"{n},'b c'\n% {n}\n{n},d\n" for n in range(150)),
            "an ARFF file",
            ["a", "y"],
            id="ARFF",
        ),
        pytest.param(
            "".join(f"0 1:{n}\n1 1:{n / 8} 3:{n}\n" for n in range(150)),
            "a file of LIBSVM",
            ["y", "a", "b", "c"],
            id="LIBSVM",
        ),
    ],
)
def test_rows_of_another_programs_format_become_a_csv_by_the_command_that_is_named(
    prepare: Callable[..., Prepared], tmp_path: Path, data: str, what: str, columns: list[str]
) -> None:
    refused = prepare({"data.txt": data})
    assert f"this is {what}" in refused.message
    (tmp_path / "FILE").write_text(data)
    command = refused.message.partition("header: ")[2]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(command, shell=True, check=True, cwd=tmp_path, env={**os.environ, "PATH": path})
    content = (tmp_path / "FILE.csv").read_bytes()
    found = prepare({"data.csv": content}, folder="csv", header=False, columns=columns, quote="'")
    assert found.code == 0, found.err
    assert sum(found.schema["rows"].values()) == 300


@pytest.mark.parametrize(
    ("header", "settings", "said"),
    [
        ("'a','b','y'", {}, """Its names stand between ': set quote = "'\""""),
        ('"a","b","y"', {"quote": ""}, 'Its names stand between ": set quote = '),
        ("\u201ca\u201d,\u201cb\u201d,\u201cy\u201d", {}, "write simple quotation marks"),
        ("red,round,no", {}, "the file has no header; set header = false and give all 3 names in columns"),
        ("x7,round,no", {}, "the file has no header; set header = false"),
        ("2024-01-31,NA,never", {}, "the file has no header; set header = false"),
        ("a,b,label", {}, "There are: 'a', 'b', 'label'"),
        ("red,b,label", {}, "There are: 'b', 'label', 'red'"),
    ],
)
def test_a_target_between_other_quotes_or_without_a_header_is_explained(
    prepare: Callable[..., Prepared], header: str, settings: dict[str, Any], said: str
) -> None:
    colours, shapes = ("red", "green", "blue"), ("round", "flat")
    rows = [f"{colours[n % 3]},{shapes[n * n % 7 % 2]},{'yes' if n * n % 5 else 'no'}" for n in range(300)]
    found = prepare("\n".join([header, *rows]) + "\n", **settings)
    assert found.code == 1
    assert "there is no target column 'y'. " in found.message
    assert said in found.message


def test_a_first_line_of_values_that_counts_as_a_header_is_named(prepare: Callable[..., Prepared]) -> None:
    rows = [f"{n / 8},{('round', 'flat')[n % 2]},{'yes' if n * n % 5 else 'no'}" for n in range(300)]
    data, columns = "\n".join(rows) + "\n", ["a", "b", "y"]
    lost = prepare(data, columns=columns)
    assert "the first line of data.csv holds values such as '0.0', 'round', 'no'" in lost.out
    assert lost.finding("header_of_values")["remedy"].startswith("Set header = false")
    whole = prepare(data, columns=columns, header=False, folder="whole")
    assert sum(whole.schema["rows"].values()) == sum(lost.schema["rows"].values()) + 1 == 300
    assert whole.findings == prepare("size,form,label\n" + data, columns=columns, folder="named").findings
