"""Every page can be read by everybody: with a screen reader, in light and in dark, on a telephone.

The pages are found as a person finds them, by their links, so a new page is looked at without being named
here. Of each kind one is enough; a version's page is looked at for each kind of task, since it shows others'
charts.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from browser_place import BINARY, Open, Prepared
from playwright.sync_api import Browser, Page, expect
from wire_clients import client_of

AXE = (Path(__file__).parent / "vendor/axe.min.js").read_text(encoding="utf-8")
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True}
MOST_PICTURE_BYTES = 150_000
HOSTILE = """<!doctype html><title>as it was</title><h1>Hostile</h1><script>document.title = "run"</script>
<img src="https://example.com/x.png" onerror="document.title = 'run'">"""
FILLED_IN = "forms => forms.map(form => form.action + '?' + new URLSearchParams(new FormData(form)))"
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("main *, header *")]
    .filter((one) => one.getBoundingClientRect().right > width && !one.closest(".scroll, pre"))
    .slice(0, 3)
    .map((one) => one.outerHTML.slice(0, 120));
}"""
"""The first elements that make a page wider than the window."""


def kind_of(url: str) -> tuple[str, ...]:
    """The same for two addresses whose pages show the same things."""
    parts = urlsplit(url)
    path = re.sub(r"\b[a-z0-9]{12}(?=/|$)", "EXECUTION", parts.path)
    if "/versions/" not in path:
        path = re.sub(r"/p/[^/]+", "/p/PROJECT", path)
    return (re.sub(r"/\d+(?=/|$)", "/NUMBER", path), *sorted(name for name, _ in parse_qsl(parts.query)))


def links_of(page: Page) -> list[str]:
    """Where the page's links lead, and its forms that only ask, as they are filled in."""
    found = page.locator("a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    found += page.locator("form[method=get]").evaluate_all(FILLED_IN)
    return [urljoin(page.url, link).partition("#")[0] for link in found]


@pytest.fixture(scope="module")
def addresses(browser: Browser, prepared: Prepared) -> list[str]:
    """One page of each kind that links lead to, and those that are seen when something went wrong."""
    page = browser.new_page()
    page.goto(prepared.place.link)
    waiting, found = [page.url], {kind_of(page.url): page.url}
    while waiting:
        answer = page.goto(waiting.pop(0))
        assert answer is not None
        assert answer.ok, page.url
        for link in links_of(page):
            is_ours = f"{prepared.place.url}/studio" in link and not link.endswith("/report")
            if is_ours and kind_of(link) not in found:
                found[kind_of(link)] = link
                waiting.append(link)
    page.close()
    base = f"{prepared.place.url}/studio"
    executions = f"{base}/p/{BINARY}/executions"
    return [
        *found.values(),
        f"{executions}/{prepared.failed}",
        f"{executions}/{prepared.failed}/steps/PreprocessData",
        f"{executions}/{prepared.refused}",
        f"{base}/p/{BINARY}/versions/99",
        f"{base}/nowhere",
    ]


def test_no_page_has_a_fault_that_axe_finds(
    prepared: Prepared, open_page: Open, addresses: list[str]
) -> None:
    page = open_page(prepared.place)
    found = []
    for address in addresses:
        page.goto(address)
        found += faults(page)
    page.goto(f"{prepared.place.url}/studio/p/{BINARY}/environments")
    page.get_by_role("button", name=re.compile("Deploy")).first.click()
    page.wait_for_url("**/plan")
    found += faults(page)
    page.goto(f"{prepared.place.url}/studio/p/{BINARY}/environments/dev/try")
    page.get_by_role("textbox", name="mean_texture").fill("a word")
    page.get_by_role("button", name=re.compile("Ask")).click()
    expect(page.get_by_text("is not a number")).to_be_visible()
    found += faults(page)
    page.get_by_role("textbox", name="mean_texture").fill("20")
    page.get_by_role("button", name=re.compile("Ask")).click()
    expect(page.get_by_role("figure", name="What moved it")).to_be_visible()
    found += faults(page)
    page.context.clear_cookies()
    page.goto(addresses[0])
    assert "link" in page.get_by_role("heading", level=1).inner_text()
    found += faults(page)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("scheme", "unreadable"), [("light", "#ddd"), ("dark", "#222")])
