"""Who is let in: everything on this machine and every foreign web page can send requests to the pages."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgi_browser import Browser
from bank_churn import SETTINGS
from wire_clients import wait_for

from sagemaker_local import endpoint
from studio.access import COOKIE, Access
from studio.app import create
from studio.links import link
from studio.source import Source

MARKUP = "<script>alert(1)</script>\"'&\x1b[31m"
ACCESS = Access("secret")
KNOWN = {"cookie": f"{COOKIE}=secret"}
ORIGIN = "http://127.0.0.1"
PLAN = "/studio/p/bank-churn/environments/test/plan"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    folder = tmp_path_factory.mktemp("studio")
    (folder / "projects.toml").write_text(SETTINGS)
    with endpoint.start(folder / ".gatehouse") as local:
        yield Source(folder / "projects.toml", "local", local.url)


@pytest.fixture
def browser(source: Source) -> Browser:
    return Browser(create(source, ACCESS), KNOWN)


@pytest.fixture
def stranger(source: Source, tmp_path: Path) -> Browser:
    return Browser(create(source, Access("secret", tmp_path)))


def test_a_link_lets_one_browser_in_and_leaves_the_address(stranger: Browser, tmp_path: Path) -> None:
    assert stranger.get("/studio/").status == 403
    assert stranger.get("/studio/?token=wrong").status == 403
    assert stranger.get("/studio/?token=secret").status == 403
    address = link("", tmp_path, "/p/bank-churn?x=1")
    assert stranger.ask("HEAD", address, {}).status == 403  # what only looks at a link does not use it
    answer = stranger.get(address)
    assert (answer.status, answer.headers["location"]) == (303, "/studio/p/bank-churn?x=1")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "<h1>Projects</h1>" in stranger.get("/studio/", cookie=cookie.partition(";")[0]).text
    again = stranger.get(address)
    assert again.status == 403
    assert "set-cookie" not in again.headers
    assert "This link has been used" in again.text
    assert stranger.get(address, cookie=cookie.partition(";")[0]).status == 303  # the browser is known
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_nobody_used_ends_with_its_hour_and_names_nothing_in_its_file(
    stranger: Browser, tmp_path: Path
) -> None:
    address = link("", tmp_path)
    [file] = tmp_path.iterdir()
    assert file.name not in address
    assert file.stat().st_mode & 0o777 == 0o600
    os.utime(file, (0, 0))
    assert stranger.get(address).status == 403
    link("", tmp_path)
    os.utime(next(tmp_path.iterdir()), (0, 0))
    link("", tmp_path)  # removes the one whose hour is over
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost@evil"]
)
@pytest.mark.parametrize(
    "path", ["/", "/studio/", "/studio/?token=secret", "/studio/static/studio.css", "/nowhere"]
)
def test_a_name_that_somebody_points_at_this_machine_is_refused(
    browser: Browser, host: str, path: str
) -> None:
    assert browser.get(path, host=host).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ORIGIN, "sec_fetch_site": "same-site"},
    ],
)
def test_a_form_of_a_foreign_page_changes_nothing(browser: Browser, headers: dict[str, str]) -> None:
    answer = browser.post(PLAN, {"form_token": ACCESS.form_token}, **headers)
    assert answer.status == 403
    assert "was not sent by one of these pages" in answer.text


@pytest.mark.parametrize("token", ["", "secret", "é" * 70_000])
def test_a_form_without_its_token_changes_nothing(browser: Browser, token: str) -> None:
    answer = browser.post(PLAN, {"form_token": token}, origin=ORIGIN)
    assert answer.status == (413 if len(token) > 60_000 else 403)


def test_a_form_of_ours_is_read(browser: Browser) -> None:
    form = {"form_token": ACCESS.form_token, "action": "deploy", "version": "9" * 5000}
    answer = browser.post(PLAN, form, origin=ORIGIN)
    assert answer.status == 404
    assert "neither which version" in answer.text


def test_pages_that_only_read_change_nothing(source: Source) -> None:
    only_reads = Source(source.file, "local", source.endpoint_url, allow_changes=False)
    browser = Browser(create(only_reads, ACCESS), KNOWN)
    answer = browser.post(PLAN, {"form_token": ACCESS.form_token}, origin=ORIGIN)
    assert answer.status == 403
    assert "only read" in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/studio", "/studio/", "/studio/static/studio.css", "/nowhere", "/studio/p/none", PLAN]
)
def test_every_answer_forbids_scripts_and_frames_of_others(browser: Browser, path: str) -> None:
    headers = browser.get(path).headers
    assert "default-src 'none'; script-src 'self';" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"


def test_a_browser_keeps_static_files_and_asks_whether_they_changed_but_keeps_no_page(
    browser: Browser,
) -> None:
    assert browser.get("/studio/").headers["cache-control"] == "no-store"
    file = browser.get("/studio/static/studio.css")
    assert file.headers["cache-control"] == "no-cache"
    assert browser.get("/studio/static/studio.css", if_none_match=file.headers["etag"]).status == 304


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "TRACE", "POST"])
def test_other_methods_are_refused(browser: Browser, method: str) -> None:
    answer = browser.ask(method, "/studio/", {})
    assert (answer.status, answer.headers["allow"].replace(" ", "")) in [(405, "GET,HEAD"), (405, "HEAD,GET")]


@pytest.mark.parametrize(
    "path", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "%2fetc/passwd", "vendor/..%5c..%5capp.py"]
)
def test_only_static_files_are_served(browser: Browser, path: str) -> None:
    assert browser.get(f"/studio/static/{path}").status == 404


def test_what_an_address_says_is_escaped(browser: Browser) -> None:
    for path in (
        f"/studio/p/{urllib.parse.quote(MARKUP.replace('/', ''))}",
        "/studio/p/bank-churn/versions/" + "9" * 5000,
    ):
        answer = browser.get(path)
        assert answer.status == 404
        assert "<script>alert" not in answer.text
        assert "\x1b" not in answer.text


def test_settings_that_break_while_it_is_up_are_explained_and_may_be_mended(
    browser: Browser, source: Source
) -> None:
    wrong_twice = SETTINGS.replace("0.6", "2").replace('"binary"', '"<b>"')
    for broken, why in (("[projects", "not valid TOML"), (wrong_twice, "accuracy_threshold"), (None, "read")):
        source.file.unlink() if broken is None else source.file.write_text(broken)
        try:
            answer = browser.get("/studio/")
        finally:
            source.file.write_text(SETTINGS)
        assert answer.status == 503
        assert "<h1>The settings cannot be read</h1>" in answer.text
        assert "projects.toml" in answer.text
        assert why in answer.text
        assert "<b>" not in answer.text
        assert "Traceback" not in answer.text
    assert browser.get("/studio/").status == 200


def test_a_sagemaker_that_is_gone_is_said_in_the_page(source: Source) -> None:
    gone = Source(source.file, "local", "http://127.0.0.1:1", patience=20.0)
    browser = Browser(create(gone, ACCESS), KNOWN)
    home, environments = browser.get("/studio/"), browser.get("/studio/p/bank-churn/environments")
    assert (home.status, environments.status) == (200, 502)
    assert "Could not connect" in home.text
    assert "Could not connect" in environments.text


def test_a_mistake_of_ours_is_a_page_and_a_line_in_the_log_without_the_query(
    caplog: pytest.LogCaptureFixture,
) -> None:
    no_path: Any = None
    answer = Browser(create(Source(no_path, "local"), ACCESS), KNOWN).get("/studio/?x=private")
    assert answer.status == 500
    assert "could not be made" in answer.text
    assert "NoneType" not in answer.text
    assert "/studio/ could not be made" in caplog.text
    assert "private" not in caplog.text


def test_a_project_that_is_not_read_in_time_is_named_and_comes_later(source: Source, tmp_path: Path) -> None:
    file = tmp_path / "projects.toml"
    file.write_text(SETTINGS)
    hasty = Browser(create(Source(file, "local", source.endpoint_url, patience=0.0), ACCESS), KNOWN)
    first = hasty.get("/studio/").text
    assert "bank-churn</a></h3><p>…</p>" in first
    assert 'hx-trigger="every 1s"' in first

    def read() -> str | None:
        text = hasty.get("/studio/").text
        return text if "<p>…</p>" not in text else None

    assert "none yet" in wait_for(read)
