"""Bad data and settings: exit code 1, one line that says what, where and what to do, also as the exit
text."""

from __future__ import annotations

import errno
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from program_runs import PARTS, ROOT, Prepared, as_csv, lay_out, mixed_rows, without_utf_8_in_a_name

HEADER, ROWS = mixed_rows(120)
GOOD = as_csv(HEADER, ROWS)


def check(prepared: Prepared, *texts: str) -> None:
    assert prepared.code == 1, prepared.out
    assert prepared.err == f"error: {prepared.message}\n"
    assert "\n" not in prepared.message
    for text in texts:
        assert text in prepared.message


@pytest.mark.parametrize(
    ("data", "settings", "texts"),
    [
        pytest.param({}, {}, ["there is no data"], id="no file at all"),
        pytest.param(
            {"_SUCCESS": b"x", ".hidden.csv": GOOD}, {}, ["there is no data"], id="only hidden files"
        ),
        pytest.param("", {}, ["data.csv: the file is empty"], id="empty file"),
        pytest.param("a,y\n", {}, ["data.csv: there are no rows, only a header"], id="only a header"),
        pytest.param(
            GOOD, {"target": "Y"}, ["there is no target column 'Y'", "Did you mean 'y'?"], id="no target"
        ),
        pytest.param(
            {"yes/1.csv": "a\n1\n", "no/1.csv": "a\n2\n", "no/b/2.csv": "a\n3\n"},
            {},
            [
                "there is no target column 'y', and the files lie in folders named 'no', 'yes'",
                "If the folders are the classes, rename them to y=no, y=yes",
            ],
            id="folders that may be classes",
        ),
        pytest.param(
            {"2023/1.csv": GOOD, "2024/1.csv": GOOD},
            {"target": "Y"},
            ["there is no target column 'Y'", "Did you mean 'y'?"],
            id="no target in folders of another kind",
        ),
        pytest.param(
            GOOD,
            {"drop": ["vists"]},
            ["drop names a column 'vists'", "Did you mean 'visits'?"],
            id="unknown drop",
        ),
        pytest.param(
            GOOD, {"features": ["zzz"]}, ["features names a column 'zzz'", "There are:"], id="feature"
        ),
        pytest.param(
            GOOD,
            {"split": {"train": 0.7, "validation": 0.3, "test": 1e-17}, "stratify": False},
            ["is too rare", "none fell into test (identical rows share a part)"],
            id="a share that rounds to nothing",
        ),
        pytest.param(GOOD, {"key": "y"}, ["key names the target 'y'", "Take it out"], id="the key as target"),
        pytest.param(GOOD, {"key": "client"}, ["key names a column 'client'"], id="unknown key column"),
        pytest.param(
            GOOD, {"kinds": {"foo": "number"}}, ["kinds names a column 'foo'"], id="unknown kind column"
        ),
        pytest.param(
            GOOD, {"features": ["visits"], "drop": ["visits"]}, ["no feature is left"], id="no feature"
        ),
        pytest.param(
            GOOD.replace("yes", "no"),
            {},
            ["the target 'y' has one class only, 'no'", "another class"],
            id="one class",
        ),
        pytest.param(
            GOOD.replace("yes\n", "maybe\n", 3),
            {},
            ["the task is binary", "3 classes: 'maybe', 'no', 'yes'", 'task = "multiclass"'],
            id="three classes",
        ),
        pytest.param(
            GOOD, {"positive_class": "true"}, ["positive_class is 'true'", "'no', 'yes'"], id="positive class"
        ),
        pytest.param(
            GOOD,
            {"floor_classes": ["yes", "yess", "maybe"]},
            ["the gate has floors for 'yess', 'maybe', no class of the target 'y'. Did you mean 'yes'?"],
            id="unknown classes of the gate's floors",
        ),
        pytest.param(
            GOOD.replace(",yes\n", ",rare\n", 2),
            {"task": "multiclass"},
            ["class 'rare' of the target 'y' is too rare: of its 2 rows none fell into", "merge it"],
            id="rare class",
        ),
        pytest.param(
            as_csv(["a", "b", "y"], [[n, "NA", n % 2] for n in range(60)]),
            {},
            ["column 'b' has no value", 'Set drop = ["b"]'],
            id="all missing",
        ),
        pytest.param(
            GOOD + "1,2\n",
            {},
            ["data.csv, line 122: expected 6 fields, found 2: '1,2'", "Correct that line"],
            id="short line",
        ),
        pytest.param(
            "a,b,y\n" + '1,"x\ny",no\n' * 50 + "1,2,3,4\n",
            {},
            ["data.csv, line 102: expected 3 fields, found 4"],
            id="line number after quoted line breaks",
        ),
        pytest.param(
            "a,b,y\r1,2,no\r3,4,no\r5,6\r7,8,no\r",
            {},
            ["data.csv, line 4: expected 3 fields, found 2: '5,6'"],
            id="lines that end with a carriage return",
        ),
        pytest.param(
            "a,b,y\n1,2,no\n3,4\r5,no\n",
            {},
            ["data.csv, line 3: expected 3 fields, found 2: '3,4'"],
            id="a carriage return in a line",
        ),
        pytest.param(
            GOOD + '1,2,"x,true,2024-01-01 00:00:00,no\n' + GOOD.partition("\n")[2],
            {},
            ["data.csv, line 122: a quote is opened and never closed"],
            id="open quote",
        ),
        pytest.param(
            {"x.parquet": b"not parquet\n1"}, {}, ["x.parquet: there is no target column"], id="no Parquet"
        ),
        pytest.param(
            {"x.parquet": b"PAR1" + b"x" * 99}, {}, ["x.parquet: it begins as a Parquet"], id="cut Parquet"
        ),
        pytest.param(
            {"x.parquet": without_utf_8_in_a_name("a")},
            {},
            ["x.parquet: it begins as a Parquet", "codec"],
            id="a name in Parquet in another encoding",
        ),
        pytest.param(
            GOOD.replace("visits", "b\xe9suche", 1).encode("latin-1"),
            {},
            ["data.csv, line 1: byte 9 is not UTF-8 (0xe9)", "iconv"],
            id="a header in another encoding",
        ),
        pytest.param({"x.csv.gz": gzip.compress(GOOD.encode())[:-400]}, {}, ["x.csv.gz"], id="cut gzip"),
        pytest.param(
            {"a.csv": GOOD, "sub/b.csv": GOOD.replace("visits", "visit", 1)},
            {},
            ["sub/b.csv: its columns are not those of a.csv: it lacks 'visits' and has also 'visit'"],
            id="different columns",
        ),
        pytest.param(
            as_csv(["a", "y"], [[n, ""] for n in range(9)]),
            {},
            ["no row has a value in the target 'y'"],
            id="no label",
        ),
        pytest.param(
            (GOOD + "1,2,caf\xe9,true,2024-01-01 00:00:00,no\n").encode("latin1"),
            {},
            ["data.csv, line 122: byte 8 is not UTF-8 (0xe9)", "iconv"],
            id="latin1",
        ),
        pytest.param("a,b,a,y\n1,2,3,no\n", {}, ["'a' is used more than once (columns 1, 3)"], id="twice"),
        pytest.param(
            GOOD,
            {"columns": ["a", "b"]},
            ["it has 6 columns, but columns names 2"],
            id="names for other columns",
        ),
        pytest.param(GOOD, {"header": False}, ["has no header and columns is not given"], id="no header"),
        pytest.param(
            GOOD,
            {"kinds": {"shop": "number"}},
            ["data.csv, line 3: kinds says that column 'shop' is a number, but this is 'shop 1'"],
            id="not of its kind",
        ),
        pytest.param(GOOD, {"kinds": {"shop": "text"}}, ["dataset.json: kinds is"], id="no such kind"),
        pytest.param(GOOD, {"tarrget": "y"}, ["there is no key 'tarrget'", "'target'"], id="unknown key"),
        pytest.param(
            GOOD, {"split": {"train": 0.9, "validation": 0.2, "test": 0.1}}, ["add up to 1"], id="split"
        ),
        pytest.param(GOOD, {"delimiter": "::"}, ["delimiter is", "one character"], id="delimiter"),
        pytest.param(
            as_csv(["a", "y"], [[n, n + 0.5] for n in range(4000)]),
            {"task": "multiclass"},
            ["more than 1,000 different numbers: this is a regression", 'Set task = "regression"'],
            id="a number as the target",
        ),
        pytest.param(
            as_csv(["a", "y"], [[n, f"order of {n}"] for n in range(4000)]),
            {"task": "multiclass"},
            ["'y' has more than 1,000 different values", "Group its values into classes, or name another"],
            id="texts of which hardly any comes again as the target",
        ),
        *(
            pytest.param(
                as_csv(["a", "y"], [[n, n * 0.5 - 2.83] for n in range(400)]),
                {"task": task},
                ["holds 400 different numbers in 400 rows, from -2.83 to 196.67: this is a regression"],
                id=f"a quantity as the target of a {task} task",
            )
            for task in ("binary", "multiclass")
        ),
        pytest.param(
            as_csv(["a", "y"], [[n, n * 0.5] for n in range(99)] + [[1, "cheap"]]),
            {"task": "regression"},
            ["data.csv, line 101: the target 'y' of a regression must be a number, but this is 'cheap'"],
            id="a text as the target of a regression",
        ),
        pytest.param(
            GOOD,
            {"task": "regression", "target": "member"},
            ["data.csv, line 2: the target 'member' of a regression must be a number, but this is 'true'"],
            id="a boolean as the target of a regression",
        ),
        pytest.param(
            pa.table({"a": [1, 2], "y": ["one", "two"]}),
            {"task": "regression"},
            ["data.parquet: the target 'y' of a regression must be a number, but this is 'one'"],
            id="a Parquet column of texts as the target of a regression",
        ),
        *(
            pytest.param(
                as_csv(["a", "y"], [[n, n / 4] for n in range(99)] + [[1, value]]),
                {"task": "regression"},
                [f"the target 'y' holds {float(value)!r}; no number beyond 1e+18 can be learnt"],
                id=f"{value} as the target of a regression",
            )
            for value in ("inf", "-inf", "-1e19")
        ),
        pytest.param(
            as_csv(["a", "y"], [[n, 5] for n in range(99)]),
            {"task": "regression"},
            ["the target 'y' is 5 in every row of the training part"],
            id="a regression whose target never varies",
        ),
        pytest.param(
            as_csv(["a", "y"], [[1, 5.5]]),
            {"task": "regression"},
            ["of 1 rows none fell into", "(identical rows share a part)", "Give more rows"],
            id="a regression of one row",
        ),
        pytest.param(
            as_csv(["a", "y"], [[n, "NA"] for n in range(9)]),
            {"task": "regression"},
            ["no row has a value in the target 'y'"],
            id="a regression without targets",
        ),
        pytest.param(
            pa.table({"a": [[1], [2]], "b": [1, 2], "y": ["no", "yes"]}),
            {},
            ["column 'a' holds lists", "Convert it to numbers,", ', or set drop = ["a"]'],
            id="nested column",
        ),
        pytest.param(
            pa.table({"a": [[1], [2]], "b": [b"1", b"2"], "c": [{"d": 1}] * 2, "y": ["no", "yes"]}),
            {"drop": ["c"]},
            ["columns 'a', 'b' hold lists", "Convert them to numbers,", ', or set drop = ["c", "a", "b"]'],
            id="nested columns",
        ),
        pytest.param(
            as_csv(["a", *"bcdefghijk", "y"], [[n, *[""] * 10, "no" if n % 3 else "yes"] for n in range(99)]),
            {},
            [
                "columns 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i' and 2 more have no value in any row of the",
                'Set drop = ["b", "c", "d", "e", "f", "g", "h", "i", "j", "k"], or correct missing_values',
            ],
            id="features without a value",
        ),
        pytest.param(
            GOOD, {"target": "day"}, ["the target 'day' holds timestamps"], id="timestamps as the target"
        ),
    ],
)
def test_bad_input_is_one_clear_line(
    prepare: Callable[..., Prepared], data: Any, settings: dict[str, Any], texts: list[str]
) -> None:
    check(prepare(data, **settings), *texts)


