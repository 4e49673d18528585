"""The gate's verdict on a version: what the evaluation decided, why, and how exactly each metric is known.

Evaluation writes ``verdict.json`` beside the statistics, and the version names it in its customer metadata
(``verdict_uri``). Its sentences are shown as they are wherever a person decides, so that everybody reads the
same. A version may lack the file, because it was registered by hand or before there were verdicts; a file
that cannot be read as a verdict counts as none, and a part of it that cannot be read is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.metric_table import MetricKind
from registry.clients import read_document
from registry.model_quality import finite_number, metric_kind

PASSED, REFUSED = "passed", "refused"

CHAMPION = "champion"
"""The name of the check against the version that serves."""

_SAYS_CHAMPION = re.compile(r"\bversion (\d{1,9}), which serves in ")


@dataclass(frozen=True)
class Check:
    """One check of the gate.

    Attributes:
        sentence: what it found, with its numbers.
        metric: the name of what was measured; None where it is not one number.
        limit: what the value was held against.
        low, high: of the value's 95 % interval.
        champion: the number of the version that it compares with; None where it compares with none.
    """

    name: str
    passed: bool
    sentence: str
    metric: str | None = None
    value: float | None = None
    limit: float | None = None
    low: float | None = None
    high: float | None = None
    champion: int | None = None


@dataclass(frozen=True)
class Measured:
    """A metric, the ends of its 95 % interval and the best constant answer's value, where it has them."""

    value: float
    low: float | None = None
    high: float | None = None
    constant: float | None = None

    def in_words(self, kind: MetricKind) -> str:
        """``0.9556, 95 % interval 0.8920 to 0.9826; the best constant answer has 0.6222``."""
        between = self.interval(kind)
        interval = f", 95 % interval {between}" if between else ""
        has = "" if self.constant is None else f"; the best constant answer has {kind.shown(self.constant)}"
        return f"{kind.shown(self.value)}{interval}{has}"

    def interval(self, kind: MetricKind, *, briefly: bool = False) -> str | None:
        """``0.8920 to 0.9826``; None where the metric has no interval.

        Args:
            kind: of the metric.
            briefly: with three decimals instead of four, for a line with many columns.
        """
        if self.low is None or self.high is None:
            return None
        return kind.between(self.low, self.high, briefly=briefly)


@dataclass(frozen=True)
class Verdict:
    """What the gate decided.

    Attributes:
        verdict: ``passed`` or ``refused``.
        sentence: why.
        metric: the name of the gate's own metric.
        rows: of the test part.
        evidence: ``estimate`` or ``bound``, what was held against the threshold.
        metrics: every metric of the test part, by name.
    """

    verdict: str
    sentence: str
    metric: str
    rows: int | None
    evidence: str | None
    checks: tuple[Check, ...]
    metrics: Mapping[str, Measured]

    @property
    def passed(self) -> bool:
        return self.verdict == PASSED

    @property
    def kind(self) -> MetricKind:
        """The gate's metric."""
        return metric_kind(self.metric)

    @property
    def measured(self) -> Measured | None:
        """The gate's metric with its interval and constant; None where the file does not hold its value."""
        return self.metrics.get(self.metric)

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """For people: name, ``passed`` or ``refused``, and sentence of every check."""
        for check in self.checks:
            yield check.name, PASSED if check.passed else REFUSED, check.sentence

    def document(self) -> dict[str, Any]:
        """The same keys as in ``verdict.json``, of what could be read."""
        return asdict(self)


def read_verdict(s3: Any, properties: Mapping[str, str]) -> Verdict | None:
    """The verdict that a version's customer metadata names; None if there is none, or it cannot be read."""
    return verdict_in(read_document(s3, properties.get("verdict_uri")))


def verdict_in(document: Any) -> Verdict | None:
    """A parsed ``verdict.json``; None if it does not say what was decided, or about which metric."""
    if not isinstance(document, dict):
        return None
    verdict, metric = document.get("verdict"), _text(document.get("metric"))
    if verdict not in (PASSED, REFUSED) or metric is None:
        return None
    checks = tuple(check for found in _list(document.get("checks")) if (check := _check(found)))
    return Verdict(
        verdict=verdict,
        sentence=_text(document.get("sentence")) or "",
        metric=metric,
        rows=_whole(document.get("rows")),
        evidence=_text(document.get("evidence")),
        checks=checks,
        metrics=_metrics(document, metric, checks),
    )


def _check(found: Any) -> Check | None:
    if not isinstance(found, dict):
        return None
    name, passed, sentence = _text(found.get("name")), found.get("passed"), _text(found.get("sentence"))
    if name is None or sentence is None or not isinstance(passed, bool):
        return None
    numbers = {key: finite_number(found.get(key)) for key in ("value", "limit", "low", "high")}
    champion = _champion(found.get("champion"), sentence) if name == CHAMPION else None
    return Check(name, passed, sentence, _text(found.get("metric")), **numbers, champion=champion)


def _champion(number: Any, sentence: str) -> int | None:
    """By the check's own field; verdicts from before it was there say it in their sentence."""
    named = _SAYS_CHAMPION.search(sentence)
    return int(named[1]) if number is None and named else _whole(number)


def _metrics(document: Mapping[str, Any], metric: str, checks: tuple[Check, ...]) -> dict[str, Measured]:
    """Those of the file; of one without them, the gate's own by its check of the threshold."""
    found: dict[str, Measured] = {}
    held = document.get("metrics")
    for name, entry in held.items() if isinstance(held, dict) else ():
        numbers = _numbers(entry) if isinstance(entry, dict) else {}
        if (value := numbers.pop("value", None)) is not None:
            found[name] = Measured(value, **numbers)
    for check in checks:
        if check.metric == metric and check.name == "threshold" and check.value is not None:
            constant = finite_number(document.get("constant"))
            found.setdefault(metric, Measured(check.value, check.low, check.high, constant))
    return found


def _numbers(entry: Mapping[str, Any]) -> dict[str, float | None]:
    return {key: finite_number(entry.get(key)) for key in ("value", "low", "high", "constant")}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    """On one line; None for what is no text, or an empty one."""
    return (" ".join(value.split()) or None) if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
