"""The data is looked at before anything is uploaded or started, by the preprocessing program's own code."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aws_formats.errors import GatehouseError
from aws_formats.sizes import size_in_words
from pipelines import ROOT
from pipelines.definition.bundles import dataset_settings
from pipelines.definition.look import THOROUGH_BYTES, Look, look_at, require
from pipelines.settings.project import Project
from pipelines.settings.target import Target

MakeProject = Callable[..., Project]
Content = str | bytes | pa.Table

SHOPS = ("north", "south", "east")
ROWS = "amount,shop,fraud\n" + "".join(
    f"{place}.5,{SHOPS[place % 3]},{'' if place % 10 == 9 else 'yes' if place % 4 == 0 else 'no'}\n"
    for place in range(200)
)
TABLE = pa.table(
    {
        "amount": [place + 0.5 for place in range(200)],
        "shop": [SHOPS[place % 3] for place in range(200)],
        "fraud": [None if place % 10 == 9 else "yes" if place % 4 == 0 else "no" for place in range(200)],
    }
)


def changed(*gate: str, data: str = "") -> list[tuple[str, str]]:
    """The fixture's settings with lines for the gate and for the data."""
    threshold, source = "accuracy_threshold = 0.9", 'source = "payments.csv"'
    return [(threshold, "\n".join([threshold, *gate])), (source, f"{source}\n{data}")]


