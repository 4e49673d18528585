"""What an upsert would do, found by reading only.

``plan_upsert`` compares a compiled pipeline with the one that is live and says in words what would
change and what would be uploaded. ``apply.apply_upsert`` carries the same plan out, so `gatehouse plan` and
`gatehouse upsert` share everything but that call. ``forecast_next_start`` adds which steps would run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aws_formats.errors import GatehouseError
from pipelines.definition.bucket import bucket_exists
from pipelines.definition.bundles import missing_files
from pipelines.definition.compile import Compiled
from pipelines.definition.dataset import DataFile, missing_data
from pipelines.executions import lifecycle as executions
from pipelines.settings.tags import PROJECT_TAG, TEAM_TAG
from pipelines.settings.target import Target
from pipelines.upsert.changes import describe_changes
from pipelines.upsert.step_cache import StepForecast, forecast_first_start, forecast_steps


@dataclass(frozen=True)
class LivePipeline:
    """The pipeline as it is in SageMaker; `modified`, in POSIX seconds, changes with every update."""

    arn: str
    definition: str
    description: str
    role_arn: str
    modified: float
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class UpsertPlan:
    """What an upsert would do.

    Attributes:
        action: what happens to the pipeline; files may be missing even where it stays as it is.
        changes: one line each, by step and argument; empty for ``create`` and ``none``.
        missing_bundles: names of bundles that are not wholly in the bucket.
        missing_data: the data files that are not in the bucket.
        missing_bucket: the bucket's name, if it is not there and an upsert would not make it.
        live: what was compared with; None for ``create``.
    """

    action: Literal["create", "update", "none"]
    changes: tuple[str, ...]
    missing_bundles: tuple[str, ...]
    missing_data: tuple[DataFile, ...]
    missing_bucket: str | None
    compiled: Compiled
    live: LivePipeline | None

    @property
    def changes_something(self) -> bool:
        """Whether applying it would write anything at all."""
        return self.action != "none" or bool(self.missing_bundles or self.missing_data)


def plan_upsert(compiled: Compiled, target: Target) -> UpsertPlan:
    """Compare a compiled pipeline with the live one of its name. Reads only.

    Raises:
        GatehouseError: the live pipeline of that name is not this project's.
    """
    live = read_live_pipeline(compiled.name, target)
    if live is not None:
        _refuse_foreign(live, compiled)
    s3 = target.client("s3")
    changes = () if live is None else _changes(live, compiled, target)
    bundles = tuple(bundle.name for bundle in compiled.bundles if missing_files(bundle, target.bucket, s3))
    data = missing_data(compiled.dataset, target.bucket, s3)
    no_bucket = target.name == "aws" and bool(bundles or data) and not bucket_exists(target.bucket, s3)
    return UpsertPlan(
        action="create" if live is None else "update" if changes else "none",
        changes=changes,
        missing_bundles=bundles,
        missing_data=data,
        missing_bucket=target.bucket if no_bucket else None,
        compiled=compiled,
        live=live,
    )


def forecast_next_start(plan: UpsertPlan, target: Target) -> tuple[StepForecast, ...]:
    """Which steps a start would run once the plan has been carried out, and why. Reads only."""
    if plan.live is None:
        return forecast_first_start(plan.compiled.definition)
    return forecast_steps(plan.compiled.definition, plan.compiled.name, target)


def read_live_pipeline(name: str, target: Target) -> LivePipeline | None:
    """The pipeline of that name, None if there is none."""
    found = executions.describe_pipeline(target, name)
    if found is None:
        return None
    pages = target.client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=found["PipelineArn"])
    return LivePipeline(
        arn=found["PipelineArn"],
        definition=found["PipelineDefinition"],
        description=found.get("PipelineDescription", ""),
        role_arn=found.get("RoleArn", ""),
        modified=found["LastModifiedTime"].timestamp(),
        tags=tuple(sorted((tag["Key"], tag["Value"]) for page in pages for tag in page["Tags"])),
    )


def missing_tags(live: LivePipeline, wanted: Mapping[str, str]) -> dict[str, str]:
    """The tags that an update would set; others that the pipeline has stay."""
    there = dict(live.tags)
    return {key: value for key, value in wanted.items() if there.get(key) != value}


def _refuse_foreign(live: LivePipeline, compiled: Compiled) -> None:
    """A pipeline is a project's if its tags name the team and the project: nobody else sets them."""
    there, own = dict(live.tags), {key: compiled.tags[key] for key in (TEAM_TAG, PROJECT_TAG)}
    if all(there.get(key) == value for key, value in own.items()):
        return
    pairs = " ".join(f"Key={key},Value={value}" for key, value in own.items())
    raise GatehouseError(
        f"the name {compiled.name} is in use by a pipeline that is not this project's",
        where=live.arn,
        remedy="Give the project another name; or, if the pipeline is yours, say so:"
        f" aws sagemaker add-tags --resource-arn {live.arn} --tags {pairs}",
    )


def _changes(live: LivePipeline, compiled: Compiled, target: Target) -> tuple[str, ...]:
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


def _document(definition: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(definition)
    return parsed
