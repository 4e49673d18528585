"""A bounded sample of the rows in which every row is as likely as any other, also where rows are identical.

Each row gets a priority, a hash of its content and of its number among the rows of the same content; the rows
with the smallest priorities are the sample. Without that number all copies of a row would enter the sample
together, or none of them would. Which rows are in the sample depends on the rows alone, neither on their
order nor on the batches that they come in, as long as at most :data:`_MOST_DIFFERENT` of them differ. Copies
of contents that come later are not counted, and the place of the row stands for its number: the sample stays
uniform, but depends on the order. Two such samples differ by what two draws do: by Smirnov's limit for two
samples of :data:`SAMPLE_ROWS`, the share of the rows below a value differs by more than 0.07 somewhere in
less than one of 10,000 pairs.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from splitting import mixed
from state_file import State

SAMPLE_ROWS = 2048
_SLOTS = 1 << 20
_MOST_DIFFERENT = 500_000  # a batch may bring some more
_MOST_PROBES = 200
_ODD = np.uint64(0x9E3779B97F4A7C15)
_AT_A_TIME = 1 << 20
_PLACES = np.uint64(1) << np.uint64(63)
_TABLES_KEPT = 32  # of much data a batch brings a row or two, and a table of one row has kilobytes


class Occurrences:
    """Counts how often each content has come, in a hash table of fixed size (12 MB).

    ``repeated`` is the number of rows that repeat an earlier one; only of the contents that are counted.
    """

    def __init__(self) -> None:
        self.rows = self.repeated = 0
        self._keys = np.zeros(_SLOTS, np.uint64)  # 0 where a slot is free
        self._counts = np.zeros(_SLOTS, np.uint32)
        self._different = 0

    def priorities(self, hashes: np.ndarray) -> np.ndarray:
        """A uint64 priority for each row of a batch, by the uint64 hashes of the rows' content."""
        places = self._places(np.maximum(hashes, np.uint64(1)))
        counted = np.flatnonzero(places >= 0)
        numbers = np.arange(self.rows, self.rows + len(hashes), dtype=np.uint64) | _PLACES
        numbers[counted] = self._numbered(places[counted])
        self.rows += len(hashes)
        return _priorities(hashes, numbers)

    def state(self) -> State:
        """What ``absorb`` takes; of at most :data:`_MOST_DIFFERENT` contents and some more."""
        used = np.flatnonzero(self._keys)
        return {"rows": self.rows, "keys": self._keys[used], "counts": self._counts[used]}

    def absorb(self, state: State) -> None:
        """Add the rows that another one counted."""
        places = self._places(state["keys"])
        counted = places >= 0
        places, counts = places[counted], state["counts"][counted]
        new = int(np.count_nonzero(self._counts[places] == 0))
        self._counts[places] += counts
        self._different += new
        self.repeated += int(counts.sum()) - new
        self.rows += state["rows"]

    def counts(self, hashes: np.ndarray) -> np.ndarray:
        """How often each content has come (int64); 0 for those that are not counted."""
        places = self._places(np.maximum(hashes, np.uint64(1)), known=True)
        return np.where(places >= 0, self._counts[places], 0).astype(np.int64)

    def _places(self, keys: np.ndarray, *, known: bool = False) -> np.ndarray:
        """The slot of each key, which new keys are given, unless only ``known`` ones are asked for; -1 for a
        key that comes when the table is full."""
        places = np.full(len(keys), -1, np.int64)
        left = np.arange(len(keys))
        slots = (keys & np.uint64(_SLOTS - 1)).astype(np.int64)
        for _ in range(_MOST_PROBES):
            wanted = keys[left]
            found = self._keys[slots]
            free = found == 0
            if not known and self._different < _MOST_DIFFERENT and free.any():
                self._keys[slots[free]] = wanted[free]  # of several for one slot the last one gets it
                found = self._keys[slots]
            mine = found == wanted
            places[left[mine]] = slots[mine]
            others = ~mine & (found != 0)
            left, slots = left[others], (slots[others] + 1) & (_SLOTS - 1)
            if not len(left):
                break
        return places

    def _numbered(self, places: np.ndarray) -> np.ndarray:
        """The number of each row among the rows of its slot, from 0."""
        before = self._counts[places]
        np.add.at(self._counts, places, np.uint32(1))
        numbers = before.astype(np.uint64)
        several = np.flatnonzero(self._counts[places] > before + 1)
        if len(several):
            order = several[np.argsort(places[several], kind="stable")]
            starts = np.flatnonzero(np.append(True, np.diff(places[order]) != 0))
            lengths = np.diff(np.append(starts, len(order)))
            numbers[order] += (np.arange(len(order)) - np.repeat(starts, lengths)).astype(np.uint64)
        repeated = int(np.count_nonzero(numbers))
        self.repeated += repeated
        self._different += len(numbers) - repeated
        return numbers


