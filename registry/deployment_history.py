"""What an environment should serve, and what it served before.

What an environment should serve is a Parameter Store parameter whose value is a model package's ARN. The
commands write it last, after the new version has answered, so it names none that does not serve; automation
writes it first, and takes it back if the version does not answer. The parameter's own version history is the
deployment history: Parameter Store records when and by whom each value was written, and the description says
how it came about (``deploy: ...``, ``rollback: ...``, ``promote: ...``). What the commands write is
``deploy of version 3: ...``; the version is named because Parameter Store keeps a description where somebody
else writes a value without one. Parameter Store keeps the last hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from aws_formats.arns import group_and_version, parse_package_version
from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent, is_denied
from registry.environments import Environment

DEPLOY, ROLLBACK, PROMOTE = "deploy", "rollback", "promote"


@dataclass(frozen=True)
class DeploymentRecord:
    """One deployment in an environment's history.

    Attributes:
        number: the parameter's version.
        arn: the value: a version's ARN, or whatever somebody else wrote there.
        action: deploy, rollback or promote; empty where somebody else wrote the parameter.
        note: what the description says besides.
        by: the ARN of who wrote it.
        served: the version had answered before this was written; otherwise it is still to be deployed.
    """

    number: int
    arn: str
    action: str
    note: str
    when: datetime
    by: str
    served: bool = False

    @property
    def version(self) -> int | None:
        """The number of the version that it names; None where the value is no version's ARN."""
        found = parse_package_version(self.arn)
        return found[1] if found else None

    @property
    def in_words(self) -> str:
        """What it names, in words."""
        version = self.version
        return f"{self.arn!r}, which is no version" if version is None else f"version {version}"


def read_history(environment: Environment) -> tuple[DeploymentRecord, ...]:
    """Every deployment that Parameter Store remembers, newest first."""
    pages = (
        environment.clients.client("ssm")
        .get_paginator("get_parameter_history")
        .paginate(Name=environment.parameter)
    )
    try:
        found = [_read_record(entry) for page in pages for entry in page["Parameters"]]
    except ClientError as error:
        if is_absent(error):
            return ()
        raise
    return tuple(sorted(found, key=lambda record: record.number, reverse=True))


def rollback_target(records: Iterable[DeploymentRecord]) -> DeploymentRecord | None:
    """What a rollback goes back to: the newest of :func:`earlier_records`; None if there is none."""
    return next(iter(earlier_records(records)), None)


def earlier_records(records: Iterable[DeploymentRecord]) -> tuple[DeploymentRecord, ...]:
    """The deployments before the current one, newest first, without those that rollbacks took back.

    A rollback takes back what came after the version it went to. So after 1, 2, 3 and a rollback to 2,
    the next goes to 1, never forward to 3 again.
    """
    stack: list[DeploymentRecord] = []
    in_order = sorted(records, key=lambda record: record.number)
    for record in in_order:
        if record.version is None:
            continue
        # A rollback to a version that never served is none: its description is left from an older record.
        if record.action == ROLLBACK and any(earlier.arn == record.arn for earlier in stack):
            while stack[-1].arn != record.arn:
                stack.pop()
        if not stack or stack[-1].arn != record.arn:
            stack.append(record)
    # Where the parameter's value is no version, the current record is not in the stack.
    current_is_there = bool(in_order) and in_order[-1].version is not None
    return tuple(reversed(stack[:-1] if current_is_there else stack))


def record_deployment(
    environment: Environment, arn: str, action: str, note: str, *, served: bool = False
) -> None:
    """Make a version the one that the environment should serve.

    Args:
        served: it has answered there already.
    """
    action = f"{action} of version {group_and_version(arn)[1]}" if served else action
    environment.clients.client("ssm").put_parameter(
        Name=environment.parameter,
        Value=arn,
        Type="String",
        Overwrite=True,
        Description=f"{action}: {note}"[:1024] if note else action,
    )


def deployed_arn(environment: Environment) -> str | None:
    """What an environment should serve; None if nothing was ever deployed there."""
    try:
        answer = environment.clients.client("ssm").get_parameter(Name=environment.parameter)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return str(answer["Parameter"]["Value"])


def deployed_versions(
    environments: Iterable[Environment], *, denied: Callable[[Environment], None] | None = None
) -> dict[str, tuple[str, ...]]:
    """Model package ARN -> the environments that should serve it.

    Args:
        denied: is called with each environment that the caller has no permission to read, which is then left
            out: a reader of the registry does not need access to every environment's account. Without it,
            that is an error.
    """
    found: dict[str, tuple[str, ...]] = {}
    for environment in environments:
        try:
            arn = deployed_arn(environment)
        except ClientError as error:
            if denied is None or not is_denied(error):
                raise
            denied(environment)
            continue
        if arn is not None:
            found[arn] = (*found.get(arn, ()), environment.name)
    return found


def nothing_deployed(environment: Environment) -> GatehouseError:
    """The error for an environment to which nothing was ever deployed."""
    return GatehouseError(
        f"nothing of {environment.project} is deployed in {environment.name}",
        remedy=f"Deploy a version with `gatehouse deploy {environment.project} --env {environment.name}`",
    )


def _read_record(entry: Mapping[str, Any]) -> DeploymentRecord:
    words, _, note = entry.get("Description", "").partition(":")
    action, _, version = words.partition(" of version ")
    ours = action in (DEPLOY, ROLLBACK, PROMOTE)
    named = parse_package_version(entry["Value"])
    return DeploymentRecord(
        number=entry["Version"],
        arn=entry["Value"],
        action=action if ours else "",
        note=note.strip() if ours else entry.get("Description", ""),
        when=entry["LastModifiedDate"],
        by=entry.get("LastModifiedUser", ""),
        served=ours and named is not None and version == str(named[1]),
    )
