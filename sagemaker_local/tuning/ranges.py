"""Hyperparameters that are tuned: the range of each, and the value at a place in it.

A place is a number from 0 to 1. Scaling types are those of "Define Hyperparameter Ranges" in the SageMaker
developer guide; Auto is logarithmic here where a range spans two orders of magnitude or more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagemaker_local.errors import not_implemented, validation_error

INTEGER, CONTINUOUS, CATEGORICAL = "Integer", "Continuous", "Categorical"
_WIDE = 100.0


@dataclass(frozen=True)
class Parameter:
    """One hyperparameter and its range.

    Attributes:
        kind: Integer, Continuous or Categorical.
        low, high: the ends of a range of numbers; both belong to it.
        scaling: Linear, Logarithmic or ReverseLogarithmic.
        values: of a categorical one.
    """

    name: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    scaling: str = "Linear"
    values: tuple[str, ...] = ()

    def value(self, place: float) -> str:
        """The value at a place, as a training job is given it."""
        if self.kind == CATEGORICAL:
            return self.values[min(int(place * len(self.values)), len(self.values) - 1)]
        low, high = self.low, self.high
        if self.kind == INTEGER and self.scaling == "Linear":  # each integer has as much of the range
            return str(min(int(low) + int(place * (int(high) - int(low) + 1)), int(high)))
        scaled = _scaled(low, self.scaling), _scaled(high, self.scaling)
        found = _unscaled(scaled[0] + place * (scaled[1] - scaled[0]), self.scaling)
        found = min(max(found, low), high)
        return str(round(found)) if self.kind == INTEGER else repr(found)

    def features(self, value: str) -> tuple[float, ...]:
        """Where a value lies, for a model of what is near to what: one number, or one for each category."""
        if self.kind == CATEGORICAL:
            return tuple(math.sqrt(0.5) * (value == one) for one in self.values)
        low, high = _scaled(self.low, self.scaling), _scaled(self.high, self.scaling)
        return ((_scaled(float(value), self.scaling) - low) / (high - low) if high > low else 0.0,)


def _scaled(number: float, scaling: str) -> float:
    if scaling == "Logarithmic":
        return math.log(number)
    return -math.log(1.0 - number) if scaling == "ReverseLogarithmic" else number


def _unscaled(number: float, scaling: str) -> float:
    if scaling == "Logarithmic":
        return math.exp(number)
    return 1.0 - math.exp(-number) if scaling == "ReverseLogarithmic" else number


def read_ranges(ranges: Mapping[str, Any] | None) -> tuple[Parameter, ...]:
    """A request's ``ParameterRanges``.

    Raises:
        AwsError: there are none, one is no range, or a name comes twice.
    """
    ranges = ranges or {}
    if ranges.get("AutoParameters"):
        raise not_implemented("AutoParameters of a tuning job (Autotune)")
    found = [
        *(_numbers(INTEGER, one) for one in ranges.get("IntegerParameterRanges") or []),
        *(_numbers(CONTINUOUS, one) for one in ranges.get("ContinuousParameterRanges") or []),
        *(
            Parameter(one["Name"], CATEGORICAL, values=tuple(one["Values"]))
            for one in ranges.get("CategoricalParameterRanges") or []
        ),
    ]
    names = [parameter.name for parameter in found]
    if not found:
        raise validation_error("A tuning job needs a range for one hyperparameter at least.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise validation_error(f"The hyperparameter {twice[0]} has two ranges.")
    return tuple(found)


def _numbers(kind: str, given: Mapping[str, str]) -> Parameter:
    name = given["Name"]
    try:
        low, high = (
            float(int(given[end]) if kind == INTEGER else given[end]) for end in ("MinValue", "MaxValue")
        )
    except ValueError as error:
        raise validation_error(f"The ends of the range of {name} have to be numbers ({kind}).") from error
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise validation_error(f"The range of {name} has to go up: from {low:g} to {high:g} it does not.")
    scaling = given.get("ScalingType", "Auto")
    if scaling == "Auto":
        scaling = "Logarithmic" if low > 0 and high / low >= _WIDE else "Linear"
    if scaling == "Logarithmic" and low <= 0:
        raise validation_error(f"The range of {name} is logarithmic: its ends have to be above 0.")
    if scaling == "ReverseLogarithmic" and not (kind == CONTINUOUS and low >= 0 and high < 1):
        raise validation_error(
            f"The range of {name} is reverse logarithmic: it has to be continuous, from 0 on and below 1."
        )
    return Parameter(name, kind, low, high, scaling)
