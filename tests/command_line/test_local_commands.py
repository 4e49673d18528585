"""`gatehouse local`: the endpoint that outlives a command, and the state that it keeps."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipelines.commands import main
from sagemaker_local import endpoint

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def up(gatehouse: Command) -> Iterator[dict[str, Any]]:
    """An endpoint in a process of its own, as `gatehouse local up` leaves it."""
    started = gatehouse("local", "up", "--json")
    assert started.returncode == 0, started.stderr
    yield json.loads(started.stdout)
    gatehouse("local", "down")


def test_it_comes_up_answers_unmodified_clients_and_goes_down(
    gatehouse: Command, up: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    status = json.loads(gatehouse("local", "status", "--json").stdout)
    assert (status["up"], status["url"], status["pid"]) == (True, up["url"], up["pid"])
    for name, value in json.loads(gatehouse("local", "env", "--json").stdout).items():
        monkeypatch.setenv(name, value)
    assert boto3.client("sagemaker").list_pipelines()["PipelineSummaries"] == []
    down = gatehouse("local", "down")
    assert down.returncode == 0
    assert up["url"] in down.stdout
    assert json.loads(gatehouse("local", "status", "--json").stdout)["up"] is False


def test_its_variables_can_be_evaluated_by_a_shell(gatehouse: Command, up: dict[str, Any]) -> None:
    printed = gatehouse("local", "env").stdout
    done = subprocess.run(
        ["sh", "-c", f'{printed}\necho "$AWS_ENDPOINT_URL $AWS_DEFAULT_REGION ${{AWS_PROFILE-unset}}"'],
        env={**os.environ, "AWS_PROFILE": "work"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.split() == [up["url"], "eu-west-1", "unset"]


def test_a_second_one_is_refused_and_names_the_first(gatehouse: Command, up: dict[str, Any]) -> None:
    again = gatehouse("local", "up")
    assert again.returncode == 1
    assert up["url"] in again.stderr
    assert "gatehouse local down" in again.stderr


def test_a_port_that_is_taken_is_said_at_once(gatehouse: Command, tmp_path: Path) -> None:
    other = endpoint.start(tmp_path / "other")
    port = other.url.rpartition(":")[2].rstrip("/")
    refused = gatehouse("local", "up", "--port", port)
    other.close()
    assert refused.returncode == 1
    assert port in refused.stderr
    assert "--port" in refused.stderr


def test_reset_refuses_while_anything_works_on_the_state(gatehouse: Command, up: dict[str, Any]) -> None:
    refused = gatehouse("local", "reset", "--yes")
    assert refused.returncode == 1
    assert str(up["pid"]) in refused.stderr
    assert Path(up["home"]).exists()


def test_reset_deletes_the_state_once_it_is_confirmed(gatehouse: Command, workplace: Path) -> None:
    endpoint.start(workplace / ".gatehouse").close()
    assert gatehouse("local", "reset").returncode != 0  # nobody there to say yes
    assert (workplace / ".gatehouse").exists()
    assert gatehouse("local", "reset", "--yes").returncode == 0
    assert not (workplace / ".gatehouse").exists()
    assert gatehouse("local", "reset", "--yes").returncode == 0


def test_reset_leaves_a_folder_alone_that_is_not_its_own(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = workplace / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("x")
    monkeypatch.setenv("GATEHOUSE_HOME", str(precious))
    assert main(["local", "reset", "--yes"]) == 1
    assert "does not look like" in capsys.readouterr().err
    assert (precious / "thesis.tex").exists()


@pytest.mark.usefixtures("workplace")
def test_what_needs_it_says_how_to_bring_it_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local", "env"]) == 1
    assert "gatehouse local up" in capsys.readouterr().err
    assert main(["local", "down"]) == 0
    assert "was not up" in capsys.readouterr().err
