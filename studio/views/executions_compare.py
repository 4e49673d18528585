"""Two executions of a project side by side: what differed between them, and what came of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.executions import lifecycle
from pipelines.executions.watching import Step
from pipelines.settings.project import Project
from pipelines.upsert.changes import describe_changes
from studio.source import Source
from studio.views.executions import ExecutionPage, read_definition, read_execution


@dataclass(frozen=True)
class Side:
    """A step of one of the two; None for `step` where SageMaker did not start it."""

    word: str
    step: Step | None


@dataclass(frozen=True)
class ComparedStep:
    """A step of either definition; a side is None where the definition of that execution has it not."""

    name: str
    label: str
    first: Side | None
    second: Side | None


@dataclass(frozen=True)
class ExecutionsCompared:
    """Two executions.

    Attributes:
        parameters: name, value in the first and value in the second, of those that differ.
        definition: how the second's definition differs from the first's, a line each.
        same_parameters: how many parameters are the same in both.
    """

    first: ExecutionPage
    second: ExecutionPage
    parameters: tuple[tuple[str, str | None, str | None], ...]
    same_parameters: int
    definition: tuple[str, ...]
    steps: tuple[ComparedStep, ...]


def compare_executions(source: Source, project: Project, first: str, second: str) -> ExecutionsCompared:
    """Read both.

    Raises:
        GatehouseError: there is no such execution.
    """
    target = source.target(project)
    left, right = (read_execution(source, project, one) for one in (first, second))
    names = dict.fromkeys([*left.parameters, *right.parameters])
    values = [(name, left.parameters.get(name), right.parameters.get(name)) for name in names]
    differing = tuple(one for one in values if one[1] != one[2])
    texts = [lifecycle.definition_of(target, one.arn) for one in (left, right)]
    documents = [read_definition(target, one.arn) for one in (left, right)]
    labels = {drawn.node.name: drawn.label for page in (left, right) for drawn in page.drawn}
    return ExecutionsCompared(
        first=left,
        second=right,
        parameters=differing,
        same_parameters=len(values) - len(differing),
        definition=() if texts[0] == texts[1] else describe_changes(*documents),
        steps=tuple(
            ComparedStep(name, label, _side(left, left.words, name), _side(right, right.words, name))
            for name, label in labels.items()
        ),
    )


def _side(page: ExecutionPage, words: Mapping[str, str], name: str) -> Side | None:
    return Side(words[name], page.steps.get(name)) if name in words else None
