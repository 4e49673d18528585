"""Days of a project on a clock that is set: with drift all follows from it, without it nothing happens."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from installed_command import Shell, ShellHere, until
from payments import PROJECT, SETTINGS, payments

from pipelines.rehearsal.rows import Rows, drifted, find_drift, requests

QUICK = ("--rows", "500", "--label-days", "0", "--seed", "3")


def shell_over(folder: Path, settings: str, rows: int = 1200) -> Shell:
    lines = ["amount,country,fraud", *map(",".join, payments(rows, 1))]
    (folder / "payments.csv").write_text("\n".join(lines) + "\n")
    (folder / "projects.toml").write_text(settings)
    return ShellHere(folder / "projects.toml", folder / "home")


def rows(count: int = 500) -> Rows:
    table = pa.table(
        {
            "amount": pa.array([float(place % 97) for place in range(count)]),
            "age": pa.array([None if place % 10 == 0 else place % 40 for place in range(count)], pa.int64()),
            "country": pa.array(["ch" if place % 3 else None for place in range(count)]),
            "fraud": pa.array(["yes" if place % 97 > 40 else "no" for place in range(count)]),
        }
    )
    half = count // 2
    kinds = {"amount": "number", "age": "number", "country": "category"}
    return Rows(table.slice(0, half), table.slice(half), "fraud", kinds)  # type: ignore[arg-type]


def test_all_rows_have_come_as_requests_before_any_comes_again() -> None:
    divided = rows()
    coming = requests(divided, 100, seed=1)
    known = sorted(map(str, divided.future.to_pylist()))
    first = pa.concat_tables([next(coming) for _ in range(5)])
    assert len(first) == 500
    twice = sorted(map(str, first.to_pylist()))
    assert twice == sorted(known * 2), "250 rows, each twice"
    again = requests(divided, 100, seed=1)
    assert next(again).equals(first.slice(0, 100))
    assert not next(requests(divided, 100, seed=2)).equals(first.slice(0, 100))


def test_a_drift_changes_one_column_and_keeps_its_type_and_its_missing_values() -> None:
    divided = rows()
    assert find_drift(divided, None, 2.0).column == "amount", "it tells most of the target"
    for column, size in (("amount", 2.0), ("age", 0.01), ("country", 2.0)):
        drift = find_drift(divided, column, size)
        changed = drifted(divided.future, drift)
        assert changed.schema == divided.future.schema
        for name in changed.column_names:
            assert changed[name].equals(divided.future[name]) == (name != column)
        assert changed[column].null_count == divided.future[column].null_count
    assert find_drift(divided, "age", 0.01).shift == 1.0, "a whole number stays one"
    assert set(changed["country"].to_pylist()) == {None, "ch*"}


@pytest.fixture(scope="module")
def with_drift(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a rehearsal said whose data drift on the second day, by what ``retrain`` was."""
    documents = {}
    for retrain, days in (("automatic", 4), ("ask", 5)):
        folder = tmp_path_factory.mktemp(retrain)
        table = f'retrain = "{retrain}"\ncool_down_days = 1\n'
        settings = SETTINGS.replace('retrain = "automatic"\n', table)
        settings += '[projects.rc.payments.gate]\nchampion = "dev"\n'
        done = shell_over(folder, settings).run(
            "rehearse", "--days", str(days), "--drift-day", "2", *QUICK, "--json"
        )
        assert done.code == 0, (done.out, done.err)
        assert not (folder / "home").exists(), "nothing of the user's own SageMaker is touched"
        documents[retrain] = done.document
    return documents


@pytest.mark.parametrize("retrain", ["automatic", "ask"])
def test_a_drift_is_told_and_its_alarm_ends_with_a_version_that_passed_the_gate(
    with_drift: dict[str, Any], retrain: str
) -> None:
    said = with_drift[retrain]
    assert said["drift"]["column"] == "amount"
    log = [(one["day"], one["what"]) for one in said["log"]]
    trained = 3 if retrain == "automatic" else 4
    arrives = ["training", "registered", "message", "approved", "serves", "message"]
    assert log == [
        *((1, what) for what in arrives),
        (2, "drift"),
        (3, "told"),
        (3, "message"),
        *((trained, what) for what in arrives),
        (trained + 1, "over"),
        (trained + 1, "message"),
    ]
    texts = [one["text"] for one in said["log"]]
    assert f"{PROJECT}: version 1 got worse in dev" in texts
    assert f"{PROJECT}: the traffic in dev is as it was again" in texts
    assert any("; not worse than version 1, which serves in dev" in text for text in texts), texts
    assert said["wrong"] is None


def test_the_same_seed_gives_the_same_log(with_drift: dict[str, Any]) -> None:
    """Up to the drift's alarm: what comes of it is another in each of the two."""
    automatic, ask = ([one for one in said["log"] if one["day"] < 4] for said in with_drift.values())
    automatic = automatic[: len(ask)]
    assert automatic == ask
    assert [one["what"] for one in ask].count("told") == 1


def test_without_drift_nothing_happens(tmp_path: Path) -> None:
    once = shell_over(tmp_path, SETTINGS).run("rehearse", "--days", "2", "--no-drift", *QUICK)
    assert once.code == 0, (once.out, once.err)
    assert once.out.endswith("As it should be: nothing happened\n")
    assert all(line.startswith("day   1  ") for line in once.out.splitlines()[:-1])


def test_an_interrupted_rehearsal_leaves_nothing(tmp_path: Path) -> None:
    shell_over(tmp_path, SETTINGS)
    shell = Shell(tmp_path / "projects.toml", tmp_path / "home")
    with pytest.MonkeyPatch.context() as patch:
        (tmp_path / "tmp").mkdir()
        patch.setenv("TMPDIR", str(tmp_path / "tmp"))
        process = shell.begin("rehearse", "--days", "5", *QUICK)
    until(lambda: list(tmp_path.glob("tmp/gatehouse-rehearsal-*/home/jobs/*-job/*")), what="a job")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (
            ("--days", "10", "--drift-day", "20"),
            2,
            "--drift-day 20 is after the beginning of the last",
        ),
        (("--no-drift", "--column", "amount"), 2, "--no-drift excludes --drift-day and --column."),
        (("--days", "10", "--hours", "168", "--drift-day", "8"), 2, "--drift-day 8 is after the beginning"),
        (("--days", "5", "--hours", "168"), 2, "--days: a window of this project takes 7 days."),
        (("--env", "staging"), 1, "there is no environment 'staging'"),
        (("--column", "fraud"), 1, "Name a number or a category: amount, country"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused(
    tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    done = shell_over(tmp_path, SETTINGS).run("rehearse", *options)
    assert (done.code, done.out) == (code, "")
    assert said in done.err.replace("\n", " ")


def test_too_few_rows_and_data_elsewhere_are_refused(tmp_path: Path) -> None:
    few = shell_over(tmp_path, SETTINGS, rows=300).run("rehearse")
    assert few.code == 1
    assert "there are 300 rows; a rehearsal takes 400 at least" in few.err
    away = shell_over(tmp_path, SETTINGS.replace('"payments.csv"', '"s3://bucket/payments"')).run("rehearse")
    assert away.code == 1
    assert "a rehearsal takes its rows from files on this machine" in away.err
