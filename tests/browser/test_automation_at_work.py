"""The page of what happens by itself: what the functions did, and other times for the schedule."""

from __future__ import annotations

import json
import re

from browser_place import BINARY, Open, Prepared
from installed_command import until
from playwright.sync_api import expect


def test_the_log_of_a_call_stays_open_while_the_page_is_brought_up_to_date(
    prepared: Prepared, open_page: Open
) -> None:
    place = prepared.place
    # The last thing that the automation does of itself here; the newest 20 calls are shown.
    until(lambda: place.was_told(BINARY, "version 2"), what="the message about the newest version")
    page = open_page(place)
    page.goto(f"{place.url}/studio/p/{BINARY}/automation")
    newest = page.locator("table.calls details").first
    expect(newest).to_be_visible()
    log = page.locator(f"details[id={json.dumps(newest.get_attribute('id'))}]")
    log.get_by_text("Its log").click()
    expect(log.locator("pre")).to_be_visible()
    page.evaluate("document.querySelector('table.calls').dataset.before = 'the update'")
    expect(page.locator("table.calls[data-before]")).to_have_count(0)
    expect(log.locator("pre")).to_be_visible()


def test_a_schedule_gets_other_times_after_a_look_at_them(prepared: Prepared, open_page: Open) -> None:
    page = open_page(prepared.place)
    page.goto(f"{prepared.place.url}/studio/p/{BINARY}/automation")
    page.get_by_text("Change its times").click()
    page.get_by_label("Expression").fill("cron(30 4 * * ? *)")
    page.get_by_role("button", name="Show the next times").click()
    expect(page.get_by_role("listitem").filter(has_text="04:30:00")).to_have_count(5)
    assert prepared.place.done("schedule", BINARY, "--show", "--json").document["expression"] == (
        "cron(0 3 * * ? *)"
    )
    page.get_by_role("button", name="Change it").click()
    expect(page.locator("main code").first).to_have_text("cron(30 4 * * ? *)")
    expect(page).to_have_url(re.compile("/automation$"))
