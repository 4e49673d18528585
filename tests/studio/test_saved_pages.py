"""A saved page: one file that shows the page, loads nothing, runs nothing and holds no token."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bank_churn import SETTINGS
from wire_clients import client_of

from pipelines.commands import main
from sagemaker_local import endpoint
from studio.saved import saved_page
from studio.source import Source

HOSTILE = "</style><script>alert(1)</script><a href='https://example.com'>&amp;\x1b[31m"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A project with one version, whose free texts hold markup."""
    (tmp_path / "projects.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEHOUSE_HOME", str(tmp_path / "home"))
    with endpoint.start(tmp_path / "home") as started:
        sagemaker = client_of(started.url, "sagemaker")
        sagemaker.create_model_package_group(ModelPackageGroupName="bank-churn")
        sagemaker.create_model_package(
            ModelPackageGroupName="bank-churn",
            ModelApprovalStatus="PendingManualApproval",
        )
        assert main(["approve", "bank-churn", "1", "--note", HOSTILE]) == 0
        yield Source(tmp_path / "projects.toml", "local", started.url)


@pytest.mark.parametrize("path", ["/", "/p/bank-churn/versions", "/p/bank-churn/versions/1"])
def test_it_acts_on_nothing_and_loads_nothing(source: Source, path: str) -> None:
    text = saved_page(source, path)
    assert text.count("<style>") == text.count("</style>") == text.count("<html") == 1
    assert not re.search(r"<(script|form|input|button|select|link|iframe|object)\b", text)
    assert not re.search(r"""\s(href|src|action|hx-[a-z]+|on[a-z]+|style)=["']""", text.split("</head>")[1])
    assert "token" not in text.split("</style>")[1]
    assert "default-src 'none'" in text
    assert "Saved on 20" in text
    assert "bank-churn" in text


def test_stored_markup_stays_text(source: Source) -> None:
    text = saved_page(source, "/p/bank-churn/versions/1")
    assert "&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.usefixtures("source")
def test_the_command_writes_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["studio", "bank-churn", "1", "--save", "version.html", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(tmp_path / "version.html")}
    assert "Version 1" in (tmp_path / "version.html").read_text(encoding="utf-8")
    assert main(["studio", "--save", "home.html"]) == 0
    assert "Projects" in (tmp_path / "home.html").read_text(encoding="utf-8")
    address = "http://127.0.0.1:1/studio/p/bank-churn/versions?token=abc&approval=Approved"
    assert main(["studio", address, "--save", "versions.html"]) == 0
    assert "versions - Gatehouse" in (tmp_path / "versions.html").read_text(encoding="utf-8")
    assert main(["studio", "http://127.0.0.1:1/studio/elsewhere", "--save", "none.html"]) == 1
    assert main(["studio", "bank-churn", "7", "--save", "none.html"]) == 1
    assert not (tmp_path / "none.html").exists()


@pytest.mark.usefixtures("source")
def test_a_report_is_named_by_words_or_by_options(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["1"], ["--version", "1"]):
        assert main(["report", "bank-churn", *words]) == 1
        assert "version 1 of bank-churn has no report" in capsys.readouterr().err
    assert main(["report", "bank-churn", "--execution", "abcdefghijkl"]) == 1
    assert "abcdefghijkl" in capsys.readouterr().err
    for wrong in (["1", "--version", "2"], ["--version", "1", "--execution", "abcdefghijkl"]):
        assert main(["report", "bank-churn", *wrong]) == 2
