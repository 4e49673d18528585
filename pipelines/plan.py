"""What an upsert would do, found by reading only.

``plan_upsert`` compares a compiled pipeline with the one that is live and says in words what would
change, which steps would run again, and what would be uploaded. ``upsert.apply_plan`` carries the
same plan out. A ``--dry-run`` and the real thing share everything but that last call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipelines.bundles import missing_files
from pipelines.changes import describe_changes, steps_to_run_again
from pipelines.compile import Compiled
from pipelines.dataset import missing_data
from pipelines.target import Target


@dataclass(frozen=True)
class Live:
    """The pipeline as it is in SageMaker. `modified` tells one state of it from the next."""

    arn: str
    definition: str
    description: str
    role_arn: str
    modified: float
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Plan:
    """What an upsert would do.

    Attributes:
        action: what happens to the pipeline; files may be missing even where it stays as it is.
        changes: one line each, by step and argument; empty for ``create`` and ``none``.
        runs_again: steps that the cache no longer answers for at the next start.
        missing_bundles: names of bundles that are not wholly in the bucket.
        missing_data: names of data files that are not in the bucket.
        live: what was compared with; None for ``create``.
    """

    action: Literal["create", "update", "none"]
    changes: tuple[str, ...]
    runs_again: tuple[str, ...]
    missing_bundles: tuple[str, ...]
    missing_data: tuple[str, ...]
    compiled: Compiled
    live: Live | None

    @property
    def changes_something(self) -> bool:
        """Whether applying it would write anything at all."""
        return self.action != "none" or bool(self.missing_bundles or self.missing_data)


def plan_upsert(compiled: Compiled, target: Target) -> Plan:
    """Compare a compiled pipeline with the live one of its name. Reads only."""
    live = read_live(compiled.name, target)
    s3 = target.client("s3")
    changes = () if live is None else _changes(live, compiled, target)
    return Plan(
        action="create" if live is None else "update" if changes else "none",
        changes=changes,
        runs_again=_runs_again(live, compiled),
        missing_bundles=tuple(
            bundle.name for bundle in compiled.bundles if missing_files(bundle, target.bucket, s3)
        ),
        missing_data=tuple(file.path.name for file in missing_data(compiled.dataset, target.bucket, s3)),
        compiled=compiled,
        live=live,
    )


def read_live(name: str, target: Target) -> Live | None:
    """The pipeline of that name, None if there is none."""
    from botocore.exceptions import ClientError

    sagemaker = target.client("sagemaker")
    try:
        found = sagemaker.describe_pipeline(PipelineName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFound":
            return None
        raise
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=found["PipelineArn"])
    return Live(
        arn=found["PipelineArn"],
        definition=found["PipelineDefinition"],
        description=found.get("PipelineDescription", ""),
        role_arn=found.get("RoleArn", ""),
        modified=found["LastModifiedTime"].timestamp(),
        tags=tuple(sorted((tag["Key"], tag["Value"]) for page in pages for tag in page["Tags"])),
    )


def missing_tags(live: Live, wanted: Mapping[str, str]) -> dict[str, str]:
    """The tags that an update would set; others that the pipeline has stay."""
    there = dict(live.tags)
    return {key: value for key, value in wanted.items() if there.get(key) != value}


def _changes(live: Live, compiled: Compiled, target: Target) -> tuple[str, ...]:
    changes: list[str] = []
    if live.definition != compiled.definition:
        changes += describe_changes(_document(live.definition), json.loads(compiled.definition))
        # The same content in other bytes: someone else's tool wrote it.
        changes = changes or ["the pipeline: the definition is written differently"]
    if live.description != compiled.description:
        changes.append(f"the pipeline: description {live.description!r} -> {compiled.description!r}")
    if live.role_arn != target.role_arn:
        changes.append(f"the pipeline: role {live.role_arn} -> {target.role_arn}")
    for key, value in missing_tags(live, compiled.tags).items():
        changes.append(f"the pipeline: tag {key} {dict(live.tags).get(key, 'nothing')} -> {value}")
    return tuple(changes)


def _runs_again(live: Live | None, compiled: Compiled) -> tuple[str, ...]:
    before = {"Parameters": [], "Steps": []} if live is None else _document(live.definition)
    return steps_to_run_again(before, json.loads(compiled.definition))


def _document(definition: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(definition)
    return parsed
