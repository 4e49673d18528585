"""What the target's values may mean otherwise: classes that are marks of missing values or one another in
another spelling, numbers and dates that are no classes at all.

A class that is misread is worse than a feature: rows vanish, or the model answers another question. So what
leaves rows out is said, and what may be a class is asked about.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from dataset_settings import DatasetSettings, InputError
from findings import Finding
from marks import FEW_ROWS, is_mark, kept_line, missing_line
from recognition import FEWEST
from rows import Counts, Plan
from settings_lines import list_line, table_line
from target_quantity import sure_quantity

_FREQUENT = 0.01  # of the rows: a default mark that may be a class
_WORDS_AS_CLASSES = frozenset(
    {"x", "none", "nil", "unknown", "unk", "empty", "blank", "nd", "+", "*", "#", "_"}
)


def absent_targets(plan: Plan, counts: Counts) -> list[Finding]:
    """Rows without a target are left out: said, and asked about where a mark may be a class."""
    settings, target = plan.settings, plan.settings.target
    rows = sum(counts.rows.values()) + counts.without_target
    marks = counts.noticed.marks.get(target, {})
    findings = []
    for mark, count in sorted(marks.items()):
        doubtful = mark in settings.doubtful_marks and not settings.is_regression
        if doubtful and count >= FEW_ROWS and count > _FREQUENT * rows:
            raise _class_or_missing(mark, count, rows, settings)
        written = f", but {mark!r}," if mark else ""
        findings.append(
            Finding(
                "rows_without_target",
                f"{count:,} rows have no value{written} in the target {target!r} and were left out",
                column=target,
                count=count,
                remedy=f"If it is a class, set {kept_line(mark)}" if doubtful else None,
            )
        )
    others = counts.without_target - sum(marks.values())
    if others > 0:
        text = f"{others:,} rows have no value in the target {target!r} and were left out"
        findings.append(Finding("rows_without_target", text, column=target, count=others))
    return findings


def _class_or_missing(mark: str, count: int, rows: int, settings: DatasetSettings) -> InputError:
    return InputError(
        f"{count:,} of {rows:,} rows have {mark!r} in the target {settings.target!r}: is it a class, or a "
        "missing value?",
        remedy=f"If it is a class, set {kept_line(mark)}; if it is missing, set "
        f"{missing_line(mark, settings)}",
    )


def target_texts(plan: Plan, counts: Counts) -> list[Finding]:
    """Classes that are one class in several spellings, and quantities in a notation of their own."""
    settings = plan.settings
    if settings.is_regression:
        return []
    rows = sum(counts.rows.values())
    names = sorted({name for part in counts.classes.values() for name in part})
    error = sure_quantity(settings, names, rows)
    if error:
        raise error
    return [*_marks_as_classes(plan, names, counts), *_spellings(plan, names, counts)]


def _marks_as_classes(plan: Plan, names: Sequence[str], counts: Counts) -> list[Finding]:
    """Classes that are what people and programs write where they have no value."""
    settings = plan.settings
    marks = [name for name in names if is_mark(name) and name.strip().casefold() not in _WORDS_AS_CLASSES]
    if not marks or len(names) < 3 or len(marks) > len(names) - 2 or len(marks) > FEWEST:
        return []
    rows = sum(part.get(name, 0) for part in counts.classes.values() for name in marks)
    shown = " and ".join(map(repr, marks))
    text = f"{rows:,} rows have {shown} as the class in the target {settings.target!r}, which looks like a "
    stripped = [mark.strip() for mark in marks]
    line = list_line("also_missing", settings.also_missing, stripped) if any(stripped) else "strip = true"
    if settings.task == "binary" and len(names) - len(marks) == 2:
        raise InputError(f"{text}missing value", remedy=f"If it is one, set {line}", lines=[line])
    return [
        Finding(
            "class_like_a_mark",
            f"{text}missing value",
            column=settings.target,
            count=rows,
            remedy=f"If it is one, set {line}",
        )
    ]


def _spellings(plan: Plan, names: Sequence[str], counts: Counts) -> list[Finding]:
    settings = plan.settings
    folded: dict[str, list[str]] = {}
    for name in names:
        plain = unicodedata.normalize("NFKC", name).strip().rstrip(".").strip().casefold()
        folded.setdefault(re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", plain), []).append(name)
    alike = {key: group for key, group in folded.items() if len(group) > 1}
    if not alike:
        return []
    total = {name: sum(part.get(name, 0) for part in counts.classes.values()) for name in names}
    renamed = {}
    for group in alike.values():
        kept = max(group, key=lambda name: (not name.endswith((".", " ")), total[name], name))
        renamed |= {name: kept for name in group if name != kept}
    if {name.strip() for name in renamed} == set(renamed.values()) or all(
        name.strip() == kept.strip() for name, kept in renamed.items()
    ):
        remedy = "strip = true"
    else:
        already = {old: renamed.get(new, new) for old, new in settings.class_names.items()}
        remedy = table_line("class_names", already, renamed)
    shown = "; ".join(" and ".join(map(repr, group)) for group in list(alike.values())[:3])
    text = (
        f"classes of the target {settings.target!r} differ only by case, spaces, a hyphen or a dot: {shown}"
    )
    if (settings.task == "binary" and len(names) > 2) or len(folded) < 2:
        raise InputError(text, remedy=f"If they are the same, set {remedy}")
    return [
        Finding(
            "classes_alike", text, column=settings.target, count=len(renamed), remedy=f"If so, set {remedy}"
        )
    ]
