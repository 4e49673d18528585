"""``report.html``: what changed, how much, and with which values; one file without scripts, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import svg
from answer_quality import WindowQuality
from baseline import ANSWER, CATEGORY, SCORE, Baseline, Column
from captures import Requests
from documents import in_units, name_of
from drift import (
    LARGE,
    LARGE_WITHOUT_HISTORY,
    LEAST_WINDOWS,
    MISSING,
    NEW,
    OUTSIDE,
    SPREAD,
    Answer,
    Counted,
    stability_index,
)
from html_page import facts, name, note, page, prose, section, table, text
from metric_table import METRICS, readable
from past_windows import PastWindow

_MOST_DRAWN = 12
_MOST_LISTED = 200
_MOST_EXAMPLES = 10
_FEWEST_DRAWN = 3
"""Past windows from which on a metric or an index is drawn over time."""


@dataclass(frozen=True)
class Monitored:
    """What a report is written from: the verdict, and what it was made of."""

    verdict: Mapping[str, Any]
    baseline: Baseline
    counted: Mapping[str, Counted]
    answers: Sequence[Answer]
    past: Sequence[PastWindow]
    qualities: Sequence[WindowQuality]
    requests: Requests
    features: Sequence[Any]


def monitoring_report(found: Monitored) -> str:
    """The whole page."""
    verdict = found.verdict
    title = f"{verdict['project']} in {verdict['environment']}"
    lead = (
        f"<h1>{name(title)}: version {text(verdict['version'])}</h1>"
        f'<p class="lead">Requests from {_moment(verdict["start"])} to {_moment(verdict["end"])}</p>'
    )
    return page(
        f"{title}: {verdict['status']}",
        [
            lead,
            _conclusion(verdict),
            _tiles(found),
            *_differences(found),
            _quality(found),
            _all_columns(found),
            _left_out(verdict),
        ],
    )


def _moment(iso: str) -> str:
    return text(f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")


def _conclusion(verdict: Mapping[str, Any]) -> str:
    words = {
        "changed": ("The traffic changed", "refused"),
        "as before": ("The traffic is as it was in training", "passed"),
        "not enough rows": ("There are not enough rows to say", ""),
    }
    title, kind = words[verdict["status"]]
    if verdict["quality"]["status"] == "worse":
        title, kind = f"{title}, and the model got worse", "refused"
    said = [f"<p>{prose(verdict['sentence'], 600)}.</p>"]
    windows, needed = verdict["history"]["windows"], verdict["history"]["needed"]
    if windows < needed:
        said.append(
            note(
                f"{windows} past windows are known; from {needed} on a difference must also be larger than"
                f" theirs. Until then requests that come in bursts, or that follow the weekday, can look"
                f" changed, so only an index above {LARGE_WITHOUT_HISTORY} counts, and nothing is retrained"
                " by itself."
            )
        )
    if not verdict["quality"]["windows"] or verdict["quality"]["status"] in (
        "no labels",
        "not enough labels",
    ):
        said.append(note("Whether the answers were right is not known: there are too few labels for that."))
    return section(title, *said, kind=kind)


def _tiles(found: Monitored) -> str:
    verdict = found.verdict
    tiles = [
        ("Rows", f"{verdict['rows']:,}", f"of {verdict['requests']:,} requests"),
        ("Columns that differ", str(len({one["column"] for one in verdict["differences"]})), _of(found)),
    ]
    if verdict.get("invocations"):
        refused = int(verdict.get("refused") or 0)
        share = f"{readable(100 * refused / verdict['invocations'], 2)} % of {verdict['invocations']:,}"
        tiles.append(("Refused requests", f"{refused:,}", share))
    labelled = sum(one.labelled for one in found.qualities)
    tiles.append(("Labels", f"{labelled:,}", f"of {sum(one.rows for one in found.qualities):,} answers kept"))
    cells = "".join(
        f'<div class="tile"><span>{text(title)}</span><b>{text(value)}</b><small>{text(small)}</small></div>'
        for title, value, small in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _of(found: Monitored) -> str:
    return f"of {len(found.baseline.columns)}"


def _differences(found: Monitored) -> Iterator[str]:
    listed = found.verdict["differences"]
    for column in list(dict.fromkeys(one["column"] for one in listed))[:_MOST_DRAWN]:
        sentences = "".join(
            f"<p>{prose(one['sentence'], 400)}</p>" for one in listed if one["column"] == column
        )
        known = found.baseline.columns.get(column)
        parts = [sentences]
        if known is not None:
            if len(known.labels) > 1:
                parts.append(_shares(known, found.counted[column]))
            parts += [
                *_examples(found, column, {one["question"] for one in listed if one["column"] == column})
            ]
            parts.append(_over_time(found, column, known))
        yield section(column, *(part for part in parts if part))
    if len(listed) > _MOST_DRAWN:
        yield note(f"{len(listed) - _MOST_DRAWN} more are in the table below.")


def _shares(column: Column, counted: Counted) -> str:
    before, now = column.reference.counts, counted.counts
    shares = [counts / max(int(counts.sum()), 1) for counts in (before, now)]
    largest = max(float(share.max()) for share in shares) or 1.0
    rows = []
    for place, label in enumerate(column.labels):
        pair = [float(share[place]) for share in shares]
        cells = [cell for share in pair for cell in (svg.bar(share / largest), f"{100 * share:.1f} %")]
        rows.append([name(label), *cells])
    reference = "On the test part" if column.name in (ANSWER, SCORE) else "In training"
    return table(["Value", reference, "", "Now", ""], rows, words=(0, 1, 3))


def _examples(found: Monitored, column: str, questions: set[str]) -> Iterator[str]:
    places = [place for place, feature in enumerate(found.features) if feature.name == column]
    if not places:
        return
    feature, values = found.features[places[0]], found.requests.matrix[:, places[0]]
    known = found.baseline.columns[column]
    if NEW in questions and known.kind == CATEGORY:
        codes, counts = np.unique(values[values < 0].astype(np.int64), return_counts=True)
        order = np.argsort(-counts)[:_MOST_EXAMPLES]
        unseen = found.requests.unseen[column]
        rows = [[name(name_of(int(codes[at]), feature, unseen)), f"{counts[at]:,}"] for at in order]
        yield "<h3>Values that training never saw</h3>" + table(["Value", "Rows"], rows)
    if OUTSIDE in questions:
        ends = [readable(float(end)) for end in in_units(np.array([known.low, known.high]), feature)]
        outside = values[(values < known.low) | (values > known.high)]
        shown = np.unique(in_units(outside, feature))
        picked = shown[np.linspace(0, len(shown) - 1, min(len(shown), _MOST_EXAMPLES)).astype(int)]
        listed = ", ".join(readable(float(value)) for value in picked)
        expected = f"From {ends[0]} to {ends[1]} are expected: training's range and half of it on each side"
        yield note(text(f"{expected}. Now there are, among others: {listed}", 400))


def _over_time(found: Monitored, column: str, known: Column) -> str:
    windows = [one for one in found.past if column in one.columns and one.columns[column].present]
    if len(windows) < _FEWEST_DRAWN or len(known.labels) < 2:
        return ""
    sizes = [stability_index(known.reference.counts, one.columns[column].counts) for one in windows]
    sizes.append(stability_index(known.reference.counts, found.counted[column].counts))
    plot = svg.Plot(svg.axis("Window", range(len(sizes))), svg.axis("PSI", [0.0, LARGE, *sizes]))
    marks = [
        svg.curve(plot, [plot.x.low, plot.x.high], [LARGE, LARGE], "guide"),
        svg.curve(plot, list(map(float, range(len(sizes)))), sizes),
    ]
    return svg.picture(
        plot, marks, "Population stability index over the windows", [("guide", f"{LARGE} is large")]
    )


def _quality(found: Monitored) -> str:
    quality = found.verdict["quality"]
    windows = [one for one in found.qualities if one.labelled]
    if not windows:
        return ""
    names = [metric for metric in METRICS if any(metric in one.metrics for one in windows)][:4]
    rows = []
    for one in reversed(windows[-28:]):
        cells = []
        for metric in names:
            measured = one.metrics.get(metric)
            cell = METRICS[metric].shown(measured["value"]) if measured else ""
            if measured and "low" in measured:
                ends = METRICS[metric].between(measured["low"], measured["high"], briefly=True)
                cell += f' <small class="whole">{ends}</small>'
            cells.append(cell)
        rows.append([_moment(one.end), f"{one.labelled:,} of {one.rows:,}", *cells])
    said = f"<p>{prose(quality['sentence'], 400)}</p>" if "sentence" in quality else ""
    heads = ["Window's end", "Labelled", *(text(METRICS[metric].heading) for metric in names)]
    least = note(f"A window is measured from {quality['least_labels']} labels on; intervals are of 95 %.")
    return section("Answers and labels", said, table(heads, rows), least)


def _all_columns(found: Monitored) -> str:
    by_column: dict[str, dict[str, Answer]] = {}
    for one in found.answers:
        by_column.setdefault(one.column, {})[one.question] = one
    if not by_column:
        return ""

    def cell(one: Answer | None) -> str:
        if one is None:
            return ""
        shown = f"{one.size:.3f}" if one.question == SPREAD else f"{100 * one.size:.2f} %"
        return f"<b>{shown}</b>" if one.differs else shown

    order = sorted(
        by_column, key=lambda column: -by_column[column][SPREAD].size if SPREAD in by_column[column] else 0
    )
    rows = [
        [
            name(column),
            *(cell(by_column[column].get(question)) for question in (SPREAD, MISSING, NEW, OUTSIDE)),
        ]
        for column in order[:_MOST_LISTED]
    ]
    more = (
        f" The {len(order) - _MOST_LISTED} with the smallest index are not listed."
        if len(order) > _MOST_LISTED
        else ""
    )
    return section(
        "All columns",
        table(["Column", "PSI", "Missing", "Never seen", "Outside the range"], rows),
        note(
            "Bold is what differs: significantly (all questions of all columns together, by Benjamini and"
            f" Hochberg at 1 %), largely, and, from {LEAST_WINDOWS} past windows on, more than they did."
            f"{more}"
        ),
    )


def _left_out(verdict: Mapping[str, Any]) -> str:
    entries = [("Captures", f"{verdict['captured']:,}")]
    if verdict["share_used"] < 1:
        entries.append(("Used", f"a share of {verdict['share_used']:.3g}, chosen by a hash of their ids"))
    entries += [
        ("Not used", prose(f"{sentence[0].upper()}{sentence[1:]}")) for sentence in verdict["noticed"]
    ]
    before = verdict["week_before"]
    if before is not None:
        said = ", ".join(name(column) for column in before) or "no column"
        entries.append(("Otherwise than a week before", said))
    return section("What was read", facts(entries))
