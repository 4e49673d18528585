"""What the pages about the local SageMaker say is so: its operations, its layers, and how it is started."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import sagemaker_local
from sagemaker_local import compatibility

ROOT = Path(__file__).resolve().parents[2]
README = (Path(sagemaker_local.__file__).with_name("README.md")).read_text(encoding="utf-8")


def table(heading: str) -> str:
    """The first table below a heading."""
    rows = re.search(r"(?:^\|.*\n)+", README.partition(f"## {heading}\n")[2], re.MULTILINE)
    assert rows is not None
    return rows[0]


def test_the_tables_of_what_is_carried_out_are_todays() -> None:
    written = compatibility.FILE.read_text(encoding="utf-8")
    assert written == compatibility.page(written)


def test_its_layers_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [one["layers"] for one in contracts if one.get("containers") == ["sagemaker_local"]]
    rows = table("How it is laid out").splitlines()[2:]
    assert [set(re.findall(r"`(\w+)/?`", row.split("|")[1])) for row in rows] == [
        set(layer.split(" | ")) for layer in layers
    ]


def test_the_command_has_the_options_that_it_names() -> None:
    command = [sys.executable, "-m", "sagemaker_local", "--help"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--[a-z-]+", README.partition("## Start it\n")[2].partition("## Use it")[0]))
    assert {option for option in options if option not in printed} == set()
