"""What the training part holds, column by column: the data-quality report, and the counts behind the schema.

One pass over batches in bounded memory. Exact: counts, missing values, mean, sum and standard deviation (to
the eleventh digit of the latter, so that no order of rows or hosts shows), minimum and maximum, and the
counts of texts as long as a column has at most :data:`_MOST_TEXTS` distinct ones; beyond that the rarest are
dropped now and then and the counts are lower bounds. Estimated: the buckets and the sketch of a numeric
column with more than :data:`SAMPLE_ROWS` rows, which come from the uniform sample of the rows that
``row_sample`` draws, and the number of distinct texts above :data:`_SKETCH_VALUES`, from the smallest hashes
of values (k minimum values, standard error 1.6 %).

The report has the form of Model Monitor's ``statistics.json`` for data quality:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-statistics.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from row_sample import SAMPLE_ROWS, Occurrences, RowSample
from splitting import mixed
from state_file import State

_MOST_TEXTS = 400_000
_TEXTS_KEPT = 200_000
_MOST_WAITING = 128  # batches
_SKETCH_VALUES = 4096
_DISTINCT_KEPT = 4096
_ODD = np.uint64(0x9E3779B97F4A7C15)
_BUCKETS = 10
_TEXT_BUCKETS = 100
_DIGITS = 11  # of the deviation, and as far of mean and sum; later ones depend on the order of the rows
_MORE_PLACES = 2
_ABOVE = 1e-9  # of a logarithm
_LARGEST_ROUNDED = 1e300
_OF_NUMBERS = ("present", "missing", "infinite", "lowest", "highest")


class NumberColumn:
    """Moments of a numeric, boolean (0 and 1) or timestamp column (seconds since 1970)."""

    def __init__(self, integral: bool) -> None:
        self.integral = integral
        self.present = self.missing = self.infinite = 0
        self._near = self._offset = self._squares = 0.0  # the mean is the sum of the first two
        self.lowest, self.highest = math.inf, -math.inf

    def add(self, values: np.ndarray) -> None:
        """Add float64 values; NaN and infinity count as missing."""
        with np.errstate(invalid="ignore"):  # infinity less infinity
            total = float(values.sum())
        if not math.isfinite(total):
            finite = values[np.isfinite(values)]
            self.missing += len(values) - len(finite)
            self.infinite += int(np.isinf(values).sum())
            values = finite
            total = float(values.sum())
        count = len(values)
        if not count:
            return
        self.lowest = min(self.lowest, float(values.min()) + 0.0)  # -0.0 is 0.0
        self.highest = max(self.highest, float(values.max()) + 0.0)
        near = float(values[0])
        with np.errstate(over="ignore", invalid="ignore"):
            distances = values - near  # a sum of these has the digits that one of large values would lose
            offset = float(distances.sum()) / count
            distances -= offset
            squares = float(np.square(distances).sum())
        self._join(count, near, offset, squares)

    def _join(self, count: int, near: float, offset: float, squares: float) -> None:
        """Chan, Golub and LeVeque's merge of the moments of two sets of values: stable where sums of squares
        are not."""
        if not self.present:
            self._near = near
        step = (near - self._near) + (offset - self._offset)
        joint = self.present + count
        self._squares += squares + step * step * self.present * count / joint
        self._offset += step * count / joint
        self.present = joint

    def state(self) -> State:
        """What ``absorb`` takes."""
        return {
            **{name: getattr(self, name) for name in _OF_NUMBERS},
            "near": self._near,
            "offset": self._offset,
            "squares": self._squares,
        }

    def absorb(self, state: State) -> None:
        """Add what another one counted."""
        self.missing += state["missing"]
        self.infinite += state["infinite"]
        self.lowest = min(self.lowest, state["lowest"])
        self.highest = max(self.highest, state["highest"])
        if state["present"]:
            self._join(state["present"], state["near"], state["offset"], state["squares"])

    @property
    def mean(self) -> float:
        """The mean of the values that are present."""
        return min(max(_rounded(self._near + self._offset, self._deviation), self.lowest), self.highest)

    @property
    def _deviation(self) -> float:
        return math.sqrt(self._squares / self.present)

    @property
    def _sum(self) -> float:
        try:
            total = float((Fraction(self._near) + Fraction(self._offset)) * self.present)
        except (OverflowError, ValueError):  # as of an infinite number
            return math.inf
        return _rounded(total, self._deviation * self.present)

    def statistics(self, sample: np.ndarray) -> dict[str, Any]:
        """``numerical_statistics``; ``sample`` holds the column's values in the sampled rows, NaN
        included."""
        report: dict[str, Any] = {"common": {"num_present": self.present, "num_missing": self.missing}}
        if not self.present:
            return report
        report |= {
            "mean": self.mean,
            "sum": self._sum,
            "std_dev": _rounded(self._deviation, self._deviation),
            "min": self.lowest,
            "max": self.highest,
            "distribution": {"kll": self._distribution(np.sort(sample[np.isfinite(sample)]) + 0.0)},
        }
        # Numbers near the limits of a double can overflow a sum; the format has no infinity.
        return {name: value for name, value in report.items() if not _is_infinite(value)}

    def _distribution(self, sample: np.ndarray) -> dict[str, Any]:
        width = self.highest / _BUCKETS - self.lowest / _BUCKETS
        edges = [2 * (self.lowest / 2 + place * (width / 2)) for place in range(_BUCKETS)] + [self.highest]
        counts = np.diff(np.searchsorted(sample, edges[1:-1], side="left"), prepend=0, append=len(sample))
        level = max(0, math.ceil(math.log2(self.present / max(1, len(sample)))))
        return {
            "buckets": [
                {"lower_bound": low, "upper_bound": high, "count": float(count)}
                for low, high, count in zip(edges, edges[1:], _scaled(counts, self.present), strict=False)
            ],
            # In a KLL sketch an item of level n stands for 2**n values.
            "sketch": {
                "parameters": {"c": 0.64, "k": float(SAMPLE_ROWS)},
                "data": [[] for _ in range(level)] + [sample.tolist()],
            },
        }


class Distinct:
    """Whether all whole numbers of a column differ, by looking at those with a small hash.

    All rows of one value are looked at or none, so in a column in which a value repeats now and then a sample
    of its values shows it, however long the column is. ``all_differ`` holds for what was looked at.
    """

    def __init__(self) -> None:
        self.all_differ = True
        self._kept = np.empty(0, np.uint64)
        self._limit = np.uint64(2**64 - 1)

    def add(self, values: np.ndarray) -> None:
        """Add int64 values."""
        if not self.all_differ:
            return
        hashes = values.view(np.uint64) * _ODD
        self._kept = np.append(self._kept, hashes[hashes <= self._limit])
        self.all_differ = len(np.unique(self._kept)) == len(self._kept)
        if not self.all_differ:
            self._kept = np.empty(0, np.uint64)
        self._keep_small()

    def _keep_small(self) -> None:
        while len(self._kept) > _DISTINCT_KEPT:
            self._limit //= np.uint64(2)
            self._kept = self._kept[self._kept <= self._limit]

    def state(self) -> State:
        """What ``absorb`` takes."""
        return {"all_differ": self.all_differ, "limit": int(self._limit), "kept": self._kept}

    def absorb(self, state: State) -> None:
        """Add what another one looked at; both judge by the hashes below the smaller limit."""
        self._limit = min(self._limit, np.uint64(state["limit"]))
        kept = np.append(self._kept, state["kept"])
        self._kept = kept[kept <= self._limit]
        differ = len(np.unique(self._kept)) == len(self._kept)
        self.all_differ = self.all_differ and state["all_differ"] and differ
        self._keep_small()


class TextColumn:
    """Counts of a text column's values."""

    def __init__(self) -> None:
        self.present = self.missing = 0
        self.exact = True
        self._waiting: list[tuple[pa.Array, np.ndarray]] = []
        self._waiting_texts = self._counted_texts = 0
        self._smallest = np.empty(0, np.uint64)

    def add(self, values: pa.DictionaryArray, hashes: np.ndarray) -> None:
        """Add a batch; ``hashes`` holds a uint64 hash of each text in its dictionary."""
        self.missing += values.null_count
        self.present += len(values) - values.null_count
        indices = values.indices.drop_null().to_numpy(zero_copy_only=False)
        counts = np.bincount(indices, minlength=len(values.dictionary))
        seen = np.flatnonzero(counts)
        if not len(seen):
            return
        self._waiting.append((values.dictionary.take(pa.array(seen)), counts[seen]))
        self._waiting_texts += len(seen)
        if self._waiting_texts > max(20_000, 2 * self._counted_texts) or len(self._waiting) > _MOST_WAITING:
            self._merge()
        small = hashes[seen]
        if len(self._smallest) == _SKETCH_VALUES:
            small = small[small < self._smallest[-1]]
        if len(small):
            self._smallest = np.union1d(self._smallest, small)[:_SKETCH_VALUES]

    def most_frequent(self, count: int) -> tuple[list[str], list[int]]:
        """The ``count`` most frequent texts and their counts, most frequent first, ties by the text."""
        self._merge()
        if not self._waiting:
            return [], []
        texts, counts = self._waiting[0]
        chosen = _most_frequent(texts, counts, count)
        return chosen["text"].to_pylist(), chosen["count"].to_pylist()

    def unseen(self, kept: int) -> int:
        """How many values stand for texts outside the ``kept`` most frequent: theirs, and those of the kept
        texts that were seen once."""
        counts = np.array(self.most_frequent(kept)[1])
        return self.present - int(counts.sum()) + int(np.count_nonzero(counts == 1))

    def distinct(self) -> int:
        """The number of distinct texts; above :data:`_SKETCH_VALUES` of an inexact column, an estimate."""
        self._merge()
        if self.exact or len(self._smallest) < _SKETCH_VALUES:
            return self._counted_texts
        return round((_SKETCH_VALUES - 1) / (float(self._smallest[-1]) / 2.0**64))

    def statistics(self) -> dict[str, Any]:
        """``string_statistics``, with the 100 most frequent texts."""
        texts, counts = self.most_frequent(_TEXT_BUCKETS)
        buckets = [{"value": text, "count": count} for text, count in zip(texts, counts, strict=True)]
        return {
            "common": {"num_present": self.present, "num_missing": self.missing},
            "distinct_count": float(self.distinct()),
            "distribution": {"categorical": {"buckets": buckets}},
        }

    def state(self) -> State:
        """What ``absorb`` takes."""
        self._merge()
        texts, counts = self._waiting[0] if self._waiting else (pa.array([], pa.string()), [])
        scalars = {"present": self.present, "missing": self.missing, "exact": self.exact}
        counted = pa.table({"text": texts, "count": pa.array(counts, pa.int64())})
        return {**scalars, "counted": counted, "smallest": self._smallest}

    def absorb(self, state: State) -> None:
        """Add what another one counted."""
        self.present += state["present"]
        self.missing += state["missing"]
        self.exact = self.exact and state["exact"]
        counted = state["counted"]
        if len(counted):
            self._waiting.append((counted["text"].combine_chunks(), counted["count"].to_numpy()))
        self._smallest = np.union1d(self._smallest, state["smallest"])[:_SKETCH_VALUES]
        self._merge()

    def _merge(self) -> None:
        if len(self._waiting) > 1:
            texts = pa.chunked_array([texts for texts, _ in self._waiting])
            counts = np.concatenate([counts for _, counts in self._waiting])
            merged = pa.table({"text": texts, "count": counts}).group_by("text").aggregate([("count", "sum")])
            self._waiting = [(merged["text"].combine_chunks(), merged["count_sum"].to_numpy())]
        self._counted_texts = len(self._waiting[0][0]) if self._waiting else 0
        self._waiting_texts = self._counted_texts
        if self._counted_texts > _MOST_TEXTS:
            self.exact = False
            texts, counts = self._waiting[0]
            kept = _most_frequent(texts, counts, _TEXTS_KEPT)
            self._waiting = [(kept["text"].combine_chunks(), kept["count"].to_numpy())]
            self._counted_texts = self._waiting_texts = _TEXTS_KEPT


