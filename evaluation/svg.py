"""Pictures as SVG inside a page: the browser draws them, in its own fonts and in the page's colours.

All pictures have the same size, 360 x 270 units, so that they are readable on a telephone as they are. Marks
(:func:`curve`, :func:`dots` and so on) are drawn into a :class:`Plot`. Names of classes and features do not
stand in pictures: they are text of the page, in any script. The same numbers give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from html_page import text

WIDTH, HEIGHT = 360, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 350, 10, 226
COLOURS = 10
_DASHES = ("", "7 3", "2 3")
_STRIP_WIDTH, _STRIP_HEIGHT = 230, 30
_STRIP_PLACES = 76
_INTERVAL_WIDTH, _INTERVAL_HEIGHT = 400, 46


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``, which differ; ``label`` is plain text."""

    label: str
    low: float
    high: float

    def share(self, value: float) -> float:
        """Where on the axis a value is, 0 to 1 inside it."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self, about: int = 5) -> list[float]:
        """Round numbers inside the axis."""
        rough = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [place * step for place in range(first, math.floor(self.high / step + 1e-9) + 1)]


def axis(label: str, values: Iterable[float], margin: float = 0.03) -> Axis:
    """One that shows all of the values, with a margin at both ends."""
    known = list(values)
    low, high = min(known), max(known)
    more = (high - low) * margin or abs(high) * 0.1 or 1.0
    return Axis(label, low - more, high + more)


@dataclass(frozen=True)
class Plot:
    """The plane that marks are drawn into."""

    x: Axis
    y: Axis

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the plane is, in units of the picture."""
        return _LEFT + self.x.share(x) * (_RIGHT - _LEFT), _BOTTOM - self.y.share(y) * (_BOTTOM - _TOP)


SHARES = (0.0, 1.0)


def picture(
    plot: Plot, marks: Iterable[str], title: str, legend: Sequence[tuple[int | str, str]] = ()
) -> str:
    """A figure with its title (plain text) and a legend below.

    Args:
        legend: what each colour is: a number of :data:`COLOURS` or more, or a class of the style, and
            markup.
    """
    return (
        f'<figure><figcaption>{text(title)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{text(title)}">{_frame(plot)}{"".join(marks)}</svg>{legend_of(legend)}</figure>'
    )


def legend_of(looks: Sequence[tuple[int | str, str]]) -> str:
    """What each colour is, as a list below a picture; an entry without words is a colour between others."""
    keys = "".join(f"<li>{_key(look)}{words}</li>" for look, words in looks)
    return f'<ul class="legend">{keys}</ul>' if keys else ""


def curve(plot: Plot, xs: Sequence[float], ys: Sequence[float], look: int | str = 0) -> str:
    """A line through points."""
    points = (_pair(*plot.at(x, y)) for x, y in zip(xs, ys, strict=True))
    return f'<path {_look(look)} d="M{"L".join(points)}"/>'


def dots(plot: Plot, xs: Sequence[float], ys: Sequence[float], look: int = 0) -> str:
    """A dot for each point, all of them one path: lines of no length with round ends."""
    marks = dict.fromkeys(_pair(*plot.at(x, y)) for x, y in zip(xs, ys, strict=True))
    return _dots(marks, f'style="stroke:var(--c{look})"')


def whiskers(plot: Plot, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> str:
    """An upright line for each interval."""
    lines = (
        f"M{_pair(*plot.at(x, low))}L{_pair(*plot.at(x, high))}"
        for x, low, high in zip(xs, lows, highs, strict=True)
    )
    return f'<path {_look(0)} d="{"".join(lines)}" opacity=".55"/>'


def columns(plot: Plot, edges: Sequence[float], counts: Sequence[float]) -> str:
    """A histogram."""
    found = []
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        (x, y), (end, floor) = plot.at(left, count), plot.at(right, 0.0)
        if count:
            found.append(
                f'<rect class="column" x="{_n(x)}" y="{_n(y)}" width="{_n(max(end - x - 0.6, 0.4))}" '
                f'height="{_n(floor - y)}"/>'
            )
    return "".join(found)


def bar(share: float) -> str:
    """A bar for a cell of a table, full at 1."""
    width = _n(100 * min(max(share, 0.0), 1.0))
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width}" height="10"/></svg>'
    )


def interval(value: float, low: float | None, high: float | None, limit: float | None, said: str) -> str:
    """A value as a dot, its interval as a band, and an upright line for the limit that it is held against.

    Args:
        said: all of that in words, plain text.
    """
    known = [number for number in (value, low, high, limit) if number is not None]
    scale = axis("", known, 0.18)

    def x(number: float) -> float:
        return 8 + scale.share(number) * (_INTERVAL_WIDTH - 16)

    parts = [f'<path class="axis" d="M8 22H{_INTERVAL_WIDTH - 8}"/>']
    for tick in scale.ticks(4):
        parts.append(f'<path class="axis" d="M{_n(x(tick))} 18v8"/>')
        parts.append(f'<text x="{_n(x(tick))}" y="40" text-anchor="middle">{_number(tick)}</text>')
    if low is not None and high is not None:
        parts.append(f'<path class="span" d="M{_n(x(low))} 22H{_n(x(high))}"/>')
    if limit is not None:
        parts.append(f'<path class="limit" d="M{_n(x(limit))} 6v22"/>')
    parts.append(f'<circle class="value" cx="{_n(x(value))}" cy="22" r="5"/>')
    return (
        f'<svg class="interval" viewBox="0 0 {_INTERVAL_WIDTH} {_INTERVAL_HEIGHT}" role="img" '
        f'aria-label="{text(said, 400)}">{"".join(parts)}</svg>'
    )


