"""Everything that a definition is compiled from, gathered before the SDK is imported.

Only local files are read, and git is asked; nothing here touches the network.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines import ROOT
from pipelines.definition.bundles import Bundle, code_bundle, gate_bundle, settings_bundle
from pipelines.definition.dataset import Dataset, find_dataset
from pipelines.definition.source_commit import source_commit
from pipelines.settings.project import Project
from pipelines.settings.query import query_text
from pipelines.settings.target import Target

_DEFINING = ("pipeline.py", "model_card.py", "query.py", "sagemaker_sdk.py", "tuning.py")
"""The modules that decide what the document says."""


@dataclass(frozen=True)
class Sources:
    """The five bundles, the data, the commit that they come from, and the text of the data's query if any."""

    processing: Bundle
    training: Bundle
    evaluation: Bundle
    settings: Bundle
    gate: Bundle
    dataset: Dataset
    commit: str
    query: str = ""

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        return (self.processing, self.training, self.evaluation, self.settings, self.gate)


def gather_sources(
    project: Project,
    target: Target,
    *,
    programs: Path = ROOT,
    environ: Mapping[str, str] = os.environ,
) -> Sources:
    """Read and digest what the project's pipeline is made of.

    Args:
        programs: the folder that holds ``processing``, ``training`` and ``evaluation``.
        environ: environment variables, for the commit (``source_commit``).

    Raises:
        GatehouseError: a program's folder or the data is missing, or its query cannot be used.
    """
    folders = {name: programs / name for name in ("processing", "training", "evaluation")}
    compiled_in = [
        *folders.values(),
        *(Path(__file__).with_name(name) for name in _DEFINING),
        project.file.resolve(),
    ]
    query = project.data.query
    if query is not None and query.file is not None:
        compiled_in.append((project.root / query.file).resolve())
    return Sources(
        **{name: code_bundle(f"{name} code", project.name, folder) for name, folder in folders.items()},
        settings=settings_bundle(project),
        gate=gate_bundle(project),
        commit=source_commit(project.root, compiled_in, environ),
        query=query_text(query, project.root) if query is not None else "",
        dataset=find_dataset(project, target),  # last: large data takes a while
    )