class Quality:
    """The statistics of the training part's columns, batch by batch."""

    def __init__(self, schema: pa.Schema) -> None:
        self.numbers: dict[str, NumberColumn] = {}
        self.texts: dict[str, TextColumn] = {}
        self.whole = {entry.name: Distinct() for entry in schema if pa.types.is_integer(entry.type)}
        self.names = schema.names
        for entry in schema:
            if pa.types.is_dictionary(entry.type):
                self.texts[entry.name] = TextColumn()
            else:
                whole = pa.types.is_integer(entry.type) or pa.types.is_boolean(entry.type)
                self.numbers[entry.name] = NumberColumn(whole)
        self.sample = RowSample()
        self.different = RowSample(distinct=True)
        self.occurrences = Occurrences()

    def add(self, batch: pa.RecordBatch, hashes: np.ndarray, texts: Mapping[str, np.ndarray]) -> None:
        """Add rows of the training part, their content hashes, and the hashes of each dictionary."""
        for name, column in self.texts.items():
            column.add(batch.column(name), texts[name])
        for name, numbers in self.numbers.items():
            array = batch.column(name)
            numbers.missing += array.null_count
            array = array.drop_null() if array.null_count else array
            numbers.add(floats(array))
            if name in self.whole:
                self.whole[name].add(array.to_numpy(zero_copy_only=False))
        self.sample.add(batch, self.occurrences.priorities(hashes), hashes)
        self.different.add(batch, mixed(hashes), hashes)

    def state(self) -> State:
        """What ``absorb`` takes."""
        samples = {"sample": self.sample.state(), "different": self.different.state()}
        return {
            **{
                name: {column: one.state() for column, one in found.items()}
                for name, found in self._columns()
            },
            **samples,
            "occurrences": self.occurrences.state(),
        }

    def absorb(self, state: State) -> None:
        """Add the statistics of other rows, of columns of the same types, but for the samples."""
        for name, found in self._columns():
            for column, one in found.items():
                one.absorb(state[name][column])
        self.occurrences.absorb(state["occurrences"])

    def absorb_samples(self, state: State) -> None:
        """Add the samples of other rows; ``absorb`` has all others already, so that copies are counted."""
        self.sample.absorb(state["sample"], self.occurrences)
        self.different.absorb(state["different"])

    def _columns(self) -> Iterator[tuple[str, Mapping[str, NumberColumn | TextColumn | Distinct]]]:
        yield from (("numbers", self.numbers), ("texts", self.texts), ("whole", self.whole))

    def present(self, name: str) -> int:
        """How many values the column has in the training part."""
        return self.numbers[name].present if name in self.numbers else self.texts[name].present

    def report(self, rows: int) -> dict[str, Any]:
        """``statistics.json``."""
        sample = self.sample.table()
        features = []
        for name in self.names:
            if name in self.texts:
                statistics = self.texts[name].statistics()
                features.append({"name": name, "inferred_type": "String", "string_statistics": statistics})
                continue
            column = self.numbers[name]
            values = floats(sample[name].combine_chunks()) if sample is not None else np.empty(0)
            kind = "Integral" if column.integral else "Fractional"
            features.append(
                {"name": name, "inferred_type": kind, "numerical_statistics": column.statistics(values)}
            )
        return {"version": 0.0, "dataset": {"item_count": rows}, "features": features}


