"""`gatehouse init`: a settings file for one's own data that is right at first try, and never overwrites."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from installed_command import Finished, type_here
from promised_documents import promised

from pipelines import ROOT
from pipelines.commands import main
from pipelines.settings.projects_file import load_settings

Call = Callable[..., Finished]


@pytest.fixture
def gatehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run a command line in an empty folder of its own."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GATEHOUSE_", "SAGEMAKER_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return type_here


def payments(rows: int = 2_000, positives: float = 0.05) -> list[dict[str, Any]]:
    """Card payments of which the large ones are more often fraud."""
    draw = random.Random(7)
    found = []
    for place in range(rows):
        fraud = draw.random() < positives
        found.append(
            {
                "payment_id": 700_000 + place * 3,
                "card_id": f"c{draw.randrange(300)}",
                "amount": round(draw.uniform(500, 2_000) if fraud else draw.uniform(1, 1_000), 2),
                "country": draw.choice(["FR", "DE", "ES"]),
                "currency": "EUR",
                "label": "fraud" if fraud else "ok",
            }
        )
    return found


def as_csv(rows: list[dict[str, Any]], delimiter: str = ",", decimal: str = ".") -> str:
    lines = [delimiter.join(rows[0])]
    for row in rows:
        lines.append(
            delimiter.join(
                str(one).replace(".", decimal) if isinstance(one, float) else str(one) for one in row.values()
            )
        )
    return "\n".join(lines) + "\n"


def table(folder: Path, team: str = "my", name: str = "payments") -> dict[str, Any]:
    """The project's table, from a file that the settings' own check has accepted."""
    load_settings(folder / "projects.toml")
    return tomllib.loads((folder / "projects.toml").read_text())["projects"][team][name]


def test_rare_fraud_gets_a_gate_a_key_and_no_identifiers(gatehouse: Call, tmp_path: Path) -> None:
    (tmp_path / "payments.csv").write_text(as_csv(payments()))
    done = gatehouse("init", "payments.csv", "--target", "label", "--team", "rc", "--name", "fraud-detection")
    assert done.code == 0, done.err
    assert "Next: gatehouse data rc-fraud-detection, gatehouse run rc-fraud-detection" in done.out
    written = table(tmp_path, "rc", "fraud-detection")
    assert written["task"] == "binary"
    assert written["gate"] == {"metric": "auc", "threshold": 0.6}
    assert written["training"] == {"class_weights": "balanced"}
    assert written["data"] == {
        "source": "payments.csv",
        "target": "label",
        "positive_class": "fraud",
        "drop": ["payment_id", "currency"],
        "key": "card_id",
    }
    text = (tmp_path / "projects.toml").read_text()
    assert "# payment_id: names single rows; currency: the same in every row" in text
    assert "# floors.recall = 0.5" in text
    assert max(map(len, text.splitlines())) <= 100


def test_what_readme_says_of_ones_own_data_works_as_it_is_typed(gatehouse: Call, tmp_path: Path) -> None:
    (tmp_path / "payments.csv").write_text(as_csv(payments()))
    section = (ROOT / "README.md").read_text().partition("## Your own data\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^    gatehouse (.*)$", section, re.MULTILINE)
    assert [line.split()[0] for line in lines] == ["init", "data", "run"]
    for line in lines:
        done = gatehouse(*shlex.split(line, comments=True))
        assert done.code == 0, done.out + done.err
    assert "Registered  rc-fraud-detection version 1" in done.out


def written_as(tmp_path: Path, form: str) -> str:
    """The payments in a file of that form; its name."""
    rows = payments(800, 0.3)
    match form:
        case "gzip":
            (tmp_path / "payments.csv.gz").write_bytes(gzip.compress(as_csv(rows).encode()))
            return "payments.csv.gz"
        case "parquet":
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / "payments.parquet")
            return "payments.parquet"
        case "folder":
            (tmp_path / "payments").mkdir()
            for place in range(2):
                part = tmp_path / "payments" / f"{place}.csv"
                part.write_text(as_csv(rows[place::2]))
            return "payments"
        case "tabs":
            (tmp_path / "payments.tsv").write_text(as_csv(rows, "\t"))
            return "payments.tsv"
        case "spaces after commas":
            (tmp_path / "payments.csv").write_text(as_csv(rows, ", "))
            return "payments.csv"
    (tmp_path / "payments.csv").write_text(as_csv(rows, ";", ","))
    return "payments.csv"


@pytest.mark.parametrize(
    ("form", "more"),
    [
        ("gzip", {}),
        ("parquet", {}),
        ("folder", {}),
        ("tabs", {"delimiter": "\t"}),
        ("semicolons and decimal commas", {"delimiter": ";", "decimal": ","}),
        ("spaces after commas", {"strip": True}),
    ],
)
def test_a_file_of_any_form_gets_settings_that_preprocessing_accepts(
    gatehouse: Call, tmp_path: Path, form: str, more: dict[str, Any]
) -> None:
    file = written_as(tmp_path, form)
    assert gatehouse("init", file, "--target", "label").code == 0
    data = table(tmp_path)["data"]
    assert {key: data[key] for key in data if key in ("delimiter", "decimal", "strip")} == more
    assert (data["positive_class"], data["drop"]) == ("fraud", ["payment_id", "currency"])
    seen = json.loads(gatehouse("data", "--json").out)
    assert (seen["errors"], seen["rows"]) == ([], 800)
    assert {one["name"]: one["kind"] for one in seen["columns"] if one["role"] == "feature"} == {
        "amount": "number",
        "country": "category",
    }


def test_a_file_without_a_header_gets_names_for_its_columns(gatehouse: Call, tmp_path: Path) -> None:
    lines = as_csv(payments(300, 0.3)).splitlines()[1:]
    quoted = [line.rpartition(",")[0] + f",'{line.rpartition(',')[2]}'" for line in lines]
    (tmp_path / "payments.csv").write_text("\n".join(quoted) + "\n")
    listed = gatehouse("init", "payments.csv")
    assert "column_6" in listed.out
    assert gatehouse("init", "payments.csv", "--target", "column_6").code == 0
    data = table(tmp_path)["data"]
    refused = gatehouse("init", "payments.csv", "--target", "label", "--settings", "other.toml")
    assert "'label'. The file has no header line: write one, or take a name that it was given" in refused.err
    assert (data["header"], data["quote"], data["positive_class"]) == (False, "'", "fraud")
    assert data["columns"] == [f"column_{place}" for place in range(1, 7)]


@pytest.mark.parametrize(
    ("values", "task", "gate"),
    [
        ([place * 0.37 % 11 for place in range(300)], "regression", {"metric": "r2", "threshold": 0.1}),
        (["a", "b", "c"] * 100, "multiclass", {"metric": "accuracy", "threshold": 0.33}),
        (["a", "b"] * 146 + ["c"] * 8, "multiclass", {"metric": "weighted_f1", "threshold": 0.49}),
        (["yes", "yes", "no"] * 100, "binary", {"metric": "accuracy", "threshold": 0.67}),
    ],
)
def test_task_and_gate_follow_from_the_target(
    gatehouse: Call, tmp_path: Path, values: list[Any], task: str, gate: dict[str, Any]
) -> None:
    lines = [f"{place * 7 % 31},{value}" for place, value in enumerate(values)]
    (tmp_path / "payments.csv").write_text("\n".join(["size,kind", *lines]) + "\n")
    gatehouse("init", "payments.csv", "--target", "kind")
    written = table(tmp_path)
    assert (written["task"], written["gate"]) == (task, gate)
    assert written["data"].get("positive_class") == ("yes" if task == "binary" else None)


def test_without_a_target_the_columns_are_listed_and_nothing_is_written(
    gatehouse: Call, tmp_path: Path
) -> None:
    (tmp_path / "my payments.csv").write_text(as_csv(payments(200)))
    done = gatehouse("init", "my payments.csv")
    assert done.code == 0
    assert "gatehouse init 'my payments.csv' --target label" in done.out
    assert not (tmp_path / "projects.toml").exists()
    document = json.loads(gatehouse("init", "my payments.csv", "--json").out)
    assert set(document) == promised("The pipeline")["init"][1]
    assert [one["name"] for one in document["columns"]] == list(payments(1)[0])


def test_a_wrong_target_is_refused_with_the_nearest_right_one(gatehouse: Call, tmp_path: Path) -> None:
    (tmp_path / "payments.csv").write_text(as_csv(payments(200)))
    done = gatehouse("init", "payments.csv", "--target", "labl")
    assert done.code == 1
    assert "Did you mean 'label'?" in done.err
    assert not (tmp_path / "projects.toml").exists()


def test_folders_that_may_be_the_classes_become_a_target_once_they_are_renamed(
    gatehouse: Call, tmp_path: Path
) -> None:
    draw = random.Random(3)
    for name, mean in (("healthy", 0.0), ("ill", 2.0)):
        (tmp_path / "scans" / name).mkdir(parents=True)
        rows = "".join(f"{draw.gauss(mean, 1):.4f}\n" for _ in range(300))
        (tmp_path / "scans" / name / "a.csv").write_text(f"x\n{rows}")
    told = "rename each, as to {}=healthy"
    assert told.format("COLUMN") in gatehouse("init", "scans").out
    refused = gatehouse("init", "scans", "--target", "state")
    assert refused.code == 1
    assert told.format("state") in refused.err
    for name in ("healthy", "ill"):
        (tmp_path / "scans" / name / "a.csv").rename(tmp_path / "scans" / f"{name}.csv")
        (tmp_path / "scans" / name).rmdir()
    refused = gatehouse("init", "scans", "--target", "state")
    assert "move each to a folder, as to state=healthy/healthy.csv" in refused.err
    for name in ("healthy", "ill"):
        (tmp_path / "scans" / f"state={name}").mkdir()
        (tmp_path / "scans" / f"{name}.csv").rename(tmp_path / "scans" / f"state={name}" / "a.csv")
    done = gatehouse("init", "scans", "--target", "state")
    assert done.code == 0, done.out
    assert 'positive_class = "ill"' in (tmp_path / "projects.toml").read_text()


def test_settings_that_are_there_are_left_as_they_are_unless_the_project_is_to_be_added(
    gatehouse: Call, tmp_path: Path
) -> None:
    (tmp_path / "payments.csv").write_text(as_csv(payments(400, 0.3)))
    assert gatehouse("init", "payments.csv", "--target", "label").code == 0
    first = (tmp_path / "projects.toml").read_text().rstrip()  # without a line end, as some editors leave it
    (tmp_path / "projects.toml").write_text(first)
    second = ("init", "payments.csv", "--target", "country", "--name", "countries")
    refused = gatehouse(*second)
    assert refused.code == 1
    assert "[projects.my.countries.data]" in refused.out
    assert "Add --append" in refused.out
    assert (tmp_path / "projects.toml").read_text() == first
    assert gatehouse(*second, "--append").code == 0
    assert (tmp_path / "projects.toml").read_text().startswith(first + "\n")
    assert table(tmp_path, name="countries")["task"] == "multiclass"
    again = gatehouse(*second, "--append")
    assert again.code == 1
    assert "my-countries" in again.err
    assert not list(tmp_path.glob(".gatehouse-*"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["paymets.csv"], "paymets.csv: there is no such file or folder. Did you mean 'payments.csv'?"),
        (["elsewhere"], "elsewhere: there is no such file or folder. Give the path of a file or folder"),
        (["_rows.csv"], "_rows.csv: files whose name, or whose folder's name, begins with _ or . are passed"),
        (["-"], "-: init does not read standard input. Write the data to a file"),
        (["s3://bucket/rows.csv"], "s3://bucket/rows.csv: init looks at data on this machine. Fetch one"),
        (["payments.csv", "--settings", "no/projects.toml"], "no: there is no such folder. Name another"),
    ],
)
def test_places_that_init_cannot_use_are_said_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: Sequence[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "payments.csv").write_text("amount,label\n")
    (tmp_path / "_rows.csv").write_text("amount,label\n1,a\n")
    assert main(["init", *words, "--target", "label"]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_the_commands_to_go_on_with_read_the_settings_that_were_written(
    gatehouse: Call, tmp_path: Path
) -> None:
    (tmp_path / "payments.csv").write_text(as_csv(payments(400, 0.3)))
    written = gatehouse("init", "payments.csv", "--target", "label", "--settings", "cards.toml").out
    assert "Next: GATEHOUSE_SETTINGS=cards.toml gatehouse data my-payments, GATEHOUSE_SETTINGS=" in written
    (tmp_path / "projects.toml").write_text((tmp_path / "cards.toml").read_text())
    (tmp_path / "below").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "init", "../payments.csv", "--target", "country"],
        cwd=tmp_path / "below",
        env={name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert f"projects.toml is read from now on, and {tmp_path / 'projects.toml'} no more" in done.stdout
    assert "Next: gatehouse data my-payments, gatehouse run" in done.stdout


def test_a_file_without_rows_is_refused_and_nothing_is_written(gatehouse: Call, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("amount,label\n")
    refused = gatehouse("init", "empty.csv", "--target", "label")
    assert refused.code == 1
    assert "empty.csv: there are no rows, only a header" in refused.err
    assert not (tmp_path / "projects.toml").exists()


def test_what_only_a_person_can_decide_is_said(gatehouse: Call, tmp_path: Path) -> None:
    """`None` may be a class or no value."""
    lines = [f"{place * 7 % 31},{('None', 'mild', 'severe')[place % 3]}" for place in range(300)]
    (tmp_path / "payments.csv").write_text("\n".join(["size,kind", *lines]) + "\n")
    done = gatehouse("init", "payments.csv", "--target", "kind")
    assert done.code == 1
    assert "is it a class, or a missing value?" in done.out
    assert table(tmp_path)["data"]["target"] == "kind"


def test_a_header_below_another_line_and_texts_as_the_only_feature_are_said(
    gatehouse: Call, tmp_path: Path
) -> None:
    rows = [f"{('ham', 'spam')[n % 3 == 0]},word {n} and {n * 7}" for n in range(400)]
    (tmp_path / "mails.csv").write_text("\n".join(["X1,X2", "kind,text", *rows]) + "\n")
    below = gatehouse("init", "mails.csv", "--target", "kind")
    assert "the target 'kind' stands in line 2, and not in the first. If that is the header" in below.err
    (tmp_path / "mails.csv").write_text("\n".join(["kind,text", *rows]) + "\n")
    done = gatehouse("init", "mails.csv", "--target", "kind")
    assert done.code == 1
    left = done.out.partition("Something is left")[2]
    assert re.search(r"column 'text' holds (\d+) different texts in \1 rows", left)
    assert "no feature is left" not in done.out


def test_names_with_any_character_are_written_as_toml(gatehouse: Call, tmp_path: Path) -> None:
    header = '"a ""quoted"" name","spaces = # [x]","客户_id",\x1b[31mred,kl\u202eass\n'
    rows = "".join(
        f"{place},{place % 5},k{place},{place % 7},{'x' if place % 3 else 'y'}\n" for place in range(200)
    )
    (tmp_path / "payments.csv").write_text(header + rows)
    done = gatehouse("init", "payments.csv", "--target", "kl\u202eass")
    assert done.code == 0, done.out + done.err
    for shown in (done.out, (tmp_path / "projects.toml").read_text()):
        assert not {"\x1b", "\u202e"} & set(shown)
    assert table(tmp_path)["data"]["drop"] == ["客户_id"]
    assert table(tmp_path)["data"]["target"] == "kl\u202eass"


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (lambda n: "n.a." if n % 20 == 0 else f"{n * 7919 % 100_000}", {"also_missing": ["n.a."]}),
        (lambda n: "unknown" if n % 20 == 0 else f"{n * 7 % 60}", {"also_missing": ["unknown"]}),
        (lambda n: f'"{n * 7 % 60 / 8}"'.replace(".", ","), {"decimal": {"price": ","}}),
        (
            lambda n: "-" if n % 20 == 0 else f'"{n * 7919 % 9973 / 8}"'.replace(".", ","),
            {"decimal": {"price": ","}, "also_missing": ["-"]},
        ),
        (lambda n: f"{n * 7919 % 9973 / 8} EUR", {}),
    ],
)
@pytest.mark.parametrize("count", [400, 1600])
def test_a_number_beside_marks_or_in_another_notation_is_a_regression(
    gatehouse: Call, tmp_path: Path, price: Callable[[int], str], expected: dict[str, Any], count: int
) -> None:
    rows = [f"{n * 37 % 171},{price(n)}" for n in range(count)]
    (tmp_path / "payments.csv").write_text("\n".join(["area,price", *rows]) + "\n")
    done = gatehouse("init", "payments.csv", "--target", "price")
    assert done.code == 0, done.out + done.err
    written = table(tmp_path)
    assert (written["task"], written["gate"]["metric"]) == ("regression", "r2")
    assert written["data"] == {"source": "payments.csv", "target": "price", **expected}
    assert gatehouse("data").code == 0


def test_of_two_numbers_and_a_mark_the_task_is_binary(gatehouse: Call, tmp_path: Path) -> None:
    rows = [f"{n * 37 % 171},{'n.a.' if n % 20 == 0 else int(n % 3 == 0)}" for n in range(400)]
    (tmp_path / "payments.csv").write_text("\n".join(["area,label", *rows]) + "\n")
    assert gatehouse("init", "payments.csv", "--target", "label").code == 0
    written = table(tmp_path)
    assert (written["task"], written["data"]["positive_class"]) == ("binary", "1")
    assert written["data"]["also_missing"] == ["n.a."]


@pytest.mark.parametrize(
    ("header", "target", "expected"),
    [
        ("'colour','shape','y'", "y", {"quote": "'"}),
        ("red,round,no", "column_3", {"header": False}),
        ("2024-01-31,flat,never", "column_3", {"header": False}),
    ],
)
def test_quoted_names_and_a_missing_header_are_seen(
    gatehouse: Call, tmp_path: Path, header: str, target: str, expected: dict[str, Any]
) -> None:
    shapes, answers = ("flat", "round"), ("yes", "no", "yes")
    rows = [f"{('red', 'blue')[n % 2]},{shapes[n * n % 7 % 2]},{answers[n % 3]}" for n in range(400)]
    (tmp_path / "payments.csv").write_text("\n".join([header, *rows]) + "\n")
    gatehouse("init", "payments.csv", "--target", target)
    assert table(tmp_path)["data"].items() >= expected.items()
    if expected == {"header": False}:
        done = gatehouse("init", "payments.csv", "--target", "y")
        assert "Its first line holds values and no names; its columns are column_1" in done.err
