"""What changes if a binary task's answer is cut at another probability than 0.5.

The serving code answers with the positive class where its probability is above 0.5. Whoever calls the
endpoint gets the probability, too, and may cut elsewhere: for rare classes that is often the better choice.
The numbers are of the test part, as all others are; a cut chosen by them looks a little better than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SERVED = 0.5
CUTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, SERVED, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True)
class OperatingPoint:
    """One cut.

    Attributes:
        cut: rows whose probability is above it are answered with the positive class.
        found, missed: positive rows above the cut, and not.
        false_alarms: negative rows above it.
        rows: all of them.
    """

    cut: float
    found: int
    missed: int
    false_alarms: int
    rows: int

    @property
    def flagged(self) -> int:
        """Rows that are answered with the positive class."""
        return self.found + self.false_alarms


_STEPS, _QUANTILES = 100, 100
_DIGITS = 4


def every_cut(scores: np.ndarray) -> list[float]:
    """Hundredths from 0 to 1, and rounded quantiles of the scores, in rising order: 101 to about 200 cuts.

    Of a rare class nearly all scores lie below the first hundredth, and only the quantiles tell them apart.
    """
    quantiles = np.quantile(scores.astype(np.float64), np.linspace(0, 1, _QUANTILES + 1)).tolist()
    cuts = {step / _STEPS for step in range(_STEPS + 1)} | {float(f"{cut:.{_DIGITS}g}") for cut in quantiles}
    return sorted(cuts)


def operating_points(
    actual: np.ndarray, scores: np.ndarray, cuts: Sequence[float] = CUTS
) -> list[OperatingPoint]:
    """Of each cut.

    Args:
        actual: 0 or 1 for each row.
        scores: of the positive class, 0 to 1.
    """
    positives, negatives = np.sort(scores[actual == 1]), np.sort(scores[actual == 0])
    given = np.asarray(cuts, np.float64)
    below = (np.searchsorted(own, given, side="right").tolist() for own in (positives, negatives))
    return [
        OperatingPoint(cut, len(positives) - missed, missed, len(negatives) - quiet, len(actual))
        for cut, missed, quiet in zip(cuts, *below, strict=True)
    ]
