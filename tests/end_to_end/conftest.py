"""Shells over a home folder: one that the whole session shares, and ones that a test may spoil; and a local
SageMaker for programs that know nothing of this project.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from installed_command import GATEHOUSE, ROOT, TUMORS, Finished, Shell, ShellHere, jobs_of


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The project's own settings and example data, over a home that this session starts empty."""
    folder = tmp_path_factory.mktemp("shared")
    return ShellHere(ROOT / "projects.toml", folder / "home")


@pytest.fixture(scope="session")
def first_run(shell: Shell) -> Finished:
    """`gatehouse run --json` with nothing there before it, as a person types it."""
    return Shell(shell.settings, shell.home).run("run", TUMORS, "--json")


@pytest.fixture
def own_shell(tmp_path: Path) -> Iterator[Callable[..., Shell]]:
    """Makes a shell over a copy of the example data that a test may spoil, with settings of its own.

    ``gate`` and ``training`` are the lines of these tables; a gate has a threshold of its own.
    """

    def make(
        name: str = "tumors", *, data: str | None = None, gate: str = "", training: str = "", **keys: str
    ) -> Shell:
        source = tmp_path / f"{name}.csv"
        if data is None:
            shutil.copyfile(ROOT / "examples/tumor-diagnosis/wdbc.csv", source)
        else:
            source.write_text(data)
        project = {
            "task": '"binary"',
            **({} if "threshold" in gate else {"accuracy_threshold": "0.9"}),
            "description": '"A test"',
            "owner": '"me"',
        }
        table = {"source": f'"{source.name}"', "target": '"diagnosis"', "positive_class": '"malignant"'}
        for key, value in keys.items():
            (project if key in project else table)[key] = value
        lines = [
            'default_project = "test-tumors"',
            "[defaults]",
            'region = "eu-west-1"',
            "[projects.test.tumors]",
        ]
        lines += [f"{key} = {value}" for key, value in project.items()]
        lines += ["[projects.test.tumors.data]", *(f"{key} = {value}" for key, value in table.items())]
        lines += ["[projects.test.tumors.gate]", gate, "[projects.test.tumors.training]", training]
        settings = tmp_path / "projects.toml"
        settings.write_text("\n".join(lines) + "\n")
        return ShellHere(settings, tmp_path / "home")

    yield make
    assert not jobs_of(tmp_path / "home"), "a test left jobs running"


@dataclass(frozen=True)
class KeptUp:
    """A local SageMaker as other tools than this project's find it: by its variables."""

    folder: Path
    variables: Mapping[str, str]

    def run(self, program: str) -> Any:
        """Run a Python program; the JSON document that it prints last."""
        command = [sys.executable, "-c", program]
        environment = {**_without_ours(), **self.variables}
        done = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def kept_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptUp]:
    """By `gatehouse local up`, in a folder without settings."""
    folder = tmp_path_factory.mktemp("kept-up")
    environment = {**_without_ours(), "GATEHOUSE_HOME": str(folder / "home")}

    def local(*words: str) -> str:
        command = [str(GATEHOUSE), "local", *words]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    local("up")
    yield KeptUp(folder, json.loads(local("env", "--json")))
    local("down")


def _without_ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GATEHOUSE_"))}
