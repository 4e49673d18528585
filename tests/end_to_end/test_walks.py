"""What README and the pages tell people to type works, in their order, and prints what they show.

One folder stands for the checkout: the settings and the examples that come with the project, and data for the
project that README adds. Each page goes on where the one before it ended.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from installed_command import ROOT, TUMORS, Finished, type_here

from pipelines.commands import GATE_SHUT

FRAUD = "rc-fraud-detection"
EXIT_CODES = {
    "gatehouse run -p AccuracyThreshold=0.99": GATE_SHUT,
}
"""Of the commands that do not end with 0, as the page says."""


@dataclass(frozen=True)
class Checkout:
    """The folder in which a person types."""

    folder: Path

    def type(self, line: str, *, answer: str = "") -> Finished:
        """One line of a page: a command of this project in this process, anything else in a shell."""
        words = shlex.split(line, comments=True)
        if words[0] != "gatehouse":
            done = subprocess.run(
                ["bash", "-c", line], capture_output=True, text=True, check=False, timeout=120
            )
            return Finished(done.returncode, done.stdout, done.stderr)
        return type_here(*words[1:], answer=answer)

    def walk(self, lines: list[str]) -> dict[str, Finished]:
        """Type the lines; what each printed, by its words."""
        assert lines, "the page has no such commands"
        printed = {}
        for line in lines:
            command = line.partition("#")[0].strip()
            ended = self.type(line)
            assert ended.code == EXIT_CODES.get(command, 0), f"{line}\n{ended.out}\n{ended.err}"
            printed[command] = ended
            if command == "gatehouse environments" and "version 1 in dev and test" in line:
                self._wait_for("dev", "test")
        return printed

    def _wait_for(self, *environments: str) -> None:
        """Until the automation has deployed a version there."""
        deadline = time.monotonic() + 120
        while True:
            states = self.type("gatehouse environments --json").document
            if {one["environment"] for one in states if one["serves"]} >= set(environments):
                return
            assert time.monotonic() < deadline, states
            time.sleep(0.5)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copy(ROOT / "projects.toml", folder)
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "GATEHOUSE_", "SAGEMAKER_")):
                patch.delenv(name)
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patch.chdir(folder)
        made = Checkout(folder)
        yield made
        made.type("gatehouse local down")


def section(page: str, heading: str) -> str:
    """The text below a heading, up to the next one of the same kind."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return text.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def indented(text: str) -> list[str]:
    """The commands of the code that is indented."""
    return [line[4:] for line in text.splitlines() if re.match(r"    (gatehouse|aws|head) ", line)]


def without_what_differs(text: str) -> list[str]:
    """The lines of an output; a time, a digit or an execution's id is another each time."""
    text = re.sub(r"(executions?[ /])[a-z0-9]{12}\b", r"\1ID", text)
    passing = r"^    log: |^  [^:]+: (starting|executing)\b"  # whether these are seen depends on the moment
    kept = [line for line in text.splitlines() if not re.search(passing, line)]
    return [re.sub(r"[\d.]*\d", "#", line) for line in kept]


def fill_in_payments(folder: Path) -> None:
    """Payments of 600 cards, one in fifty of them fraud: of higher amounts, farther away, at night."""
    generator = random.Random(3)
    lines = ["payment_id,card_id,amount,distance,hour,shop,label"]
    for number in range(6000):
        fraud = number % 50 == 0
        amount = generator.lognormvariate(3.5 + 1.2 * fraud, 0.8)
        distance = generator.lognormvariate(1 + 1.2 * fraud, 1)
        hour = generator.choice((0, 1, 2, 3, 22, 23) if fraud else range(24))
        shop = generator.choice(("food", "fuel", "clothes", "travel"))
        row = (number, f"c{number % 600}", f"{amount:.2f}", f"{distance:.1f}", hour, shop)
        lines.append(",".join([*map(str, row), "fraud" if fraud else "genuine"]))
    (folder / "data").mkdir()
    (folder / "data/payments.csv").write_text("\n".join(lines) + "\n")


