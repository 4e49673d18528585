"""Has the traffic changed? One window of requests against what a version was made of, column by column.

Each column is asked four questions, each with a test of its own, because no one of them sees what the others
see: are its values spread differently (two-sample chi-square over the baseline's bins), is more missing
(Fisher's exact test), are there more values never seen in training (Good and Turing's estimate), do more lie
far outside the training part's range (the predictive distribution of its extremes). All questions of all
columns together are one family: Benjamini and Hochberg's procedure at 1 % decides which are significant.

Significant is not enough. A difference counts only if it is also *large*, and, as real requests are never
independent, larger than what past windows of the same version showed (a t prediction interval over them, at
1 % over the family). Until there are 28 of them the bound on the population stability index is 0.25 instead
of 0.1, and the answer says that there is no history. `python -m benchmarks.drift` prints how often all this
errs and what it finds; docs/monitoring.md has the tables.

Sources: Benjamini and Hochberg 1995; Fisher 1935; Good 1953; for the bounds 0.1 and 0.25 Siddiqi, "Credit
Risk Scorecards", 2006.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numerics import at_least, draws_without_replacement
from scipy import special

LEAST_ROWS = 200
LEAST_WINDOWS = 28
LEVEL = 0.01
LARGE, LARGE_WITHOUT_HISTORY = 0.1, 0.25
LARGE_SHARE = 0.005
"""Of all rows: what a share of missing, new or outlying values must have grown by."""

_FEWEST_EXPECTED = 2.0
"""Rows expected in a bin of the smaller sample; rarer bins are counted as one."""

SPREAD, MISSING, NEW, OUTSIDE = "spread", "missing", "new", "outside"


@dataclass(frozen=True)
class Reference:
    """A column of what the version was made of.

    Attributes:
        counts: rows by bin, of the values that are present; of a sample, where the baseline has one.
        present: how many values there are, in all.
        missing: how many rows have none.
        unseen: how many of the values stand for those that the categories do not hold: the ones that occur
            once, and those of categories that were left out; None where that is not known or not asked.
        has_range: whether values can lie outside a range.
    """

    counts: np.ndarray
    present: int
    missing: int
    unseen: int | None = None
    has_range: bool = False


@dataclass(frozen=True)
class Counted:
    """The same column in a window: ``counts`` by the reference's bins, and how many rows have no value, one
    never seen, or one outside the range."""

    counts: np.ndarray
    missing: int
    new: int = 0
    outside: int = 0

    @cached_property
    def present(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        """All of them."""
        return self.present + self.missing


@dataclass(frozen=True)
class Answer:
    """What one question found.

    Attributes:
        question: ``SPREAD``, ``MISSING``, ``NEW`` or ``OUTSIDE``.
        size: the population stability index, or the share of rows.
        usual: the share that was expected; 0 of an index.
        p_value: by the test of the question.
        past_p_value: whether it is more than past windows showed; None without a history.
        differs: whether it is significant, large, and beyond the past windows.
    """

    column: str
    question: str
    size: float
    usual: float
    p_value: float
    past_p_value: float | None = None
    differs: bool = False


def answers(
    references: Mapping[str, Reference],
    window: Mapping[str, Counted],
    past: Sequence[Mapping[str, Counted]] = (),
) -> list[Answer]:
    """All questions of all columns, in the order of ``references``.

    Args:
        past: earlier windows of the same version that had enough rows, without those that differed.
    """
    asked = [one for name, reference in references.items() for one in _asked(name, reference, window[name])]
    if not asked:
        return []
    significant = benjamini_hochberg(np.array([one.p_value for one in asked]))
    with_history = len(past) >= LEAST_WINDOWS
    limit = LARGE if with_history else LARGE_WITHOUT_HISTORY
    large = np.array([_is_large(one, limit) for one in asked])
    if not with_history:
        return [
            _judged(one, None, bool(found)) for one, found in zip(asked, significant & large, strict=True)
        ]
    beyond = np.array([_beyond(one, references[one.column], window[one.column], past) for one in asked])
    differs = significant & large & benjamini_hochberg(beyond)
    return [
        _judged(one, float(past_p), bool(found))
        for one, past_p, found in zip(asked, beyond, differs, strict=True)
    ]


def _judged(one: Answer, past_p_value: float | None, differs: bool) -> Answer:
    return Answer(one.column, one.question, one.size, one.usual, one.p_value, past_p_value, differs)


def _is_large(one: Answer, limit: float) -> bool:
    return one.size > limit if one.question == SPREAD else one.size - one.usual > LARGE_SHARE


def _asked(name: str, reference: Reference, counted: Counted) -> list[Answer]:
    found = []
    rows, present = counted.rows, counted.present
    if len(reference.counts) > 1 and present and reference.present:
        size = float(stability_index(reference.counts, counted.counts))
        p_value = spread(reference.counts, counted.counts)
        found.append(Answer(name, SPREAD, size, 0.0, p_value))
    before = reference.present + reference.missing
    if before and rows:
        missing = reference.missing + counted.missing
        p_value = draws_without_replacement(counted.missing, before + rows, missing, rows)
        found.append(Answer(name, MISSING, counted.missing / rows, reference.missing / before, p_value))
    if not reference.present or not present:
        return found
    if reference.unseen is not None:
        usual = reference.unseen / reference.present
        p_value = more_unseen(reference.unseen, reference.present, counted)
        found.append(Answer(name, NEW, counted.new / rows, usual, p_value))
    if reference.has_range:
        usual = 2 / (reference.present + 1)
        p_value = more_outside(reference.present, counted)
        found.append(Answer(name, OUTSIDE, counted.outside / rows, usual, p_value))
    return found


def stability_index(reference: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The population stability index of two rows of counts by bin, or of one against each of several.

    Half a row is added to each bin.
    """
    before, now = _shares(reference), _shares(window)
    return ((now - before) * np.log(now / before)).sum(axis=-1)