def test_a_target_that_no_model_reads_is_not_to_be_dropped(prepare: Callable[..., Prepared]) -> None:
    prepared = prepare(pa.table({"a": [1, 2], "y": [["no"], ["yes"]]}))
    check(prepared, "column 'y' holds lists")
    assert prepared.message.endswith("Convert it to numbers, texts, booleans or timestamps")


def test_a_malformed_line_far_down_is_found_too(prepare: Callable[..., Prepared]) -> None:
    lines = "1.5,2,shop,true,2024-01-01 00:00:00,no\n" * 150_000
    check(
        prepare(GOOD + lines + "oops\n" + lines), "data.csv, line 150122: expected 6 fields, found 1: 'oops'"
    )


def test_rows_without_a_target_are_left_out_and_counted(prepare: Callable[..., Prepared]) -> None:
    prepared = prepare(GOOD + "1,2,shop 1,true,2024-01-01 00:00:00,\n" * 3)
    assert prepared.code == 0
    assert prepared.message.startswith("120 rows: ")
    assert "3 rows have no value in the target 'y' and were left out" in prepared.out


@pytest.mark.parametrize(
    "content",
    [b"\n\r\n", b"\xef\xbb\xbf", gzip.compress(b""), gzip.compress(b"\n")],
    ids=["blank lines", "a mark of Unicode alone", "nothing, packed", "a blank line, packed"],
)
def test_a_file_that_holds_nothing_is_empty_however_many_bytes_it_has(
    prepare: Callable[..., Prepared], content: bytes
) -> None:
    header, rows = mixed_rows(300)
    prepared = prepare({"a.csv": as_csv(header, rows), "b.csv": content})
    assert prepared.code == 0, prepared.err
    assert prepared.finding("empty_file")["text"] == "b.csv is empty and is passed over"
    alone = prepare({"b.csv": content})
    assert alone.message == "b.csv: the file is empty. Give a file with rows in it"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_file_of_one_line_without_an_end_is_read_as_one_with_it(
    prepare: Callable[..., Prepared], pack: Callable[[bytes], bytes]
) -> None:
    header, rows = mixed_rows(300)
    names = as_csv(header, []).encode()
    prepared = prepare({"a.csv": as_csv(header, rows), "b.csv": pack(names.rstrip())})
    assert prepared.message.startswith("300 rows: "), prepared.err
    text = as_csv(None, rows[1:])
    first = as_csv(None, rows[:1]).rstrip().encode()
    prepared = prepare({"a.csv": text, "b.csv": pack(first)}, header=False, columns=header)
    assert prepared.message.startswith("300 rows: "), prepared.err