def strip(values: np.ndarray, looks: np.ndarray, reach: float) -> str:
    """Values as a swarm of dots around a line at zero: where many are alike, it is thick.

    Args:
        values: of -reach to reach.
        looks: the class of colour of each, 0 to 5 (``v0`` to ``v5`` of the style).
    """
    middle, half = _STRIP_HEIGHT / 2, _STRIP_WIDTH / 2
    places = np.rint((values / reach if reach else values * 0.0) * (_STRIP_PLACES / 2)).astype(int)
    order = np.lexsort((values, looks, places))
    places, looks = places[order], looks[order]
    starts = np.flatnonzero(np.diff(places, prepend=places[0] - 1))
    sizes = np.diff(np.append(starts, len(places)))
    rank = np.arange(len(places)) - np.repeat(starts, sizes)
    # Half of the dots above the line, half below; closer together where they would leave the strip.
    step = np.minimum(3.0, (_STRIP_HEIGHT - 4) / np.repeat(sizes, sizes))
    ys = middle + (rank - (np.repeat(sizes, sizes) - 1) / 2) * step
    xs = half + places * (_STRIP_WIDTH - 6) / _STRIP_PLACES
    groups = [
        _dots(dict.fromkeys(map(_pair, xs[looks == look], ys[looks == look])), f'class="dots v{look}"')
        for look in np.unique(looks)
    ]
    return (
        f'<svg class="strip" viewBox="0 0 {_STRIP_WIDTH} {_STRIP_HEIGHT}" aria-hidden="true">'
        f'<path class="axis" d="M{_n(half)} 0v{_STRIP_HEIGHT}"/>{"".join(groups)}</svg>'
    )


def _frame(plot: Plot) -> str:
    parts = [f'<path class="frame" d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}"/>']
    for tick in plot.x.ticks():
        x = plot.at(tick, plot.y.low)[0]
        parts.append(f'<path class="axis" d="M{_n(x)} {_TOP}V{_BOTTOM}"/>')
        parts.append(f'<text x="{_n(x)}" y="{_BOTTOM + 15}" text-anchor="middle">{_number(tick)}</text>')
    for tick in plot.y.ticks():
        y = plot.at(plot.x.low, tick)[1]
        parts.append(f'<path class="axis" d="M{_LEFT} {_n(y)}H{_RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 5}" y="{_n(y + 4)}" text-anchor="end">{_number(tick)}</text>')
    middle_x, middle_y = (_LEFT + _RIGHT) / 2, (_TOP + _BOTTOM) / 2
    parts.append(
        f'<text x="{_n(middle_x)}" y="{HEIGHT - 10}" text-anchor="middle">{text(plot.x.label)}</text>'
    )
    parts.append(
        f'<text transform="translate(11 {_n(middle_y)}) rotate(-90)" text-anchor="middle">'
        f"{text(plot.y.label)}</text>"
    )
    return "".join(parts)


def _key(look: int | str) -> str:
    return f'<svg class="key" viewBox="0 0 26 10" aria-hidden="true"><path {_look(look)} d="M0 5H26"/></svg>'


def _look(look: int | str) -> str:
    """Attributes of a line: colours first, then the same colours dashed."""
    if isinstance(look, str):
        return f'class="{look}"'
    dash = _DASHES[look // COLOURS % len(_DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'class="curve" style="stroke:var(--c{look % COLOURS})"{dashed}'


def _dots(marks: Iterable[str], attributes: str) -> str:
    kind = "" if "class=" in attributes else 'class="dots" '
    return f'<path {kind}{attributes} d="{"".join(f"M{mark}h0" for mark in marks)}"/>'


def _pair(x: float, y: float) -> str:
    return f"{_n(x)} {_n(y)}"


def _n(value: float) -> str:
    """A coordinate with one decimal, which is less than anybody sees."""
    return f"{round(float(value), 1) + 0.0:.1f}".removesuffix(".0")  # + 0.0: no minus before a zero


def _number(value: float) -> str:
    """A tick's number, short: 20k, 1.5M."""
    size = abs(value)
    for least, unit in ((1e6, "M"), (1e4, "k")):
        if least <= size < 1e9:
            return f"{value / (1e6 if unit == 'M' else 1e3):.6g}{unit}"
    return "0" if size < 1e-12 else f"{value:.6g}"
