"""A plan in words, as JSON, and as Markdown for a pull request: `plan`, `upsert` and `run` say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aws_formats.markdown import escaped
from aws_formats.sizes import size_in_words
from aws_formats.visible_text import visible
from pipelines.definition.dataset import DataFile
from pipelines.upsert.plan import UpsertPlan
from pipelines.upsert.step_cache import StepForecast

PLANNED = {
    "create": "would be created",
    "update": "would be updated",
    "none": "up to date",
    "upload": "would be uploaded",
}
DONE = {"create": "created", "update": "updated", "none": "up to date", "upload": "uploaded"}

_FILES_NAMED = 3
"""Of more data files, their number is said."""


def plan_in_words(plan: UpsertPlan, words: Mapping[str, str]) -> Iterator[str]:
    """The plan line by line; `words` is `PLANNED` before it is carried out, `DONE` after."""
    yield f"Pipeline {plan.compiled.name}: {words[plan.action]}"
    for change in plan.changes:
        yield f"  {change}"
    if missing := _missing(plan):
        yield f"  {words['upload']}: {', '.join(missing)}"
    if plan.missing_bucket:
        yield f"  {_no_bucket(plan.missing_bucket)}"


def preview_in_words(plan: UpsertPlan, forecasts: Sequence[StepForecast]) -> Iterator[str]:
    """The plan, and what the next start, with the default parameters, would do with each step."""
    yield from plan_in_words(plan, PLANNED)
    yield "The next start:"
    for forecast in forecasts:
        if forecast.cached_from is None:
            yield f"  {forecast.step} runs: {forecast.reason}"
        else:
            yield f"  {forecast.step} comes from the step cache, execution {_id(forecast)}"


def plan_document(plan: UpsertPlan, forecasts: Sequence[StepForecast]) -> dict[str, Any]:
    """The JSON form, without what a start would take; its keys are part of the interface."""
    return {
        "pipeline": plan.compiled.name,
        "action": plan.action,
        "changes": list(plan.changes),
        "missing_bundles": list(plan.missing_bundles),
        "missing_data": [_name(plan, file) for file in plan.missing_data],
        "missing_bucket": plan.missing_bucket,
        "next_start": [
            {"step": forecast.step, "cached_from": forecast.cached_from, "reason": forecast.reason or None}
            for forecast in forecasts
        ],
    }


def plan_in_markdown(plan: UpsertPlan, forecasts: Sequence[StepForecast]) -> Iterator[str]:
    """The plan for a pull request's page, line by line."""
    yield f"### Pipeline {_code(plan.compiled.name)}: {PLANNED[plan.action]}"
    yield ""
    for change in plan.changes:
        yield f"- {_code(change)}"
    missing = _missing(plan)
    if missing:
        yield f"- {PLANNED['upload']}: {', '.join(map(_code, missing))}"
    if plan.missing_bucket:
        yield f"- {_no_bucket(plan.missing_bucket)}"
    if plan.changes or missing:
        yield ""
    yield "| step | next start | why |"
    yield "| --- | --- | --- |"
    for forecast in forecasts:
        if forecast.cached_from is None:
            yield f"| {_code(forecast.step)} | runs | {escaped(forecast.reason)} |"
        else:
            yield f"| {_code(forecast.step)} | step cache | execution {_code(_id(forecast))} |"


def _missing(plan: UpsertPlan) -> list[str]:
    """What would be uploaded; of much data how much, not each file."""
    files = [_name(plan, file) for file in plan.missing_data]
    if len(files) > _FILES_NAMED:
        total = sum(file.size for file in plan.missing_data)
        files = [f"{len(files):,} data files, {size_in_words(total)}"]
    return [*plan.missing_bundles, *files]


def _name(plan: UpsertPlan, file: DataFile) -> str:
    """Below the data's source."""
    return file.key.removeprefix(plan.compiled.dataset.prefix)


def _no_bucket(name: str) -> str:
    return f"the bucket {name} does not exist: an upsert would stop before it changes anything"


def _id(forecast: StepForecast) -> str:
    return str(forecast.cached_from).rpartition("/")[2]


def _code(text: str) -> str:
    """A code span, which Markdown leaves as it is; with a longer fence where the text has backticks."""
    text = visible(" ".join(text.split()))
    longest = max(map(len, re.findall("`+", text)), default=0)
    return f"{'`' * (longest + 1)} {text} {'`' * (longest + 1)}" if longest else f"`{text}`"
