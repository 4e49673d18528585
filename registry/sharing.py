"""Sharing a model with other accounts: the resource policy of its model package group.

Each account has two statements of its own in the policy, named after it, one for the group and one for
its versions; statements that others wrote are kept as they are. The policy opens the registry only:
artifacts are in S3, perhaps under a KMS key, and those have policies of their own.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from aws_formats.arns import package_version_arn, parse_arn
from aws_formats.errors import GatehouseError
from aws_formats.service_errors import is_absent
from registry.clients import Clients
from registry.model_packages import no_versions

_ACCOUNT = re.compile(r"[0-9]{12}")
_READ = ("sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages")
_USE = ("sagemaker:UpdateModelPackage", "sagemaker:CreateModel")


@dataclass(frozen=True)
class SharingPlan:
    """A group's resource policy before and after; None stands for no policy at all."""

    group: str
    account: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def changes(self) -> bool:
        return self.before != self.after


def plan_share(clients: Clients, group: str, account: str, *, read_only: bool = False) -> SharingPlan:
    """What the policy would be with access for that account; reads only.

    Args:
        read_only: the account may see the versions but neither approve nor deploy them.

    Raises:
        GatehouseError: it is no account's number, it is the group's own, or there is no such group.
    """
    arn, before = _read(clients, group, account)
    owner = parse_arn(arn)
    if owner.account == account:
        raise GatehouseError(
            f"{account} is the account that model {group} belongs to", remedy="It needs no sharing"
        )
    principal = {"AWS": f"arn:{owner.partition}:iam::{account}:root"}
    added = [
        {
            "Sid": _sids(account)[0],
            "Effect": "Allow",
            "Principal": principal,
            "Action": ["sagemaker:DescribeModelPackageGroup"],
            "Resource": arn,
        },
        {
            "Sid": _sids(account)[1],
            "Effect": "Allow",
            "Principal": principal,
            "Action": [*_READ] if read_only else [*_READ, *_USE],
            "Resource": package_version_arn(arn, "*"),
        },
    ]
    return SharingPlan(group, account, before, _replaced(before, account, added))


def plan_revoke(clients: Clients, group: str, account: str) -> SharingPlan:
    """What the policy would be without access for that account; reads only.

    Raises:
        GatehouseError: it is no account's number, or there is no such group.
    """
    _, before = _read(clients, group, account)
    return SharingPlan(group, account, before, _replaced(before, account, []))


def apply_sharing(plan: SharingPlan, clients: Clients) -> None:
    """Write the policy, or delete it where no statement is left."""
    if not plan.changes:
        return
    sagemaker = clients.client("sagemaker")
    if plan.after is None:
        sagemaker.delete_model_package_group_policy(ModelPackageGroupName=plan.group)
        return
    sagemaker.put_model_package_group_policy(
        ModelPackageGroupName=plan.group, ResourcePolicy=json.dumps(plan.after)
    )


def _read(clients: Clients, group: str, account: str) -> tuple[str, dict[str, Any] | None]:
    if not _ACCOUNT.fullmatch(account):
        raise GatehouseError(
            f"{account!r} is no AWS account", remedy="Give its twelve digits, for example 111122223333"
        )
    sagemaker = clients.client("sagemaker")
    try:
        arn: str = sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    except ClientError as error:
        if is_absent(error):
            raise no_versions(group) from error
        raise
    try:
        answer = sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)
    except ClientError as error:
        if is_absent(error):
            return arn, None
        raise
    policy: dict[str, Any] = json.loads(answer["ResourcePolicy"])
    return arn, policy


def _replaced(
    policy: dict[str, Any] | None, account: str, added: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """The policy with these statements instead of the account's own; None if no statement is left."""
    held = (policy or {}).get("Statement", [])
    statements = held if isinstance(held, list) else [held]  # IAM allows a single one without a list
    kept = [item for item in statements if item.get("Sid") not in _sids(account)]
    if not kept + added:
        return None
    return {"Version": "2012-10-17", **(policy or {}), "Statement": kept + added}


def _sids(account: str) -> tuple[str, str]:
    """The ids of an account's two statements, for the group and for its versions."""
    return f"GatehouseGroup{account}", f"GatehouseVersions{account}"
