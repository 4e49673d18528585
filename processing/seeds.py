"""A seed by which every class is in every part, for the remedy where that of the settings leaves one out.

"Try another seed" helps nobody whose class is in two keys, or who would have to try fifty. So the rows are
read once more, what decides on their parts is kept by class, and seeds are tried on that.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from conversion import Noticed
from deciding_sums import DecidingSums
from reading import batches
from rows import Counts, Plan, row_hasher, texts_hashed, with_target
from small_classes import MOST_ROWS
from splitting import RowHasher

_SEEDS = 1000


def deciding_sums(plan: Plan, counts: Counts) -> dict[str, np.ndarray]:
    """By class, different ones (uint64) of what decides on its rows' parts (``DecidingSums``)."""
    if counts.sums is not None:
        return counts.sums.by_class
    hasher, found = row_hasher(plan), DecidingSums()
    for batch in batches(plan.files, plan.types, plan.settings, Noticed()):
        _, sums = hasher.sums(batch, texts_hashed(batch, plan))
        found.add(*with_target(batch, sums, plan.settings))
    return found.by_class


def seed_for_all(plan: Plan, sums: Mapping[str, np.ndarray], totals: Mapping[str, int]) -> int | None:
    """The smallest seed by which all classes are in all parts; None where a thousand seeds do not do it.

    Args:
        sums: as ``deciding_sums`` gives them.
        totals: the rows of each class; one that is split by rank needs no seed.
    """
    ranked = {name for name, rows in totals.items() if plan.settings.is_stratified and rows <= MOST_ROWS}
    needed = [found for name, found in sums.items() if name not in ranked]
    hasher = row_hasher(plan)
    return next((seed for seed in range(_SEEDS) if _all_parts(needed, hasher, seed)), None)


def _all_parts(needed: list[np.ndarray], hasher: RowHasher, seed: int) -> bool:
    return all(len(np.unique(hasher.parts(hasher.salted(sums, seed)))) == 3 for sums in needed)
