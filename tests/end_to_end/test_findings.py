"""What preprocessing noticed of the data stands wherever a person looks, not only in a job's log."""

from __future__ import annotations

import json
import random
from pathlib import Path

from installed_command import ShellHere

PROJECT = "rc-churn"
SENTENCE = "7 rows have no value in the target 'left' and were left out"
FINDING = {
    "level": "warning",
    "kind": "rows_without_target",
    "text": SENTENCE,
    "column": "left",
    "count": 7,
    "remedy": None,
}
SETTINGS = """
default_project = "rc-churn"
[projects.rc.churn]
description = "A test"
owner = "me"
task = "binary"
accuracy_threshold = 0.5
region = "eu-west-1"
data = { source = "customers.csv", target = "left", positive_class = "yes" }
training = { num_round = 5 }
"""


def test_findings_are_shown_at_the_end_of_each_run_in_the_report_and_with_the_version(tmp_path: Path) -> None:
    draw = random.Random(1)
    lines = ["tenure,visits,left"]
    for _ in range(600):
        tenure, visits = draw.random(), draw.random()
        lines.append(f"{tenure:.4f},{visits:.4f},{'yes' if tenure + visits > 1 else 'no'}")
    lines += [f"0.{n},0.5," for n in range(1, 8)]
    (tmp_path / "customers.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "projects.toml").write_text(SETTINGS)
    shell = ShellHere(tmp_path / "projects.toml", tmp_path / "home")

    first = shell.run("run", "--json")
    assert first.code == 0, first.err
    assert first.document["findings"] == [FINDING]

    # From the step cache, with a gate that stays shut, and by `start`.
    for command in (("run",), ("start", "--wait")):
        shut = shell.run(*command, "-p", "AccuracyThreshold=0.999")
        assert shut.code == 3, shut.err
        assert shut.out.endswith(f"\n\nWhat preprocessing noticed of the data:\n  warning: {SENTENCE}\n")
    again = shell.run("run", "-p", "AccuracyThreshold=0.999", "--json")
    assert (again.code, again.document["findings"]) == (3, [FINDING])
    assert next(step for step in again.document["steps"] if step["name"] == "PreprocessData")["cached"]

    version = shell.run("model", PROJECT, "1", "--json").document
    assert version["findings"] == [FINDING]
    card = version["card"]["content"]
    assert card["additional_information"]["custom_details"]["data_findings"] == "1 warning"
    assert SENTENCE in " ".join(shell.run("model", PROJECT, "1").out.split())
    reports = [*tmp_path.glob("home/**/report.html")]
    assert reports
    assert all("7 rows have no value in the target" in path.read_text() for path in reports)


def test_a_run_that_noticed_nothing_says_nothing(tmp_path: Path) -> None:
    rows = "\n".join(f"{n * 7919 % 1009 / 7},{'yes' if n % 5 < 2 else 'no'}" for n in range(400))
    (tmp_path / "customers.csv").write_text(f"tenure,left\n{rows}\n")
    (tmp_path / "projects.toml").write_text(
        SETTINGS.replace("accuracy_threshold = 0.5", "accuracy_threshold = 0")
    )
    shell = ShellHere(tmp_path / "projects.toml", tmp_path / "home")
    done = shell.run("run", "-p", "NumRound=1")
    assert "What preprocessing noticed" not in done.out
    assert json.loads(shell.run("run", "-p", "NumRound=1", "--json").out)["findings"] == []
