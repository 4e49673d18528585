"""Looks at a project's list of executions again and again, with the steps that are under way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ConnectionError, HTTPClientError

from pipelines.executions.lifecycle import ExecutionSummary, list_executions, listed_steps
from pipelines.executions.watching import UNDER_WAY, UNREACHABLE_LIMIT

if TYPE_CHECKING:
    from pipelines.settings.target import Target

_PAUSES = {"local": 1.0, "aws": 5.0}
"""Seconds between two looks."""


@dataclass(frozen=True)
class WatchedExecution:
    """A line of the list; `steps` are the names of those that are under way, as people read them."""

    summary: ExecutionSummary
    steps: tuple[str, ...]

    @property
    def note(self) -> str:
        """The steps that are under way, or why it failed."""
        return ", ".join(self.steps) or self.summary.failed_because


def follow_list(target: Target, name: str, limit: int) -> Iterator[tuple[WatchedExecution, ...]]:
    """The newest executions, newest first, for as long as somebody takes them.

    While an AWS endpoint cannot be reached, it goes on trying for a time.

    Raises:
        GatehouseError: there is no such pipeline.
    """
    last_answer = time.monotonic()
    while True:
        try:
            found = tuple(_watched(target, one) for one in list_executions(target, name, limit))
        except (ConnectionError, HTTPClientError):
            if target.name == "local" or time.monotonic() - last_answer > UNREACHABLE_LIMIT:
                raise
        else:
            last_answer = time.monotonic()
            yield found
        time.sleep(_PAUSES[target.name])


def _watched(target: Target, one: ExecutionSummary) -> WatchedExecution:
    if one.status not in UNDER_WAY:
        return WatchedExecution(one, ())
    listed = listed_steps(target, one.execution_arn)
    running = [step for step in listed if step["StepStatus"] in UNDER_WAY]
    return WatchedExecution(one, tuple(step.get("StepDisplayName") or step["StepName"] for step in running))
