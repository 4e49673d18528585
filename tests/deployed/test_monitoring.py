"""From captured requests to what people are told of them, and to a training that starts by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from installed_command import Shell, ShellHere, until
from payments import PROJECT, SETTINGS, payments
from wire_clients import client_of

from pipelines.settings.target import LOCAL_BUCKET


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    lines = ["amount,country,fraud", *map(",".join, payments(3000, 1))]
    (tmp_path / "payments.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "projects.toml").write_text(SETTINGS)
    shell = ShellHere(tmp_path / "projects.toml", tmp_path / "home")
    yield shell
    shell.run("local", "down")


def sent(
    shell: Shell, folder: Path, name: str, rows: list[tuple[str, str, str]], turned: bool = False
) -> None:
    """Send rows under an inference id, wait until they are captured, and say what turned out to be right."""
    s3 = client_of(json.loads(shell.run("local", "status", "--json").out)["url"], "s3")

    def captures() -> int:
        return int(s3.list_objects_v2(Bucket=LOCAL_BUCKET, Prefix=f"{PROJECT}/capture/")["KeyCount"])

    before = captures()
    (folder / "rows.csv").write_text("amount,country\n" + "".join(f"{a},{c}\n" for a, c, _ in rows))
    done = shell.run("invoke", "--env", "dev", "--data", str(folder / "rows.csv"), "--inference-id", name)
    assert done.code == 0, done.err
    until(lambda: captures() > before, what="the captures")
    other = {"yes": "no", "no": "yes"}
    labels = [other[label] if turned else label for _, _, label in rows]
    (folder / f"{name}.csv").write_text("inference_id,label\n" + "".join(f"{name},{one}\n" for one in labels))


def compared(shell: Shell) -> dict[str, Any]:
    done = shell.run("monitor", "--env", "dev", "--now", "--json")
    assert done.code == 0, done.err
    verdict: dict[str, Any] = done.document["verdict"]
    return verdict


def test_a_change_is_told_once_and_worse_answers_start_a_training(shell: Shell, tmp_path: Path) -> None:
    assert shell.run("local", "up").code == 0
    assert shell.run("run").code == 0
    nothing = shell.run("monitor", "--env", "dev", "--now")
    assert (nothing.code, nothing.err.splitlines()[-1]) == (1, f"Error: {PROJECT}: no version serves in dev.")
    assert shell.run("approve", "1", "--note", "good").code == 0
    until(lambda: "serves in dev" in shell.run("inbox").out, what="the deployment")

    sent(shell, tmp_path, "first", payments(300, 2))
    plain = compared(shell)
    assert (plain["rows"], plain["status"], plain["quality"]["status"]) == (300, "as before", "no labels")

    sent(shell, tmp_path, "second", payments(600, 3, scale=1.6))
    changed = compared(shell)
    assert changed["status"] == "changed"
    assert "amount" in {one["column"] for one in changed["differences"]}
    shown = shell.run("monitor", "--env", "dev", "--show")
    assert "changed" in shown.out
    page = tmp_path / "page.html"
    address = f"http://127.0.0.1/studio/p/{PROJECT}/environments/dev"
    assert shell.run("studio", address, "--save", str(page)).code == 0
    assert "the traffic changed: " in page.read_text()
    assert "no schedule" in shown.out
    told = until(
        lambda: "the traffic in dev changed" in (text := shell.run("inbox").out) and text, what="the mail"
    )
    assert "Nothing is trained by itself before there is a history" in told
    compared(shell)
    assert shell.run("inbox").out.count("the traffic in dev changed") == 1

    # Labels show that the model is wrong: its pipeline is started, once.
    sent(shell, tmp_path, "third", payments(300, 4), turned=True)
    assert shell.run("labels", str(tmp_path / "third.csv"), "--env", "dev").code == 0
    worse = compared(shell)["quality"]
    assert (worse["status"], worse["metric"]) == ("worse", "accuracy")
    told = until(
        lambda: "got worse in dev" in (text := shell.run("inbox").out) and text, what="the second mail"
    )
    assert "A training was started: execution " in told
    url = json.loads(shell.run("local", "status", "--json").out)["url"]
    sagemaker = client_of(url, "sagemaker")
    executions = sagemaker.list_pipeline_executions(PipelineName=PROJECT)["PipelineExecutionSummaries"]
    assert [one.get("PipelineExecutionDisplayName") for one in executions].count("monitoring-dev") == 1

    named = f"{PROJECT}-monitoring"
    assert "Succeeded" in shell.run("executions", named).out
    assert "version 1 in dev" in shell.run("logs", named, "--step", "CompareWindow").out

    # Another version on the same requests; what serves stays.
    assert shell.run("run", "-p", "NumRound=6", "-p", "MaxDepth=1").code == 0
    newest = max(one["version"] for one in shell.run("models", "--json").document)
    replayed = shell.run("replay", str(newest), "--env", "dev", "--json")
    assert replayed.code == 0, replayed.err
    assert (replayed.document["version"], replayed.document["candidate"]) == (1, newest)
    assert replayed.document["replay"]["rows"] == 1200
    assert "flips" in replayed.document["replay"]
    assert shell.run("replay", "1", "--env", "dev").err.endswith(
        "Error: version 1 is the one that serves in dev.\n"
    )
    assert "no version serves in prod" in shell.run("replay", str(newest), "--env", "prod").err

    executions = shell.run("executions", named, "--json").document
    for end, said in (("2999-01-01", "which has not come yet"), ("tomorrow", "'tomorrow' is not a time")):
        refused = shell.run("monitor", "--env", "dev", "--now", "--end", end)
        assert (refused.code, said in refused.err) == (1, True), refused.err
    assert shell.run("executions", named, "--json").document == executions

    scheduled = shell.run("monitor", "--env", "dev", "--rate", "1 day", "--json")
    assert (scheduled.document["action"], len(scheduled.document["next_times"])) == ("create", 3)
    assert shell.run("monitor", "--env", "dev", "--rate", "1 day", "--json").document["action"] == "none"
    assert shell.run("monitor", "--env", "dev", "--off", "--json").document["action"] == "delete"

    # A promotion asks for the same by itself where the settings say so.
    assert shell.run("local", "down").code == 0
    file = tmp_path / "projects.toml"
    file.write_text(file.read_text().replace("capture = {}", "capture = {}\nreplay = true"))
    assert shell.run("approve", str(newest), "--note", "for prod").code == 0
    assert shell.run("deploy", "--env", "prod", "--version", str(newest)).code == 0
    planned = shell.run("promote", "--from", "prod", "--to", "dev", "--plan")
    assert "The requests that were captured in dev are sent through it first.\n" in planned.err
    asked = shell.run("promote", "--from", "prod", "--to", "dev")
    assert asked.code == 130
    assert "/replays/" in asked.err
    assert asked.err.endswith(
        f"Promote version {newest} to dev? [y/N]: \n"
        "Nothing is done without a yes; --yes does not ask.\nInterrupted.\n"
    )
    served = {one["environment"]: one for one in shell.run("environments", "--json").document}
    assert served["dev"]["version"] == 1
    done = shell.run("promote", "--from", "prod", "--to", "dev", "--yes", "--json")
    assert (done.code, done.document["version"], done.document["done"]) == (0, newest, True), done.err
    again = shell.run("promote", "--from", "prod", "--to", "dev")
    assert (again.code, "serves in dev already" in again.out) == (0, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,label\na,yes\n", "line 1: there is no column inference_id"),
        ("inference_id,label\na\n", "line 2: it has 1 fields; the first line names 2"),
        ("inference_id,label\n,yes\n", "line 2: it has no inference_id"),
        ("inference_id,label\na,\n", "line 2: it has no label"),
        ("inference_id,label\n\n", "there are no labels in it"),
    ],
)
def test_labels_that_are_none_are_refused_with_their_line(
    shell: Shell, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "labels.csv").write_text(text)
    done = shell.run("labels", str(tmp_path / "labels.csv"), "--env", "dev")
    assert done.code == 1
    assert said in done.err


def test_one_thing_is_asked_of_monitor(shell: Shell) -> None:
    assert shell.run("monitor", "--env", "dev").code == 2
    assert shell.run("monitor", "--env", "dev", "--now", "--off").code == 2
    assert shell.run("monitor", "--env", "dev", "--show", "--end", "2030-01-01").code == 2
    wrong = shell.run("monitor", "--env", "dev", "--cron", "1 2 3")
    assert wrong.code == 1
    assert "schedule: " in wrong.err