def write(path: Path, content: Content) -> None:
    if isinstance(content, pa.Table):
        pq.write_table(content, path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def look(tmp_path: Path, make_project: MakeProject, local: Target) -> Callable[..., Look]:
    """A look at some data with the fixture's settings, changed."""

    def see(content: Content, *replacements: tuple[str, str], **options: Any) -> Look:
        project = make_project(tmp_path, *replacements)
        write(project.root / "payments.csv", content)
        return look_at(project, local, **options)

    return see


@pytest.fixture
def refusal(tmp_path: Path, make_project: MakeProject, local: Target) -> Callable[..., str]:
    """What is said of settings over some data; empty where nothing is wrong."""

    def ask(content: Content, *replacements: tuple[str, str]) -> str:
        project = make_project(tmp_path, *replacements)
        write(project.root / "payments.csv", content)
        try:
            require(project, look_at(project, local))
        except GatehouseError as error:
            return str(error)
        return ""

    return ask


AS_WRITTEN = {
    "csv": ROWS,
    "csv with a byte order mark and blank lines": "\ufeff\n\n" + ROWS,
    "csv with other line ends": ROWS.replace("\n", "\r\n"),
    "csv with quotes": ROWS.replace("shop", '"shop"').replace("yes", '"yes"'),
    "gzipped csv": gzip.compress(ROWS.encode()),
    "parquet": TABLE,
}


@pytest.mark.parametrize("content", AS_WRITTEN.values(), ids=AS_WRITTEN)
def test_what_the_data_holds_is_found_however_it_is_written(
    look: Callable[..., Look], content: Content
) -> None:
    found = look(content, *changed("gate.slices = ['shop']", "gate.slice_floor = 0.5"))
    assert (found.errors, found.whole) == ((), True)
    seen = found.document
    assert seen["rows"] == 200
    assert [
        (one["name"], one["kind"], one["role"], one["missing"], one["distinct"]) for one in seen["columns"]
    ] == [
        ("amount", "number", "feature", 0, 200),
        ("shop", "category", "feature", 0, 3),
        ("fraud", "category", "target", 20, 2),
    ]
    assert seen["columns"][0]["examples"] == ["0.5", "1.5", "2.5"]
    assert [(one["name"], one["rows"]) for one in seen["classes"]] == [("no", 130), ("yes", 50)]
    assert seen["positive_class"] == "yes"
    parts = [seen["split"][part] for part in ("train", "validation", "test")]
    assert sum(parts) == 180
    assert seen["split"]["without_target"] == 20
    assert [sum(one[part] for one in seen["classes"]) for part in ("train", "validation", "test")] == parts


@pytest.mark.parametrize("content", AS_WRITTEN.values(), ids=AS_WRITTEN)
def test_names_are_looked_for_however_the_data_is_written(
    refusal: Callable[..., str], content: Content
) -> None:
    said = refusal(
        content,
        *changed("gate.slices = ['shops']", "gate.slice_floor = 0.5", "gate.floors.recall.yess = 0.5"),
    )
    column = (
        "[projects.rc.fraud-detection.gate] slices: payments.csv has no column 'shops'. Did you mean 'shop'?"
    )
    floor = "[projects.rc.fraud-detection.gate.floors.recall] yess: the target 'fraud' has no class 'yess'."
    assert said.endswith(f"projects.toml: (1) {column} (2) {floor} Did you mean 'yes'?")


def test_the_job_counts_and_infers_what_the_look_said(
    tmp_path: Path, make_project: MakeProject, local: Target
) -> None:
    """The same rows in the same parts, and the same classes and kinds, as in what the job writes."""
    project = make_project(tmp_path)
    write(project.root / "payments.csv", ROWS)
    seen = look_at(project, local).document
    inputs = tmp_path / "ml" / "processing" / "input"
    (inputs / "raw").mkdir(parents=True)
    (inputs / "settings").mkdir()
    write(inputs / "raw" / "payments.csv", ROWS)
    (inputs / "settings" / "dataset.json").write_text(json.dumps(dataset_settings(project)))
    program = ROOT / "processing" / "preprocess.py"
    subprocess.run([sys.executable, str(program), "--opt-ml", str(tmp_path / "ml")], check=True)
    schema = json.loads((inputs.parent / "output" / "schema" / "schema.json").read_text())
    assert schema["rows"] == {part: seen["split"][part] for part in ("train", "validation", "test")}
    assert schema["classes"] == [one["name"] for one in seen["classes"]]
    assert schema["train_rows"] == [one["train"] for one in seen["classes"]]
    assert [(one["name"], one["kind"]) for one in schema["features"]] == [
        (one["name"], one["kind"]) for one in seen["columns"] if one["role"] == "feature"
    ]


def test_a_target_that_is_not_there_is_refused_with_the_nearest_right_one(
    refusal: Callable[..., str],
) -> None:
    said = refusal(ROWS, ('target = "fraud"', 'target = "fruad"'))
    assert said.endswith(
        "[projects.rc.fraud-detection.data] target: payments.csv has no column 'fruad'. Did you mean 'fraud'?"
    )


def test_all_columns_that_are_not_there_are_named_at_once(refusal: Callable[..., str]) -> None:
    said = refusal(
        ROWS,
        ('target = "fraud"', 'target = "frauds"'),
        *changed(
            "gate = { slices = ['shop', 'town'], slice_floor = 0.5 }",
            data='key = "card"\nfeatures = ["amount", "hour"]\ndrop = ["id"]\nkinds = { zip = "category" }',
        ),
    )
    assert [part.split(": ")[0].split("] ")[1] for part in said.split(" (")[1:]] == [
        *("target", "key", "features", "drop", "kinds", "slices"),
    ]
    assert "(1) [projects.rc.fraud-detection.data] target: payments.csv has no column 'frauds'." in said
    assert "'town'. The columns are: amount, fraud, shop." in said


def test_all_classes_that_are_not_there_are_named_at_once(refusal: Callable[..., str]) -> None:
    said = refusal(ROWS, *changed("gate.floors = { recall = { maybe = 0.5, yes = 0.5 }, f1.perhaps = 0.1 }"))
    assert "(1) [projects.rc.fraud-detection.gate.floors.recall] maybe: " in said
    assert "(2) [projects.rc.fraud-detection.gate.floors.f1] perhaps: " in said
    assert "(3)" not in said


def test_a_column_and_a_class_that_are_not_there_are_named_together(refusal: Callable[..., str]) -> None:
    """Both floors of one metric, which TOML takes with the class's name in quotes."""
    floors = ("gate.floors.recall = 0.5", "gate.floors.'recall.maybe' = 0.5")
    said = refusal(ROWS, *changed("gate.slices = ['shops']", "gate.slice_floor = 0.5", *floors))
    assert "(1) [projects.rc.fraud-detection.gate] slices: payments.csv has no column 'shops'." in said
    assert "[projects.rc.fraud-detection.gate.floors.recall] maybe: the target 'fraud' has no class" in said


def test_a_wrong_positive_class_and_a_wrong_floor_are_named_together(refusal: Callable[..., str]) -> None:
    said = refusal(ROWS, *changed("gate.floors.recall.maybe = 0.5"), ('"yes"', '"yess"'))
    assert "(1) [projects.rc.fraud-detection.data] positive_class: positive_class is 'yess'" in said
    assert "(2) [projects.rc.fraud-detection.gate.floors.recall] maybe: " in said


@pytest.mark.parametrize(
    ("values", "label"),
    [(["0", "1"], "1"), (["0.0", "1.0"], "1"), (["False", "TRUE"], "true"), (["a.b", "c"], "a.b")],
)
def test_a_class_is_found_by_the_name_that_preprocessing_gives_it(
    refusal: Callable[..., str], values: Sequence[str], label: str
) -> None:
    content = "amount,fraud\n" + "".join(f"{place},{values[place % 2]}\n" for place in range(100))
    positive = ('positive_class = "yes"', f'positive_class = "{label}"')
    assert not refusal(content, *changed(f"gate.floors.recall.'{label}' = 0.5"), positive)
    assert "no class '2'" in refusal(content, *changed("gate.floors.recall.2 = 0.5"), positive)


BROKEN = {
    "not unpackable": (b"\x1f\x8bno gzip", "gzip"),
    "no parquet": (b"PAR1 and then nothing", "Parquet"),
    "a short line": ("amount,shop,fraud\n1\n", "payments.csv, line 2: expected 3 fields, found 1"),
    "an open quote": ('amount,shop,fraud\n1,"north,yes\n', "a quote is opened and never closed"),
    "only a header": ("amount,shop,fraud\n", "there are no rows, only a header"),
    "one class": ("amount,shop,fraud\n1,north,yes\n", "has one class only, 'yes'"),
    "the target alone": ("fraud\n" + "yes\nno\n" * 50, "payments.csv: no feature is left"),
    "row numbers and the target": (
        ",fraud\n" + "".join(f"{place},{'yes' if place % 2 else 'no'}\n" for place in range(100)),
        "drop: no feature is left. Drop fewer columns, or give a file with others",
    ),
    "no header": (
        "".join(ROWS.splitlines(keepends=True)[1:]),
        "target: payments.csv has no column 'fraud'. Its first line holds '0.5': if that is a value, the file"
        " has no header; set header = false and give all 3 names in columns",
    ),
}


@pytest.mark.parametrize(("content", "words"), BROKEN.values(), ids=BROKEN)
def test_data_that_cannot_be_read_is_refused_with_the_words_of_preprocessing(
    refusal: Callable[..., str], content: str | bytes, words: str
) -> None:
    assert words in refusal(content)


def test_names_of_columns_in_the_settings_stand_for_a_header(refusal: Callable[..., str]) -> None:
    named = 'header = false\ncolumns = ["amount", "place", "fraud"]'
    content = ROWS.split("\n", 1)[1]
    assert not refusal(content, *changed("gate.floors.recall.yes = 0.5", data=named))


def test_files_that_preprocessing_passes_over_do_not_count(
    tmp_path: Path, make_project: MakeProject, local: Target
) -> None:
    project = make_project(tmp_path, ('source = "payments.csv"', 'source = "parts"'))
    for name, content in (("_log/0.json", "{}"), ("a.csv", ""), ("b.csv", ROWS)):
        (tmp_path / "parts" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "parts" / name).write_text(content)
    found = look_at(project, local)
    assert (found.errors, found.document["files"]) == ((), ["b.csv"])


def test_of_large_data_the_beginning_is_looked_at_up_to_the_end_of_a_row(
    look: Callable[..., Look],
) -> None:
    """The class that is only at the end is no error: what was not read may have it."""
    row = '1.5,"a shop\nof two lines",no\n'
    content = "amount,shop,fraud\n" + row * 60_000 + '1.5,"a shop",yes\n' * 50
    found = look(content, most_bytes=1_000_000)
    assert (found.whole, found.errors) == (False, ())
    assert found.said == "the first 1 MB of 1 file, 1.7 MB in all"
    assert found.document["columns"][1]["values"] == [["a shop\nof two lines", found.document["rows"]]]
    assert found.document["rows"] == ((1 << 20) - len("amount,shop,fraud\n")) // len(row)
    assert any("has one class only" in finding["text"] for finding in found.findings)
    assert look(content, most_bytes=None).whole


def test_of_many_small_files_the_first_are_looked_at(
    tmp_path: Path, make_project: MakeProject, local: Target
) -> None:
    """To open each takes longer than to read what is in it."""
    (tmp_path / "parts").mkdir()
    for number in range(100):
        (tmp_path / "parts" / f"{number:03}.csv").write_text(ROWS)
    project = make_project(tmp_path, ('source = "payments.csv"', 'source = "parts"'))
    found = look_at(project, local)
    assert (found.whole, len(found.document["files"])) == (False, 8)
    assert found.said == f"the first 8 of 100 files, {size_in_words(100 * len(ROWS))} in all"
    assert look_at(project, local, most_bytes=THOROUGH_BYTES).whole


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("payments.csv", content)
    return packed.getvalue()


def compressed(codec: str) -> Callable[[bytes], bytes]:
    return lambda content: pa.compress(content, codec, asbytes=True)


@pytest.mark.parametrize(
    "pack",
    [
        *(gzip.compress, bz2.compress, lzma.compress, zipped, compressed("zstd"), compressed("lz4")),
        lambda content: gzip.compress(content.decode().encode("utf-16")),
    ],
)
def test_of_a_large_packed_file_the_beginning_is_unpacked(
    look: Callable[..., Look], pack: Callable[[bytes], bytes]
) -> None:
    draw = random.Random(1)
    rows = "".join(f"{draw.random()},north,{draw.choice(['yes', 'no'])}\n" for _ in range(200_000))
    found = look(pack(("amount,shop,fraud\n" + rows).encode()), most_bytes=1_000_000)
    assert (found.whole, found.errors) == (False, ())
    assert 50_000 < found.document["rows"] < 200_000


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_of_a_large_file_in_utf_16_whole_characters_are_looked_at(
    look: Callable[..., Look], encoding: str
) -> None:
    rows = "".join(f"{n % 97 / 8},north,{'yes' if n % 3 else 'no'}\n" for n in range(100_000))
    found = look(("amount,shop,fraud\n" + rows).encode(encoding), most_bytes=1_000_000)
    assert (found.whole, found.errors) == (False, ())
    assert found.document["rows"] > 10_000


@pytest.mark.parametrize("is_read_whole", [True, False])
def test_a_column_of_json_lines_may_come_after_the_part_that_is_looked_at(
    look: Callable[..., Look], monkeypatch: pytest.MonkeyPatch, is_read_whole: bool
) -> None:
    if not is_read_whole:
        monkeypatch.setattr("pipelines.definition.look.THOROUGH_BYTES", 1_000_000)
    unlabelled = [json.dumps({"amount": n % 97 / 8, "shop": "north"}) for n in range(40_000)]
    labelled = [
        json.dumps({"amount": n / 8, "shop": "a", "fraud": "yes" if n % 3 else "no"}) for n in range(99)
    ]
    found = look("\n".join([*unlabelled, *labelled, ""]), most_bytes=1_000_000)
    assert (found.whole, found.errors) == (is_read_whole, ())
    [said] = [one for one in found.findings if one["column"] == "fraud"]
    assert said["text"].startswith("of what was read: ") is not is_read_whole
    refused = look("\n".join([*unlabelled[:9], ""]), most_bytes=1_000_000)
    assert "no column 'fraud'" in str(refused.errors[0])


def test_times_as_spark_writes_them_are_looked_at_as_they_are(look: Callable[..., Look]) -> None:
    times = [datetime(9999, 12, 31) if n % 9 == 0 else datetime(2024, 1, 1 + n % 28) for n in range(5_000)]
    table = pa.table({"t": pa.array(times, pa.timestamp("us")), "fraud": ["yes", "no"] * 2_500})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, use_deprecated_int96_timestamps=True)
    found = look(sink.getvalue().to_pybytes(), most_bytes=1_000)
    assert not found.whole
    assert "9999-12-31" in json.dumps(found.document)


def test_of_a_large_parquet_file_some_rows_are_looked_at(look: Callable[..., Look]) -> None:
    table = pa.concat_tables([TABLE] * 500)
    found = look(table, most_bytes=1_000)
    assert (found.whole, found.errors) == (False, ())
    assert found.document["rows"] == 5_000
    assert {one["name"] for one in found.document["classes"]} == {"no", "yes"}