def test_an_empty_file_among_others_is_passed_over_and_named(prepare: Callable[..., Prepared]) -> None:
    prepared = prepare({"a.csv": GOOD, "b.csv": ""})
    assert prepared.code == 0
    assert "b.csv is empty and is passed over" in prepared.out


def test_too_many_texts_keep_the_most_frequent_and_warn(prepare: Callable[..., Prepared]) -> None:
    rows = [
        [f"common {n % 3}" if n % 2 else f"rare {n}", n % 5, "yes" if n % 3 else "no"] for n in range(300)
    ]
    prepared = prepare(as_csv(["name", "n", "y"], rows), max_categories=3)
    assert prepared.code == 0
    assert prepared.schema["features"][0]["categories"] == ["common 0", "common 1", "common 2"]
    assert "warning: column 'name' has" in prepared.out
    assert "raise max_categories" in prepared.out


def test_a_question_mark_among_numbers_means_missing_and_is_counted(
    prepare: Callable[..., Prepared],
) -> None:
    rows = [[n % 40 if n % 9 else "?", f"c{n % 7}", n % 2] for n in range(400)]
    data = as_csv(["n", "c", "y"], rows)
    found = prepare(data)
    assert found.code == 0, found.err
    assert "column 'n' holds '?' in 45 of 400 rows; it counts as missing" in found.out
    assert found.schema["features"][0] == {"name": "n", "kind": "number", "also_missing": ["?"]}
    assert sum(found.part(part)["n"].null_count for part in PARTS) == 45
    assert "'c'" not in found.out
    for settings in ({"missing_values": ["?"]}, {"also_missing": ["?"]}, {"kinds": {"n": "category"}}):
        assert "'?'" not in prepare(data, **settings).out