def _most_frequent(texts: pa.Array, counts: np.ndarray, most: int) -> pa.Table:
    table = pa.table({"text": texts, "count": counts})
    order = pc.sort_indices(table, sort_keys=[("count", "descending"), ("text", "ascending")])
    return table.take(order[:most])


def floats(array: pa.Array) -> np.ndarray:
    """Numbers, booleans (0 and 1) and timestamps (seconds since 1970) as float64, NaN for missing ones."""
    if pa.types.is_timestamp(array.type):
        return array.cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) / 1e6
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _scaled(counts: Sequence[int] | np.ndarray, total: int) -> list[int]:
    """The counts scaled to ``total``, as whole numbers that add up to it (largest remainders first)."""
    exact = np.asarray(counts, dtype=np.float64) * (total / max(1, int(np.sum(counts))))
    whole = np.floor(exact).astype(np.int64)
    for place in np.argsort(whole - exact, kind="stable")[: total - int(whole.sum())]:
        whole[place] += 1
    return whole.tolist()


def _rounded(value: float, like: float) -> float:
    """``value`` without the digits that would be beyond the last one of a number such as ``like``.

    The mean of decimals often lies in the middle between two such values, and their deviation at a power of
    ten, a little above or below by the order of the rows: so both are taken without that little first.
    """
    if not 0 < like < _LARGEST_ROUNDED:
        return value
    places = _DIGITS - math.ceil(math.log10(like) - _ABOVE)
    return round(round(value, places + _MORE_PLACES), places) + 0.0  # -0.0 is 0.0


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
