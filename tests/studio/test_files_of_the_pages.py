"""What the pages are made of: files of other projects are what their list says; all files are packaged."""

from __future__ import annotations

import ast
import hashlib
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUDIO = ROOT / "studio"
MOST_SCRIPT_BYTES = 150_000


@pytest.mark.parametrize("folder", ["studio/static/vendor", "tests/browser/vendor"])
def test_files_of_other_projects_are_in_a_list_with_their_licences(folder: str) -> None:
    listed = tomllib.loads((ROOT / folder / "vendored.toml").read_text(encoding="utf-8"))["files"]
    assert listed
    found = {path.name for path in (ROOT / folder).iterdir() if path.suffix != ".txt"}
    assert found == {"vendored.toml", *(one["file"] for one in listed)}
    for one in listed:
        assert hashlib.sha256((ROOT / folder / one["file"]).read_bytes()).hexdigest() == one["sha256"], one
        assert (ROOT / folder / one["licence_text"]).stat().st_size > 200, one
        assert all(one[key] for key in ("name", "version", "licence", "package", "path")), one


def test_all_scripts_together_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (STUDIO / "static").rglob("*.js")}
    assert sum(sizes.values()) < MOST_SCRIPT_BYTES, sizes


def test_an_installed_package_has_the_templates_and_what_they_load() -> None:
    setup = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    keywords = (node for node in ast.walk(setup) if isinstance(node, ast.keyword))
    [package_data] = [ast.literal_eval(node.value) for node in keywords if node.arg == "package_data"]
    packaged = {path for pattern in package_data["studio"] for path in STUDIO.glob(pattern)}
    needed = {path for path in STUDIO.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert needed <= packaged
