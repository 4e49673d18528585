"""What the counts of the one pass over the rows say that a person should know: findings, in the order of the
columns.

Nothing here reads a file or ends the run; ``fitness`` refuses what is not fit for training.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from column_types import KIND_OF
from dataset_settings import PARTS, columns_in_words
from findings import Finding
from quality import TextColumn
from rows import Counts, Plan
from settings_lines import list_line

_TEXTS_EXAMINED = 1000
_SHARE_OF_REPEATED = 0.01
_FAR = 0.02  # of the rows; less does not matter in a large table
_LIKE_A_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def findings_of_counts(plan: Plan, counts: Counts, named: Collection[str | None]) -> Iterator[Finding]:
    """All that the counts show: of the split, of rows that repeat, of columns that are something else.

    Args:
        named: columns of which a finding says already what their values look like.
    """
    yield from _shares(plan, counts)
    yield from _ranked(counts)
    yield from _repeated_rows(counts)
    yield from _constant(plan, counts)
    for name in plan.features:
        if KIND_OF[plan.types[name]] == "category":
            yield from _of_category(name, plan, counts, is_named=name in named)


def _shares(plan: Plan, counts: Counts) -> Iterator[Finding]:
    """Parts, or a class's rows in them, that chance does not put so far from the shares."""
    asked = dict(zip(PARTS, plan.settings.split, strict=True))
    together = "rows of one key" if plan.settings.key else "identical rows"
    rows, remedy = (
        sum(counts.rows.values()),
        f"Set seed = {plan.settings.seed + 1} in the data table for another split",
    )
    if any(_is_far(counts.rows[part], rows, share) for part, share in asked.items()):
        found = ", ".join(f"{counts.rows[part] / rows:.1%} {part}" for part in PARTS)
        wanted = ", ".join(f"{share:.1%}" for share in asked.values())
        text = f"the split is {found}, far from the shares {wanted}, because {together} share a part"
        yield Finding("split_shares", text, remedy=remedy)
        return
    for name in sorted({name for part in counts.classes.values() for name in part}):
        of = sum(counts.classes[part].get(name, 0) for part in PARTS)
        for part, share in asked.items():
            held = counts.classes[part].get(name, 0)
            if _is_far(held, of, share):
                text = f"class {name!r} has {held:,} of its {of:,} rows in {part}, far from the share "
                text += f"{share:.1%}, because {together} share a part"
                yield Finding("split_shares", text, count=of, remedy=remedy)


def _is_far(held: int, of: int, share: float) -> bool:
    """Five standard deviations of the binomial distribution, which chance passes once in a million."""
    distance = abs(held - of * share)
    return distance > 5 * math.sqrt(of * share * (1 - share)) and distance > _FAR * of


def _ranked(counts: Counts) -> Iterator[Finding]:
    for name, rows in sorted(counts.ranked.items()):
        text = f"class {name!r} has {rows} rows only, which are split by rank, so that each part has some"
        yield Finding("split_by_rank", text, count=rows, level="note")


def _repeated_rows(counts: Counts) -> Iterator[Finding]:
    repeated, rows = counts.quality.occurrences.repeated, counts.rows["train"]
    if repeated >= _SHARE_OF_REPEATED * rows > 0:
        text = f"{repeated:,} of {rows:,} rows of the training part repeat another one in every column"
        yield Finding(
            "repeated_rows", f"{text}; identical rows share a part of the split", count=repeated, level="note"
        )


def _constant(plan: Plan, counts: Counts) -> Iterator[Finding]:
    """Features that have one value in every row: one note for all of them."""
    found = []
    for name in plan.features:
        if name in counts.quality.texts:
            texts = counts.quality.texts[name]
            is_constant = not texts.missing and texts.distinct() == 1
        else:
            numbers = counts.quality.numbers[name]
            is_constant = not numbers.missing and numbers.lowest == numbers.highest
        if is_constant:
            found.append(name)
    if not found:
        return
    yield Finding(
        "constant",
        f"{columns_in_words(found, 'has', 'have')} one value in every row of the training part",
        column=found[0] if len(found) == 1 else None,
        count=len(found),
        remedy=f"Set {list_line('drop', plan.settings.drop, found)}: no model learns from it",
        level="note",
    )


def _of_category(name: str, plan: Plan, counts: Counts, *, is_named: bool) -> Iterator[Finding]:
    settings, column = plan.settings, counts.quality.texts[name]
    if not is_named and name not in settings.kinds:
        yield from _numbers_in_category(name, column)
    distinct = column.distinct()
    if distinct > settings.max_categories:
        yield Finding(
            "beyond_max_categories",
            f"column {name!r} has {distinct:,} distinct texts; the {settings.max_categories:,} most frequent "
            "are its categories, others count as missing",
            name,
            distinct,
            "Add it to drop if it names single rows, or raise max_categories",
        )


def _numbers_in_category(name: str, column: TextColumn) -> Iterator[Finding]:
    """Many different numbers and a few other texts: most likely an unknown marker of missing values."""
    texts, _ = column.most_frequent(_TEXTS_EXAMINED)
    numbers = pc.match_substring_regex(pa.array(texts, pa.string()), _LIKE_A_NUMBER)
    others = pa.array(texts, pa.string()).filter(pc.invert(numbers)).to_pylist()
    unseen = column.distinct() > len(texts)  # the others are among the rare ones
    if (others or unseen) and len(others) <= len(texts) / 10:
        shown = ", ".join(map(repr, others[:5])) or "some of its texts"
        yield Finding(
            "numbers_in_category",
            f"column {name!r} counts as a category because of {shown}; the others are numbers",
            name,
            column.present,
            "If that marks a missing value, add it to missing_values",
        )
