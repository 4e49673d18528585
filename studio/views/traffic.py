"""The requests of the last hour, placed so that a page can draw them by minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from aws_formats.service_errors import is_denied
from registry.endpoint_traffic import MINUTES, Minute, read_traffic
from registry.environments import Environment
from studio import charts

STEP, HEIGHT = 10, 80
"""Pixels of a minute and of a chart."""

WIDTH = STEP * MINUTES


@dataclass(frozen=True)
class Part:
    """A piece of a bar, from the top: answered, refused or failed requests."""

    kind: str
    x: int
    y: float
    height: float


@dataclass(frozen=True)
class Span:
    """The median and the 99th percentile of a minute's latency, as heights from the top."""

    x: int
    median: float
    slowest: float


@dataclass(frozen=True)
class Traffic:
    """The last hour.

    Attributes:
        minutes: those with requests, the newest first.
        most: requests of the busiest minute.
        longest: the slowest 99th percentile, milliseconds.
    """

    minutes: tuple[Minute, ...]
    requests: int
    refused: int
    failed: int
    most: int
    longest: float
    parts: tuple[Part, ...]
    spans: tuple[Span, ...]


def read(environment: Environment) -> Traffic | None:
    """The traffic of an environment; None where the caller may not read metrics there."""
    try:
        return drawn(read_traffic(environment))
    except ClientError as error:
        if not is_denied(error):
            raise
        return None


def drawn(minutes: Sequence[Minute]) -> Traffic:
    """The minutes, placed from left to right."""
    most = max((minute.requests for minute in minutes), default=0)
    longest = max((minute.slowest or 0.0 for minute in minutes), default=0.0)
    requests, latency = charts.Scale(0, most, HEIGHT), charts.Scale(0, longest, HEIGHT)
    parts: list[Part] = []
    spans: list[Span] = []
    for number, minute in enumerate(minutes):
        x, top = number * STEP, float(HEIGHT)
        for kind in ("answered", "refused", "failed"):
            height = requests(getattr(minute, kind))
            if height:
                top -= height
                parts.append(Part(kind, x, round(top, 2), height))
        if minute.median is not None and minute.slowest is not None:
            middle = x + STEP // 2
            spans.append(Span(middle, HEIGHT - latency(minute.median), HEIGHT - latency(minute.slowest)))
    return Traffic(
        minutes=tuple(minute for minute in reversed(minutes) if minute.requests),
        requests=sum(minute.requests for minute in minutes),
        refused=sum(minute.refused for minute in minutes),
        failed=sum(minute.failed for minute in minutes),
        most=most,
        longest=longest,
        parts=tuple(parts),
        spans=tuple(spans),
    )
