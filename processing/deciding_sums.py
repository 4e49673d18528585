"""What decides on the parts of each class's rows, kept by class: up to so many different sums of hashes.

From them ``seeds`` finds a seed by which every class is in every part. Only the remedy of an error needs
them, so a host that has all rows reads them once more for it; a host with a share of the rows keeps them in
its one pass, because whoever finds the error has no rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from state_file import State

_SUMS_KEPT = 200  # of each class: with more, hardly any seed leaves a part without it


class DecidingSums:
    """``by_class[name]``: different uint64 sums, before the seed comes in, of the class's keys or rows; the
    target of a regression counts as one class, named ``""``."""

    def __init__(self) -> None:
        self.by_class: dict[str, np.ndarray] = {}

    def add(self, names: Sequence[str], places: np.ndarray, sums: np.ndarray) -> None:
        """Add rows: the places of their classes among ``names``, and their sums."""
        for place, name in enumerate(names):
            kept = self.by_class.get(name, np.empty(0, np.uint64))
            if len(kept) < _SUMS_KEPT:
                self.by_class[name] = np.union1d(kept, sums[places == place])[:_SUMS_KEPT]

    def state(self) -> State:
        """What ``absorb`` takes."""
        return self.by_class

    def absorb(self, state: State) -> None:
        """Add what another one kept."""
        for name, sums in state.items():
            kept = self.by_class.get(name, np.empty(0, np.uint64))
            self.by_class[name] = np.union1d(kept, sums)[:_SUMS_KEPT]
