"""An order of the test part's rows that follows from what they hold: the same rows, the same statistics.

Standard deviations and intervals come from samples that are drawn by the rows' places, and sums of many
numbers differ in their last digits with the order. The order in which the source was written, its cut into
files and the number of preprocessing instances must change neither. Whatever artifact is scored on a test
part, the order is the same, so that the answers of two artifacts can be compared row by row.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)  # of SplitMix64


def content_hashes(table: pa.Table) -> np.ndarray:
    """A uint64 hash of each row; equal rows have equal hashes, whatever other rows the table holds."""
    hashes = np.full(table.num_rows, _ODD)
    for column in table.columns:
        hashes ^= _value_bits(column.combine_chunks())
        hashes *= _MIX
        hashes ^= hashes >> np.uint64(31)
        hashes *= _ODD
        hashes ^= hashes >> np.uint64(29)
    return hashes


def _value_bits(column: pa.Array) -> np.ndarray:
    """64 bits for each value (uint64), equal for equal numbers of any type; a missing one has its own."""
    kind = column.type
    if pa.types.is_floating(kind):
        values = column.cast(pa.float64()).fill_null(np.nan).to_numpy()
        with np.errstate(invalid="ignore"):
            whole = values.astype(np.int64)
        bits = np.where(whole == values, whole.view(np.uint64), values.view(np.uint64))
        return np.where(np.isnan(values), _MIX, bits)
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind) or pa.types.is_boolean(kind):
        whole = column.cast(pa.int8() if pa.types.is_boolean(kind) else pa.int64())
        bits = whole.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
        return np.where(column.is_valid().to_numpy(zero_copy_only=False), bits, _MIX)
    distinct = column.cast(pa.string()).dictionary_encode()
    texts = [_text_bits(text) for text in distinct.dictionary.to_pylist()]
    places = distinct.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return np.array([*texts, int(_MIX)], np.uint64)[places]


def _text_bits(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
