"""What a file is, is seen by its first bytes: it is read, or named for what it is."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import subprocess
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


def test_what_lies_beside_the_data_is_passed_over_and_named(prepare: Callable[..., Prepared]) -> None:
    plain = prepare(GOOD, folder="plain")
    files = {"README.md": "# Data\n", "LICENSE": "Free", "data.csv": GOOD, "data.csv.md5": "0"}
    found = prepare(files, folder="more")
    same(plain, found)
    assert "README.md is no data by its name and is passed over" in found.out
    assert prepare({"readings.txt": GOOD}, folder="other").code == 0
    assert prepare({"README.txt": GOOD}, folder="other").code == 0  # alone, it must be the data


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
    commas = [[a, f"{y}".replace(".", ",")] for a, y in rows[:900]]
    found = prepare(as_csv(["a", "y"], commas), task=task)
    assert 'task = "regression" and decimal = ' in found.message
    assert prepare(as_csv(["a", "y"], commas), task="regression", decimal={"y": ","}).code == 0


def test_an_error_names_keys_as_the_settings_file_does(prepare: Callable[..., Prepared]) -> None:
    found = prepare(GOOD, positive_class="maybe")
    assert found.message.startswith("positive_class is 'maybe', but 'y' has 'no', 'yes'")
    assert "dataset.json" not in prepare(GOOD, key="y").message
