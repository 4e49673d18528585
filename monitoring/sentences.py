"""The verdict's findings as sentences that a person understands without knowing the tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from answer_quality import WindowQuality
from baseline import Baseline
from captures import Requests
from drift import MISSING, NEW, OUTSIDE, SPREAD, Answer, Counted
from metric_table import MetricKind, readable
from refused_requests import REFUSED

_MOST_NAMED = 3


def difference_sentence(one: Answer, baseline: Baseline, counted: Counted, requests: Requests) -> str:
    """What differs, by how much, with examples."""
    now, usual = _percent(one.size), _percent(one.usual)
    if one.column == REFUSED:
        return f"{now} of the requests were refused; {usual} were before"
    if one.question == MISSING:
        return f"{one.column} has no value in {now} of the rows; {usual} were expected"
    if one.question == NEW:
        named = requests.unseen.get(one.column, [])
        examples = ", ".join(repr(text[:40]) for text in named[:_MOST_NAMED])
        more = ", ..." if len(named) > _MOST_NAMED else ""
        return (
            f"{one.column} has values that training never saw ({examples}{more}) in {now} of the rows;"
            f" {usual} were expected"
        )
    if one.question == OUTSIDE:
        return f"{one.column} lies far outside the range of its training values in {now} of the rows"
    assert one.question == SPREAD
    column = baseline.columns[one.column]
    before, now_counts = column.reference.counts, counted.counts
    place = moved(before, now_counts)
    shares = [_percent(counts[place] / max(counts.sum(), 1)) for counts in (before, now_counts)]
    return (
        f"{one.column} is spread otherwise (PSI {one.size:.2f}): {column.labels[place]} was {shares[0]} of"
        f" the values and is {shares[1]}"
    )


def moved(reference: np.ndarray, window: np.ndarray) -> int:
    """The bin whose share has moved most."""
    before, now = reference / max(reference.sum(), 1), window / max(window.sum(), 1)
    return int(np.argmax(np.abs(now - before)))


def counted_sentences(noticed: Counter[str]) -> list[str]:
    """What was not used, and how often; most often first."""
    return [f"{reason}: {count:,}" for reason, count in noticed.most_common() if count]


def quality_sentence(kind: MetricKind, judged: WindowQuality, test: Mapping[str, float]) -> str:
    """A metric in a window against the test part."""
    now = judged.metrics[kind.name]
    interval = f" ({kind.between(now['low'], now['high'])})" if "low" in now else ""
    on_test = f", {kind.shown(test['value'])} on the test part" if test else ""
    return f"{kind.label} {kind.shown(now['value'])}{interval} on {judged.labelled:,} labelled rows{on_test}"


def _percent(share: float) -> str:
    return f"{readable(100 * share, 2)} %"
