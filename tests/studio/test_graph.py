"""How the steps of a definition are connected and placed."""

from __future__ import annotations

from typing import Any

from studio.graph import Edge, edges_of, place


def step(name: str, *after: str, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Processing", "Arguments": {}, "DependsOn": list(after), **more}


def test_a_branch_leads_to_its_first_steps_only() -> None:
    """What waits for another step of its branch is drawn below that one, without a line past it."""
    inner = [step("Look"), step("Register", "Look")]
    condition = {
        **step("Check", "Train"),
        "Type": "Condition",
        "Arguments": {"Conditions": [], "IfSteps": inner, "ElseSteps": [step("Refuse")]},
    }
    steps = [step("Prepare"), step("Train", "Prepare"), condition]
    edges = edges_of(steps)
    assert set(edges) == {
        Edge("Prepare", "Train"),
        Edge("Train", "Check"),
        Edge("Check", "Look", "yes"),
        Edge("Look", "Register"),
        Edge("Check", "Refuse", "no"),
    }
    names = ["Prepare", "Train", "Check", "Look", "Register", "Refuse"]
    rows = {node.name: node.y for node in place(names, edges).nodes}
    assert rows["Prepare"] < rows["Train"] < rows["Check"] < rows["Look"] == rows["Refuse"] < rows["Register"]
