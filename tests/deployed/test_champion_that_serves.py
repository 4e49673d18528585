"""The version that serves, and the newest version, as the gate of a running pipeline sees them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from installed_command import Finished, Shell, ShellHere, until
from wire_clients import client_of

PROJECT = "rc-mortality"
STRONG, WEAK = "num_round = 40", "num_round = 1\nmax_depth = 1"
BETWEEN = "num_round = 3\nmax_depth = 2"
BY_HAND = """
[projects.rc.mortality.environments.prod]
promotion = "manual"
"""


def settings(
    folder: Path, training: str, gate: str = 'champion = "prod"', environments: str = BY_HAND
) -> None:
    (folder / "projects.toml").write_text(f"""
default_project = "{PROJECT}"
[projects.rc.mortality]
description = "A test"
owner = "me"
task = "binary"
accuracy_threshold = 0.5
region = "eu-west-1"
network.isolation = true
[projects.rc.mortality.data]
source = "patients.csv"
target = "died"
positive_class = "yes"
[projects.rc.mortality.gate]
{gate}
[projects.rc.mortality.training]
{training}
{environments}
""")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A project over 3 000 patients; who dies follows from two numbers, of which a stump can use one."""
    draw = random.Random(1)
    lines = ["age,pressure,died"]
    for _ in range(3000):
        age, pressure = draw.random(), draw.random()
        lines.append(f"{age:.4f},{pressure:.4f},{'yes' if age + pressure > 1 else 'no'}")
    (tmp_path / "patients.csv").write_text("\n".join(lines) + "\n")
    settings(tmp_path, STRONG)
    shell = ShellHere(tmp_path / "projects.toml", tmp_path / "home")
    yield shell
    shell.run("local", "down")


def steps(outcome: dict[str, Any]) -> dict[str, Any]:
    return {step["name"]: step for step in outcome["steps"]}


def champion_check(outcome: dict[str, Any]) -> dict[str, Any]:
    [found] = [check for check in outcome["verdict"]["checks"] if check["name"] == "champion"]
    return found


def ran(shell: Shell, *arguments: str, code: int = 0) -> dict[str, Any]:
    done: Finished = shell.run("run", *arguments, "--json")
    assert done.code == code, done.err
    return done.document


def test_a_better_champion_keeps_a_scheduled_challenger_out_until_a_rollback(
    shell: Shell, tmp_path: Path
) -> None:
    # Two versions: a weak one, and one that takes its place in prod.
    settings(tmp_path, WEAK)
    assert shell.run("local", "up").code == 0
    first = ran(shell)
    assert (
        champion_check(first)["sentence"] == "no version serves in prod yet, so there is none to compare with"
    )
    assert shell.run("approve", PROJECT, "1", "--note", "good").code == 0
    assert shell.run("deploy", PROJECT, "--env", "prod", "--version", "1").code == 0
    settings(tmp_path, STRONG)
    second = ran(shell)
    assert "not worse than version 1, which serves in prod" in champion_check(second)["sentence"]
    assert shell.run("approve", PROJECT, "2", "--note", "better").code == 0
    assert shell.run("deploy", PROJECT, "--env", "prod", "--version", "2").code == 0

    # A challenger between the two, started by a schedule, that no command line touches.
    settings(tmp_path, BETWEEN)
    assert shell.run("upsert", PROJECT).code == 0
    url = json.loads(shell.run("local", "status", "--json").out)["url"]
    sagemaker, scheduler = client_of(url, "sagemaker"), client_of(url, "scheduler")
    known = len(listed(sagemaker))
    soon = datetime.now(UTC) + timedelta(seconds=8)  # a time that is over starts nothing
    scheduler.create_schedule(
        Name="soon",
        ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": f"arn:aws:sagemaker:eu-west-1:000000000000:pipeline/{PROJECT}",
            "RoleArn": "arn:aws:iam::000000000000:role/gatehouse-local",
            "SageMakerPipelineParameters": {"PipelineParameterList": []},
        },
    )
    until(lambda: len(listed(sagemaker)) > known, what="the scheduled start")
    arn = listed(sagemaker)[0]["PipelineExecutionArn"]
    until(lambda: listed(sagemaker)[0]["PipelineExecutionStatus"] != "Executing", what="its end")
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Failed"
    reasons = json.dumps(sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn), default=str)
    assert "not shown to be as good as version 2, which serves in prod" in reasons
    assert len(json.loads(shell.run("models", PROJECT, "--json").out)) == 2

    # From a command line it is the same, and nothing of it runs twice, because the champion is the same.
    refused = ran(shell, code=3)
    assert "version 2, which serves in prod" in refused["verdict"]["sentence"]
    assert steps(refused)["EvaluateModel"]["cached"]

    # After a rollback the older version is the champion, and the same artifact is judged anew.
    assert shell.run("rollback", PROJECT, "--env", "prod").code == 0
    passed = ran(shell)
    assert "version 1, which serves in prod" in champion_check(passed)["sentence"]
    assert steps(passed)["TrainModel"]["cached"]
    assert not steps(passed)["EvaluateModel"]["cached"]

    # A project that there was not when the endpoint came up gets the functions that its run needs.
    text = (tmp_path / "projects.toml").read_text()
    later = text.replace("rc.mortality", "rc.later").replace(PROJECT, "rc-later")
    (tmp_path / "projects.toml").write_text(later)
    ran(shell)


def listed(sagemaker: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sagemaker.list_pipeline_executions(PipelineName=PROJECT)[
        "PipelineExecutionSummaries"
    ]
    return found


def test_the_same_model_again_is_registered_once(shell: Shell, tmp_path: Path) -> None:
    settings(tmp_path, STRONG, gate="worth = true")
    first = ran(shell)
    assert first["same_version"] is None
    assert first["model_package_arn"].endswith(f"{PROJECT}/1")

    # Nothing is taken from the step cache, and yet every byte is the same.
    usual = (tmp_path / "projects.toml").read_text()
    (tmp_path / "projects.toml").write_text(
        (tmp_path / "projects.toml")
        .read_text()
        .replace('owner = "me"', 'owner = "me"\ncache_expire_after = "PT1S"')
    )
    again = ran(shell)
    assert not any(step["cached"] for step in again["steps"])
    assert (again["status"], again["same_version"], again["model_package_arn"]) == ("Succeeded", 1, None)
    (tmp_path / "projects.toml").write_text(usual)
    shown = shell.run("run")
    assert shown.code == 0
    assert "Nothing new to register: this is version 1 again, which is PendingManualApproval." in shown.out
    assert len(json.loads(shell.run("models", PROJECT, "--json").out)) == 1

    wanted = ran(shell, "--register-again")
    assert wanted["model_package_arn"].endswith(f"{PROJECT}/2")
    other = ran(shell, "-p", "NumRound=39")
    assert other["model_package_arn"].endswith(f"{PROJECT}/3")
    settings(tmp_path, "num_round = 39", gate="register_again = true")
    always = ran(shell)
    assert always["model_package_arn"].endswith(f"{PROJECT}/4")
    assert "FindSameVersion" not in steps(always)


def test_a_champion_in_an_environment_that_is_not_configured_is_refused_before_anything_runs(
    shell: Shell, tmp_path: Path
) -> None:
    settings(tmp_path, STRONG, gate='champion = "production"', environments="")
    refused = shell.run("run")
    assert refused.code == 1
    assert (
        "gate] champion: 'production' is no environment. The environments are: dev, prod, test."
        in refused.err
    )
    assert "[projects.rc.mortality" in refused.err
