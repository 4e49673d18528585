"""Text that people have stored is text on a card and in a plan: no reader of Markdown finds markup in it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from aws_formats.markdown import escaped
from pipelines.commands.plan_report import _code
from registry.approval_history import Decision
from registry.card_pages import markdown, page
from registry.data_findings import NOTHING_NOTICED
from registry.verdicts import verdict_in
from registry.version_details import VersionDetails

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OF_A_CARD = {"h1", "h2", "ul", "li", "p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
HOSTILE = (
    r"\<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    r"a\|b | c",
    r"a\\|b",
    "[a](javascript:alert(1)) ![b](http://evil) <http://evil>",
    "`code` **bold** _it_ ~~gone~~ &lt;b&gt; $x$",
    "a\n\n# heading\n<b>",
    "\x1b[2J\u202e",
)


class Read(HTMLParser):
    """The tags of a page, its cells and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.cells:
            self.cells[-1] += data


def shown(text: str) -> str:
    """A hostile text as a reader has to see it."""
    line = " ".join(text.split())
    return line.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e")


def version(text: str) -> VersionDetails:
    """A version in which everything that people may write is the text."""
    return VersionDetails(
        group="rc-fraud",
        version=1,
        arn="arn:aws:sagemaker:eu-west-1:000000000000:model-package/rc-fraud/1",
        created=datetime(2026, 5, 1, tzinfo=UTC),
        created_by=None,
        modified_by=None,
        description=text,
        status="Completed",
        approval="Approved",
        approval_description=text,
        metrics={},
        test_rows=None,
        statistics=None,
        verdict=None,
        data_statistics=None,
        findings=NOTHING_NOTICED,
        hyperparameters={text: text},
        metadata={"owner": text, "dataset_uri": text},
        properties={},
        decisions=(Decision("Approved", text, datetime(2026, 5, 1, tzinfo=UTC), text),),
        execution=None,
        jobs=(),
        containers=(),
        content_types=(),
        response_types=(),
        instance_types=(),
        transform_instance_types=(),
        sample_payload=None,
        card={
            "intended_uses": {"purpose_of_model": text},
            "evaluation_details": [
                {
                    "name": text,
                    "metric_groups": [{"metric_data": [{"name": text, "value": 1.0, "notes": text}]}],
                }
            ],
            "additional_information": {"custom_details": {text: text}},
        },
        card_status=None,
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_what_people_wrote_is_text_on_a_card(text: str) -> None:
    read = Read(MARKDOWN.render(markdown(version(text))))
    assert read.tags <= OF_A_CARD
    assert read.text.count(shown(text)) >= 8
    decision = read.cells[-4:]
    assert [cell.strip() for cell in decision[1:]] == ["Approved", shown(text), shown(text)]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_people_wrote_is_text_on_the_card_s_html_page(text: str) -> None:
    written = page(version(text))
    assert Read(written).tags <= OF_A_CARD | {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "section",
        "div",
        "dl",
        "dt",
        "dd",
    }
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", written)


def test_a_card_says_the_verdict_and_calls_things_as_people_do() -> None:
    checks = [{"name": "threshold", "passed": False, "sentence": "AUC 0.71 is not above the threshold 0.9"}]
    judged = {
        "verdict": "refused",
        "sentence": checks[0]["sentence"],
        "metric": "auc",
        "checks": checks,
        "metrics": {
            "auc": {"value": 0.71, "low": 0.6, "high": 0.8},
            "accuracy": {"value": 0.9, "low": 0.8, "high": 0.95, "constant": 0.7},
        },
    }
    metrics = {"metric_data": [{"name": "true_positive_rate", "value": 0.5}]}
    card = {"evaluation_details": [{"name": "Test part", "metric_groups": [metrics]}]}
    metadata = {"dataset_version": "2026-01", "gate_metric": "auc", "auc_threshold": "0.9"}
    refused = replace(version("text"), verdict=verdict_in(judged), metadata=metadata, card=card)
    written = page(refused)
    assert '<section class="refused"><h2>Gate</h2>' in written
    assert "<td>AUC 0.71 is not above the threshold 0.9</td>" in written
    tiles = written[written.index('class="tiles"') : written.index("<section")]
    assert "<span>Accuracy</span><b>0.9000</b><small>0.8000 to 0.9500</small>" in tiles
    assert "best constant 0.7000" in tiles
    for card_text in (written, markdown(refused)):
        text = Read(card_text).text
        for words in ("Version of the data", "Threshold of AUC", "true positive rate"):
            assert words in text, words
        assert "dataset_version" not in text


@given(st.text())
@example(r"\|")
@example("a_b __c__ _d_")
def test_any_text_is_one_cell_that_says_the_same(text: str) -> None:
    rendered = MARKDOWN.render(f"| a | b |\n| --- | --- |\n| {escaped(text)} | end |\n")
    read = Read(rendered)
    assert read.tags == {"table", "thead", "tbody", "tr", "th", "td"}
    assert len(read.cells) == 4
    assert read.cells[3].strip() == "end"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_change_is_code_in_a_plan_for_a_pull_request(text: str) -> None:
    read = Read(MARKDOWN.render(f"- {_code(text)}\n"))
    assert read.tags == {"ul", "li", "code"}
    assert read.text.strip() == shown(text)