@pytest.mark.parametrize("marks", [["-"], ["unknown"], ["."], ["missing", "n.a."], ["so"]])
def test_another_mark_among_numbers_stops_the_run_with_the_line_that_reads_it(
    prepare: Callable[..., Prepared], marks: list[str]
) -> None:
    rows = [[n % 40 if n % 9 else marks[n % len(marks)], n % 2] for n in range(400)]
    data = as_csv(["n", "y"], rows)
    found = prepare(data)
    assert found.code == 1
    line = f"also_missing = [{', '.join(json.dumps(mark) for mark in sorted(marks))}]"
    assert line in found.message
    fixed = prepare(data, also_missing=marks)
    assert fixed.schema["features"] == [{"name": "n", "kind": "number"}]
    assert sum(fixed.part(part)["n"].null_count for part in PARTS) == 45
    assert prepare(data, kinds={"n": "category"}).code == 0


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_remedy_for_a_demanded_kind_names_all_texts_that_may_mean_no_value(
    prepare: Callable[..., Prepared], form: str
) -> None:
    odd = ["-", "fehlt", "k.A."]
    texts = [odd[n // 100] if n % 100 == 99 else f"{n / 4}" for n in range(300)]
    table = pa.table({"n": texts, "y": ["a", "b"] * 150})
    data: Any = (
        table if form == "parquet" else as_csv(["n", "y"], zip(*table.to_pydict().values(), strict=True))
    )
    settings = {"kinds": {"n": "number"}}
    found = prepare(data, **settings)
    assert "kinds says that column 'n' is a number, but this is '-'. Set" in found.message
    assert f"Set also_missing = {json.dumps(odd)} if they mean that there is no value; else" in found.message
    assert prepare(data, **settings, also_missing=odd).code == 0
    words = as_csv(["n", "y"], [[f"word {n}", n % 2] for n in range(300)])
    assert 'Set also_missing = ["word 0"] if it means' in prepare(words, **settings).message


def test_a_late_text_in_a_column_of_numbers_is_named(prepare: Callable[..., Prepared]) -> None:
    rows = [[n / 7, n % 2] for n in range(100_000)]
    data = as_csv(["n", "y"], [*rows, ["so", 1]])
    found = prepare(data)
    assert found.code == 1
    assert "data.csv: column 'n': CSV conversion error to double: invalid value 'so'" in found.out
    assert "column 'n' holds numbers and 'so'" in found.message
    assert 'Set also_missing = ["so"]' in found.message
    assert prepare(data, also_missing=["so"]).schema["features"] == [{"name": "n", "kind": "number"}]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_class_named_none_does_not_vanish(prepare: Callable[..., Prepared], form: str) -> None:
    rows = [[n % 31, ["None", "Mild", "Severe", "None", "Mild"][n % 5]] for n in range(600)]
    data: Any = as_csv(["a", "y"], rows)
    if form == "parquet":
        data = pa.table({"a": [row[0] for row in rows], "y": [row[1] for row in rows]})
    found = prepare(data, task="multiclass")
    assert found.code == 1
    assert (
        "240 of 600 rows have 'None' in the target 'y': is it a class, or a missing value?" in found.message
    )
    kept = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
    assert f"set missing_values = {json.dumps(kept)}; if it is missing, set also_missing = [" in found.message
    as_class = prepare(data, task="multiclass", missing_values=kept)
    assert as_class.schema["classes"] == ["Mild", "None", "Severe"]
    assert sum(as_class.schema["rows"].values()) == 600
    missing = prepare(data, task="multiclass", also_missing=["None"])
    assert missing.schema["classes"] == ["Mild", "Severe"]
    assert "240 rows have no value, but 'None', in the target 'y' and were left out" in missing.out
    renamed = prepare(data, task="multiclass", class_names={"None": "No injury"})
    assert renamed.schema["classes"] == ["Mild", "No injury", "Severe"]


def test_a_mark_among_classes_that_are_numbers_is_asked_about_too(prepare: Callable[..., Prepared]) -> None:
    rows = [[n % 31, ["None", "1", "2"][n % 3]] for n in range(600)]
    found = prepare(as_csv(["a", "y"], rows))
    assert "200 of 600 rows have 'None' in the target 'y'" in found.message
    rare = prepare(as_csv(["a", "y"], [[n % 31, "NA" if n % 200 == 0 else n % 2] for n in range(600)]))
    assert rare.code == 0
    assert "3 rows have no value, but 'NA', in the target 'y' and were left out" in rare.out


def test_a_frequent_mark_in_a_category_is_asked_about_and_a_rare_one_said(
    prepare: Callable[..., Prepared],
) -> None:
    def rows(every: int, mark: str) -> str:
        kinds = ("Grvl", "Pave", "Dirt")
        return as_csv(
            ["alley", "n", "y"],
            [[mark if n % every == 0 else kinds[n % 3], n, n % 2] for n in range(600)],
        )

    found = prepare(rows(2, "NA"))
    assert (
        "300 of 600 rows have 'NA' in column 'alley': is it a category, or a missing value?" in found.message
    )
    kept = prepare(rows(2, "NA"), missing_values=["", "N/A", "NaN", "nan", "null", "NULL", "None"])
    assert kept.schema["features"][0]["categories"] == ["Dirt", "Grvl", "NA", "Pave"]
    missing = prepare(rows(2, "NA"), also_missing=["NA"])
    assert missing.schema["features"][0]["categories"] == ["Dirt", "Grvl", "Pave"]
    for every, mark in ((2, "NaN"), (40, "NA")):
        said = prepare(rows(every, mark))
        assert f"{600 // every} of 600 rows have {mark!r} in column 'alley'; it counts as missing" in said.out


def test_a_number_that_means_missing_does_so_however_it_is_spelt(prepare: Callable[..., Prepared]) -> None:
    spelt = ["-999", "-999.0", "-999.00", " -999", "-9.99e2"]
    rows = [[spelt[n % 5] if n % 10 == 0 else n / 4, -999 if n % 7 == 0 else n, n % 2] for n in range(400)]
    data = as_csv(["a", "b", "y"], rows)
    found = prepare(data, also_missing=["-999"])
    assert sum(found.part(part)["a"].null_count for part in PARTS) == 40
    assert sum(found.part(part)["b"].null_count for part in PARTS) == 58
    table = pa.table(
        {"a": [-999.0 if n % 10 == 0 else n / 4 for n in range(400)], "y": [n % 2 for n in range(400)]}
    )
    found = prepare(table, also_missing=["-999"])
    assert sum(found.part(part)["a"].null_count for part in PARTS) == 40


def test_missing_settings_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import preprocess

    lay_out(tmp_path, {"a.csv": GOOD}, {})
    (tmp_path / "processing/input/settings/dataset.json").unlink()
    assert preprocess.main(["--opt-ml", str(tmp_path)]) == 1
    assert "dataset.json: there is no such file" in capsys.readouterr().err


def test_a_full_disk_is_one_line() -> None:
    import preprocess

    assert preprocess._disk_is_full(OSError(errno.ENOSPC, "No space left on device"))
    assert not preprocess._disk_is_full(OSError(errno.EACCES, "Permission denied"))


def test_a_disk_that_fills_up_while_writing_is_one_line(tmp_path: Path) -> None:
    """/dev/full stands in for the disk: the kernel answers every write to it with ENOSPC."""
    folder = lay_out(tmp_path, {"a.csv": GOOD}, {"task": "binary", "target": "y"})
    schema = folder / "processing" / "output" / "schema"
    schema.mkdir(parents=True)
    (schema / "schema.json").symlink_to("/dev/full")
    finished = subprocess.run(
        [sys.executable, str(ROOT / "processing/preprocess.py"), "--opt-ml", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 1
    assert finished.stderr.count("\n") == 1
    assert "the disk is full" in finished.stderr


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    """Four times the rows, 80 MB more of text, must not take more than buffers' worth of memory on top."""
    rows = "0.123456,23456,shop 7,true,2024-01-01 00:00:00,no\n1.5,2,shop 9,false,2024-01-02 00:00:00,yes\n"

    def peak_mb(name: str, times: int) -> float:
        folder = lay_out(tmp_path / name, {"a.csv": GOOD + rows * times}, {"task": "binary", "target": "y"})
        program = [sys.executable, str(ROOT / "processing/preprocess.py"), "--opt-ml", str(folder)]
        child = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        return usage.ru_maxrss / 1024

    assert peak_mb("four times", 1_120_000) < peak_mb("once", 280_000) + 60


def test_times_outside_the_calendar_and_marks_in_a_number_name_the_line_that_decides(
    prepare: Callable[..., Prepared],
) -> None:
    beyond = pa.array([2**44 + n for n in range(300)]).cast(pa.timestamp("s"))
    table = pa.table({"x": range(300), "t": beyond, "y": ["a", "b"] * 150})
    assert prepare(table).message.endswith('Write it again, or set drop = ["t"]')
    assert prepare(table, drop=["t"]).code == 0
    numbers = "x,y\n" + "".join(f"{n},{'-' if n % 20 == 7 else n * n}\n" for n in range(300))
    asked = prepare(numbers, task="regression")
    assert 'Set also_missing = ["-"] if it means that there is no value; else correct it' in asked.message
    assert prepare(numbers, task="regression", also_missing=["-"]).code == 0
