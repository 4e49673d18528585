"""Selective execution: which steps run, and which are taken over from an earlier execution.

The rules are SageMaker's ("Selective execution of pipeline steps"): the selected steps run. A step before
them is not run; its properties come from a source execution of the same pipeline, in which it succeeded. A
step after them is not run either. All steps on a path between two selected
steps must be selected too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagemaker_local.errors import validation_error
from sagemaker_local.execution.graph import Graph
from sagemaker_local.store import Document


@dataclass(frozen=True)
class Selection:
    """The names of the steps to run, and of those whose results are needed from the source."""

    selected: frozenset[str]
    reused: tuple[str, ...]


def select(graph: Graph, names: list[str]) -> Selection:
    """Check a SelectedSteps list against the graph; raises ValidationException."""
    for name in names:
        if name not in graph.steps:
            raise validation_error(
                f"SelectedSteps names '{name}'; the pipeline has: {', '.join(graph.steps)}."
            )
    selected = frozenset(names)
    before = graph.ancestors(selected) - selected
    between = [name for name in graph.steps if name in before and graph.ancestors([name]) & selected]
    if between:
        raise validation_error(
            f"SelectedSteps must include every step between two selected ones; missing: {', '.join(between)}."
        )
    return Selection(selected, tuple(name for name in graph.steps if name in before))


def reused_steps(
    graph: Graph, selection: Selection, source_arn: str | None, source: Mapping[str, Document]
) -> list[Document]:
    """The step documents that a selective execution begins with; raises ValidationException.

    Args:
        graph: the definition that will run.
        selection: from :func:`select`.
        source_arn: SourcePipelineExecutionArn, None if the caller gave none.
        source: the source execution's step documents by name.
    """
    if selection.reused and source_arn is None:
        raise validation_error(
            "Invalid SourcePipelineExecutionArn: null. The selected steps"
            f" {_listed(sorted(selection.selected))} have dependencies on {_listed(selection.reused)}."
        )
    missing = [name for name in selection.reused if source.get(name, {}).get("StepStatus") != "Succeeded"]
    if missing:
        raise validation_error(
            f"The selected steps {_listed(sorted(selection.selected))} need {_listed(missing)}, which did not"
            f" succeed in {source_arn}. Select them too, or choose another source execution."
        )
    for name in sorted(selection.selected):
        _check_branch(graph, name, selection, source)
    return [_reused(source[name], source_arn) for name in selection.reused]


def _check_branch(graph: Graph, name: str, selection: Selection, source: Mapping[str, Document]) -> None:
    branch = graph.steps[name].branch
    if branch is None or branch[0] in selection.selected:
        return
    condition, needed = branch
    if source[condition]["_Properties"]["Outcome"] != needed:
        raise validation_error(
            f"The selected step '{name}' runs only if '{condition}' is {needed}; in the source execution it"
            f" was {not needed}. Select '{condition}' too."
        )


def _reused(source: Document, source_arn: str | None) -> Document:
    kept: dict[str, Any] = {
        name: source[name]
        for name in ("StepName", "StepDisplayName", "StepDescription", "StepStatus", "StartTime", "EndTime",
                     "Metadata", "_Properties")
        if name in source
    }  # fmt: skip
    return {**kept, "AttemptCount": 0, "SelectiveExecutionResult": {"SourcePipelineExecutionArn": source_arn}}


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return f"[{', '.join(names)}]"
