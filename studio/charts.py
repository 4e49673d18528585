"""Places what small charts show: numbers in, coordinates of plain SVG out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """One bar of a timeline, in percent of its width."""

    left: float
    width: float


def bar(start: float, end: float, first: float, last: float) -> Bar:
    """Where a span of time lies between the first and the last moment; never too thin to be seen."""
    whole = max(last - first, 1e-9)
    left = min(100.0, max(0.0, (start - first) / whole * 100))
    width = max(0.6, (end - start) / whole * 100)
    return Bar(round(left, 2), round(min(width, 100 - left + 0.6), 2))


@dataclass(frozen=True)
class Scale:
    """Where a value lies on a line of ``width`` pixels from ``low`` to ``high``."""

    low: float
    high: float
    width: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return round(min(1.0, max(0.0, (value - self.low) / span)) * self.width, 2)


def scale_of(values: Sequence[float | None], width: float) -> Scale:
    """A scale on which all of the values can be seen, with some air at both ends."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    air = (high - low) * 0.12 or abs(high) * 0.1 or 0.1
    return Scale(low - air, high + air, width)


SQUARE = 220
"""Pixels of a curve's plot, each way."""

LINE = 260
"""Pixels of the line on which a check is drawn."""

_MOST_POINTS = 400


def points(across: object, upwards: object) -> str | None:
    """``x,y x,y ...`` of a polyline for values between 0 and 1; None where the lists are none."""
    if not (isinstance(across, list) and isinstance(upwards, list)) or len(across) != len(upwards):
        return None
    if not all(isinstance(value, int | float) for value in (*across, *upwards)):
        return None
    step = max(1, len(across) // _MOST_POINTS)
    chosen = list(zip(across, upwards, strict=True))
    chosen = [*chosen[::step], chosen[-1]] if chosen else []
    return " ".join(f"{x * SQUARE:.1f},{(1 - y) * SQUARE:.1f}" for x, y in chosen)


@dataclass(frozen=True)
class Sparkline:
    """A small line; its points, the last one again, and the size in pixels."""

    points: str
    last_x: float
    last_y: float
    width: int = 160
    height: int = 32


def sparkline(values: Sequence[float]) -> Sparkline:
    """The values from left to right, over the whole height."""
    width, height = Sparkline.width, Sparkline.height
    scale = scale_of(values, height)
    step = (width - 8) / max(1, len(values) - 1)
    placed = [(4 + number * step, height - scale(value)) for number, value in enumerate(values)]
    return Sparkline(" ".join(f"{x:.1f},{y:.1f}" for x, y in placed), round(placed[-1][0], 1), placed[-1][1])


PLOT_WIDTH, PLOT_HEIGHT = 560, 220
"""Pixels of a chart of metrics over the rounds of a training."""

_MOST_PLACED = 300


_MOST_KEPT = 4000
"""Values of a metric; an even number."""


@dataclass(frozen=True)
class PlacedSeries:
    """A metric in a chart: the points of its line, where its name stands, and its last and best values."""

    name: str
    points: str
    label_y: float
    last: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class LineChart:
    """Metrics of one kind over the rounds; `ticks` are values and their places from the top."""

    title: str
    rounds: int
    series: tuple[PlacedSeries, ...]
    ticks: tuple[tuple[str, float], ...]


class Series:
    """A metric over the rounds, however many these are: every so-manyth value, and what is true of all.

    Attributes:
        kept: values that are `every` rounds apart, from the first one on; never more than a limit.
        rounds: how many values there were.
    """

    def __init__(self) -> None:
        self.kept: list[float] = []
        self.every, self.rounds = 1, 0
        self.last, self.lowest, self.highest = math.nan, math.inf, -math.inf

    def add(self, value: float) -> None:
        """The next round's value."""
        if self.rounds % self.every == 0:
            self.kept.append(value)
            if len(self.kept) > _MOST_KEPT:
                del self.kept[1::2]
                self.every *= 2
        self.rounds += 1
        self.last, self.lowest, self.highest = value, min(self.lowest, value), max(self.highest, value)


def line_charts(values: Mapping[str, Series]) -> tuple[LineChart, ...]:
    """A chart for each kind of metric: ``train:logloss`` and ``validation:logloss`` are in the same one."""
    kinds: dict[str, dict[str, Series]] = {}
    for name, series in values.items():
        part, _, kind = name.rpartition(":")
        kinds.setdefault(kind, {})[part or kind] = series
    return tuple(_line_chart(kind, series) for kind, series in kinds.items())


def _line_chart(title: str, values: Mapping[str, Series]) -> LineChart:
    of_all = values.values()
    values_marked = ticks(min(one.lowest for one in of_all), max(one.highest for one in of_all))
    scale = Scale(values_marked[0], values_marked[-1], PLOT_HEIGHT)
    rounds = max(one.rounds for one in of_all)
    labels: list[float] = []
    placed = []
    for name, series in values.items():
        step = max(1, len(series.kept) // _MOST_PLACED)
        chosen = [(number * step * series.every, value) for number, value in enumerate(series.kept[::step])]
        chosen.append((series.rounds - 1, series.last))
        places = [
            (number / max(1, rounds - 1) * PLOT_WIDTH, PLOT_HEIGHT - scale(value)) for number, value in chosen
        ]
        label = places[-1][1]
        while any(abs(label - other) < 14 for other in labels):
            label += 4 if label < PLOT_HEIGHT / 2 else -4
        labels.append(label)
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        placed.append(PlacedSeries(name, line, round(label, 1), series.last, series.lowest, series.highest))
    marks = tuple((f"{value:g}", round(PLOT_HEIGHT - scale(value), 1)) for value in values_marked)
    return LineChart(title, rounds, tuple(placed), marks)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers, at most seven, from below the lowest value to above the highest."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / 5 <= power * factor)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [float(f"{number * step:.6g}") for number in range(first, max(last, first + 1) + 1)]
