"""A model card as a page for people: Markdown, or HTML that needs nothing beside it.

Both are written from the same list of sections, so they say the same. The HTML page has the frame of the
evaluation's report, so that the two look alike. What people have stored, in a note or
in a card of their own, is text in both of them: nothing in it becomes markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aws_formats.markdown import escaped
from aws_formats.visible_text import visible
from evaluation import html_page
from evaluation.metric_table import METRICS
from registry import model_cards
from registry.model_quality import is_of_constant, metric_kind
from registry.verdicts import Verdict
from registry.version_details import VersionDetails

_TILES = 5
_USES_TITLE, _BUSINESS_TITLE = "Intended uses", "Business"
WRITTEN = (_USES_TITLE, _BUSINESS_TITLE)
"""The titles of the sections that people write, in the settings or by hand."""

_LONGEST = 1 << 20
"""Characters of a text: as long as a whole card may be."""


@dataclass(frozen=True)
class Section:
    """A heading, its facts, and perhaps a table whose first row is its headings; ``verdict`` is the gate's
    where the section is about it."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    verdict: str = ""


def markdown(version: VersionDetails) -> str:
    """The card as a Markdown page."""
    lines = [f"# Model card: {escaped(version.group)}, version {version.version}", ""]
    for section in sections(version):
        lines += [f"## {escaped(section.title)}", ""]
        lines += [f"- **{escaped(name)}:** {escaped(value)}" for name, value in section.facts]
        if section.facts:
            lines.append("")
        if section.rows:
            head, *body = section.rows
            lines += [_row(head), "| --- " * len(head) + "|", *(_row(row) for row in body), ""]
    return "\n".join(lines).rstrip() + "\n"


def page(version: VersionDetails) -> str:
    """The card as one self-contained HTML page."""
    title = f"Model card: {version.group}, version {version.version}"
    parts = [f"<h1>{_html(title)}</h1>", _tiles(version.verdict) if version.verdict else ""]
    for section in sections(version):
        content = []
        if section.facts:
            content.append(html_page.facts((_html(name), _html(value)) for name, value in section.facts))
        if section.rows:
            head, *body = ([_html(cell) for cell in row] for row in section.rows)
            content.append(html_page.table(head, body, words=range(len(head))))
        parts.append(html_page.section(visible(section.title), *content, kind=section.verdict))
    return html_page.page(visible(title), parts)


def _tiles(verdict: Verdict) -> str:
    """The first metrics of the task, each with its interval and the best constant answer."""
    tiles = []
    for name in [name for name in METRICS if name in verdict.metrics][:_TILES]:
        kind, known = METRICS[name], verdict.metrics[name]
        lines = [known.interval(kind) or ""]
        if known.constant is not None:
            lines.append(f"best constant {kind.shown(known.constant)}")
        small = "".join(f"<small>{line}</small>" for line in lines if line)
        tiles.append(
            f'<div class="tile"><span>{kind.heading}</span><b>{kind.shown(known.value)}</b>{small}</div>'
        )
    return f'<div class="tiles">{"".join(tiles)}</div>' if tiles else ""


def sections(version: VersionDetails) -> list[Section]:
    """What a card says, in order; sections with nothing to say are left out."""
    card = model_cards.content(version)
    training = card.get("training_details", {}).get("training_job_details", {})
    additional = card.get("additional_information", {})
    found = [
        Section("This version", tuple(_overview(version, card))),
        Section(_USES_TITLE, tuple(_facts(_in_order(card.get("intended_uses", {}), _USES)))),
        Section(_BUSINESS_TITLE, tuple(_facts(card.get("business_details", {})))),
        Section(
            "Training",
            tuple(_facts({key: value for key, value in training.items() if key != "hyper_parameters"})),
            _table(("Hyperparameter", "Value"), training.get("hyper_parameters", ())),
        ),
        *(_gate(version.verdict) if version.verdict else ()),
        *(_evaluation(item) for item in card.get("evaluation_details", ())),
        Section("More", tuple(_facts(additional))),
        Section("History of approvals", rows=_history(version)),
    ]
    return [section for section in found if section.facts or section.rows]


