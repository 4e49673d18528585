"""What the pages of versions do while somebody uses them: the threshold, the list, two versions at once."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from browser_place import BINARY, Open, Prepared
from playwright.sync_api import Page, expect


def count(page: Page, name: str) -> int:
    return int(page.locator(f"[data-count={name}]").inner_text().replace(",", ""))


def shown(page: Page, place: int, counts: dict[str, Any]) -> None:
    """What the page says at a threshold is what follows from the evaluation's counts."""
    found, alarms = counts["found"][place], counts["falseAlarms"][place]
    missed = counts["positives"] - found
    assert [count(page, name) for name in ("found", "missed", "falseAlarms", "rightNegatives")] == [
        *(found, missed, alarms),
        counts["negatives"] - alarms,
    ]
    recall = page.locator("[data-rate=Recall]").inner_text()
    assert recall == f"{found / counts['positives']:.4f}"
    mark = page.locator("[data-curve=roc]")
    assert float(mark.get_attribute("cx") or "") == pytest.approx(220 * alarms / counts["negatives"])
    said = page.locator("#cut-said").inner_text()
    assert said.startswith(f"Threshold {counts['cuts'][place]:g}")
    assert page.locator("#cut").get_attribute("aria-valuetext") == f"{counts['cuts'][place]:g}"


def test_the_threshold_moves_by_keyboard_with_its_counts_and_cost(
    prepared: Prepared, open_page: Open
) -> None:
    page = open_page(prepared.place)
    page.goto(f"{prepared.place.url}/studio/p/{BINARY}/versions/1")
    counts = json.loads(page.locator("#threshold").get_attribute("data-thresholds") or "")
    served, last = counts["served"], len(counts["cuts"]) - 1
    assert counts["cuts"][served] == 0.5
    rates = page.locator("[data-rate]").all_inner_texts()
    markup = page.request.get(page.url).text()
    assert re.findall(r'data-rate="[^"]*">([^<]*)<', markup) == rates  # the server computes the same
    shown(page, served, counts)

    page.locator("#cut").focus()
    for _ in range(30):
        page.keyboard.press("ArrowLeft")
    shown(page, served - 30, counts)
    page.keyboard.press("Home")
    shown(page, 0, counts)
    page.keyboard.press("End")
    shown(page, last, counts)
    expect(page.locator("[data-rate=Precision]")).to_have_text("-")  # nothing is answered positive
    page.get_by_label("Cost of a miss").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("7")
    every = range(last + 1)
    costs = [counts["falseAlarms"][at] + 7 * (counts["positives"] - counts["found"][at]) for at in every]
    expect(page.locator("#cut-said")).to_contain_text(f"cost {costs[last]:,}, with 0 false alarms")
    expect(page.locator("#cut-said")).to_contain_text(f"the lowest cost is {min(costs):,}")
    page.get_by_role("button", name="Lowest cost").focus()
    page.keyboard.press("Enter")
    assert costs[int(page.locator("#cut").input_value())] == min(costs)
    page.get_by_role("button", name="0.5, as served").press("Enter")
    shown(page, served, counts)


def test_two_versions_of_the_list_are_laid_over_each_other(prepared: Prepared, open_page: Open) -> None:
    page = open_page(prepared.place)
    page.goto(f"{prepared.place.url}/studio/p/{BINARY}/versions")
    with page.expect_response(lambda answer: "version-1=on" in answer.url):  # the list is updated by itself
        page.get_by_label("Compare version 1", exact=True).press("Space")
    expect(page.get_by_label("Compare version 1", exact=True)).to_be_checked()
    page.get_by_label("Compare version 2", exact=True).press("Space")
    page.get_by_role("button", name="Compare two").press("Enter")
    expect(page).to_have_url(re.compile(r"/versions/compare\?first=1&second=2$"))
    lines = page.get_by_role("img", name="ROC curve").locator("polyline")
    expect(lines).to_have_count(2)
    looks = "lines => lines.map(line => getComputedStyle(line)).map(one => [one.stroke, one.strokeDasharray])"
    [(first, first_dash), (second, second_dash)] = lines.evaluate_all(looks)
    assert first != second
    assert (first_dash, second_dash) == ("none", "7px, 4px")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="max_depth"))
    expect(row).to_contain_text("3")

    page.get_by_role("button", name="Score both on the same rows").press("Enter")
    expect(page.get_by_text("McNemar's exact test")).to_be_visible()
    accuracy = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Accuracy"))
    expect(accuracy).to_contain_text("p ")


def test_the_list_is_narrowed_as_somebody_chooses(prepared: Prepared, open_page: Open) -> None:
    page = open_page(prepared.place)
    page.goto(f"{prepared.place.url}/studio/p/{BINARY}/versions")
    expect(page.locator("#versions tbody tr")).to_have_count(2)
    page.get_by_label("Decision").select_option(label="approved")
    expect(page.locator("#versions tbody tr")).to_have_count(1)
    page.reload()
    expect(page.get_by_label("Decision")).to_have_value("Approved")
    expect(page.locator("#versions tbody tr")).to_have_count(1)
