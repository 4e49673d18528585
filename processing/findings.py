"""What preprocessing noticed of the data that a person should know, although the run goes on.

A finding is one sentence with its numbers in it, and the setting that would change what it says. Findings
are printed in the job's log and written to ``quality/findings.json``, from where commands, the report and
the version's notes show them; what must not go on is an ``InputError`` instead.

``findings.json`` is an object with ``findings``, a list of objects with the fields of :class:`Finding`
(those without a value are left out), warnings before notes, and ``more``, the number of findings of each
kind that are not listed, because a wide table could have thousands.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

_MOST_OF_A_KIND = 8
_MOST = 40
_LONGEST = 600  # characters of a text; names of columns may be long


@dataclass(frozen=True)
class Finding:
    """``kind`` is a short fixed word for machines (``rows_without_target``), ``text`` one sentence for people
    that names the column, without a full stop, ``count`` how many rows or values it concerns, ``remedy`` what
    to set, a sentence without a full stop. A ``warning`` may make the model worse than it seems, or than it
    could be; a ``note`` says what was done."""

    kind: str
    text: str
    column: str | None = None
    count: int | None = None
    remedy: str | None = None
    level: Literal["warning", "note"] = "warning"

    @property
    def line(self) -> str:
        """As the log shows it; always one line."""
        parts = [self.text, self.remedy] if self.remedy else [self.text]
        return f"{self.level}: {' '.join('. '.join(parts).split())}"


def listed(findings: Iterable[Finding]) -> tuple[list[Finding], dict[str, int]]:
    """Those to show, warnings first, else in their order, and how many of each kind are left out."""
    shown: list[Finding] = []
    kinds: Counter[str] = Counter()
    more: Counter[str] = Counter()
    for finding in sorted(findings, key=lambda one: one.level != "warning"):
        if kinds[finding.kind] >= _MOST_OF_A_KIND or len(shown) >= _MOST:
            more[finding.kind] += 1
            continue
        kinds[finding.kind] += 1
        shown.append(finding)
    return shown, dict(more)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a line for each that is listed, and one that counts the others."""
    shown, more = listed(findings)
    for finding in shown:
        print(finding.line, flush=True)
    if more:
        counted = ", ".join(f"{count} more of {kind}" for kind, count in more.items())
        print(f"note: not listed: {counted}", flush=True)


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """Write ``findings.json``; the first paragraphs of this module say what is in it."""
    shown, more = listed(findings)
    document = {"findings": [_document(finding) for finding in shown], "more": more}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document) + "\n", encoding="utf-8")


def _document(finding: Finding) -> dict[str, Any]:
    found = {name: value for name, value in asdict(finding).items() if value is not None}
    text = found["text"]
    return {**found, "text": text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."}
