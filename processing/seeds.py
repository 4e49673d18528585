"""A seed by which every class is in every part, for the remedy where that of the settings leaves one out.

"Try another seed" helps nobody whose class is in two keys, or who would have to try fifty. So the rows are
read once more, what decides on their parts is kept by class, and seeds are tried on that.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from conversion import Noticed
from reading import batches
from rows import Plan, class_labels, has_target, row_hasher, texts_hashed
from small_classes import MOST_ROWS
from splitting import RowHasher

_SEEDS = 1000
_SUMS_KEPT = 200  # of each class: with more, hardly any seed leaves a part without it


def deciding_sums(plan: Plan) -> dict[str, np.ndarray]:
    """By class, up to :data:`_SUMS_KEPT` different ones (uint64) of what decides on its rows' parts: its
    keys, or its different rows. The target of a regression counts as one class, named ``""``."""
    target, hasher = plan.settings.target, row_hasher(plan)
    found: dict[str, np.ndarray] = {}
    for batch in batches(plan.files, plan.types, plan.settings, Noticed()):
        _, sums = hasher.sums(batch, texts_hashed(batch, plan))
        mask = has_target(batch, target)
        sums = sums[mask.to_numpy(zero_copy_only=False)]
        if plan.settings.is_regression:
            names, places = [""], np.zeros(len(sums), np.int64)
        else:
            labels = class_labels(batch.column(target).filter(mask))
            names, places = labels.dictionary.to_pylist(), labels.indices.to_numpy()
        for place, name in enumerate(names):
            kept = found.get(name, np.empty(0, np.uint64))
            if len(kept) < _SUMS_KEPT:
                found[name] = np.union1d(kept, sums[places == place])[:_SUMS_KEPT]
    return found


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
