"""A local SageMaker that is kept up for a browser to look at, and a page that is watched while it is used."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from installed_command import ROOT, Finished, Shell, until
from playwright.sync_api import Page
from wire_clients import client_of

BUCKET = "gatehouse-local"
BINARY, CLASSES, NUMBERS = (
    "health-tumor-diagnosis",
    "vision-handwritten-digits",
    "health-diabetes-progression",
)
"""The example projects, by what they predict."""


@dataclass(frozen=True)
class Place:
    """A local SageMaker that is kept up, and the command line over it."""

    shell: Shell
    url: str

    @property
    def link(self) -> str:
        """A new link to its pages: each lets one browser in."""
        return str(self.done("studio", "--no-browser", "--json").document["url"])

    def done(self, *arguments: str) -> Finished:
        """A command that succeeds."""
        ended = self.shell.run(*arguments)
        assert ended.code == 0, ended.out + ended.err
        return ended

    def start(self, project: str, *parameters: str) -> str:
        """Start an execution and return its id at once; each parameter is ``NAME=VALUE``."""
        pairs = [word for parameter in parameters for word in ("-p", parameter)]
        started = self.done("start", project, *pairs, "--json").document
        return str(started["execution_arn"]).rpartition("/")[2]

    def start_on_damaged_data(self, project: str) -> str:
        """Start an execution whose first job fails, since a line of its data has too few values."""
        s3 = client_of(self.url, "s3")
        lines = (ROOT / "examples/tumor-diagnosis/wdbc.csv").read_text().splitlines()
        damaged = "\n".join([*lines[:300], "1,2,3", *lines[300:]])
        s3.put_object(Bucket=BUCKET, Key="damaged/wdbc.csv", Body=damaged.encode())
        return self.start(project, f"InputDataUri=s3://{BUCKET}/damaged/")

    def ended(self, project: str, execution: str) -> str:
        """The status of an execution once it has ended."""

        def status() -> str | None:
            listed = self.done("executions", project, "--json").document
            [found] = [one["status"] for one in listed if one["id"] == execution]
            return None if found in ("Executing", "Stopping") else str(found)

        return str(until(status, what=f"the end of {execution}"))

    def serving(self, project: str) -> dict[str, int | None]:
        """Environment -> the version that serves there."""
        listed = self.done("environments", project, "--json").document
        return {one["environment"]: one["version"] if one["serves"] else None for one in listed}

    def was_told(self, project: str, words: str) -> bool:
        """Whether the automation has sent a message about the project with these words in its subject."""
        return any(words in one["subject"] for one in self.done("inbox", project, "--json").document)


@dataclass
class Watched:
    """A page, and what it did that it must not do."""

    page: Page
    origin: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self._requested(request.url))
        self.page.on("console", lambda said: self._said(said.type, said.text, said.location.get("url", "")))
        self.page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))

    def _requested(self, url: str) -> None:
        if not url.startswith(("data:", f"{self.origin}/")):
            self.faults.append(f"request to another address: {url}")

    def _said(self, kind: str, text: str, url: str) -> None:
        # Chromium reports each answer that is an error here, too, and htmx where there is none at all; a page
        # of a problem is one, and what is shown while an endpoint is gone is for a test to look at.
        no_answer = ("Failed to load resource", "htmx: htmx:error: Failed to fetch")
        is_no_fault = text.startswith(no_answer) and url.startswith(self.origin)
        if kind in ("error", "warning") and not is_no_fault:
            self.faults.append(f"console: {text}")


@dataclass(frozen=True)
class Prepared:
    """A place in which everything has happened once, and executions of the project ``BINARY`` in it.

    Attributes:
        link: what `gatehouse run` printed before the first execution ran.
        registered: its version waits for a decision; the one before it serves everywhere.
        failed: its first job failed.
        refused: the gate stayed shut.
    """

    place: Place
    link: str
    registered: str
    failed: str
    refused: str


def prepare(place: Place) -> Prepared:
    """Fill a place whose settings are those of the examples."""
    [link] = re.findall(r"^Watch it: (\S+)$", place.done("run", BINARY).err, re.MULTILINE)
    place.done("approve", BINARY, "1", "--note", "Looks good to me")
    failed = place.start_on_damaged_data(BINARY)
    refused = place.start(BINARY, "AccuracyThreshold=0.99")
    for project in (CLASSES, NUMBERS):
        place.done("run", project)
    place.done("schedule", BINARY, "--cron", "0 3 * * ? *", "--timezone", "Europe/Paris")
    until(lambda: place.serving(BINARY)["test"] == 1, what="version 1 in test")
    place.done("promote", BINARY, "--from", "test", "--to", "prod", "--note", "Agreed on Tuesday")
    rows = (ROOT / "examples/tumor-diagnosis/wdbc.csv").read_text().splitlines()[:20]
    (place.shell.settings.parent / "rows.csv").write_text("\n".join(rows))
    data = str(place.shell.settings.parent / "rows.csv")
    place.done("invoke", BINARY, "--env", "dev", "--data", data)
    assert (place.ended(BINARY, failed), place.ended(BINARY, refused)) == ("Failed", "Failed")
    registered = place.start(BINARY, "MaxDepth=3")
    assert place.ended(BINARY, registered) == "Succeeded"
    return Prepared(place, link, registered, failed, refused)


Open = Callable[..., Page]
"""Opens a place's link; see the fixture ``open_page``."""
