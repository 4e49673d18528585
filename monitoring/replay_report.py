"""``report.html`` of a replay: which answers flip, for whom, and how long both versions take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import svg
from html_page import facts, name, note, page, prose, section, table, text
from metric_table import readable


def replay_report(document: Mapping[str, Any]) -> str:
    """The whole page, from ``replay.json``."""
    title = f"{document['project']}: version {document['candidate']} in the place of {document['version']}"
    times = [
        f"{datetime.fromisoformat(document[key]).astimezone(UTC):%Y-%m-%d %H:%M UTC}"
        for key in ("start", "end")
    ]
    lead = (
        f"<h1>{name(title)}</h1>"
        f'<p class="lead">Requests to {name(document["environment"])} from {text(times[0])} to'
        f" {text(times[1])}</p>"
    )
    return page(title, [lead, _conclusion(document), _changes(document), _slices(document), _read(document)])


def _conclusion(document: Mapping[str, Any]) -> str:
    said = f"<p>{prose(document['sentence'], 400)}.</p>"
    return section(
        "What would change",
        said,
        note("Whether a flip is for the better takes labels; nothing here says so."),
    )


def _changes(document: Mapping[str, Any]) -> str:
    rows = document["rows"]
    if "moved" in document:
        cells = [[f"{100 * share:g} %", readable(by)] for share, by in document["moved"]["quantiles"]]
        mean = readable(document["moved"]["mean"], signed=True)
        return section(
            "How far answers move",
            table(["Of the rows", "By at most"], cells),
            note(f"On average by {mean}."),
        )
    if not document["becomes"]:
        return ""
    cells = [
        [name(one["from"]), name(one["to"]), f"{one['rows']:,}", f"{100 * one['rows'] / rows:.2f} %"]
        for one in document["becomes"]
    ]
    return section(
        "Which answers flip", table(["Answered", "Would be", "Rows", "Of all"], cells, words=(0, 1))
    )


def _slices(document: Mapping[str, Any]) -> str:
    if "flips" not in document or not document["rows"]:
        return ""
    if not document["slices"]:
        return section("For whom", "<p>In no part of the rows do more answers flip than elsewhere.</p>")
    cells = [
        [
            name(one["column"]),
            name(one["value"]),
            f"{one['flips']:,} of {one['rows']:,}",
            svg.bar(one["flips"] / one["rows"]),
            f"{100 * one['flips'] / one['rows']:.1f} %"
            f" <small>{100 * one['low']:.1f} to {100 * one['high']:.1f}</small>",
        ]
        for one in document["slices"]
    ]
    usual = 100 * document["flips"] / document["rows"]
    return section(
        "For whom",
        table(["Column", "Value", "Rows", "", "Flip"], cells, words=(0, 1, 3)),
        note(f"Where the 95 % interval lies above the {usual:.1f} % of all rows; parts of at least 30 rows."),
    )


def _read(document: Mapping[str, Any]) -> str:
    times = document["milliseconds"]
    entries = [("Requests", f"{document['requests']:,}"), ("Rows", f"{document['rows']:,}")]
    if document["refused_by_candidate"]:
        entries.append(("It would refuse", f"{document['refused_by_candidate']:,} requests"))
    if times["served"] and times["candidate"]:
        entries.append(
            ("A row takes", f"{times['served']:.3f} ms, and {times['candidate']:.3f} ms by the candidate")
        )
    entries += [("Not used", prose(f"{one[0].upper()}{one[1:]}")) for one in document["noticed"]]
    return section("What was read", facts(entries))
