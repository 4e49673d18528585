"""Whatever the graph and whatever fails: steps start only when they may, and nothing is left hanging."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_local.execution.graph import TRIGGERS, Graph, check_definition
from sagemaker_local.execution.schedule import SKIPPED, WAITING, Schedule

ENDS = ("Succeeded", "Succeeded", "Succeeded", "Failed", "Stopped")
ALLOWED = {
    "Completed": {"Succeeded"},
    "Failed": {"Failed"},
    "Stopped": {"Stopped"},
    "Any": {"Succeeded", "Failed", "Stopped"},
}


@st.composite
def graphs(draw: Any) -> Graph:
    """Up to eight steps, some of them in the branches of conditions, each waiting for some before it."""
    steps: list[dict[str, Any]] = []
    places: list[list[dict[str, Any]]] = [steps]
    names: list[str] = []
    for number in range(draw(st.integers(1, 8))):
        step: dict[str, Any] = {"Name": f"S{number}", "Type": "Processing", "Arguments": {}}
        if draw(st.booleans()):
            condition = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
            step["Type"] = "Condition"
            step["Arguments"] = {"Conditions": [condition], "IfSteps": [], "ElseSteps": []}
        if names:
            step["DependsOn"] = [
                {"Step": name, "Trigger": draw(st.sampled_from(TRIGGERS + ("Completed",) * 6))}
                for name in draw(st.lists(st.sampled_from(names), unique=True, max_size=2))
            ]
        draw(st.sampled_from(places)).append(step)
        if step["Type"] == "Condition":
            places += [step["Arguments"]["IfSteps"], step["Arguments"]["ElseSteps"]]
        names.append(step["Name"])
    return check_definition({"Version": "2020-12-01", "Steps": steps})


@settings(max_examples=60)
@given(graphs(), st.data())
def test_every_step_runs_as_it_may_or_is_skipped(graph: Graph, data: Any) -> None:
    schedule = Schedule.begin(graph, {}, None)
    running: list[str] = []
    outcomes: dict[str, bool] = {}
    while True:
        for step in schedule.ready():
            for needed, trigger in step.needs.items():
                assert schedule.states[needed] in ALLOWED[trigger]
            if step.branch is not None:
                assert outcomes[step.branch[0]] is step.branch[1]
            schedule.started(step.name)
            running.append(step.name)
        if not running:
            break
        name = running.pop(data.draw(st.integers(0, len(running) - 1)))
        outcomes[name] = data.draw(st.booleans())
        schedule.ended(name, data.draw(st.sampled_from(ENDS)), {"Outcome": outcomes[name]})
    states = set(schedule.states.values())
    if not schedule.unhandled():
        assert WAITING not in states
    assert schedule.final_status() == (
        "Failed"
        if schedule.unhandled()
        else "CompletedWithFailures"
        if states & {"Failed", "Stopped"}
        else "Succeeded"
    )


@settings(max_examples=60)
@given(graphs(), st.data())
def test_a_retry_runs_exactly_what_did_not_succeed(graph: Graph, data: Any) -> None:
    first = Schedule.begin(graph, {}, None)
    while ready := first.ready():
        first.started(ready[0].name)
        first.ended(ready[0].name, data.draw(st.sampled_from(ENDS)), {"Outcome": True})
    succeeded = {name: {"Outcome": True} for name, state in first.states.items() if state == "Succeeded"}
    again = Schedule.begin(graph, succeeded, None)
    ran = []
    while ready := again.ready():
        ran.append(ready[0].name)
        again.started(ready[0].name)
        again.ended(ready[0].name, "Succeeded", {"Outcome": True})
    assert not set(ran) & set(succeeded)
    assert again.final_status() == "Succeeded"
    assert all(again.states[name] in ("Succeeded", SKIPPED) for name in graph.steps)
