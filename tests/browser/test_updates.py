"""A live page keeps what it shows while there is no answer, says so, and goes on when there is one again."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable

import pytest
from browser_place import Open, Place
from playwright.sync_api import Locator, Page, expect

PROJECT = "tests-updates"
SETTINGS = """
[projects.tests.updates]
description = "Whose training lasts as long as a test needs it"
owner = "tests"
region = "eu-west-1"
task = "binary"
accuracy_threshold = 0.8
data.source = "examples/tumor-diagnosis/wdbc.csv"
data.target = "diagnosis"
data.positive_class = "malignant"
"""
ENDLESS = ("NumRound=10000000", "EarlyStoppingRounds=0")
"""A training of hours; a test stops it."""


@pytest.fixture(scope="module")
def place(make_place: Callable[[str], Place]) -> Place:
    made = make_place(SETTINGS)
    made.done("upsert", PROJECT)
    return made


def stale(page: Page) -> Locator:
    return page.get_by_role("status").filter(has_text="Not up to date since")


def test_the_metrics_of_a_training_grow_on_its_page(place: Place, open_page: Open) -> None:
    execution = place.start(PROJECT, *ENDLESS)
    page = open_page(place)
    page.goto(f"{place.url}/studio/p/{PROJECT}/executions/{execution}/steps/TrainModel")
    page.evaluate("window.wasLoadedOnce = true")
    caption = page.locator("figcaption").first
    for _ in range(3):
        shown = caption.inner_text()
        assert "rounds" in shown
        expect(caption).not_to_have_text(shown)
    expect(page.get_by_role("img", name="validation")).to_be_visible()
    search = page.get_by_role("searchbox", name="Search the log")
    search.press_sequentially("validation")
    expect(page.locator("#log-part")).to_contain_text("hold “validation”")
    shown = caption.inner_text()
    expect(caption).not_to_have_text(shown)  # it goes on, with what is searched for
    expect(page.locator("#log-part")).to_contain_text("hold “validation”")
    expect(search).to_have_value("validation")
    place.done("stop", PROJECT, execution)
    expect(page.locator(".headline")).to_contain_text("stopped")
    assert page.evaluate("window.wasLoadedOnce") is True


def test_a_page_outlives_settings_that_break_and_an_endpoint_that_is_gone(
    place: Place, open_page: Open
) -> None:
    execution = place.start(PROJECT, *ENDLESS)
    page = open_page(place)
    page.goto(f"{place.url}/studio/p/{PROJECT}/executions/{execution}")
    page.evaluate("window.wasLoadedOnce = true")
    graph, settings = page.locator("svg.graph"), place.shell.settings
    expect(page.locator(".headline")).to_contain_text("Executing")
    expect(stale(page)).to_have_count(0)

    settings.write_text("[projects")
    expect(stale(page)).to_contain_text("The settings cannot be read")
    expect(graph).to_be_visible()
    settings.write_text(SETTINGS)
    expect(stale(page)).to_have_count(0)

    place.done("local", "down")
    expect(stale(page)).to_contain_text("the server does not answer")
    expect(graph).to_be_visible()
    expect(page.locator(".headline")).to_contain_text(
        re.compile("Executing|Stopping")
    )  # what it was when it was last seen
    place.done("local", "up", "--port", str(urllib.parse.urlsplit(place.url).port))
    expect(stale(page)).to_have_count(0)
    expect(page.locator(".headline")).to_contain_text("Stopped")
    assert page.evaluate("window.wasLoadedOnce") is True