def _overview(version: VersionDetails, card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Model package", version.arn
    yield "Approval", version.approval
    yield "Card", version.card_status or "none attached"
    yield "Created", f"{version.created:%Y-%m-%d %H:%M:%S %Z}".strip()
    yield from _facts(card.get("model_overview", {}))


_USES = (
    "purpose_of_model",
    "intended_uses",
    "factors_affecting_model_efficiency",
    "risk_rating",
    "explanations_for_risk_rating",
)


def _in_order(table: Mapping[str, Any], first: tuple[str, ...]) -> dict[str, Any]:
    """The table with these keys first: the definition sorts them by name."""
    return {key: table[key] for key in (*(key for key in first if key in table), *table)}


def _facts(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A table of the card as facts, those inside it included."""
    for key, entry in value.items():
        if isinstance(entry, Mapping):
            yield from _facts(entry)
        elif isinstance(entry, list):
            yield _title(key), ", ".join(str(item) for item in entry)
        else:
            yield _title(key), str(entry)


def _gate(verdict: Verdict) -> Iterator[Section]:
    """What the gate decided, in the verdict's own words."""
    facts = [("Verdict", f"{verdict.verdict}: {verdict.sentence}")]
    known = verdict.measured
    if known:
        facts.append((verdict.kind.heading, verdict.kind.shown(known.value)))
        interval = known.interval(verdict.kind)
        if interval:
            facts.append(("95 % interval", interval))
        if known.constant is not None:
            facts.append(("Best constant answer", verdict.kind.shown(known.constant)))
    yield Section("Gate", tuple(facts), (("Check", "Result", "Why"), *verdict.lines()), verdict.verdict)


def _evaluation(item: Mapping[str, Any]) -> Section:
    facts = {key: value for key, value in item.items() if key not in ("name", "metric_groups")}
    metrics = [
        (
            _called(name := str(metric["name"])),
            _figure(name, metric.get("value")),
            str(metric.get("notes", "")),
        )
        for group in item.get("metric_groups", ())
        for metric in group.get("metric_data", ())
    ]
    rows = (("Metric", "Value", "Notes"), *metrics) if metrics else ()
    return Section(f"Evaluation: {item.get('name', '')}", tuple(_facts(facts)), rows)


def _history(version: VersionDetails) -> tuple[tuple[str, ...], ...]:
    rows = [
        (f"{decision.when:%Y-%m-%d %H:%M} UTC", decision.status, decision.who, decision.note)
        for decision in version.decisions
    ]
    return (("When", "Decision", "Who", "Note"), *rows) if rows else ()


def _table(head: tuple[str, str], entries: Any) -> tuple[tuple[str, ...], ...]:
    rows = [(str(entry["name"]), str(entry["value"])) for entry in entries]
    return (head, *rows) if rows else ()


_WORDS = {
    "container_image": "Container image",
    "dataset_version": "Version of the data",
    "evaluation_job_arn": "Evaluation job",
    "evaluation_observation": "How it was measured",
    "gate": "Verdict of the gate",
    "git_commit": "Git commit of the code",
    "model_creator": "Owner",
    "report_with_plots": "Report with pictures and tables",
    "statistics": "Metrics as a file",
    "data_quality_statistics": "Statistics of the training data",
    "training_arn": "Training job",
    "training_datasets": "Training data",
}
"""What people call a key of the card, where the key itself does not say it."""


def _title(key: str) -> str:
    metric = key.removesuffix("_threshold")
    if metric != key and metric in METRICS:
        return f"Threshold of {METRICS[metric].label}"
    return _WORDS.get(key) or key.replace("_", " ").capitalize()


def _called(metric: str) -> str:
    return metric_kind(metric).label if metric in METRICS or is_of_constant(metric) else metric


def _figure(metric: str, value: Any) -> str:
    return metric_kind(metric).shown(value) if isinstance(value, float) else str(value)


def _row(cells: Any) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def _html(text: str) -> str:
    return html_page.prose(visible(text), _LONGEST)
