"""What the settings name in local data is looked for there before anything is uploaded or started."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aws_formats.errors import GatehouseError
from pipelines.definition.dataset import find_dataset
from pipelines.settings.project import Project
from pipelines.settings.target import Target

MakeProject = Callable[..., Project]

ROWS = "amount,shop,fraud\n1,north,yes\n2,south,no\n3,north,\n"
TABLE = pa.table({"amount": [1, 2], "shop": ["north", "south"], "fraud": ["yes", "no"]})


def changed(*gate: str, data: str = "") -> list[tuple[str, str]]:
    """The fixture's settings with lines for the gate and for the data."""
    threshold, source = "accuracy_threshold = 0.9", 'source = "payments.csv"'
    return [(threshold, "\n".join([threshold, *gate])), (source, f"{source}\n{data}")]


def written(project: Project, content: str | bytes | pa.Table) -> Project:
    """The project, over other data."""
    path = project.root / "payments.csv"
    if isinstance(content, pa.Table):
        pq.write_table(content, path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return project


@pytest.fixture
def refusal(tmp_path: Path, make_project: MakeProject, local: Target) -> Callable[..., str]:
    """What is said of settings over some data; empty where nothing is wrong."""

    def ask(content: str | bytes | pa.Table, *replacements: tuple[str, str]) -> str:
        project = written(make_project(tmp_path, *replacements), content)
        try:
            find_dataset(project, local)
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
def test_names_are_looked_for_however_the_data_is_written(
    refusal: Callable[..., str], content: str | bytes | pa.Table
) -> None:
    right = changed("gate.slices = ['shop']", "gate.slice_floor = 0.5", "gate.floors.recall.yes = 0.5")
    assert not refusal(content, *right)
    column = changed("gate.slices = ['shops']", "gate.slice_floor = 0.5")
    said = (
        "[projects.rc.fraud-detection.gate] slices: payments.csv has no column 'shops'. Did you mean 'shop'?"
    )
    assert said in refusal(content, *column)
    label = changed("gate.floors.recall.yess = 0.5")
    said = "[projects.rc.fraud-detection.gate.floors.recall] yess: the target 'fraud' has no class 'yess'."
    assert f"{said} Did you mean 'yes'?" in refusal(content, *label)


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


@pytest.mark.parametrize(
    ("values", "label"),
    [(["0", "1"], "1"), (["0.0", "1.0"], "1"), (["False", "TRUE"], "true"), (["a.b", "c"], "a.b")],
)
def test_a_class_is_found_by_the_name_that_preprocessing_gives_it(
    refusal: Callable[..., str], values: list[str], label: str
) -> None:
    content = "amount,fraud\n" + "".join(f"1,{value}\n" for value in values)
    assert not refusal(content, *changed(f"gate.floors.recall.'{label}' = 0.5"))
    assert "no class '2'" in refusal(content, *changed("gate.floors.recall.2 = 0.5"))


BROKEN = {
    "not unpackable": b"\x1f\x8bno gzip",
    "no parquet": b"PAR1 and then nothing",
    "a short line": "amount,shop,fraud\n1\n",
    "an open quote": 'amount,shop,fraud\n1,"north,yes\n',
    "only a header": "amount,shop,fraud\n",
    "only blank lines": "\n\n",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_data_that_cannot_be_read_is_left_to_preprocessing(
    refusal: Callable[..., str], content: str | bytes
) -> None:
    assert not refusal(content, *changed("gate.floors.recall.no = 0.5"))


def test_names_of_columns_in_the_settings_stand_for_a_header(refusal: Callable[..., str]) -> None:
    named = 'header = false\ncolumns = ["amount", "place", "fraud"]'
    content = ROWS.split("\n", 1)[1]
    assert not refusal(content, *changed("gate.floors.recall.yes = 0.5", data=named))
    assert "no class 'x'" in refusal(content, *changed("gate.floors.recall.x = 0.5", data=named))


def test_files_that_preprocessing_passes_over_do_not_count(
    tmp_path: Path, make_project: MakeProject, local: Target
) -> None:
    project = make_project(tmp_path, ('source = "payments.csv"', 'source = "parts"'))
    for name, content in (("_log/0.json", "{}"), ("a.csv", ""), ("b.csv", "amount,fraud\n1,yes\n")):
        (tmp_path / "parts" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "parts" / name).write_text(content)
    assert len(find_dataset(project, local).files) == 3
