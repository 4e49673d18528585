"""`gatehouse studio --target aws`: the pages read AWS and change nothing there, unless they were told so.

A local endpoint stands for AWS, behind a record of every call.
"""

from __future__ import annotations

import http.cookiejar
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from bank_churn import PROJECT
from installed_command import GATEHOUSE
from recorded_endpoint import Recorded, recorded
from wire_clients import REGION, wait_for

from pipelines.settings.target import LOCAL_ROLE

Environ = dict[str, str]
OPEN_IT = """
import pathlib, sys, urllib.request
jar = urllib.request.HTTPCookieProcessor()
text = urllib.request.build_opener(jar).open(sys.argv[2], timeout=60).read().decode()
pathlib.Path(sys.argv[1]).with_suffix(".part").write_text(text)
pathlib.Path(sys.argv[1]).with_suffix(".part").rename(sys.argv[1])
"""
"""A browser that returns when it is closed, as those of a terminal do."""


@pytest.fixture
def aws(studio: Any) -> Iterator[Recorded]:
    with recorded(studio.url) as seen:
        yield seen


@pytest.fixture
def environ(aws: Recorded, studio: Any) -> Environ:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GATEHOUSE_"))}
    return {
        **own,
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "GATEHOUSE_SETTINGS": str(studio.settings),
        "SAGEMAKER_PIPELINE_ROLE_ARN": LOCAL_ROLE,
    }


@dataclass(frozen=True)
class Reader:
    """A browser that the link has let in."""

    home: str
    _opener: urllib.request.OpenerDirector

    def get(self, path: str = "") -> str:
        with self._opener.open(urllib.parse.urljoin(self.home, path)) as answer:
            return str(answer.read().decode())

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        parts = urllib.parse.urlsplit(self.home)
        request = urllib.request.Request(
            urllib.parse.urljoin(self.home, path),
            urllib.parse.urlencode(fields).encode(),
            {"Origin": f"{parts.scheme}://{parts.netloc}"},
        )
        try:
            with self._opener.open(request) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def every_page(self) -> dict[str, str]:
        """One page of each kind that links lead to from the first one: its path and its text."""
        waiting, kinds, found = [urllib.parse.urlsplit(self.home).path], set[str](), {}
        while waiting:
            path = waiting.pop(0)
            found[path] = self.get(path)
            for link in map(unescape, re.findall(r'href="(/studio/[^"#]*)"', found[path])):
                kind = re.sub(r"\b[a-z0-9]{12}(?=/|$)|\d+(?=/|$)", "*", link.partition("?")[0])
                if "/static/" not in link and kind not in kinds:
                    kinds.add(kind)
                    waiting.append(link)
        return found


@contextmanager
def serving(environ: Environ, *options: str) -> Iterator[Reader]:
    """The command, kept up; its link is opened the moment it is there."""
    command = [str(GATEHOUSE), "studio", "--target", "aws", "--no-browser", *options]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        link = process.stdout.readline().strip()
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        opener = urllib.request.build_opener(jar)
        home = opener.open(link, timeout=60).url
        yield Reader(home, opener)
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def test_the_pages_only_read(aws: Recorded, environ: Environ) -> None:
    with serving(environ) as reader:
        pages = reader.every_page()
        tabs = ("", "/versions", "/environments", "/automation")
        assert {f"/studio/p/{PROJECT}{path}" for path in tabs} <= pages.keys()
        assert any("/steps/TrainModel" in path for path in pages)
        [version] = [path for path in pages if re.search(r"/versions/\d+$", path)]
        for path, text in pages.items():
            assert "AWS</span>" in text, path
            assert '<form method="post"' not in text, path
        sent = {"form_token": "0", "decision": "approve", "note": ""}
        assert reader.post(f"{version}/decision", **sent)[0] == 403
    assert {"ListPipelineExecutions", "ListModelPackages", "GetLogEvents"} <= set(aws.calls)
    assert aws.changes == []


def test_with_the_option_the_buttons_are_there_and_do_what_they_say(aws: Recorded, environ: Environ) -> None:
    with serving(environ, "--allow-changes") as reader:
        path = f"/studio/p/{PROJECT}/versions/1"
        page = reader.get(path)
        assert ">Approve</button>" in page
        assert aws.changes == []
        [token] = set(re.findall(r'name="form_token" value="([^"]+)"', page))
        [address] = set(re.findall(r'<form method="post"[^>]*action="([^"]*)"', page))
        sent = {"form_token": token, "decision": "approve", "note": "as read on AWS", "anew": "yes"}
        status, text = reader.post(address, **sent)
        assert status == 200
        assert "as read on AWS" in text
        assert "Deploy…" in reader.get(f"/studio/p/{PROJECT}/environments")
    assert "UpdateModelPackage" in aws.changes


def test_the_first_page_says_which_project_cannot_be_read_and_why(aws: Recorded, environ: Environ) -> None:
    aws.denied.add("ListModelPackages")
    with serving(environ) as reader:

        def read() -> str | None:
            text = reader.get()
            return None if "<p>…</p>" in text else text

        text = wait_for(read)
        assert "could not be read</a>" in text
        assert "not authorized: ListModelPackages" in text
        for empty in ("Nothing needs you", "none yet", "nowhere"):
            assert empty not in text
        aws.denied = {"GetParameterHistory"}

        def without_environments() -> str | None:
            found = reader.get()
            return found if "prod: no permission to look" in found else None

        text = wait_for(without_environments)
        assert "could not be read" not in text
        assert "nowhere" not in text


def test_the_link_opens_in_a_browser_that_returns_only_when_it_is_closed_and_sigterm_leaves_nothing(
    environ: Environ, tmp_path: Path
) -> None:
    (tmp_path / "open_it.py").write_text(OPEN_IT)
    page = tmp_path / "page.html"
    browser = f"{sys.executable} {tmp_path / 'open_it.py'} {page} %s"
    command = [str(GATEHOUSE), "studio", PROJECT, "--target", "aws", "--json"]
    (tmp_path / "temporary").mkdir()
    environment = {**environ, "BROWSER": browser, "TMPDIR": str(tmp_path / "temporary")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        try:
            text = wait_for(lambda: page.read_text() if page.exists() else None, seconds=60)
        finally:
            process.terminate()
    assert f"<h1>{PROJECT}</h1>" in text
    assert process.returncode == 130
    assert list((tmp_path / "temporary").iterdir()) == []
