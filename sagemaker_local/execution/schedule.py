"""Which steps of a graph may start now, and how an execution ends.

A value object without threads or store: the engine tells it what happened, it says what follows.

* A step starts when everything it needs has ended as it needs it, and its condition took its branch.
* A step that can never start (its branch was not taken, something it needs ended otherwise) is skipped,
  and so is what needs it; it has no document, as on AWS.
* Once a step fails and no other step is there to run on that failure, nothing new starts; what is running
  runs to its end, and the execution is Failed. AWS does not document what becomes of steps beside a failed
  one; this choice wastes no finished work and a retry continues with the rest.
* If another step waits for the failure (DependsOn with a Trigger), the execution goes on and ends as
  CompletedWithFailures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sagemaker_local.execution.graph import COMPLETED, Graph, Step

WAITING = "Waiting"
RUNNING = "Running"
SKIPPED = "Skipped"
_ENDED = ("Succeeded", "Failed", "Stopped")
_SATISFIED_BY = {
    COMPLETED: ("Succeeded",),
    "Failed": ("Failed",),
    "Stopped": ("Stopped",),
    "Any": _ENDED,
}


@dataclass
class Schedule:
    """The state of every step of one execution.

    Attributes:
        graph: what is to run.
        states: ``Waiting``, ``Running``, ``Skipped``, ``Succeeded``, ``Failed`` or ``Stopped`` by step.
        outcomes: of the conditions that were evaluated.
    """

    graph: Graph
    states: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def begin(
        cls, graph: Graph, succeeded: Mapping[str, Mapping[str, object]], selected: frozenset[str] | None
    ) -> Schedule:
        """At the start or at a retry.

        Args:
            graph: what is to run.
            succeeded: properties of the steps that need not run (again), by name.
            selected: the steps of a selective execution, None for all.
        """
        schedule = cls(graph)
        for name in graph.steps:
            if name in succeeded:
                schedule.ended(name, "Succeeded", succeeded[name])
            else:
                schedule.states[name] = WAITING if selected is None or name in selected else SKIPPED
        schedule._skip_unreachable()
        return schedule

    def started(self, name: str) -> None:
        self.states[name] = RUNNING

    def ended(self, name: str, status: str, properties: Mapping[str, object]) -> None:
        """A step's end, with a condition's Outcome among its properties."""
        self.states[name] = status
        if self.graph.steps[name].type == "Condition" and status == "Succeeded":
            self.outcomes[name] = bool(properties["Outcome"])
        self._skip_unreachable()

    def ready(self) -> list[Step]:
        """The steps that may start now, in the definition's order."""
        if self.unhandled():
            return []
        return [
            step
            for name, step in self.graph.steps.items()
            if self.states[name] == WAITING and all(self._met(step, needed) for needed in step.needs)
        ]

    def is_imminent(self, step: Step) -> bool:
        """Whether it waits for what is running alone, with conditions in between, which take no time."""

        def is_awaited(name: str) -> bool:
            return self.states[name] == WAITING and self.graph.steps[name].type != "Condition"

        return self.states[step.name] == WAITING and not any(
            map(is_awaited, self.graph.ancestors([step.name]))
        )

    def running(self) -> int:
        return sum(state == RUNNING for state in self.states.values())

    def unhandled(self) -> list[str]:
        """The steps that failed or were stopped with no other step waiting for just that."""
        return [
            name
            for name, state in self.states.items()
            if state in ("Failed", "Stopped") and not self._is_handled(name, state)
        ]

    def final_status(self) -> str:
        """The execution's status once nothing runs and it was not stopped."""
        if self.unhandled():
            return "Failed"
        if any(state in ("Failed", "Stopped") for state in self.states.values()):
            return "CompletedWithFailures"
        return "Succeeded"

    def _is_handled(self, name: str, state: str) -> bool:
        return any(
            step.needs.get(name, COMPLETED) != COMPLETED
            and state in _SATISFIED_BY[step.needs[name]]
            and self.states[other] != SKIPPED
            for other, step in self.graph.steps.items()
        )

    def _met(self, step: Step, needed: str) -> bool:
        return self.states[needed] in _SATISFIED_BY[step.needs[needed]] and not self._other_branch(step)

    def _never(self, step: Step, needed: str) -> bool:
        state = self.states.get(needed, WAITING)
        return state == SKIPPED or (state in _ENDED and state not in _SATISFIED_BY[step.needs[needed]])

    def _other_branch(self, step: Step) -> bool:
        if step.branch is None:
            return False
        condition, outcome = step.branch
        return self.outcomes.get(condition, outcome) != outcome

    def _skip_unreachable(self) -> None:
        """Mark what can never start, until nothing more follows from it."""
        changed = True
        while changed:
            changed = False
            for name, step in self.graph.steps.items():
                if self.states.get(name) == WAITING and (
                    self._other_branch(step) or any(self._never(step, needed) for needed in step.needs)
                ):
                    self.states[name] = SKIPPED
                    changed = True