def _shares(counts: np.ndarray) -> np.ndarray:
    return (counts + 0.5) / (counts.sum(axis=-1, keepdims=True) + 0.5 * counts.shape[-1])


def spread(reference: np.ndarray, window: np.ndarray) -> float:
    """The p-value of the two-sample chi-square test; bins too rare for it are counted as one."""
    before, now = float(reference.sum()), float(window.sum())
    expected = (reference + window) * min(before, now) / (before + now)
    rare = expected < _FEWEST_EXPECTED
    if rare.any():
        reference = np.append(reference[~rare], reference[rare].sum())
        window = np.append(window[~rare], window[rare].sum())
    both = reference + window
    kept = both > 0
    if np.count_nonzero(kept) < 2:
        return 1.0
    reference, window, both = reference[kept], window[kept], both[kept]
    distances = reference * np.sqrt(now / before) - window * np.sqrt(before / now)
    return float(special.chdtrc(len(both) - 1, (distances**2 / both).sum()))


def more_unseen(unseen: int, values: int, counted: Counted) -> float:
    """Whether more values are new than Good and Turing's estimate (values seen once, of all values) says.

    Given the sum of two Poisson numbers, one of them is binomial (Przyborowski and Wilenski 1940).
    """
    share = counted.present / (counted.present + values)
    return at_least(counted.new, unseen + counted.new, share)


def more_outside(values: int, counted: Counted) -> float:
    """Whether more values lie outside the range of so many others than chance brings there.

    Of values in random order, ``outside`` new ones lie beyond both extremes if among the outermost
    ``outside + 1`` of all there is at most one that is not new.
    """
    outside = counted.outside
    return draws_without_replacement(outside, counted.present + max(values, 2), counted.present, outside + 1)


def benjamini_hochberg(p_values: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Which of the p-values are significant, so that of those at most ``level`` are so by chance."""
    order = np.argsort(p_values)
    places = np.arange(1, len(p_values) + 1)
    below = np.flatnonzero(p_values[order] <= level * places / len(p_values))
    found = np.zeros(len(p_values), bool)
    if len(below):
        found[order[: below[-1] + 1]] = True
    return found


def _beyond(
    one: Answer, reference: Reference, counted: Counted, past: Sequence[Mapping[str, Counted]]
) -> float:
    """The p-value of this window's size against those of past windows, which vary as their requests do."""
    earlier = [window[one.column] for window in past if window[one.column].rows]
    if len(earlier) < LEAST_WINDOWS:
        return 1.0
    now = float(_comparable(one.question, reference, [counted])[0])
    values = _comparable(one.question, reference, earlier)
    # Of a share that never varied, as much as independent rows would let it vary.
    least = 0.0 if one.question == SPREAD else 0.5 / np.sqrt(min(window.rows for window in earlier))
    deviation = max(float(values.std(ddof=1)), least)
    if not deviation:
        return 0.0 if now > values.mean() else 1.0
    distance = (now - values.mean()) / (deviation * np.sqrt(1 + 1 / len(values)))
    return float(special.stdtr(len(values) - 1, -distance))


def _comparable(question: str, reference: Reference, windows: Sequence[Counted]) -> np.ndarray:
    """Each window's size on a scale where windows of the same kind vary alike.

    That is the logarithm of an index, the arc sine of a share.
    """
    if question == SPREAD:
        index = stability_index(reference.counts, np.stack([one.counts for one in windows]))
        return np.log(np.maximum(index, 1e-12))
    numbers = {
        MISSING: [one.missing for one in windows],
        NEW: [one.new for one in windows],
        OUTSIDE: [one.outside for one in windows],
    }[question]
    return np.arcsin(np.sqrt((np.array(numbers) + 0.375) / (np.array([one.rows for one in windows]) + 0.75)))
