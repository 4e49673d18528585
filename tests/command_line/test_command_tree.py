"""What `gatehouse` offers, how light it starts, and how it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import pipelines.commands
from pipelines.commands import SUBCOMMANDS, gatehouse, main, reference


def commands(command: click.Command, path: str = "gatehouse") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from commands(child, f"{path} {name}")


ALL = dict(commands(gatehouse))


@pytest.mark.parametrize("path", ALL)
def test_every_command_and_every_option_has_help(path: str) -> None:
    command = ALL[path]
    assert command.help, f"{path} has no help text"
    assert len(command.get_short_help_str(200)) > 10
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts[0]} has no help text"


def test_every_command_gives_json_to_machines() -> None:
    for path, command in ALL.items():
        if not isinstance(command, click.Group):
            assert any("--json" in parameter.opts for parameter in command.params), path


def test_the_command_reference_is_what_the_commands_say() -> None:
    assert reference.FILE.read_text(encoding="utf-8") == reference.reference(), (
        "run: python -m pipelines.commands.reference"
    )


def test_every_command_is_in_the_command_reference() -> None:
    text = reference.reference()
    for path in ALL:
        assert f"## {path}\n" in text


def test_every_module_with_a_command_is_in_the_list_of_commands() -> None:
    folder = Path(pipelines.commands.__file__).parent
    defines = re.compile(r"^def command\(", re.MULTILINE)
    modules = {path.stem for path in folder.glob("*.py") if defines.search(path.read_text(encoding="utf-8"))}
    assert modules == set(SUBCOMMANDS)


def test_the_line_in_the_list_of_commands_fits_a_terminal() -> None:
    assert max(len(line) for line in SUBCOMMANDS.values()) < 66


@pytest.mark.parametrize("arguments", ["['--help']", "['--version']", "['modles']"])
def test_help_imports_nothing_heavy(arguments: str) -> None:
    program = (
        "import sys\n"
        "from pipelines.commands import main\n"
        f"main({arguments})\n"
        "heavy = {'boto3', 'botocore', 'pydantic', 'rich', 'sagemaker', 'pandas', 'starlette', 'asyncio'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "HEAVY []" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(("variables", "loaded"), [({}, False), ({"PYDANTIC_DISABLE_PLUGINS": ""}, True)])
def test_no_plugin_of_pydantic_is_searched_for_unless_the_user_says_so(
    variables: dict[str, str], loaded: bool, workplace: Path, tmp_path: Path
) -> None:
    installed = tmp_path / "installed"
    described = installed / "a_plugin-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: a-plugin\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[pydantic]\na = a_plugin:plugin\n")
    (installed / "a_plugin.py").write_text(
        "class plugin:\n"
        "    print('LOADED')\n"
        "    def new_schema_validator(*_, **__):\n"
        "        return None, None, None\n"
        "plugin = plugin()\n"
    )
    places = os.pathsep.join([str(installed), str(Path(pipelines.__file__).parents[1])])
    environment = {key: value for key, value in os.environ.items() if key != "PYDANTIC_DISABLE_PLUGINS"}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "local", "status"],
        cwd=workplace,
        env={**environment, "PYTHONPATH": places, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert ("LOADED" in done.stdout) is loaded


def test_a_misspelt_command_is_wrong_usage_and_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modles"]) == 2
    assert "'models'?" in capsys.readouterr().err


def test_a_misspelt_subcommand_of_local_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local", "staus"]) == 2
    assert "Did you mean 'status'?" in capsys.readouterr().err


def test_an_unknown_option_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--jsn"]) == 2
    assert "--json" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["MaxDepth", "=4", ""])
def test_a_parameter_that_is_no_pair_is_wrong_usage(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-p", word]) == 2
    assert "is not NAME=VALUE" in capsys.readouterr().err


def test_a_parameter_given_twice_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-p", "Eta=0.1", "-p", "Eta=0.2"]) == 2
    assert "Eta is given twice" in capsys.readouterr().err


def test_missing_settings_are_one_line_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEHOUSE_SETTINGS", raising=False)
    assert main(["definition"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "projects.toml" in printed.err
    assert "GATEHOUSE_SETTINGS" in printed.err


@pytest.mark.parametrize(
    "name", ["run", "definition", "plan", "upsert", "start", "models", "executions", "logs"]
)
@pytest.mark.usefixtures("workplace")
def test_an_unknown_project_is_one_line_with_a_suggestion(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "bank-chrun"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "bank-chrun" in printed.err
    assert "bank-churn" in printed.err


def test_a_broken_settings_file_is_one_line_that_names_it(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "projects.toml").write_text("default_project = ")
    assert main(["plan"]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "projects.toml" in printed


def test_a_threshold_outside_0_to_1_in_the_settings_is_refused(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = workplace / "projects.toml"
    file.write_text(file.read_text().replace("accuracy_threshold = 0.6", "accuracy_threshold = 1.6"))
    assert main(["run"]) == 1
    assert "accuracy_threshold" in capsys.readouterr().err


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("gatehouse exec", ["executions"]),
        ("gatehouse executions --wa", ["--watch"]),
        ("gatehouse executions bank-f", ["bank-fraud-detection"]),
        ("gatehouse compare bank-c", ["bank-churn"]),
    ],
)
def test_the_shell_completes_commands_options_and_projects(
    words: str, completed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_GATEHOUSE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines() == [f"plain,{word}" for word in completed]


def test_the_shell_completes_no_project_without_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEHOUSE_SETTINGS", raising=False)
    monkeypatch.setenv("_GATEHOUSE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "gatehouse run b")
    monkeypatch.setenv("COMP_CWORD", "2")
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr() == ("\n", "")


@pytest.mark.usefixtures("workplace")
def test_aws_without_a_role_says_where_to_put_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--target", "aws"]) == 1
    assert "SAGEMAKER_PIPELINE_ROLE_ARN" in capsys.readouterr().err


def test_the_command_is_also_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "--version"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout.startswith("gatehouse, version ")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["--help"], ["projects"], ["projects", "--json"]])
def test_a_full_disk_below_standard_output_is_an_error_in_one_line(
    workplace: Path, arguments: list[str], unbuffered: str
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines", *arguments],
            cwd=workplace,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: what this command says cannot be written: No space left on device.\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_whose_streams_are_closed_does_its_work(workplace: Path, closed: str) -> None:
    command = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, "-m", "pipelines", "local", "status"]
    assert subprocess.run(command, cwd=workplace, timeout=60).returncode == 0


def test_garbage_is_collected_as_often_as_ever_once_a_command_has_started() -> None:
    program = (
        "import gc\n"
        "usual = gc.get_threshold()\n"
        "from pipelines import __main__\n"
        "__main__._collect_late()\n"
        "assert gc.get_threshold() != usual\n"
        "stays = [[] for _ in range(300_000)]\n"
        "assert gc.get_threshold() == usual, gc.get_threshold()\n"
        "assert not gc.callbacks\n"
        "class Held: pass\n"
        "import weakref\n"
        "cycle = Held()\n"
        "cycle.itself, seen = cycle, weakref.ref(cycle)\n"
        "del cycle\n"
        "more = [[] for _ in range(2_000)]\n"
        "assert seen() is None, 'a cycle is kept'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