def test_readme_from_the_first_run_to_a_version_that_serves(checkout: Checkout) -> None:
    first = checkout.type("gatehouse run")
    [shown] = blocks(section("README.md", "Two commands"), "text")
    *of_gatehouse, of_make = shown.splitlines()
    assert without_what_differs(first.err + first.out) == without_what_differs("\n".join(of_gatehouse))
    assert of_make.replace(".venv/bin", "$(BIN)") in (ROOT / "Makefile").read_text(encoding="utf-8")
    refused = checkout.walk(indented(section("README.md", "Two commands")))
    assert "The gate stayed shut" in refused["gatehouse run -p AccuracyThreshold=0.99"].out
    assert Path(refused["gatehouse report"].out.strip()).is_relative_to(checkout.folder / ".gatehouse")

    [settings] = blocks(section("README.md", "Your own data"), "toml")
    with (checkout.folder / "projects.toml").open("a") as file:
        file.write(f"\n{settings}")
    fill_in_payments(checkout.folder)
    assert f"Then `gatehouse run {FRAUD}`" in section("README.md", "Your own data")
    fraud = checkout.walk([f"gatehouse run {FRAUD}"])[f"gatehouse run {FRAUD}"]
    assert re.search(f"^Registered +{FRAUD} version 1$", fraud.out, re.MULTILINE)
    assert "AUC " in fraud.out

    after = checkout.walk(indented(section("README.md", "After the gate")))
    assert "The automation deploys it" in after['gatehouse approve 1 --note "reviewed"'].err
    assert after["gatehouse invoke --env dev --data rows.csv"].out.count("malignant") == 3
    assert "version 1 serves in dev" in after["gatehouse inbox"].out
    environments = checkout.type("gatehouse environments --json").document
    assert [one["version"] for one in environments] == [1, 1, 1]

    exported = checkout.type("gatehouse local env --json").document
    with pytest.MonkeyPatch.context() as patch:
        for name, value in exported.items():
            patch.setenv(name, value)
        own = checkout.walk(indented(section("README.md", "Your own tools on the local SageMaker")))
    assert f"model-package/{TUMORS}/1" in next(iter(own.values())).out


def test_a_report_is_of_a_version_or_of_any_execution_and_opens_in_the_browser(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of README's two runs: one registered version 1, and of the other the gate stayed shut."""
    shut, first = checkout.type("gatehouse executions --json").document
    refused = checkout.type("gatehouse report --json").document
    assert (refused["version"], refused["execution_arn"]) == (None, shut["execution_arn"])
    assert f"executions/{shut['id']}/EvaluateModel" in refused["report"]
    page = Path(refused["file"]).read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    registered = checkout.type("gatehouse report 1 --json").document
    of_first = checkout.type(f"gatehouse report {first['execution_arn']} --output first.html --json").document
    assert registered["report"] == of_first["report"] != refused["report"]
    assert Path(registered["file"]).read_text(encoding="utf-8") == Path("first.html").read_text("utf-8")
    assert page != Path("first.html").read_text("utf-8")
    missing = checkout.type("gatehouse report 999")
    assert (missing.code, "has no version 999" in missing.err) == (1, True)

    browser, opened = checkout.folder / "browser", checkout.folder / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    browser.chmod(0o755)
    open_first = [sys.executable, "-m", "pipelines", "report", "1", "--output", "first.html", "--open"]
    monkeypatch.setenv("BROWSER", str(browser))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    subprocess.run(open_first, check=True, capture_output=True, timeout=60)
    assert opened.read_text() == Path("first.html").absolute().as_uri()


def test_schedules(checkout: Checkout) -> None:
    lines = indented((ROOT / "docs/schedule.md").read_text(encoding="utf-8"))
    printed = checkout.walk([line.replace("PROJECT", TUMORS) for line in lines])
    made, changed, shown, off = (one.out for one in printed.values())
    assert "Europe/Paris" in made
    assert "MaxDepth=5" in changed
    assert "2030-01-31 03:00:00" in shown
    assert "deleted" in off


def test_the_local_sagemaker(checkout: Checkout) -> None:
    """The one that README has brought up goes down first, and comes up again as this page says."""
    lines = indented(section("docs/local-sagemaker.md", "Bringing it up"))
    assert [line.split()[1:3] for line in lines if line.startswith("gatehouse")] == [
        ["local", "up"],
        ["local", "status"],
        ["local", "down"],
        ["local", "reset"],
    ]
    checkout.type("gatehouse local down")
    up, listing, status, down, reset = lines
    checkout.walk([up])
    assert TUMORS in checkout.type(f'eval "$(gatehouse local env)"; {listing}').out
    printed = checkout.walk([status, down])
    assert "Up     http://127.0.0.1:" in printed["gatehouse local status"].out
    assert checkout.type(reset, answer="n\n").code == 130, "it asks, and this was no"
    assert (checkout.folder / ".gatehouse").exists()


def test_the_life_of_a_version_by_hand(checkout: Checkout) -> None:
    """On the versions of README's project, while the local SageMaker is not kept up."""
    [lines] = blocks(section("docs/life-of-a-version.md", "A walk"), "sh")
    printed = checkout.walk(lines.splitlines())
    approved = printed[f"gatehouse approve {FRAUD} 2"].err
    assert f"Next: gatehouse deploy {FRAUD} --env ENVIRONMENT --version 2" in approved
    assert "Registered" in printed[f"gatehouse run {FRAUD} -p MaxDepth=6"].out
    environments = checkout.type(f"gatehouse environments {FRAUD} --json").document
    assert [(one["environment"], one["version"]) for one in environments] == [
        ("dev", 1),
        ("test", None),
        ("prod", 1),
    ]
