"""What a person does from the first execution to a rollback, in the pages: by mouse and by keyboard.

Each form is filled in by both, for one version or the other. A command only starts the executions, as CI or a
schedule would.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from browser_place import Open, Place
from installed_command import until
from playwright.sync_api import Locator, Page, expect

MOST_TABS = 200
LONG = ("NumRound=3000", "EarlyStoppingRounds=0")
"""A training that lasts a few seconds, so that somebody can come and watch it."""
NOTE = 'looks good <img src="x" onerror="document.title=\'broken\'"> & "so on"'
SETTINGS = """
[defaults]
owner = "tests"
region = "eu-west-1"
task = "binary"
accuracy_threshold = 0.8
[projects.by.hand]
description = "With the mouse and with the keyboard"
[projects.by.hand.data]
source = "examples/tumor-diagnosis/wdbc.csv"
target = "diagnosis"
positive_class = "malignant"
"""
PROJECT = "by-hand"


@dataclass(frozen=True)
class Mouse:
    """Uses a page by pointing."""

    page: Page

    def press(self, what: Locator) -> None:
        what.click()

    def write(self, field: Locator, text: str) -> None:
        field.fill(text)

    def choose(self, field: Locator, option: str) -> None:
        field.select_option(label=option)


@dataclass(frozen=True)
class Keys:
    """Uses a page by Tab, Enter and typing; what has the focus must be seen to have it."""

    page: Page

    def press(self, what: Locator) -> None:
        self._reach(what)
        self.page.keyboard.press("Enter")

    def write(self, field: Locator, text: str) -> None:
        self._reach(field)
        self.page.keyboard.type(text)

    def choose(self, field: Locator, option: str) -> None:
        self._reach(field)
        self.page.keyboard.type(option)
        expect(field).to_have_value(option)

    def _reach(self, what: Locator) -> None:
        expect(what).to_be_visible()
        for _ in range(MOST_TABS):
            if what.evaluate("element => element === document.activeElement"):
                assert what.evaluate("element => getComputedStyle(element).outlineStyle") != "none"
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{what} is not reached by {MOST_TABS} Tabs")


Hand = Mouse | Keys


@pytest.fixture(scope="module")
def place(make_place: Callable[[str], Place]) -> Place:
    return make_place(SETTINGS)


def test_from_the_first_execution_to_a_rollback(place: Place, open_page: Open) -> None:
    page = open_page(place)
    mouse, keys = Mouse(page), Keys(page)
    assert "token" not in page.url
    place.done("upsert", PROJECT)
    first = place.start(PROJECT, *LONG)
    keys.press(page.get_by_role("link", name=PROJECT, exact=True).first)
    keys.press(page.get_by_role("link", name=first))
    page.wait_for_url(f"**/executions/{first}")
    watch_to_the_end(page)
    expect(page.locator(".headline")).to_contain_text("Succeeded")

    show_version(mouse, page, "1")
    read_the_curves(page)
    decide(mouse, page, "Approve", NOTE)
    expect(page.locator(".headline")).to_contain_text("approved")
    expect(page.get_by_text(NOTE)).to_be_visible()  # as text: nothing of it became an element
    assert page.locator("img").count() == 0
    assert "broken" not in page.title()

    show_environments(keys, page)
    deploy(keys, page, "prod", "1")
    assert place.serving(PROJECT)["prod"] == 1
    for hand in (keys, mouse):
        try_a_row(hand, page)

    second = place.start(PROJECT, "MaxDepth=2")
    assert place.ended(PROJECT, second) == "Succeeded"
    show_version(keys, page, "2")
    decide(keys, page, "Approve", "better")
    expect(page.locator(".headline")).to_contain_text("approved")
    show_environments(mouse, page)
    deploy(mouse, page, "prod", "2")
    # The automation finishes a deployment by announcing it; a person who moves the endpoint before that
    # would meet it there.
    until(lambda: place.was_told(PROJECT, "version 2 serves in prod"), what="the announcement")
    keys.press(page.locator("#change").get_by_role("button", name=re.compile("Roll back")))
    expect(page.get_by_role("heading", level=1)).to_contain_text("version 1")
    mouse.press(page.get_by_role("button", name="Roll back"))
    expect(page.get_by_role("status")).to_have_text("It serves version 1, as it should.")
    until(lambda: place.serving(PROJECT) == {"dev": 2, "test": 2, "prod": 1}, what="the automation")


@pytest.mark.parametrize("kind", [Mouse, Keys])
def test_a_failing_execution_is_followed_to_the_line_of_its_log(
    place: Place, open_page: Open, kind: Callable[[Page], Hand]
) -> None:
    place.done("upsert", PROJECT)
    execution = place.start_on_damaged_data(PROJECT)
    page = open_page(place)
    hand = kind(page)
    hand.press(page.get_by_role("link", name=PROJECT, exact=True).first)
    hand.press(page.get_by_role("link", name=execution))
    expect(page.locator(".headline")).to_contain_text("Failed")
    expect(page.get_by_text("wdbc.csv, line 301").first).to_be_visible()
    hand.press(step(page, "Preprocess data"))
    expect(page.locator(".log")).to_contain_text("line 301")
    hand.write(page.get_by_role("searchbox", name="Search"), "line 301")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("search=line"))
    expect(page.locator(".log")).to_contain_text("line 301")


def test_two_executions_are_compared(place: Place, open_page: Open) -> None:
    place.done("upsert", PROJECT)
    executions = [place.start(PROJECT, f"AccuracyThreshold={bound}") for bound in ("0.7", "0.999")]
    assert [place.ended(PROJECT, one) for one in executions] == ["Succeeded", "Failed"]
    page = open_page(place)
    hand = Keys(page)
    hand.press(page.get_by_role("link", name=PROJECT, exact=True).first)
    hand.press(page.get_by_role("link", name=executions[1], exact=True))
    page.get_by_label("Beside").select_option(value=executions[0])
    hand.press(page.get_by_role("button", name="Compare"))
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="AccuracyThreshold"))
    expect(row).to_contain_text("0.999")
    expect(row).to_contain_text("0.7")


def step(page: Page, name: str) -> Locator:
    """A step in the graph."""
    return page.locator("svg.graph").get_by_role("link", name=re.compile(rf"^{name}\b"))


def watch_to_the_end(page: Page) -> None:
    """Follow an execution on its page, which is never loaded again: its steps queue, run and are done."""
    page.evaluate("window.wasLoadedOnce = true")
    seen: set[str] = set()

    def look() -> bool:
        for text in page.locator("svg.graph a").all_text_contents():
            seen.update(re.findall(r"\b(queued|running|done)\b", text))
        return page.locator(".headline").inner_text().startswith("Succeeded")

    until(look, what="the end of the execution on its page")
    assert seen == {"queued", "running", "done"}
    assert page.evaluate("window.wasLoadedOnce") is True


def read_the_curves(page: Page) -> None:
    for name in ("ROC", "Precision"):
        curve = page.get_by_role("img", name=re.compile(name)).first
        expect(curve).to_be_visible()
        points = curve.locator("polyline").first.get_attribute("points") or ""
        assert len(points.split()) > 10, f"{name}: {points}"


def show_version(hand: Hand, page: Page, version: str) -> None:
    hand.press(page.get_by_role("link", name=PROJECT, exact=True).first)
    hand.press(page.get_by_role("link", name="Versions"))
    hand.press(page.locator("#versions").get_by_role("link", name=version, exact=True))


def show_environments(hand: Hand, page: Page) -> None:
    hand.press(page.get_by_role("link", name=PROJECT, exact=True).first)
    hand.press(page.get_by_role("link", name="Environments"))


def decide(hand: Hand, page: Page, decision: str, note: str) -> None:
    hand.write(page.get_by_label("Note"), note)
    hand.press(page.get_by_role("button", name=decision))


def environment(page: Page, name: str) -> Locator:
    return page.get_by_role("article").filter(has=page.get_by_role("heading", name=name, exact=True))


def deploy(hand: Hand, page: Page, name: str, version: str) -> None:
    """Deploy a version, after a look at the plan; its page shows how far it is, also after a reload."""
    card = environment(page, name)
    hand.choose(card.get_by_label("Version"), version)
    hand.press(card.get_by_role("button", name=re.compile("Deploy")))
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"version {version}")
    hand.press(page.get_by_role("button", name="Deploy"))
    page.wait_for_url(f"**/environments/{name}")
    page.reload()
    expect(page.get_by_role("heading", name=f"Deploy version {version}")).to_be_visible()
    expect(page.get_by_text("Done.")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text(f"It serves version {version}, as it should.")


def try_a_row(hand: Hand, page: Page) -> None:
    """Ask what serves about the row that is filled in, then about one that it refuses, and go back."""
    hand.press(page.get_by_role("link", name=re.compile("Try a row")))
    hand.press(page.get_by_role("button", name=re.compile("Ask version")))
    expect(page.get_by_role("status")).to_contain_text("with a probability of")
    expect(page.get_by_role("figure", name="What moved it").get_by_role("img").first).to_be_visible()
    hand.write(page.get_by_role("textbox", name="mean_texture"), "x")
    hand.press(page.get_by_role("button", name=re.compile("Ask version")))
    expect(page.get_by_role("textbox", name="mean_texture")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("is not a number")).to_be_visible()
    hand.press(page.get_by_role("navigation", name="Place").get_by_role("link", name="prod"))
