"""What a start would take and cost, in words, as JSON, and as Markdown: the last part of `gatehouse plan`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from aws_formats.markdown import escaped
from pipelines.upsert.estimate import Estimate, Span, StepEstimate

_PLACES = {"aws": "in AWS", "local": "on this machine"}


def estimates_in_words(estimates: Sequence[Estimate]) -> Iterator[str]:
    """Each estimate, line by line."""
    if not any(estimate.steps for estimate in estimates):
        yield "Estimated: no job runs, so it takes seconds and costs nothing"
        return
    for estimate in estimates:
        yield f"Estimated {_PLACES[estimate.place]}:"
        for step in estimate.steps:
            yield f"  {step.step}, {_instances(step)}: {_what(step.seconds, step.cost, estimate)}{step.why}"
        if estimate.seconds is not None:
            what = _what(estimate.seconds, estimate.cost, estimate).removesuffix("; ")
            yield f"  all steps: {what}" + ("" if estimate.prices else "; it costs nothing")
        for sentence in estimate.sureness:
            yield f"  {sentence}"


def estimate_document(estimate: Estimate) -> dict[str, Any]:
    """The JSON form; its keys are part of the interface."""
    prices = estimate.prices
    return {
        "place": estimate.place,
        "seconds": _numbers(estimate.seconds),
        "cost": _numbers(estimate.cost),
        "currency": prices.currency if prices else None,
        "prices": {"date": prices.date, "region": prices.region, "file": str(prices.file)}
        if prices
        else None,
        "data_gigabytes": estimate.gigabytes,
        "steps": [
            {
                "step": step.step,
                "instance_type": step.instance_type,
                "instances": step.instances,
                "seconds": _numbers(step.seconds),
                "billed_seconds": _numbers(step.billed) if prices else None,
                "cost": _numbers(step.cost),
                "executions": step.executions,
                "why": step.why,
            }
            for step in estimate.steps
        ],
        "sureness": list(estimate.sureness),
    }


def estimates_in_markdown(estimates: Sequence[Estimate]) -> Iterator[str]:
    """The estimate of a start in AWS for a pull request's page, line by line."""
    for estimate in estimates:
        if estimate.prices is None or not estimate.steps:
            continue
        yield ""
        yield "| step that runs | instances | time | cost | from |"
        yield "| --- | --- | --- | --- | --- |"
        for step in estimate.steps:
            cells = (_instances(step), _time(step.seconds), _money(step.cost, estimate), escaped(step.why))
            yield f"| `{step.step}` | {' | '.join(cells)} |"
        yield f"| all steps | | {_time(estimate.seconds)} | {_money(estimate.cost, estimate)} | |"
        yield ""
        yield f"{escaped('. '.join(one[0].upper() + one[1:] for one in estimate.sureness))}."


def _what(seconds: Span | None, cost: Span | None, estimate: Estimate) -> str:
    words = [_time(seconds)] if seconds else []
    words += [_money(cost, estimate)] if cost else []
    return "".join(f"{word}; " for word in words)


def _time(span: Span | None) -> str:
    return "" if span is None else _with_ends(*map(_about, (span.low, span.expected, span.high)))


def _money(span: Span | None, estimate: Estimate) -> str:
    if span is None or estimate.prices is None:
        return ""
    currency = estimate.prices.currency
    low, expected, high = map(_amount, (span.low, span.expected, span.high))
    return _with_ends(low, f"{expected} {currency}", high)


def _with_ends(low: str, expected: str, high: str) -> str:
    return f"about {expected}" + (f" ({low} to {high})" if low != high else "")


def _about(seconds: float) -> str:
    """Without a precision that no estimate has: ``8 s``, ``4 min``, ``3.1 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _amount(value: float) -> str:
    return f"{value:,.2f}" if value >= 0.1 else f"{value:.3f}"


def _instances(step: StepEstimate) -> str:
    return f"{step.instances} x {step.instance_type}"


def _numbers(span: Span | None) -> dict[str, float] | None:
    return None if span is None else {name: round(value, 4) for name, value in asdict(span).items()}