def test_a_fault_would_be_found(prepared: Prepared, open_page: Open, scheme: str, unreadable: str) -> None:
    page = open_page(prepared.place)
    page.evaluate("document.querySelector('main').innerHTML += '<input>'")
    page.evaluate("color => document.querySelector('h1').style.color = color", unreadable)
    found = [one.split(": ")[:2] for one in faults(page)]
    assert {"label", "color-contrast"} == {rule for _, rule in found}
    assert [place.partition(", ")[2] for place, rule in found if rule == "color-contrast"] == [scheme]


def test_no_page_scrolls_sideways_on_a_telephone(
    prepared: Prepared, open_page: Open, addresses: list[str]
) -> None:
    page = open_page(prepared.place, **PHONE)
    found = []
    for address in addresses:
        page.goto(address)
        found += [f"{address}: {element}" for element in page.evaluate(TOO_WIDE)]
    assert not found, "\n".join(found)


def test_a_run_prints_the_link_of_its_execution(prepared: Prepared, open_page: Open) -> None:
    page = open_page(prepared.place)
    page.goto(prepared.link)
    expect(page.get_by_role("heading", level=1)).to_contain_text(page.url.rpartition("/")[2])
    expect(page.locator(".headline")).to_contain_text("Succeeded")


def test_a_saved_page_shows_the_same_without_a_server(
    prepared: Prepared, browser: Browser, tmp_path: Path
) -> None:
    prepared.place.done("studio", BINARY, "1", "--save", str(tmp_path / "version.html"))
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto((tmp_path / "version.html").as_uri())
    expect(page.get_by_role("heading", level=1)).to_contain_text("Version 1")
    expect(page.get_by_role("img", name=re.compile("ROC")).first).to_be_visible()
    assert requests == [(tmp_path / "version.html").as_uri()]
    assert page.evaluate("getComputedStyle(document.body).margin") == "0px"
    context.close()


def test_the_evaluations_report_is_shown_as_it_is_and_may_run_and_load_nothing(
    prepared: Prepared, browser: Browser
) -> None:
    place = prepared.place
    page = browser.new_page()
    page.goto(place.link)
    page.goto(f"{place.url}/studio/p/{BINARY}/executions/{prepared.refused}")
    page.get_by_role("link", name="The evaluation's report").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Prediction of")
    uri = place.done("report", BINARY, prepared.refused, "--json").document["report"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3 = client_of(place.url, "s3")
    written = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=HOSTILE.encode())
    answered: list[str] = []
    page.on("response", lambda response: answered.append(response.url))
    page.reload(wait_until="load")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hostile")
    assert page.title() == "as it was"
    assert answered == [page.url]
    s3.put_object(Bucket=bucket, Key=key, Body=written)
    page.close()


def faults(page: Page) -> list[str]:
    """What axe has against the page: address, rule, element and why, a line each.

    In the light colours all of its rules are asked, in the dark ones those of colours.
    """
    page.evaluate(AXE)
    found = []
    for scheme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast", "link-in-text-block"]})):
        page.emulate_media(color_scheme=scheme)
        result = page.evaluate("rules => axe.run(rules)", rules)
        assert result["passes"], page.url
        found += [
            f"{urlsplit(page.url).path}, {scheme}: {violation['id']}: {node['html'][:160]} "
            f"{node['failureSummary']}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]
    return found


def test_the_pictures_of_the_documents_are_small(
    prepared: Prepared, open_page: Open, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """With `--pictures FOLDER` (`make screenshots`) they are written there."""
    folder = request.config.getoption("--pictures") or tmp_path
    folder.mkdir(exist_ok=True)
    base = f"{prepared.place.url}/studio"
    page = open_page(prepared.place, viewport={"width": 1120, "height": 760}, color_scheme="light")
    for name, path in {
        "projects": "/",
        "execution": f"/p/{BINARY}/executions/{prepared.registered}",
        "version": f"/p/{BINARY}/versions/1",
        "environments": f"/p/{BINARY}/environments",
    }.items():
        page.goto(f"{base}{path}")
        expect(page.get_by_text("…", exact=True)).to_have_count(0)  # it stands for what is still being read
        page.screenshot(path=folder / f"studio-{name}.png", animations="disabled")
        assert (folder / f"studio-{name}.png").stat().st_size < MOST_PICTURE_BYTES
