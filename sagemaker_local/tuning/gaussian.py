"""A Gaussian process: what a few results say about places between them, and how certain that is.

It is regression with the Matérn 5/2 kernel, whose length is chosen by the marginal likelihood (Rasmussen and
Williams, Gaussian Processes for Machine Learning, algorithm 2.1), and expected improvement (Jones, Schonlau
and Welch 1998). A tuning job has at most some hundreds of results, for which plain Python is fast enough;
this package has no library for numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = Sequence[float]
Matrix = list[list[float]]

_LENGTHS = (0.1, 0.2, 0.4, 0.8, 1.6)
_NOISE = 1e-3
"""Variance of one result around the truth, where all results together have 1."""


class GaussianProcess:
    """Fitted to results at points.

    Attributes:
        best: the greatest result, in the unit of the prediction.
    """

    def __init__(self, points: Sequence[Point], results: Sequence[float]) -> None:
        """`results`: as many as points, one at least."""
        self._points = points
        # A training that diverged may have any float as its result: no sum or square of them is taken.
        self._mean = math.fsum(one / len(results) for one in results)
        spread = math.hypot(*((one - self._mean) / math.sqrt(len(results)) for one in results))
        self._scale = spread or 1.0
        targets = [(one - self._mean) / self._scale for one in results]
        self.best = max(targets)
        fits = [self._fit(length, targets) for length in _LENGTHS]
        _, self._length, self._lower, self._weights = max(fits, key=lambda fit: fit[0])

    def _fit(self, length: float, targets: list[float]) -> tuple[float, float, Matrix, list[float]]:
        """The logarithm of the marginal likelihood (without its constant), and what predictions need."""
        lower = _cholesky(
            [
                [
                    _kernel(one, two, length) + _NOISE * (row == column)
                    for column, two in enumerate(self._points)
                ]
                for row, one in enumerate(self._points)
            ]
        )
        weights = _solve_transposed(lower, _solve(lower, targets))
        likelihood = -0.5 * math.fsum(map(math.prod, zip(targets, weights, strict=True)))
        return (
            likelihood - math.fsum(math.log(row[place]) for place, row in enumerate(lower)),
            length,
            lower,
            weights,
        )

    def predict(self, point: Point) -> tuple[float, float]:
        """Mean and standard deviation at a point, in units of the results' own spread."""
        near = [_kernel(point, one, self._length) for one in self._points]
        mean = math.fsum(map(math.prod, zip(near, self._weights, strict=True)))
        solved = _solve(self._lower, near)
        return mean, math.sqrt(max(1.0 - math.fsum(one * one for one in solved), 1e-12))

    def result(self, mean: float) -> float:
        """A predicted mean in the unit of the results."""
        return mean * self._scale + self._mean

    def expected_improvement(self, point: Point) -> float:
        """By how much a result at a point is expected to be above the best one."""
        mean, deviation = self.predict(point)
        gain = mean - self.best
        z = gain / deviation
        below = 0.5 * math.erfc(-z / math.sqrt(2))
        return gain * below + deviation * math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def _kernel(one: Point, two: Point, length: float) -> float:
    distance = math.sqrt(5) * math.dist(one, two) / length
    return (1 + distance + distance * distance / 3) * math.exp(-distance)


def _cholesky(matrix: Matrix) -> Matrix:
    """The lower triangle whose product with its transpose is the matrix."""
    lower: Matrix = []
    for row, values in enumerate(matrix):
        line: list[float] = []
        for column in range(row + 1):
            known = lower[column] if column < row else line
            left = values[column] - math.fsum(map(math.prod, zip(line, known[:column], strict=False)))
            line.append(math.sqrt(max(left, 1e-12)) if column == row else left / lower[column][column])
        lower.append(line)
    return lower


def _solve(lower: Matrix, right: Sequence[float]) -> list[float]:
    solved: list[float] = []
    for line, value in zip(lower, right, strict=True):
        known = math.fsum(map(math.prod, zip(line, solved, strict=False)))
        solved.append((value - known) / line[len(solved)])
    return solved


def _solve_transposed(lower: Matrix, right: Sequence[float]) -> list[float]:
    size = len(lower)
    solved = [0.0] * size
    for row in range(size - 1, -1, -1):
        known = math.fsum(lower[below][row] * solved[below] for below in range(row + 1, size))
        solved[row] = (right[row] - known) / lower[row][row]
    return solved
