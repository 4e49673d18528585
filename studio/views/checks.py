"""The checks of a gate's verdict, placed so that a page can draw each number with its bound and interval."""

from __future__ import annotations

from dataclasses import dataclass

from registry.verdicts import Check, Verdict
from studio import charts


@dataclass(frozen=True)
class DrawnCheck:
    """A check of the gate with where its number, its bound and its interval lie on one scale."""

    check: Check
    value: float | None
    limit: float | None
    low: float | None
    high: float | None


def drawn_checks(verdict: Verdict | None) -> tuple[DrawnCheck, ...]:
    """The verdict's checks in its order; none where there is no verdict."""
    return tuple(_drawn(check) for check in verdict.checks) if verdict else ()


def _drawn(check: Check) -> DrawnCheck:
    numbers = (check.value, check.limit, check.low, check.high)
    if check.value is None:
        return DrawnCheck(check, None, None, None, None)
    scale = charts.scale_of(numbers, charts.LINE)
    value, limit, low, high = (None if number is None else scale(number) for number in numbers)
    return DrawnCheck(check, value, limit, low, high)
