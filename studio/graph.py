"""Places the steps of a definition from top to bottom, so that a page can draw them as plain SVG.

A step stands one row below the lowest of those that it waits for: those it names in ``DependsOn``, those
whose properties or property files it refers to, and the condition in whose branch it is. Within a row, steps
are ordered by the mean place of what they wait for (the barycentre heuristic of Sugiyama, Tagawa and Toda,
1981), which leaves few crossings in graphs of this size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_formats.definition_language import PropertyFileReference, StepReference, all_steps, references

WIDTH, HEIGHT = 248, 56
_GAP_X, _GAP_Y, _MARGIN = 28, 44, 8
_ROUNDS = 4


@dataclass(frozen=True)
class Edge:
    """One step waits for another; ``branch`` is ``yes`` or ``no`` below a condition."""

    start: str
    end: str
    branch: str | None = None


@dataclass(frozen=True)
class Node:
    """A step's box; its upper left corner in pixels."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    """A drawn edge: an SVG path, and where its word stands."""

    edge: Edge
    path: str
    label_x: float
    label_y: float


@dataclass(frozen=True)
class Graph:
    """Everything placed, in pixels."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]


def edges_of(steps: Iterable[Mapping[str, Any]]) -> list[Edge]:
    """What each step of a definition's ``Steps`` waits for, less what follows from a longer way."""
    listed = list(all_steps(steps))
    names = {step["Name"] for step in listed}
    branch_of = dict(_branches(listed))
    found: dict[tuple[str, str], Edge] = {}
    for step in listed:
        name = step["Name"]
        waits_for = set(step.get("DependsOn", ()))
        arguments = step["Arguments"]
        if step["Type"] == "Condition":
            arguments = arguments.get("Conditions", ())
        for reference in references([arguments, step.get("CacheConfig"), step.get("PropertyFiles")]):
            if isinstance(reference, StepReference | PropertyFileReference):
                waits_for.add(reference.step)
        if name in branch_of:
            waits_for.add(branch_of[name].start)
        for other in (waits_for & names) - {name}:
            is_branch = name in branch_of and other == branch_of[name].start
            found[other, name] = branch_of[name] if is_branch else Edge(other, name)
    return [edge for edge in found.values() if not _is_implied(edge, found)]


def place(names: Sequence[str], edges: Sequence[Edge]) -> Graph:
    """Boxes and lines for steps in the definition's order."""
    rows = _in_rows(names, edges)
    widest = max((len(row) for row in rows), default=1)
    width = widest * WIDTH + (widest - 1) * _GAP_X + 2 * _MARGIN
    corners: dict[str, tuple[float, float]] = {}
    for number, row in enumerate(rows):
        taken = len(row) * WIDTH + (len(row) - 1) * _GAP_X
        left = (width - taken) / 2
        for column, name in enumerate(row):
            corners[name] = (left + column * (WIDTH + _GAP_X), _MARGIN + number * (HEIGHT + _GAP_Y))
    height = len(rows) * HEIGHT + max(0, len(rows) - 1) * _GAP_Y + 2 * _MARGIN
    return Graph(
        width=width,
        height=height,
        nodes=tuple(Node(name, *corners[name]) for name in names),
        lines=tuple(_line(edge, corners) for edge in edges),
    )


def _branches(steps: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, Edge]]:
    for step in steps:
        if step["Type"] != "Condition":
            continue
        for key, word in (("IfSteps", "yes"), ("ElseSteps", "no")):
            for inner in step["Arguments"].get(key, ()):
                yield inner["Name"], Edge(step["Name"], inner["Name"], word)


def _is_implied(edge: Edge, edges: Mapping[tuple[str, str], Edge]) -> bool:
    """Whether a way over other steps says the same: for a branch, one that begins with that branch."""
    following: dict[str, list[str]] = {}
    for start, end in edges:
        following.setdefault(start, []).append(end)
    waiting = [
        end
        for end in following[edge.start]
        if end != edge.end and (edge.branch is None or edges[edge.start, end].branch == edge.branch)
    ]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name == edge.end:
            return True
        if name not in seen:
            seen.add(name)
            waiting += following.get(name, ())
    return False


def _in_rows(names: Sequence[str], edges: Sequence[Edge]) -> list[list[str]]:
    before: dict[str, list[str]] = {name: [] for name in names}
    after: dict[str, list[str]] = {name: [] for name in names}
    for edge in edges:
        before[edge.end].append(edge.start)
        after[edge.start].append(edge.end)
    depth: dict[str, int] = {}
    for _ in names:  # a definition has no cycles; were there one, this would still end
        for name in names:
            depth[name] = 1 + max((depth.get(other, 0) for other in before[name]), default=-1)
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in names:
        rows[depth[name]].append(name)
    for number in range(_ROUNDS):
        down = number % 2 == 0
        places = {name: (place + 0.5) / len(row) for row in rows for place, name in enumerate(row)}
        for row in rows if down else reversed(rows):
            nearest = before if down else after
            row.sort(key=lambda name: _mean([places[other] for other in nearest[name]], places[name]))
            places.update({name: (place + 0.5) / len(row) for place, name in enumerate(row)})
    return rows


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _line(edge: Edge, corners: Mapping[str, tuple[float, float]]) -> Line:
    x1, y1 = corners[edge.start][0] + WIDTH / 2, corners[edge.start][1] + HEIGHT
    x2, y2 = corners[edge.end][0] + WIDTH / 2, corners[edge.end][1]
    bend = max(_GAP_Y / 2, (y2 - y1) / 2)
    path = f"M{x1:g},{y1:g} C{x1:g},{y1 + bend:g} {x2:g},{y2 - bend:g} {x2:g},{y2:g}"
    return Line(edge, path, (x1 + x2) / 2, (y1 + y2) / 2)


def condition_box(node: Node) -> str:
    """The SVG path of a condition's box, which is pointed at both sides."""
    left, right, top, bottom = node.x, node.x + WIDTH, node.y, node.y + HEIGHT
    middle, inset = node.y + HEIGHT / 2, 12
    return (
        f"M{left + inset:g},{top:g} H{right - inset:g} L{right:g},{middle:g} L{right - inset:g},{bottom:g}"
        f" H{left + inset:g} L{left:g},{middle:g} Z"
    )
