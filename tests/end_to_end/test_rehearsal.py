"""Days of a project on a clock that is set: with drift all follows from it, without it nothing happens."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from installed_command import Shell, ShellHere, until
from payments import PROJECT, SETTINGS, payments

QUICK = ("--rows", "500", "--label-days", "0", "--seed", "3")


def shell_over(folder: Path, settings: str, rows: int = 1200) -> Shell:
    lines = ["amount,country,fraud", *map(",".join, payments(rows, 1))]
    (folder / "payments.csv").write_text("\n".join(lines) + "\n")
    (folder / "projects.toml").write_text(settings)
    return ShellHere(folder / "projects.toml", folder / "home")


def rehearsal_folders(folder: Path) -> list[Path]:
    return list(folder.glob("gatehouse-rehearsal-*"))


@pytest.mark.parametrize(("retrain", "days"), [("automatic", 4), ("ask", 5)])
def test_a_drift_is_told_and_its_alarm_ends_with_a_version_that_passed_the_gate(
    tmp_path: Path, retrain: str, days: int
) -> None:
    table = f'retrain = "{retrain}"\ncool_down_days = 1\n'
    settings = SETTINGS.replace('retrain = "automatic"\n', table)
    settings += '[projects.rc.payments.gate]\nchampion = "dev"\n'
    done = shell_over(tmp_path, settings).run(
        "rehearse", "--days", str(days), "--drift-day", "2", *QUICK, "--json"
    )
    assert done.code == 0, (done.out, done.err)
    assert done.document["drift"]["column"] == "amount"
    log = [(one["day"], one["what"]) for one in done.document["log"]]
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
    texts = [one["text"] for one in done.document["log"]]
    assert f"{PROJECT}: version 1 got worse in dev" in texts
    assert f"{PROJECT}: the traffic in dev is as it was again" in texts
    assert any("; not worse than version 1, which serves in dev" in text for text in texts), texts
    assert done.document["wrong"] is None
    assert not (tmp_path / "home").exists(), "nothing of the user's own SageMaker is touched"


def test_without_drift_nothing_happens_and_the_same_seed_gives_the_same_log(tmp_path: Path) -> None:
    shell = shell_over(tmp_path, SETTINGS)
    once = shell.run("rehearse", "--days", "2", "--no-drift", *QUICK)
    again = shell.run("rehearse", "--days", "2", "--no-drift", *QUICK)
    assert once.code == 0, (once.out, once.err)
    assert once.out.endswith("As it should be: nothing happened\n")
    assert all(line.startswith("day   1  ") for line in once.out.splitlines()[:-1])
    assert again.out == once.out


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
        (("--days", "10", "--drift-day", "20"), 2, "--drift-day 20 is after the last day, 10."),
        (("--no-drift", "--column", "amount"), 2, "--no-drift excludes --drift-day and --column."),
        (("--days", "5", "--hours", "168"), 2, "--days: a window of this project takes 7 days."),
        (("--env", "staging"), 1, "there is no environment 'staging'"),
        (("--column", "fraud"), 1, "Name a feature that is a number or a category: amount, country"),
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
