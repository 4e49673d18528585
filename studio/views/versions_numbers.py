"""What a version answered in numbers, by the sample of its rows in ``report.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from studio import charts
from studio.views import json_values
from studio.views.versions_answers import Answered


@dataclass(frozen=True)
class Plot:
    """Dots in a square of ``charts.SQUARE``; ticks are texts and places in pixels.

    Attributes:
        dots: an SVG path of points.
        guide: where the line of right answers begins and ends.
    """

    title: str
    across: str
    upwards: str
    dots: str
    guide: tuple[float, float, float, float]
    ticks_across: tuple[tuple[str, float], ...]
    ticks_upwards: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Numbers:
    """A regression.

    Attributes:
        plots: predicted against actual values, and residuals against predicted values, of a sample of rows.
        sampled: of how many rows.
        residuals: bars of the histogram: x, width and height in a square, and its first and last edge.
        within: shares of the rows, and how far off these are at most.
    """

    plots: tuple[Plot, ...]
    sampled: int
    residuals: tuple[tuple[float, float, float], ...]
    edges: tuple[float, float]
    within: tuple[tuple[float, float], ...]


def numbers_in(answered: Answered) -> Numbers | None:
    """Those of ``report.json``; None where it holds no sample."""
    sample = json_values.table(answered.report.get("sample"))
    actual, predicted = (
        json_values.numbers(sample.get("actual")),
        json_values.numbers(sample.get("predicted")),
    )
    if not actual or not predicted or len(actual) != len(predicted):
        return None
    errors = [ours - theirs for ours, theirs in zip(actual, predicted, strict=True)]
    both, zero = [*actual, *predicted], [*errors, 0.0]
    pairs = [json_values.numbers(pair) for pair in json_values.items(answered.report.get("within"))]
    bars, edges = _histogram(json_values.table(answered.report.get("residuals")))
    return Numbers(
        plots=(
            _plot("Predicted and actual", "Actual", "Predicted", actual, predicted, both, both, rising=True),
            _plot("Residuals", "Predicted", "Actual less predicted", predicted, errors, predicted, zero),
        ),
        sampled=len(actual),
        residuals=bars,
        edges=edges,
        within=tuple((pair[0], pair[1]) for pair in pairs if pair and len(pair) == 2),
    )


def _plot(
    title: str,
    across: str,
    upwards: str,
    xs: Sequence[float],
    ys: Sequence[float],
    x_range: Sequence[float],
    y_range: Sequence[float],
    *,
    rising: bool = False,
) -> Plot:
    """A plot of points; the guide is the diagonal if it is `rising`, else the line at 0."""
    ticks = [charts.ticks(min(values), max(values)) for values in (x_range, y_range)]
    x, y = (charts.Scale(marks[0], marks[-1], charts.SQUARE) for marks in ticks)

    def down(value: float) -> float:
        return round(charts.SQUARE - y(value), 2)

    dots = "".join(f"M{x(one):.1f},{down(other):.1f}h0" for one, other in zip(xs, ys, strict=True))
    ends = (ticks[0][0], ticks[0][-1]) if rising else (0.0, 0.0)
    return Plot(
        title,
        across,
        upwards,
        dots,
        (0.0, down(ends[0]), float(charts.SQUARE), down(ends[1])),
        tuple((f"{mark:g}", x(mark)) for mark in (ticks[0][0], ticks[0][-1])),
        tuple((f"{mark:g}", down(mark)) for mark in ticks[1]),
    )


def _histogram(
    table: Mapping[str, Any],
) -> tuple[tuple[tuple[float, float, float], ...], tuple[float, float]]:
    edges, counts = json_values.numbers(table.get("edges")), json_values.counts(table.get("counts"))
    if not edges or not counts or len(edges) != len(counts) + 1:
        return (), (0.0, 0.0)
    scale, highest = charts.Scale(edges[0], edges[-1], charts.SQUARE), max(counts) or 1
    bars = tuple(
        (scale(low), round(scale(high) - scale(low), 2), round(count / highest * charts.SQUARE, 1))
        for (low, high), count in zip(pairwise(edges), counts, strict=True)
    )
    return bars, (edges[0], edges[-1])
