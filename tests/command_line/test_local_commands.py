"""`gatehouse local`: the endpoint that outlives a command, and the state that it keeps."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from installed_command import Finished

from pipelines.commands import main
from sagemaker_local import endpoint

Command = Callable[..., Finished]


@pytest.fixture
def up(gatehouse: Command) -> Iterator[dict[str, Any]]:
    """An endpoint in a process of its own, as `gatehouse local up` leaves it."""
    started = gatehouse("local", "up", "--json")
    assert started.code == 0, started.err
    yield json.loads(started.out)
    gatehouse("local", "down")


def test_it_comes_up_answers_unmodified_clients_and_goes_down(
    gatehouse: Command, up: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    status = json.loads(gatehouse("local", "status", "--json").out)
    assert (status["up"], status["url"], status["pid"]) == (True, up["url"], up["pid"])
    for name, value in json.loads(gatehouse("local", "env", "--json").out).items():
        monkeypatch.setenv(name, value)
    assert boto3.client("sagemaker").list_pipelines()["PipelineSummaries"] == []
    down = gatehouse("local", "down")
    assert down.code == 0
    assert up["url"] in down.out
    assert json.loads(gatehouse("local", "status", "--json").out)["up"] is False


def test_it_prints_the_link_that_lets_a_browser_in(gatehouse: Command) -> None:
    try:
        [link] = re.findall(r"http://\S+token=\S+", gatehouse("local", "up").out)
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with browser.open(link) as answer:
            assert "token" not in answer.url
            assert "bank-churn" in answer.read().decode()
        for refused in (link, link.partition("?")[0]):  # a link lets one browser in
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(refused)
        of_project = gatehouse("studio", "bank-churn", "--no-browser").out
        assert "/studio/p/bank-churn?token=" in of_project
        assert link.rpartition("=")[2] not in of_project
        of_execution = gatehouse("studio", "bank-churn", "abcdefghijkl", "--no-browser").out
        assert "/studio/p/bank-churn/executions/abcdefghijkl?token=" in of_execution
    finally:
        gatehouse("local", "down")


def test_its_variables_can_be_evaluated_by_a_shell(gatehouse: Command, up: dict[str, Any]) -> None:
    printed = gatehouse("local", "env").out
    done = subprocess.run(
        ["sh", "-c", f'{printed}\necho "$AWS_ENDPOINT_URL $AWS_DEFAULT_REGION ${{AWS_PROFILE-unset}}"'],
        env={**os.environ, "AWS_PROFILE": "work"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == [up["url"], "eu-west-1", "unset"]


def test_bringing_it_up_again_changes_nothing_and_says_where_it_is(
    gatehouse: Command, up: dict[str, Any]
) -> None:
    port = up["url"].rpartition(":")[2].rstrip("/")
    again = gatehouse("local", "up")
    assert again.code == 0
    assert f"The local SageMaker is up already: {up['url']}  (process {up['pid']})" in again.out
    assert json.loads(gatehouse("local", "up", "--port", port, "--json").out) == up
    for more in (["--port", "1"], ["--foreground"]):
        refused = gatehouse("local", "up", *more)
        assert refused.code == 1
        assert up["url"] in refused.err
        assert "gatehouse local down" in refused.err


def test_a_port_that_is_taken_is_said_at_once(gatehouse: Command, tmp_path: Path) -> None:
    other = endpoint.start(tmp_path / "other")
    port = other.url.rpartition(":")[2].rstrip("/")
    refused = gatehouse("local", "up", "--port", port)
    other.close()
    assert refused.code == 1
    assert port in refused.err
    assert "--port" in refused.err


def test_reset_refuses_while_anything_works_on_the_state(gatehouse: Command, up: dict[str, Any]) -> None:
    refused = gatehouse("local", "reset", "--yes")
    assert refused.code == 1
    assert str(up["pid"]) in refused.err
    assert Path(up["home"]).exists()


def test_reset_deletes_the_state_once_it_is_confirmed(gatehouse: Command, workplace: Path) -> None:
    endpoint.start(workplace / ".gatehouse").close()
    assert gatehouse("local", "reset").code != 0  # nobody there to say yes
    assert (workplace / ".gatehouse").exists()
    assert gatehouse("local", "reset", "--yes").code == 0
    assert not (workplace / ".gatehouse").exists()
    assert gatehouse("local", "reset", "--yes").code == 0


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


@pytest.fixture
def nowhere(workplace: Path) -> Path:
    """A folder without settings, neither in it nor above it."""
    (workplace / "projects.toml").unlink()
    return workplace


def test_it_needs_no_settings(gatehouse: Command, nowhere: Path) -> None:
    started = gatehouse("local", "up", "--json")
    assert started.code == 0, started.err
    assert json.loads(started.out)["home"] == str(nowhere / ".gatehouse")
    env = json.loads(gatehouse("local", "env", "--json").out)
    assert env["AWS_REGION"] == "us-east-1"
    assert json.loads(gatehouse("local", "down", "--json").out) == {"was_up": True}
    assert gatehouse("local", "reset", "--yes").code == 0
    assert not (nowhere / ".gatehouse").exists()


@pytest.mark.usefixtures("nowhere")
def test_settings_that_are_named_and_not_there_are_an_error(gatehouse: Command) -> None:
    ended = gatehouse("local", "status", GATEHOUSE_SETTINGS="elsewhere.toml")
    assert ended.code == 1
    assert "elsewhere.toml" in ended.err


def test_the_settings_region_is_exported_without_a_default_project(
    gatehouse: Command, workplace: Path
) -> None:
    file = workplace / "projects.toml"
    file.write_text(file.read_text().replace('default_project = "bank-churn"', ""))
    gatehouse("local", "up")
    env = json.loads(gatehouse("local", "env", "--json").out)
    gatehouse("local", "down")
    assert (env["AWS_REGION"], env["AWS_DEFAULT_REGION"]) == ("eu-west-1", "eu-west-1")


def test_projects_and_environments_that_came_later_get_their_automation(
    gatehouse: Command, workplace: Path, up: dict[str, Any]
) -> None:
    client = boto3.client(
        "lambda",
        endpoint_url=up["url"],
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )

    def stages(project: str) -> dict[str, str]:
        name = f"{project}-version-decided"
        variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        environments = json.loads(variables["GATEHOUSE_AUTOMATION"])["environments"]
        return {one["name"]: one["promotion"] for one in environments}

    before = stages("bank-churn")
    file = workplace / "projects.toml"
    later = file.read_text().partition("[projects.bank.fraud-detection]")[2]
    file.write_text(
        f"{file.read_text()}\n[projects.bank.later]{later.replace('fraud-detection', 'later')}"
        '[projects.bank.churn.environments.canary]\npromotion = "manual"\n'
    )
    gatehouse("reject", "bank-later", "1")
    assert stages("bank-later") == before == {"dev": "automatic", "test": "automatic", "prod": "manual"}
    assert stages("bank-churn") == {"canary": "manual"}
    found = [one["FunctionName"] for one in client.list_functions()["Functions"]]
    assert "bank-later-find-same-version" in found
