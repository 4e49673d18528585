"""A real Chromium, and local SageMakers for it to look at, each kept up by `gatehouse local up`.

Every page that a test opens is watched: a request to another address, an error on the console (which is also
what the content security policy reports) and an exception in a script each fail the test.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_place import Open, Place, Prepared, Watched, prepare
from installed_command import ROOT, ShellHere
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MISSING = (
    "These tests drive a Chromium, and there is none on the PATH. Debian: apt-get install chromium. "
    "Or name one: CHROMIUM=/path/to/chromium make test-browser"
)
SECONDS = 30
"""For which a test waits until a page shows something; it waits no longer than it must."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", type=Path, help="Write the pictures of README and docs into this folder.")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.exit(MISSING, returncode=1)
    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens a place's link in a fresh profile; options are those of Playwright's ``new_context``."""
    contexts: list[BrowserContext] = []
    watched: list[Watched] = []

    def open_link(place: Place, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(SECONDS * 1000)
        watched.append(Watched(context.new_page(), place.url))
        watched[-1].page.goto(place.link)
        return watched[-1].page

    yield open_link
    for context in contexts:
        context.close()
    assert [fault for one in watched for fault in one.faults] == []


@pytest.fixture(scope="session")
def make_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Place]]:
    """Brings up a local SageMaker for the text of a ``projects.toml``."""
    shells: list[ShellHere] = []

    def make(settings: str) -> Place:
        folder = tmp_path_factory.mktemp("place")
        (folder / "projects.toml").write_text(settings, encoding="utf-8")
        shutil.copytree(ROOT / "examples", folder / "examples")
        shell = ShellHere(folder / "projects.toml", folder / "home")
        up = shell.run("local", "up", "--json")
        assert up.code == 0, up.err
        shells.append(shell)
        return Place(shell, up.document["url"])

    yield make
    for shell in shells:
        shell.run("local", "down")


@pytest.fixture(scope="session")
def prepared(make_place: Callable[[str], Place]) -> Prepared:
    """The example projects, with executions and versions of every kind."""
    return prepare(make_place((ROOT / "projects.toml").read_text(encoding="utf-8")))
