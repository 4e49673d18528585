"""Settings and sources in, the definition document out. Offline, and the same bytes everywhere.

This is the one way to a definition for everything but notebooks, and the only module of it that
starts slowly: the SDK is imported when the first pipeline is compiled, not before.
"""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pipelines.definition import limits
from pipelines.definition.bundles import Bundle
from pipelines.definition.dataset import Dataset
from pipelines.definition.image import check_image
from pipelines.definition.sources import Sources, gather_sources
from pipelines.settings.project import Project
from pipelines.settings.tags import resource_tags
from pipelines.settings.target import Target

_QUICK_SECONDS = 0.2
"""In which what is wrong with the sources is found, and all but large data is digested."""

LIBRARIES = ("rich.traceback", "jsonschema", "yaml", "requests", "cryptography.exceptions")
"""Those of others that the SDK's import loads, the slowest of them."""


@dataclass(frozen=True)
class Compiled:
    """A pipeline ready to be planned, published and created or updated.

    Attributes:
        definition: the document of version 2020-12-01, as the SDK writes it.
        parameters: the parameters' default values by name.
        bundles: the code and settings that the definition refers to.
        dataset: the data behind the default of ``InputDataUri``.
        tags: of the pipeline.
        commit: what it was compiled from, as ``source_commit`` says it.
    """

    name: str
    description: str
    definition: str
    parameters: Mapping[str, Any]
    bundles: tuple[Bundle, ...]
    dataset: Dataset
    tags: Mapping[str, str]
    commit: str = ""


def begin_imports() -> None:
    """Import what the SDK needs in a thread, for a caller that waits for something else before it compiles.

    Not the SDK itself, which takes the process's environment for itself while it is imported.
    """

    def run() -> None:
        for library in LIBRARIES:
            with suppress(ImportError):  # of an SDK that does without it
                importlib.import_module(library)

    threading.Thread(target=run, name="imports", daemon=True).start()


def compile_pipeline(project: Project, target: Target, sources: Sources | None = None) -> Compiled:
    """Compile the project's pipeline for a target.

    Args:
        sources: what to compile; without it, what ``gather_sources`` finds.

    Raises:
        GatehouseError: the data or a program is missing, the programs do not run on the image, or AWS would
            refuse the definition.
    """
    # Whatever can be wrong without the SDK is found before the second that its import takes.
    check_image(project)
    sources = sources or _gathered(project, target)
    from pipelines.definition import pipeline as definition
    from pipelines.definition.sagemaker_sdk import offline_session

    session = offline_session(target.region, target.bucket)
    text = definition.build(project, target, session, sources=sources).definition()
    tags = resource_tags(project, target)
    limits.check_pipeline(project.name, project.description, tags)
    parameters = json.loads(text)["Parameters"]
    return Compiled(
        name=project.name,
        description=project.description,
        definition=text,
        parameters={parameter["Name"]: parameter["DefaultValue"] for parameter in parameters},
        bundles=sources.bundles,
        dataset=sources.dataset,
        tags=tags,
        commit=sources.commit,
    )


def _gathered(project: Project, target: Target) -> Sources:
    """As `gather_sources`; the SDK is imported while large data is digested."""
    threads = ThreadPoolExecutor(1, thread_name_prefix="sources")
    try:
        gathering = threads.submit(gather_sources, project, target)
        if wait([gathering], _QUICK_SECONDS).not_done:
            from pipelines.definition import sagemaker_sdk  # noqa: F401
        return gathering.result()
    finally:
        threads.shutdown(wait=False)  # after Ctrl-C nobody waits for a digest
