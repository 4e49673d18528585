"""Wilson's interval for a share of some rows (Wilson 1927), in the one place where it is written down.

Standard library only: evaluation gives it to each share that it measures, and the registry to the accuracy of
versions that were registered without an interval.
"""

from __future__ import annotations

import math
from statistics import NormalDist

_Z = NormalDist().inv_cdf(0.975)


def wilson(share: float, rows: int) -> tuple[float, float]:
    """The ends of the 95 % interval; ``rows`` is at least 1."""
    weight = _Z**2 / rows
    middle = (share + weight / 2) / (1 + weight)
    half = _Z * math.sqrt(share * (1 - share) / rows + weight / (4 * rows)) / (1 + weight)
    return middle - half if share > 0 else 0.0, middle + half if share < 1 else 1.0
