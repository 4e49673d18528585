"""The split of classes with few rows: by rank, so that no part is without them.

A row's part follows from its hash alone (``splitting``), which gives a large class the shares that were
asked for, and a small one what chance gives it: of 44 rows none in a test part of 15 %, with one seed in
1 300. So the rows of a class are held back until it has more than :data:`MOST_ROWS` of them. Of those that
never have, the ones that a part would be without (with ``stratify = true`` all of them) are sorted by their
hashes and cut at the shares, with at least one row in each part. It remains a split by content: the order of
rows and files and the number of instances do not matter, identical rows stay together, and the rows of all
other classes are where they were. Where a row is added to a class that is cut by rank, at most one other
moves across each cut; once its hashes alone put it into every part, or it grows beyond the limit, some of its
rows move, once.

With a key all rows of a key share a part whatever their classes, so nothing of this is done.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from row_sample import plain
from state_file import State

MOST_ROWS = 100
_TABLES_KEPT = 64


class SmallClasses:
    """The rows of classes that have not been seen to be large; at most :data:`MOST_ROWS` of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.ranked: dict[str, int] = {}  # how many rows the classes have that are cut by rank
        self._tables: list[pa.Table] = []
        self._content: list[np.ndarray] = []

    def held(self, labels: pa.DictionaryArray) -> np.ndarray:
        """Count a batch's rows by their classes; True for those of a class that may be small."""
        indices = labels.indices.to_numpy()
        counts = np.bincount(indices, minlength=len(labels.dictionary)).tolist()
        small = np.zeros(len(counts), bool)
        for place, (name, count) in enumerate(zip(labels.dictionary.to_pylist(), counts, strict=True)):
            if count:
                self.counts[name] += count
                small[place] = self.counts[name] <= MOST_ROWS
        return small[indices]

    def hold(self, rows: pa.RecordBatch, content: np.ndarray) -> None:
        """Keep these rows, which ``held`` was True for, with the uint64 hashes of their content."""
        self._tables.append(plain(pa.Table.from_batches([rows])))
        self._content.append(content)
        if len(self._tables) > _TABLES_KEPT:
            self._tables = [pa.concat_tables(self._tables).combine_chunks()]

    def state(self) -> State:
        """What ``absorb`` takes."""
        found = self.rows()
        held = {} if found is None else {"rows": found[0], "content": found[1]}
        return {"counts": dict(self.counts), **held}

    def absorb(self, state: State) -> None:
        """Add the rows of another one: those of a class that is small in all are held in each."""
        self.counts.update(state["counts"])
        if "rows" in state:
            self._tables.append(state["rows"])
            self._content.append(state["content"])

    def rows(self) -> tuple[pa.Table, np.ndarray] | None:
        """All rows that are held, with plain texts, and their hashes; None where there are none."""
        if not self._tables:
            return None
        return pa.concat_tables(self._tables).combine_chunks(), np.concatenate(self._content)

    def rank(
        self,
        names: Sequence[str],
        content: np.ndarray,
        parts: np.ndarray,
        shares: Sequence[float],
        *,
        all_: bool,
    ) -> None:
        """Write over ``parts``, those by the hashes alone, for classes that stayed small.

        Args:
            names: the rows' classes.
            shares: train, validation, test; their places are the parts.
            all_: also for classes that no part is without.
        """
        classes = np.array(names, dtype=object)
        for name in dict.fromkeys(names):
            chosen = classes == name
            lacking = len(np.unique(parts[chosen])) < len(shares)
            if self.counts[name] <= MOST_ROWS and (lacking or all_):
                parts[chosen] = by_rank(content[chosen], shares)
                self.ranked[name] = self.counts[name]


def by_rank(content: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """The part of each row of a class by its hash's place among those of the class (int8).

    The different hashes are cut at the sums of the shares, rounded, and each part gets one at least, so that
    with three or more of them no part is without.
    """
    hashes, places = np.unique(content, return_inverse=True)
    count, parts = len(hashes), len(shares)
    cuts = [math.floor(count * sum(shares[:part]) + 0.5) for part in range(1, parts)]
    for part, cut in enumerate(cuts, 1):
        cuts[part - 1] = max(part, min(cut, count - parts + part))
    return np.searchsorted(cuts, np.arange(count), side="right").astype(np.int8)[places]
