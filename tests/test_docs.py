"""What the pages say is so: links, packages, tables that a program writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.upsert import sizes
from pipelines.upsert.prices import FILE as PRICES
from pipelines.upsert.prices import read_prices

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path for folder in (".", "docs", "examples", "sagemaker_local") for path in (ROOT / folder).glob("*.md")
)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        assert "://" in link or (page.parent / link).exists(), link


def test_the_readme_names_every_package() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    packages = {path.parent.name for path in ROOT.glob("*/*.py") if not path.parent.name.startswith(".")}
    assert all(f"`{package}/`" in readme for package in packages)


def test_the_tables_of_sizes_are_what_their_program_writes() -> None:
    written = sizes.FILE.read_text(encoding="utf-8")
    assert sizes.page(written, read_prices(PRICES.parent)) == written, "run python -m pipelines.upsert.sizes"
