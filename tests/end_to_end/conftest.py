"""Shells over a home folder: one that the whole session shares, and ones that a test may spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from installed_command import ROOT, TUMORS, Finished, Shell, ShellHere, jobs_of
from kept_up import kept_up as kept_up


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