def _priorities(hashes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Of rows by the uint64 hashes of their contents and their uint64 numbers among the rows of that."""
    return mixed(hashes + (numbers + np.uint64(1)) * _ODD)


class RowSample:
    """The rows with the smallest priorities, which are as good as random: a uniform sample.

    ``distinct``: of rows with one priority only one is kept.
    """

    def __init__(self, rows: int = SAMPLE_ROWS, *, distinct: bool = False) -> None:
        self.rows, self.distinct = rows, distinct
        self._kept: list[pa.Table] = []
        self._priorities = self._contents = np.empty(0, np.uint64)
        self._limit = np.uint64(2**64 - 1)  # no row above it is among the smallest

    def add(self, batch: pa.RecordBatch, priorities: np.ndarray, contents: np.ndarray) -> None:
        """Add a batch with the uint64 priority, and the uint64 hash of the content, of each row."""
        places = np.flatnonzero(priorities <= self._limit)
        if self.distinct and len(places):
            wanted, first = np.unique(priorities[places], return_index=True)
            places = places[first[~np.isin(wanted, self._priorities)]]
        if len(places) > self.rows:
            places = places[np.argsort(priorities[places], kind="stable")[: self.rows]]
        if not len(places):
            return
        self._kept.append(plain(pa.Table.from_batches([batch.take(pa.array(places))])))
        # Rows wait until there are twice as many as are kept, or many tables.
        self._priorities = np.append(self._priorities, priorities[places])
        self._contents = np.append(self._contents, contents[places])
        tables = len(self._kept)
        if len(self._priorities) >= 2 * self.rows or tables == 1 or tables > _TABLES_KEPT:
            self._shrink()

    def table(self) -> pa.Table | None:
        """The sampled rows, by priority; None where no row was seen."""
        if self._kept:
            self._shrink()
        return self._kept[0] if self._kept else None

    def state(self) -> State:
        """What ``absorb`` takes."""
        table = self.table()
        rows = {} if table is None else {"rows": table}
        return {**rows, "priorities": self._priorities, "contents": self._contents}

    def absorb(self, state: State, occurrences: Occurrences | None = None) -> None:
        """Add the sample of other rows.

        Args:
            occurrences: of all rows of all samples, where copies of a content count: they are numbered anew.
                A content of which no sample holds a row stays out, though one of its copies might be in the
                sample of all.
        """
        if "rows" not in state:
            return
        self._kept.append(state["rows"])
        self._priorities = np.append(self._priorities, state["priorities"])
        self._contents = np.append(self._contents, state["contents"])
        places = None
        if occurrences is not None:
            places = self._numbered_anew(occurrences)
        elif self.distinct:
            _, places = np.unique(self._priorities, return_index=True)
        if places is not None:
            self._kept = [pa.concat_tables(self._kept).take(pa.array(places))]
            self._contents = self._contents[places]
            if occurrences is None:
                self._priorities = self._priorities[places]
        self._shrink()

    def _numbered_anew(self, occurrences: Occurrences) -> np.ndarray:
        """The places of the rows that make the sample, with their priorities written over ours: of each
        content one is there for all of its copies, as far as these are counted."""
        counts = occurrences.counts(self._contents)
        alone = np.flatnonzero(counts == 0)
        _, first = np.unique(self._contents, return_index=True)
        first = first[counts[first] > 0]
        ends = np.cumsum(counts[first])
        found, priorities = alone, self._priorities[alone]
        for start in range(0, int(ends[-1]) if len(ends) else 0, _AT_A_TIME):
            numbers = np.arange(start, min(start + _AT_A_TIME, int(ends[-1])))
            of = np.searchsorted(ends, numbers, side="right")
            numbers = (numbers - (ends - counts[first])[of]).astype(np.uint64)
            found = np.append(found, first[of])
            priorities = np.append(priorities, _priorities(self._contents[first[of]], numbers))
            best = np.argsort(priorities, kind="stable")[: self.rows]
            found, priorities = found[best], priorities[best]
        self._priorities = priorities
        return found

    def _shrink(self) -> None:
        order = np.argsort(self._priorities, kind="stable")[: self.rows]
        self._kept = [pa.concat_tables(self._kept).take(pa.array(order)).combine_chunks()]
        self._priorities, self._contents = self._priorities[order], self._contents[order]
        if len(order) == self.rows:
            self._limit = self._priorities[-1]


def plain(table: pa.Table) -> pa.Table:
    """Dictionaries as text: a sample of rows must not keep whole dictionaries in memory."""
    fields = [pa.string() if pa.types.is_dictionary(f.type) else f.type for f in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, fields, strict=True))))
