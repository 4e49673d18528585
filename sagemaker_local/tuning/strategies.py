"""Which values a tuning job tries next.

Grid tries every combination, Random draws, Bayesian draws a few and then goes where a model of the results
expects the greatest improvement. No combination is tried twice where all values can be counted. Everything
follows from the seed and the results.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sagemaker_local.tuning.gaussian import GaussianProcess
from sagemaker_local.tuning.ranges import CATEGORICAL, Parameter

Values = dict[str, str]

_DRAWS = 200
"""How often something new is drawn before everything counts as tried; candidates of one Bayesian choice."""

_NEAR = 60
_NEAR_SPREAD = 0.1
_KEEP_CATEGORY = 0.8
_MOST_RESULTS = 150
"""The best ones of more; a model of n results costs n**3."""


@dataclass(frozen=True)
class Tried:
    """Values that were tried.

    Attributes:
        result: the objective, the greater the better; None while it is not known, or for ever.
        pending: whether it may still come.
    """

    values: Values
    result: float | None
    pending: bool


Strategy = Callable[[Sequence[Tried]], Values | None]
"""From what was tried to what is tried next; None where there is nothing new left."""


def make_strategy(name: str, parameters: Sequence[Parameter], seed: int) -> Strategy:
    """`name`: Grid, Random or Bayesian."""
    if name == "Grid":
        combinations = itertools.product(*([(one.name, value) for value in one.values] for one in parameters))
        return lambda _: next((dict(one) for one in combinations), None)
    drawing = _Drawing(parameters, random.Random(seed))
    return drawing.draw if name == "Random" else drawing.choose


class _Drawing:
    def __init__(self, parameters: Sequence[Parameter], source: random.Random) -> None:
        self._parameters, self._source = parameters, source

    def draw(self, tried: Sequence[Tried]) -> Values | None:
        """Anything new."""
        known = [one.values for one in tried]
        return next((one for one in (self._anywhere() for _ in range(_DRAWS)) if one not in known), None)

    def choose(self, tried: Sequence[Tried]) -> Values | None:
        """What is expected to improve the result most."""
        done = [(one.values, one.result) for one in tried if one.result is not None]
        if len(done) < max(2, len(self._parameters)):
            return self.draw(tried)
        done = sorted(done, key=lambda one: one[1], reverse=True)[:_MOST_RESULTS]
        points = [self._point(values) for values, _ in done]
        results = [result for _, result in done]
        if pending := [self._point(one.values) for one in tried if one.pending]:
            # What runs is taken to bring what is expected of it, so that the next choice goes elsewhere.
            model = GaussianProcess(points, results)
            results += [model.result(model.predict(point)[0]) for point in pending]
            points += pending
        model = GaussianProcess(points, results)
        known = [one.values for one in tried]
        candidates = [self._anywhere() for _ in range(_DRAWS)] + [
            self._near(done[0][0]) for _ in range(_NEAR)
        ]
        new = [one for one in candidates if one not in known]
        return max(new, key=lambda one: model.expected_improvement(self._point(one)), default=None)

    def _anywhere(self) -> Values:
        return {one.name: one.value(self._source.random()) for one in self._parameters}

    def _near(self, values: Values) -> Values:
        found = {}
        for one in self._parameters:
            if one.kind == CATEGORICAL:
                keeps = self._source.random() < _KEEP_CATEGORY
                found[one.name] = values[one.name] if keeps else one.value(self._source.random())
            else:
                [place] = one.features(values[one.name])
                moved = place + self._source.gauss(0.0, _NEAR_SPREAD)
                found[one.name] = one.value(min(max(moved, 0.0), 1.0))
        return found

    def _point(self, values: Values) -> tuple[float, ...]:
        return tuple(
            itertools.chain.from_iterable(one.features(values[one.name]) for one in self._parameters)
        )
