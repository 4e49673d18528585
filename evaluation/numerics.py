"""What `scipy.stats` and `scipy.optimize` would be imported for, which takes as long as the rest of a start.

`scipy.special` has most tails (of the normal, t, chi-square and binomial distributions), and XGBoost loads
what it is made of anyway. What is left is here: draws without replacement, binomial tests and a t test by
their names, random tables, and the root of a function between two ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

_DEVIATIONS, _LEAST_TERMS = 40, 60
"""How far a tail is summed: what lies beyond is less than the last digit of a float64."""


def draws_without_replacement(least: int, total: int, marked: int, drawn: int) -> float:
    """The chance that ``least`` or more of ``drawn`` are marked, where ``marked`` of ``total`` are.

    That is the upper tail of the hypergeometric distribution.
    """
    lowest, highest = max(0, drawn - (total - marked)), min(marked, drawn)
    if least <= lowest:
        return 1.0
    if least > highest:
        return 0.0
    mean = drawn * marked / total
    variance = mean * (1 - marked / total) * (total - drawn) / max(total - 1, 1)
    terms = int(_DEVIATIONS * variance**0.5) + _LEAST_TERMS
    if least > mean or highest - least < least - lowest:
        marked_drawn = np.arange(least, min(highest, least + terms) + 1)
        return min(1.0, float(_chances(marked_drawn, total, marked, drawn).sum()))
    marked_drawn = np.arange(max(lowest, least - 1 - terms), least)
    return max(0.0, 1.0 - float(_chances(marked_drawn, total, marked, drawn).sum()))


def _chances(marked_drawn: np.ndarray, total: int, marked: int, drawn: int) -> np.ndarray:
    ways = _log_choices(marked, marked_drawn) + _log_choices(total - marked, drawn - marked_drawn)
    return np.exp(ways - _log_choices(total, drawn))


def _log_choices(of: int, chosen: np.ndarray | int) -> np.ndarray:
    return -np.log(of + 1) - special.betaln(np.add(chosen, 1), np.subtract(of + 1, chosen))


def at_least(successes: int, trials: int, share: float = 0.5) -> float:
    """The chance of so many successes or more: the exact binomial test, one-sided."""
    return float(special.bdtrc(successes - 1, trials, share))


def at_most(successes: int, trials: int, share: float = 0.5) -> float:
    """The chance of so many successes or fewer."""
    return float(special.bdtr(successes, trials, share))


def mean_above_zero(mean: float, numbers: np.ndarray) -> float:
    """The chance of so large a mean of numbers that vary as these do, around 0: Student's t test, one-sided.

    Args:
        numbers: two or more, which are not all the same.
    """
    error = float(np.std(numbers, ddof=1)) / math.sqrt(len(numbers))
    return float(special.stdtr(len(numbers) - 1, -mean / error))


def root_between(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a continuous function is 0, given two ends where it has different signs (Ridders 1979).

    To the last digits of ``low`` and ``high``: within 1e-14 of the larger one.
    """
    at_low, at_high = function(low), function(high)
    if not at_low or not at_high:
        return high if at_low else low
    precision = 1e-14 * max(abs(low), abs(high))
    found = low
    while abs(high - low) > precision:
        middle = (low + high) / 2
        at_middle = function(middle)
        step = (middle - low) * at_middle / math.sqrt(at_middle**2 - at_low * at_high)
        found = middle + math.copysign(1, at_low - at_high) * step
        at_found = function(found)
        if not at_found or found in (low, high):
            return found
        if (at_middle < 0) != (at_found < 0):
            (low, at_low), (high, at_high) = (middle, at_middle), (found, at_found)
        elif (at_low < 0) != (at_found < 0):
            high, at_high = found, at_found
        else:
            low, at_low = found, at_found
    return found


def tables_with_margins(
    rows: np.ndarray, columns: np.ndarray, count: int, generator: np.random.Generator
) -> np.ndarray:
    """Random tables whose rows and columns have these sums, as often as shuffling gives each.

    Returns:
        ``count`` x rows x columns, int64.
    """
    tables = np.zeros((count, len(rows), len(columns)), np.int64)
    left = np.tile(np.asarray(columns, np.int64), (count, 1))  # of each column, for the rows that follow
    for row, to_place in enumerate(rows[:-1]):
        missing = np.full(count, to_place, np.int64)
        others = left.sum(axis=1)
        for column in range(len(columns)):
            others -= left[:, column]
            taken = generator.hypergeometric(left[:, column], others, missing)
            tables[:, row, column] = taken
            missing -= taken
        left -= tables[:, row]
    tables[:, -1] = left
    return tables
