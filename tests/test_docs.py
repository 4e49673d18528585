"""What the pages say is so: operations, links and rooms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sagemaker_local.services.table import operations

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.md")])


def test_the_page_on_the_local_sagemaker_names_every_operation_and_no_other() -> None:
    page = (ROOT / "docs/local-sagemaker.md").read_text(encoding="utf-8")
    table = page.partition("## What it does\n")[2].partition("| S3 |")[0]
    named = set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)*\b", table.replace("EventBridge Scheduler", "")))
    named -= {"CloudWatch", "EventBridge", "Lambda", "Logs", "Parameter", "Store"}
    by_path = {"InvokeEndpoint"}  # bytes in, bytes out: no operation of the table
    assert named == {operation for _, operation in operations()} | by_path


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert "://" in link or (page.parent / link).exists(), link


def test_the_readme_names_every_package() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    packages = {path.parent.name for path in ROOT.glob("*/*.py") if not path.parent.name.startswith(".")}
    assert all(f"`{package}/`" in readme for package in packages)
