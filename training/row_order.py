"""An order of the training rows that follows from what they hold, so that the same rows give the same model.

XGBoost draws the rows of ``subsample`` by their place, and sums gradients in the order of the rows. So the
order in which the source was written, its cut into files and the number of preprocessing instances would
each change the model, and with it what the gate decides. Here the order is that of a hash of each row.
"""

from __future__ import annotations

import numpy as np

_ODD = np.uint64(0x9E3779B97F4A7C15)
_MISSING = np.float32(np.nan).view(np.uint32)
_MIX = np.uint64(0xBF58476D1CE4E5B9)  # of SplitMix64


def content_hashes(data: np.ndarray, label: np.ndarray) -> np.ndarray:
    """A uint64 hash of each row's values (float32, rows x features) and its label (float32).

    Rows of equal values have equal hashes, apart from -0.0, of which the caller must have made 0.0. Among ten
    million different rows, two have the same one with a probability of three in a million.
    """
    hashes = np.full(len(data), _ODD)
    for column in (*data.T, label):
        bits = column.copy().view(np.uint32)
        bits[np.isnan(column)] = _MISSING  # one of the many patterns of bits that are NaN
        hashes ^= bits
        hashes *= _MIX
        hashes ^= hashes >> np.uint64(31)
        hashes *= _ODD
        hashes ^= hashes >> np.uint64(29)
    return hashes
