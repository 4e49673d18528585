"""Spaces and quotation marks around the values of a column, which count as a part of them.

``strip`` and ``quote`` in the settings take them off; until then two spellings of one category are two.
"""

from __future__ import annotations

from findings import Finding
from recognition import spaced, surrounded
from rows import Counts, Plan
from settings_lines import toml_text

_COLUMNS_SHOWN = 8


def spaces(plan: Plan, counts: Counts) -> list[Finding]:
    """A finding where values begin or end with spaces."""
    if plan.settings.strip:
        return []
    found = {}
    for name in (*plan.features, plan.settings.target):
        if name in counts.quality.texts:
            texts = spaced(counts.quality.texts[name].most_frequent(1000)[0])
            if texts:
                found[name] = texts[0]
    if not found:
        return []
    columns = ", ".join(f"{name!r} ({text!r})" for name, text in list(found.items())[:_COLUMNS_SHOWN])
    text = f"values begin or end with spaces, which are part of them, in {len(found)} columns: {columns}"
    return [Finding("spaces", text, count=len(found), remedy="Set strip = true to take them off")]


def quotes(plan: Plan, counts: Counts) -> list[Finding]:
    """A finding for each mark of quotation that stands around all values of a column."""
    found: dict[str, list[str]] = {}
    for name in (*plan.features, plan.settings.target):
        if name in counts.quality.texts and name not in plan.settings.kinds:
            mark = surrounded(counts.quality.texts[name].most_frequent(1000)[0])
            if mark and mark != plan.settings.quote:
                found.setdefault(mark, []).append(name)
    return [
        Finding(
            "quotes",
            f"all values stand between {mark} in {', '.join(map(repr, names[:_COLUMNS_SHOWN]))}, and "
            "the quotes count as part of them",
            count=len(names),
            remedy=f"Set quote = {toml_text(mark)} to take them off",
        )
        for mark, names in found.items()
    ]
