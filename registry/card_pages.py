"""A model card as a page for people: Markdown, or HTML that needs nothing beside it.

Both are written from the same list of sections, so they say the same. What people have stored, in a note or
in a card of their own, is text in both of them: nothing in it becomes markup.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aws_formats.markdown import escaped
from aws_formats.visible_text import visible
from registry import model_cards
from registry.model_quality import metric_kind
from registry.verdicts import Verdict
from registry.version_details import VersionDetails


@dataclass(frozen=True)
class Section:
    """A heading, its facts, and perhaps a table whose first row is its headings."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


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
    parts = [_HEAD.format(title=_html(title))]
    for section in sections(version):
        parts.append(f"<h2>{_html(section.title)}</h2>\n")
        if section.facts:
            facts = "".join(
                f"<dt>{_html(name)}</dt><dd>{_html(value)}</dd>\n" for name, value in section.facts
            )
            parts.append(f"<dl>\n{facts}</dl>\n")
        if section.rows:
            head, *body = section.rows
            rows = [_cells(head, "th"), *(_cells(row, "td") for row in body)]
            parts.append("<table>\n" + "".join(rows) + "</table>\n")
    return "".join(parts) + "</body></html>\n"


def sections(version: VersionDetails) -> list[Section]:
    """What a card says, in order; sections with nothing to say are left out."""
    card = model_cards.content(version)
    training = card.get("training_details", {}).get("training_job_details", {})
    additional = card.get("additional_information", {})
    found = [
        Section("This version", tuple(_overview(version, card))),
        Section("Intended uses", tuple(_facts(_in_order(card.get("intended_uses", {}), _USES)))),
        Section("Business", tuple(_facts(card.get("business_details", {})))),
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
    yield Section("Gate", tuple(facts), (("Check", "Result", "Why"), *verdict.lines()))


def _evaluation(item: Mapping[str, Any]) -> Section:
    facts = {key: value for key, value in item.items() if key not in ("name", "metric_groups")}
    metrics = [
        (name := str(metric["name"]), _figure(name, metric.get("value")), str(metric.get("notes", "")))
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


def _title(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _figure(metric: str, value: Any) -> str:
    return metric_kind(metric).shown(value) if isinstance(value, float) else str(value)


def _row(cells: Any) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def _html(text: str) -> str:
    return html.escape(visible(text))


def _cells(cells: Any, tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{_html(cell)}</{tag}>" for cell in cells) + "</tr>\n"


_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }}
dt {{ font-weight: 600; }} dd {{ margin: 0 0 .4em; overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; }} th, td {{ text-align: left; padding: .2em 1em .2em 0; }}
tr {{ border-bottom: 1px solid #ddd; }}
</style></head><body>
<h1>{title}</h1>
"""
