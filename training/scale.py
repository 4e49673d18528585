"""Where a number or a timestamp is counted from, and in which steps.

The model's numbers are float32, which holds 24 bits: for it, all seconds of two minutes of this century are
one. So ``schema.json`` can give a feature an origin amid its training values, and a unit. Subtracted before
the cast, and exactly, they leave the 24 bits to what differs. A feature without them is counted from 0: a
number in ones, a timestamp in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_EXACT = 2**53  # float64 holds every whole number up to here
_SECOND = 1_000_000


@dataclass(frozen=True)
class Scale:
    """A value becomes ``(value - origin) / unit``; a timestamp's value is microseconds since 1970 UTC.

    Attributes:
        by_whole_numbers: whether a whole number must not become a float before the origin is subtracted.
    """

    origin: int | float
    unit: int | float
    by_whole_numbers: bool

    def of(self, value: int | float) -> float:
        """A value's place. A whole number that is too large for a float is infinite."""
        try:
            if not self.by_whole_numbers:
                value = float(value)
            return float(value - self.origin) / self.unit
        except OverflowError:
            return np.inf

    def of_column(self, values: pa.Array) -> np.ndarray:
        """The places of integers or floating numbers, as float64; NaN for a missing value."""
        if self.by_whole_numbers and pa.types.is_integer(values.type):
            try:
                whole = values.cast(pa.int64())
                differences = pc.subtract_checked(whole, pa.scalar(self.origin, pa.int64()))
                return _floats(differences) / self.unit
            except pa.ArrowInvalid:  # one is further than 63 bits from the origin
                pass
        return (_floats(values) - float(self.origin)) / self.unit


PLAIN = Scale(0, 1, by_whole_numbers=False)
"""Of a number that is its own place."""


def scale_of(entry: Mapping[str, Any]) -> Scale:
    """The scale of a feature of ``schema.json``."""
    timestamp = entry["kind"] == "timestamp"
    origin, unit = entry.get("origin", 0), entry.get("unit", _SECOND if timestamp else 1)
    return Scale(origin, unit, timestamp or (isinstance(origin, int) and abs(origin) > _EXACT))


def _floats(values: pa.Array) -> np.ndarray:
    if not pa.types.is_float64(values.type):
        values = values.cast(pa.float64(), safe=False)
    return values.to_numpy(zero_copy_only=False)
