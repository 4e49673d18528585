"""A fixture for conftest.py: a local SageMaker that is kept up, for programs that know nothing of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from installed_command import GATEHOUSE


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
