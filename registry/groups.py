"""Model package groups: one for each project of each team, with its description and its tags.

The description is given when a group is made; SageMaker cannot change it afterwards, so it is not
compared. Tags are: those that should be there are added or corrected, others are left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from aws_formats.service_errors import is_absent, is_denied, is_present
from registry.clients import Clients, tag_list
from registry.model_packages import READERS, summaries


@dataclass(frozen=True)
class GroupSpec:
    """A group as it should be."""

    name: str
    description: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class GroupState:
    """A group as it should be, beside what is there.

    Attributes:
        arn: None if there is no such group.
        missing_tags: tags that are not there or have another value.
    """

    spec: GroupSpec
    arn: str | None
    missing_tags: Mapping[str, str]

    @property
    def differences(self) -> tuple[str, ...]:
        if self.arn is None:
            return ("there is no such group",)
        return tuple(f"tag {key} is not {value!r}" for key, value in sorted(self.missing_tags.items()))


@dataclass(frozen=True)
class Removal:
    """A group that would be deleted, with all its versions; newest first."""

    name: str
    versions: tuple[str, ...]


def compare_groups(clients: Clients, specs: Iterable[GroupSpec]) -> tuple[GroupState, ...]:
    """Each group as it should be beside what is there; reads only."""
    return tuple(_state(clients.client("sagemaker"), spec) for spec in specs)


def apply_groups(states: Iterable[GroupState], clients: Clients) -> None:
    """Make what is missing and correct tags that are wrong."""
    sagemaker = clients.client("sagemaker")
    for state in states:
        if state.arn is None:
            _create(sagemaker, state.spec)
        elif state.missing_tags:
            sagemaker.add_tags(ResourceArn=state.arn, Tags=tag_list(state.missing_tags))


def _create(sagemaker: Any, spec: GroupSpec) -> None:
    try:
        sagemaker.create_model_package_group(
            ModelPackageGroupName=spec.name,
            ModelPackageGroupDescription=spec.description,
            Tags=tag_list(spec.tags),
        )
    except ClientError as error:
        if not is_present(error):  # a pipeline that registers at this moment makes its group, too
            raise


def tagged_groups(clients: Clients, keys: Collection[str], known: Collection[str]) -> list[GroupSpec]:
    """The groups that have tags of all those keys, by name; without the `known` ones, and without those whose
    tags the caller may not read."""
    sagemaker = clients.client("sagemaker")
    paginator = sagemaker.get_paginator("list_model_package_groups")
    pages = paginator.paginate(SortBy="Name", SortOrder="Ascending")
    found = []
    try:
        others = [
            one
            for page in pages
            for one in page["ModelPackageGroupSummaryList"]
            if one["ModelPackageGroupName"] not in known
        ]
    except ClientError as error:
        if is_denied(error):
            return []
        raise
    with ThreadPoolExecutor(READERS) as readers:
        tags = readers.map(lambda one: _tags_if_allowed(sagemaker, one["ModelPackageGroupArn"]), others)
        for one, held in zip(others, tags, strict=True):
            if held.keys() >= set(keys):
                text = one.get("ModelPackageGroupDescription", "")
                found.append(GroupSpec(one["ModelPackageGroupName"], text, held))
    return found


def _tags_if_allowed(sagemaker: Any, arn: str) -> dict[str, str]:
    try:
        return _tags(sagemaker, arn)
    except ClientError as error:
        if is_denied(error) or is_absent(error):
            return {}
        raise


def plan_removal(clients: Clients, names: Iterable[str]) -> tuple[Removal, ...]:
    """The groups of those names that are there, with the versions they hold; reads only."""
    sagemaker = clients.client("sagemaker")
    found = []
    for name in names:
        if _described(sagemaker, name) is not None:
            arns = tuple(summary["ModelPackageArn"] for summary in summaries(clients, name))
            found.append(Removal(name, arns))
    return tuple(found)


def apply_removal(removal: Removal, clients: Clients) -> None:
    """Delete a group's versions and then the group. One that is gone meanwhile is no error."""
    sagemaker = clients.client("sagemaker")
    for arn in removal.versions:
        try:
            sagemaker.delete_model_package(ModelPackageName=arn)
        except ClientError as error:
            if not is_absent(error):
                raise
    try:
        sagemaker.delete_model_package_group(ModelPackageGroupName=removal.name)
    except ClientError as error:
        if not is_absent(error):
            raise


def _state(sagemaker: Any, spec: GroupSpec) -> GroupState:
    described = _described(sagemaker, spec.name)
    if described is None:
        return GroupState(spec, None, spec.tags)
    arn = described["ModelPackageGroupArn"]
    held = _tags(sagemaker, arn)
    missing = {key: value for key, value in spec.tags.items() if held.get(key) != value}
    return GroupState(spec, arn, missing)


def _tags(sagemaker: Any, arn: str) -> dict[str, str]:
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def _described(sagemaker: Any, name: str) -> dict[str, Any] | None:
    try:
        described: dict[str, Any] = sagemaker.describe_model_package_group(ModelPackageGroupName=name)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return described
