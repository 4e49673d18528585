"""The columns whose values a gate looks at one by one, in a few bytes a row.

A column's different values are kept once, as texts, and of each row the index of its value: text for every
row of a large test part would need more memory than all its scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

_MISSING = "(missing)"


@dataclass(frozen=True)
class Slices:
    """One column.

    Attributes:
        values: its different values, as texts, in rising order.
        places: of each row an index into ``values``.
    """

    values: Sequence[str]
    places: np.ndarray


def as_codes(column: pa.Array) -> pa.DictionaryArray:
    """A batch of a column of any type that has a text."""
    return column.cast(pa.string()).fill_null(_MISSING).dictionary_encode()


def joined(batches: Sequence[pa.DictionaryArray], order: np.ndarray) -> Slices:
    """All batches of a column, with the rows in another order: ``order`` has their places."""
    whole = pa.chunked_array(batches).unify_dictionaries()
    texts = whole.chunk(0).dictionary.to_pylist()
    rising = sorted(range(len(texts)), key=texts.__getitem__)
    rank = np.empty(len(texts), np.min_scalar_type(len(texts)))
    rank[rising] = np.arange(len(texts))
    codes = np.concatenate([batch.indices.to_numpy() for batch in whole.chunks])
    return Slices([texts[place] for place in rising], rank[codes[order]])
