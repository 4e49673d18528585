"""What preprocessing noticed of the data that a person should know, although the run goes on.

A finding is one sentence with its numbers in it, and the setting that would change what it says. Findings
are printed in the job's log and written to ``quality/findings.json``, from where commands, the report and
the version's notes show them; what must not go on is an ``InputError`` instead.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """``kind`` is a short fixed word for machines (``rows_without_target``), ``text`` one sentence for people
    that names the column, ``count`` how many rows or values it concerns, ``remedy`` what to set."""

    kind: str
    text: str
    column: str | None = None
    count: int | None = None
    remedy: str | None = None
